"""The whole chain as a process of its own: started, asked and ended as a user does."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from workbench.settings import PROJECT, Settings, from_environment

PATIENCE = 5
"""How much longer than on a computer of its own a test waits before it fails: beside other work, under ``nice``."""
LEAST_PATIENCE_S = 60
"""Seconds that a test waits at least for what must come: a busy computer may not look at a process for many."""
ASK_EVERY_S, ASK_SHARE, SELDOMEST_S = 0.05, 0.1, 1.0
"""How often a test that waits asks, the share of a core that it takes with that at most, and how often it asks at least: what it waits
for needs the core."""


def make_settings(home: Path, **more: str) -> Settings:
    """The settings for a home, and what else the environment says; wherever the tests run, machines begin."""
    return from_environment({"WORKBENCH_HOME": str(home), "WORKBENCH_ISOLATION": "none", **more})


@dataclass
class Chain:
    """``workbench up`` running in a home of its own."""

    settings: Settings
    environment: dict[str, str]
    process: subprocess.Popen[str]
    log: Path
    first_digit_s: float

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.settings.frontend_port}"

    @property
    def backend(self) -> str:
        return f"http://127.0.0.1:{self.settings.backend_port}"

    @property
    def dashboard(self) -> str:
        return f"http://127.0.0.1:{self.settings.dashboard_port}"

    def workbench(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ``workbench …`` as a user would."""
        command = [sys.executable, "-m", "workbench.cli", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, cwd=PROJECT)
        if check:
            assert done.returncode == 0, done.stderr
        return done

    def end_job(self, id: int) -> None:
        """Terminate a job if it still runs: others wait for their turn in the same queue."""
        self.workbench("terminate", str(id), check=False)

    def status(self) -> dict[str, dict[str, Any]]:
        """The rows of ``workbench status --json`` by name."""
        return {row["name"]: row for row in json.loads(self.workbench("status", "--json").stdout)["services"]}


def start_chain(home: Path, ports: list[int], *, only: Sequence[str] = (), **more: str) -> Chain:
    """Start ``workbench up``, or only these of its services; the caller waits and ends it."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("WORKBENCH_", "AWS_"))},
        "WORKBENCH_HOME": str(home),
        "WORKBENCH_ISOLATION": "none",
        "WORKBENCH_FRONTEND_PORT": str(ports[0]),
        "WORKBENCH_BACKEND_PORT": str(ports[1]),
        "WORKBENCH_DASHBOARD_PORT": str(ports[2]),
        **more,
    }
    log = home.with_suffix(".log")
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "workbench.cli", "up", *(f"--only={name}" for name in only)],
            env=environment,
            stdout=file,
            stderr=file,
            text=True,
            cwd=PROJECT,
        )
    return Chain(from_environment(environment), environment, process, log, 0.0)


def end_chain(chain: Chain, number: int = signal.SIGINT) -> None:
    """End it as Ctrl-C does and wait for it."""
    if chain.process.poll() is None:
        chain.process.send_signal(number)
    chain.process.wait(40 * PATIENCE)


def wait_until(condition: Callable[[], Any], timeout_s: float, what: str, chain: Chain | None = None) -> Any:
    """Ask again and again; what the condition gave once it is true.

    ``timeout_s`` is what it may take on a computer that has nothing else to do.
    """
    timeout_s = max(timeout_s * PATIENCE, LEAST_PATIENCE_S)
    give_up = time.monotonic() + timeout_s
    while True:
        began = time.thread_time()
        if value := condition():
            return value
        spent = time.thread_time() - began
        if chain and chain.process.poll() is not None:
            pytest.fail(f"up ended while waiting for {what}:\n{chain.log.read_text()[-3000:]}")
        if time.monotonic() > give_up:
            pytest.fail(
                f"{what}: not within {timeout_s:.0f} s"
                + (f"\n{chain.log.read_text()[-3000:]}" if chain else "")
            )
        time.sleep(min(max(ASK_EVERY_S, spent / ASK_SHARE), SELDOMEST_S))


def answers(url: str, expect: int = 200) -> bool:
    """Whether the URL answers with that status."""
    try:
        with urllib.request.urlopen(url, timeout=LEAST_PATIENCE_S) as answer:
            return bool(answer.status == expect)
    except urllib.error.HTTPError as error:
        with error:
            return error.code == expect
    except OSError:
        return False


@contextlib.contextmanager
def threads_end() -> Iterator[None]:
    """Wait until the threads that were begun meanwhile have ended, before what they use is closed."""
    before = set(threading.enumerate())
    yield
    # Those that begin are among them, too, which cannot be joined yet.
    wait_until(lambda: not set(threading.enumerate()) - before, 60, "the end of the threads")
