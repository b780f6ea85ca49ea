"""The working machine stops itself when nobody uses it, and not before."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.chain import make_settings
from workbench.application import checks, template
from workbench.application.boot import idle
from workbench.application.template import Wish
from workbench.recipes import Recipe
from workbench.verbs.workbench import open_store

NOW = 1_800_000_000.0


def ago(minutes: float) -> str:
    return datetime.fromtimestamp(NOW - minutes * 60, UTC).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("used", "kernels", "up_minutes", "is_idle"),
    [
        (61, [], 600, True),
        (59, [], 600, False),
        (61, ["idle", "idle"], 600, True),
        (61, ["idle", "busy"], 600, False),
        (600, [], 59, False),
    ],
    ids=["not used", "used", "tabs that are open", "code that runs", "just started"],
)
def test_use_is_what_somebody_does(used: float, kernels: list[str], up_minutes: float, is_idle: bool) -> None:
    status = {"last_activity": ago(used), "connections": len(kernels)}
    told = [{"execution_state": state} for state in kernels]
    why = idle.why_idle(status, told, up_s=up_minutes * 60, now=NOW, minutes=60)
    assert ("61 minutes" in why) is (is_idle and used == 61)
    assert bool(why) is is_idle


class Dashboard(http.server.BaseHTTPRequestHandler):
    """Answers as the Jupyter server does whoever has the token."""

    last: ClassVar[str] = ""
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        known = self.headers["Authorization"] == "token s3cret"
        told: Any = {"last_activity": self.last} if "status" in self.path else []
        self.send_response(200 if known else 403)
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def dashboard() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Dashboard)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/api"
    server.shutdown()
    server.server_close()
    thread.join()


def test_it_looks_at_the_dashboard_without_using_it_and_at_jobs(dashboard: str) -> None:
    began = time.monotonic() - 3600

    def look(last: float, *, waits: bool = False, token: str = "s3cret") -> str:
        Dashboard.last = datetime.fromtimestamp(last, UTC).isoformat()
        return idle.Watch(dashboard, token, 10, began, waits=lambda: waits).look()

    long_ago = time.time() - 3600
    assert "60 minutes" in look(long_ago)
    assert look(time.time()) == ""
    assert look(long_ago, waits=True) == ""
    assert look(long_ago, token="another") == "", "what cannot be told is no reason"
    assert all("no_track_activity=1" in path for path in Dashboard.asked)


@pytest.mark.parametrize(
    ("jobs", "stops"), [(False, True), (None, True), (True, False)], ids=["none", "not to be told", "at work"]
)
def test_a_dashboard_that_never_answers_is_of_use_to_nobody(jobs: bool | None, stops: bool) -> None:
    times = iter((0.0, 599.0, 601.0))
    watch = idle.Watch(
        "http://127.0.0.1:9/api", "s3cret", 10, 0.0, waits=lambda: jobs, clock=lambda: next(times)
    )
    assert watch.look() == ""
    assert watch.look() == "", "it may be starting"
    assert ("not answered for 10 minutes" in watch.look()) is stops


def test_a_dashboard_that_answers_in_between_is_no_silent_one(dashboard: str) -> None:
    times = iter((0.0, 599.0, 601.0))
    watch = idle.Watch(dashboard, "s3cret", 10, 0.0, waits=lambda: False, clock=lambda: next(times))
    for last in ("no date", datetime.now(UTC).isoformat(), "no date"):
        Dashboard.last = last
        assert watch.look() == ""


def test_it_sees_jobs_that_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make_settings(tmp_path)
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    with open_store(settings) as store:
        assert not idle.jobs_wait()
        store.submit(name="net", requester="ann", recipe=Recipe("", "", "x = 1\n"))
        assert idle.jobs_wait()


@pytest.mark.parametrize(("minutes", "said"), [("0", "until somebody stops it"), ("45", "after 45 minutes")])
def test_it_is_told_before_and_reaches_the_machine(tmp_path: Path, minutes: str, said: str) -> None:
    settings = make_settings(tmp_path, WORKBENCH_AWS_WORKING_IDLE_MINUTES=minutes)
    assert said in checks.idle(settings).said
    told = template.parameters(
        Wish(),
        bucket="b",
        code="c",
        home="h",
        dashboard_cidr="127.0.0.1/32",
        architectures={},
        zones=("a", "b"),
        idle_minutes=settings.aws_working_idle_minutes,
    )
    assert {"ParameterKey": "WorkingIdle", "ParameterValue": minutes} in told
    assert "IDLE_MINUTES=${WorkingIdle}" in template.body()
