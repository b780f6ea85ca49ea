"""The application on AWS by the public commands: its machines run, answer, and leave nothing."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.apart import in_a_thread
from tests.application.steps import User
from tests.backend import making
from tests.browser import chromium, drawing
from tests.chain import wait_until
from tests.emulator import Emulator
from tests.emulator.asking import Account
from workbench.application.launch import tell_of_other_code
from workbench.aws import code
from workbench.services import apache
from workbench.settings import PROJECT

pytestmark = pytest.mark.skipif(apache.find() is None, reason="Apache is not installed")

APP = ("app", "--provider", "aws")
PAGE_PORT = 8081
"""Below 1024 not everybody may listen, where machines are folders."""


@dataclass
class Person:
    """Somebody with an account and a home, who types commands."""

    home: Path
    emulator: Emulator

    @property
    def environ(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "WORKBENCH_"))}
        return kept | self.emulator.environ | {"WORKBENCH_HOME": str(self.home), "WORKBENCH_REQUESTER": "ada"}

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "workbench.cli", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=self.environ, cwd=PROJECT, stdout=pipe, stderr=pipe, text=True)

    def types(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        process = self.begin(*arguments)
        try:
            out, err = process.communicate(timeout=600)
        finally:
            process.kill()
        assert process.returncode == code, f"{arguments}: {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def reads(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.types(*arguments, "--json", code=code).stdout)

    def launches(self) -> Any:
        return self.reads(
            "launch", *APP, "--page-port", str(PAGE_PORT), "--from", f"{self.emulator.outside}/32"
        )

    def left(self) -> dict[str, list[str]]:
        return {kind: ids for kind, ids in self.emulator.resources().items() if kind != "bucket"}


@pytest.fixture
def person(emulator: Emulator, tmp_path: Path) -> Person:
    return Person(tmp_path / "home", emulator)


def ask(
    url: str, data: bytes | None = None, kind: str | None = None, timeout_s: float = 120
) -> tuple[int, str]:
    headers = {"Content-Type": kind} if kind else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=timeout_s) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def reachable(address: str, port: int, within_s: float) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=within_s):
        return True
    return False


def machine(app: Any, role: str) -> Any:
    return next(m for m in app["machines"] if m["role"] == role)


def look_at_the_page(url: str) -> None:
    """Draw a seven there in a browser, where there is one."""
    if (program := chromium.find()) is None:
        return
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright, program)
        with drawing.visit(browser, url) as (page, seen):
            drawing.draw(page, drawing.SEVEN)
            expect(page.locator("#digit")).to_have_text("7")
            expect(page.locator("#model")).to_have_text("mnist-cnn, version 1")
        browser.close()
    assert seen.complaints == []
    assert all(request.startswith((url, "data:")) for request in seen.requests)


def test_the_application_is_launched_deployed_to_stopped_started_and_released(person: Person) -> None:
    app = person.launches()
    assert {m["role"] for m in app["machines"]} == {"working", "frontend", "backend"}
    assert {(m["state"], m["service"]) for m in app["machines"]} == {("running", "ready")}
    page = app["page_url"]
    assert "<canvas" in ask(page)[1]
    assert ask(f"{page}api/predict", making.data_url(making.png(making.seven())))[0] == 503

    making.version(person.home / "models" / "mnist-cnn" / "1", 1, answer=7)
    assert "mnist-cnn:1 is deployed" in person.types("deploy", "mnist-cnn", "--to", "aws").stdout
    drawn = making.data_url(making.png(making.seven()))
    assert ask(f"{page}api/predict", drawn) == (200, "7")

    in_a_thread(lambda: look_at_the_page(page))
    making.version(person.home / "models" / "mnist-cnn" / "2", 2, answer=3)
    person.types("deploy", "mnist-cnn:2", "--to", "aws", "--reason", "a better one")
    assert ask(f"{page}api/predict", drawn) == (200, "3")
    assert person.reads("rollback", "mnist-cnn", "--to", "aws")["version"] == 1
    assert ask(f"{page}api/predict", drawn) == (200, "7")

    sent = json.dumps({"image": drawn.decode(), "predicted": 7, "digit": 1}).encode()
    assert ask(f"{page}api/corrections", sent, "application/json")[0] == 201
    (waiting,) = person.reads("corrections", "--to", "aws")
    assert (waiting["predicted"], waiting["digit"], waiting["state"]) == (7, 1, "waiting")
    person.types("corrections", "accept", "ffffff", "--to", "aws", code=3)
    assert "1 accepted" in person.types("corrections", "accept", "--all", "--to", "aws").stdout
    assert person.reads("corrections", "list", "--state", "waiting", "--to", "aws") == []
    exported = person.reads("corrections", "export", "--to", "aws")
    assert (exported["version"], exported["corrections"]) == (1, [waiting["id"]])
    assert person.reads("corrections", "export", "--to", "aws") == exported

    if person.emulator.enforces_groups:
        assert reachable(machine(app, "frontend")["public_address"], PAGE_PORT, 60)
        assert not reachable(machine(app, "backend")["passing_address"], 5000, 3)
    again = person.launches()
    assert [m["instance"] for m in again["machines"]] == [m["instance"] for m in app["machines"]]

    stopped = person.reads("stop", *APP, "--only", "working")
    assert {m["role"]: m["state"] for m in stopped["machines"]} == {
        "working": "stopped",
        "frontend": "running",
        "backend": "running",
    }
    assert ask(f"{page}api/predict", drawn) == (200, "7")
    assert {m["state"] for m in person.reads("stop", *APP)["machines"]} == {"stopped"}
    assert ask(page, timeout_s=10)[0] == 0
    started = person.reads("start", *APP)
    assert {m["service"] for m in started["machines"]} == {"ready"}
    assert started["page_url"] == page
    assert ask(f"{page}api/predict", drawn) == (200, "7")

    assert "nothing is left" in person.types("audit").stdout
    person.types("release", *APP)
    assert person.left() == {}
    assert person.reads("audit") == []
    person.types("release", *APP)
    bucket = app["bucket"]
    person.types("release", *APP, "--bucket", "another", code=2)
    person.types("release", *APP, "--bucket", bucket)
    assert person.emulator.resources() == {}


def test_a_launch_that_was_killed_is_finished_by_the_next(proc_emulator: Emulator, tmp_path: Path) -> None:
    person = Person(tmp_path / "home", proc_emulator)
    tell_ready(proc_emulator)
    launch = person.begin("launch", *APP, "--from", "203.0.113.7/32")
    wait_until(lambda: proc_emulator.calls()["CreateStack"], 60, "the stack's creation")
    launch.send_signal(signal.SIGKILL)
    launch.communicate()
    app = person.reads("launch", *APP, "--from", "203.0.113.7/32")
    assert app["state"] == "running"
    assert proc_emulator.calls()["CreateStack"] == 1
    person.types("release", *APP)
    assert person.left() == {}


def tell_ready(emulator: Emulator) -> None:
    """Let the machines say that they serve, and do nothing else: it is not what these tests are about."""
    User(emulator, emulator.folder / "user").prepare()


def test_another_launch_asks_once_what_there_is_and_opens_the_dashboard_to_whoever_launches(
    proc_emulator: Emulator, tmp_path: Path
) -> None:
    person = Person(tmp_path / "home", proc_emulator)
    tell_ready(proc_emulator)
    proc_emulator.limit_rates()
    person.types("launch", *APP, "--from", "203.0.113.7/32")
    assert not [call for call in proc_emulator.log() if call.error == "RequestLimitExceeded"]
    proc_emulator.forget_calls()
    said = person.types("launch", *APP, "--from", "203.0.113.8/32").stderr
    calls = proc_emulator.calls()
    assert (calls["DescribeStacks"], calls["DescribeInstances"], calls["GetObject"]) == (1, 1, 3)
    assert "open to 203.0.113.8/32" in said
    assert "no more to 203.0.113.7/32" in said
    assert "run the code of its launch" not in said
    refused = person.types("launch", *APP, "--from", "0.0.0.0/0", code=2).stderr
    assert "203.0.113.7/32" in refused

    front = next(id for id, one in proc_emulator.instances().items() if one["tags"]["role"] == "frontend")
    Account(proc_emulator).ec2.terminate_instances(InstanceIds=[front])
    wait_until(lambda: proc_emulator.instances()[front]["state"] == "terminated", 30, "the machine's end")
    proc_emulator.an_hour_later()  # AWS knows its id no more
    said = person.types("start", *APP, code=3).stderr
    assert "the frontend machine is gone" in said


def test_an_application_of_another_code_is_told_and_how_to_have_this_one() -> None:
    heard: list[str] = []
    for one in (code.key(), "code/older.zip"):
        tell_of_other_code(SimpleNamespace(code=one), heard.append)  # type: ignore[arg-type]
    (said,) = heard
    assert "release and launch the application again" in said


def test_what_is_asked_of_an_application_that_is_not_there_is_not_found(
    proc_emulator: Emulator, tmp_path: Path
) -> None:
    person = Person(tmp_path / "home", proc_emulator)
    for verb in ("stop", "start"):
        assert "launch app --provider aws" in person.types(verb, *APP, code=3).stderr
    person.types("release", *APP)
    assert person.reads("audit") == []
