"""A real gunicorn with our configuration, and how to speak to it."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.backend import making
from workbench.settings import PROJECT, Settings, from_environment

BEARER = {"Authorization": f"Bearer {making.TOKEN}"}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """A real gunicorn with our configuration."""

    process: subprocess.Popen[bytes]
    settings: Settings
    log: Path
    started: float

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.backend_port}"

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        request = urllib.request.Request(
            self.url + path, body, {k.replace("_", "-"): v for k, v in headers.items()}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def guarded(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """With the deploy token."""
        return self.ask(method, path, body, **BEARER)


CONFIGURATION = "backend/gunicorn.conf.py"


def start(home: Path, port: int, configuration: str = CONFIGURATION, **environment: str) -> Server:
    """Start gunicorn; the caller ends it."""
    home.mkdir(parents=True, exist_ok=True)
    log = home / "backend.log"
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", configuration, "backend.wsgi:app"],
            cwd=PROJECT,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "WORKBENCH_HOME": str(home),
                "WORKBENCH_BACKEND_PORT": str(port),
                "WORKBENCH_DEPLOY_TOKEN": making.TOKEN,
                **environment,
            },
            stdout=file,
            stderr=file,
        )
    settings = replace(from_environment({"WORKBENCH_HOME": str(home)}), backend_port=port)
    return Server(process, settings, log, time.monotonic())


def wait_for(condition: Callable[[], Any], server: Server, timeout_s: float = 100.0) -> Any:
    give_up = time.monotonic() + timeout_s
    while time.monotonic() < give_up:
        try:
            if value := condition():
                return value
        except OSError:
            pass
        assert server.process.poll() is None, server.log.read_text()[-3000:]
        time.sleep(0.02)
    raise AssertionError(server.log.read_text()[-3000:])


def stop(server: Server) -> None:
    server.process.terminate()
    try:
        server.process.wait(100)
    finally:
        server.process.kill()
        server.process.wait()
