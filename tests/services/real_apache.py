"""The front end's real Apache, started for a test and ended with it."""

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

from workbench.services import Service, frontend
from workbench.settings import Settings


@contextlib.contextmanager
def running(settings: Settings, *, change: Callable[[str], str] = lambda conf: conf) -> Iterator[Service]:
    """Apache as ``prepare`` set it up, but for what ``change`` makes of its configuration."""
    service = frontend.prepare(settings)
    conf = settings.run / "frontend" / "httpd.conf"
    conf.write_text(change(conf.read_text()))
    settings.logs.mkdir(parents=True, exist_ok=True)
    with (settings.logs / "frontend.log").open("ab") as log:
        process = subprocess.Popen(
            service.command, env=service.environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        give_up = time.monotonic() + 60
        while not _answers(service.health):
            if process.poll() is not None or time.monotonic() > give_up:
                raise AssertionError((settings.logs / "frontend.log").read_text())
            time.sleep(0.02)
        yield service
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=60):
            return True
    except urllib.error.HTTPError as error:
        with error:
            return error.code < 500
    except OSError:
        return False
