"""Keeps the services running: starts them in order, starts again what dies, gives up with the reason, ends all."""

import collections
import contextlib
import errno
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from workbench import runner
from workbench.errors import BadInput, Unavailable, WorkbenchError
from workbench.services import Service, backend, dashboard, first_model, frontend, job_queue, state
from workbench.services.environment import marked, minimal
from workbench.services.state import Row, State
from workbench.settings import Settings
from workbench.system import processes
from workbench.system.endings import describe_code, last_line
from workbench.system.locks import locked

TICK_S = 0.1
START_TIMEOUT_S = 90.0
GIVE_UP_AFTER = 5
"""Deaths within ``GIVE_UP_WITHIN_S`` after which a service is not started again."""
GIVE_UP_WITHIN_S = 60.0
STOP_GRACE_S = 8.0
LOG_LIMIT_BYTES = 10 * 1024 * 1024
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
NEEDED_BYTES = 1024 * 1024
"""Free on the disk of the home: with less a service may be unable to start, which is no fault of its own."""
FULL_PAUSE_S = 2.0
TITLES = {
    "backend": "back end",
    "frontend": "drawing page",
    "dashboard": "dashboard",
    "queue": "job queue",
    "first_model": "first model",
}

SERVICES = ("backend", "frontend", "dashboard")
"""What ``up`` can start; the job queue comes with the dashboard."""

Tell = Callable[[State, str], None]
"""Called with the whole state whenever it changed, and a line of text if there is something to say."""


class AlreadyRunning(WorkbenchError):
    """Another ``up`` runs for this home."""


@dataclass
class _Child:
    """A service's process now, and its row in the table."""

    service: Service
    row: Row
    popen: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    retry_at: float = 0.0
    deaths: collections.deque[float] = field(default_factory=lambda: collections.deque(maxlen=GIVE_UP_AFTER))


def run(settings: Settings, tell: Tell, only: Collection[str] = SERVICES) -> None:
    """Run the services until INT, TERM or HUP, then leave no process of ours and no temporary file.

    Parameters
    ----------
    only
        Which of ``SERVICES``; the first model is trained only where all of them run.

    Raises
    ------
    AlreadyRunning
        Another ``up`` has this home.
    BadInput
        A port is taken; the message says by whom and how to choose another.
    """
    ended: list[int] = []
    with _only_one(settings), _signals(ended):
        processes.sweep(settings.home)  # what an ``up`` that was killed left
        _clear_run(settings)
        settings.run.mkdir(mode=0o711)
        supervisor = _Supervisor(settings, tell, only)
        try:
            supervisor.start()
            while not ended:
                supervisor.tick()
                time.sleep(TICK_S)
        finally:
            supervisor.stop()
            _clear_run(settings)


class _Supervisor:
    def __init__(self, settings: Settings, tell: Tell, only: Collection[str]) -> None:
        self.settings = settings
        self.only = only
        self.tell = tell
        self.state = State(os.getpid(), psutil.Process().create_time())
        self.children: list[_Child] = []
        self.model: _Child | None = None
        self.lines = b""
        self.untold = False

    def start(self) -> None:
        services, warning = self._prepare()
        for service in services:
            if service.port and (who := processes.who_listens(service.port, service.address)):
                raise BadInput(
                    f"port {service.port}, which the {TITLES[service.name]} needs, is taken by {who}; "
                    f"end that or choose another: WORKBENCH_{service.name.upper()}_PORT={service.port + 1}"
                )
        if warning:
            self.say(f"warning: {warning}")
        for service in services:
            child = _Child(service, Row(TITLES[service.name], "starting", service.url))
            self.children.append(child)
            self.state.rows.append(child.row)
            if service.warning:
                self.say(f"warning: {service.warning}")
        page = next((c for c in self.children if c.service.name == "frontend"), None)
        if page is None and "frontend" in self.only:
            url = self.settings.own_backend
            self.state.rows.insert(1, Row(TITLES["frontend"], "ready", url, message="served by the back end"))
        for child in self.children:
            self._launch(child)
            if child.service.name == "backend" and set(self.only) == set(
                SERVICES
            ):  # training takes longest: it begins as soon as it can
                self._launch_model()
        self.say("")

    def tick(self) -> None:
        if self.untold:
            self.say("")
        for child in self.children:
            self._watch(child)
        if self.model is not None:
            self._watch_model(self.model)

    def stop(self) -> None:
        """End every process, the last started first; doing it twice is fine."""
        started = [c for c in (*self.children, self.model) if c is not None and c.popen is not None]
        for child in reversed(started):
            assert child.popen is not None
            with contextlib.suppress(ProcessLookupError):
                child.popen.terminate()
        give_up = time.monotonic() + STOP_GRACE_S
        for child in reversed(started):
            assert child.popen is not None
            try:
                child.popen.wait(max(0.0, give_up - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.popen.kill()
                child.popen.wait()
        processes.sweep(self.settings.home, grace_s=2.0)
        runner.stop_all(self.settings)

    def say(self, line: str) -> None:
        """Have everybody know the state; what a full disk does not take now is told as soon as it does."""
        self.untold = False
        for tell in (lambda: state.write(self.settings, self.state), lambda: self.tell(self.state, line)):
            try:
                tell()
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise
                self.untold = True

    def _prepare(self) -> tuple[list[Service], str]:
        """The services in the order of their use, and a warning where something is missing."""
        services, warning = [], ""
        if "backend" in self.only:
            services.append(backend.prepare(self.settings))
        if "frontend" in self.only:
            try:
                services.append(frontend.prepare(self.settings))
            except Unavailable as error:
                if not services:
                    raise
                services = [backend.prepare(self.settings, serve_page=True)]
                warning = f"{error}. Until then the back end serves the drawing page, at {services[0].url}"
        if "dashboard" in self.only:
            services += [dashboard.prepare(self.settings), job_queue.prepare(self.settings)]
        return services, warning

    def _launch(self, child: _Child) -> None:
        service = child.service
        processes.sweep(self.settings.home, service.name)  # children that outlived their parent hold its port
        with _log(self.settings, service.name) as log:
            child.popen = subprocess.Popen(
                processes.with_parent(service.command),
                env=marked(service.environment, processes.mark(self.settings.home, service.name)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        child.started = time.monotonic()
        child.row.pid = child.popen.pid

    def _watch(self, child: _Child) -> None:
        row, now = child.row, time.monotonic()
        if row.state == "given up":
            return
        if child.popen is None:
            if now >= child.retry_at:
                self._launch(child)
        elif (code := child.popen.poll()) is not None:
            self._died(child, code, now)
        elif row.state != "ready":
            if not child.service.health or _answers(child.service.health):
                row.state, row.message = "ready", ""
                self.say(f"{row.name} ready" + (f": {row.url}" if row.url else ""))
            elif now - child.started > START_TIMEOUT_S:
                child.popen.kill()
        elif _too_long(self.settings, child.service.name):
            _rotate(self.settings, child.service.name)

    def _died(self, child: _Child, code: int, now: float) -> None:
        row = child.row
        child.popen, row.pid = None, None
        reason = f"ended with {describe_code(code)}; its last words: {_last_words(self.settings, child.service.name)}"
        if shutil.disk_usage(self.settings.home).free < NEEDED_BYTES:
            row.state, row.message = "restarting", f"the disk with {self.settings.home} is full; it {reason}"
            row.restarts += 1
            child.retry_at = now + FULL_PAUSE_S
            self.say(f"{row.name} {row.state}: {row.message}")
            return
        child.deaths.append(now)
        if len(child.deaths) == GIVE_UP_AFTER and now - child.deaths[0] < GIVE_UP_WITHIN_S:
            row.state, row.message = (
                "given up",
                f"{reason} (log: {_log_path(self.settings, child.service.name)})",
            )
        else:
            row.state, row.message = "restarting", reason
            row.restarts += 1
            child.retry_at = now + min(8.0, 0.25 * 2 ** (len(child.deaths) - 1))
        self.say(f"{row.name} {row.state}: {row.message}")

    def _launch_model(self) -> None:
        if first_model.is_deployed(self.settings):
            return
        service = Service(
            name="first_model",
            command=(sys.executable, "-m", "workbench.services.first_model"),
            environment=minimal(
                self.settings,
                WORKBENCH_BACKEND_PORT=str(self.settings.backend_port),
                WORKBENCH_BACKEND_ADDRESS=self.settings.backend_address,
                WORKBENCH_DEPLOY_TOKEN=self.settings.deploy_token,
                TF_CPP_MIN_LOG_LEVEL="2",
            ),
            port=0,
            health="",
            url="",
        )
        child = _Child(service, Row(TITLES["first_model"], "starting"))
        with _log(self.settings, service.name) as log:
            child.popen = subprocess.Popen(
                processes.with_parent(service.command),
                env=marked(service.environment, processes.mark(self.settings.home, service.name)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert child.popen.stdout is not None
        os.set_blocking(child.popen.stdout.fileno(), False)
        child.row.pid = child.popen.pid
        self.model = child
        self.state.rows.append(child.row)

    def _watch_model(self, child: _Child) -> None:
        assert child.popen is not None
        assert child.popen.stdout is not None
        code = child.popen.poll()
        with contextlib.suppress(BlockingIOError):
            self.lines += child.popen.stdout.read() or b""
        *lines, self.lines = self.lines.split(b"\n")
        if lines:
            with contextlib.suppress(ValueError):  # a line that a library printed
                told = json.loads(lines[-1])
                child.row.state, child.row.message = told["state"], told["message"]
                self.say("")
        if code is None:
            return
        child.popen.stdout.close()
        child.row.pid = None
        self.model = None
        if code == 0:
            child.row.state, child.row.message = "done", "deployed"
            self.say("first model deployed: the drawing page recognises digits")
        else:
            words = _last_words(self.settings, "first_model")
            child.row.state, child.row.message = (
                "failed",
                f"{words} (log: {_log_path(self.settings, 'first_model')})",
            )
            self.say(f"first model failed: {child.row.message}")


@contextlib.contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    settings.home.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(settings.home / ".up.lock", 0))
        except TimeoutError as error:
            raise AlreadyRunning(f"the workbench in {settings.home} is up already") from error
        yield


@contextlib.contextmanager
def _signals(ended: list[int]) -> Iterator[None]:
    """Note the signals that mean "end" instead of dying of them."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, lambda n, _: ended.append(n)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _clear_run(settings: Settings) -> None:
    """Remove what only exists while services run; for who knows that none does."""
    shutil.rmtree(settings.run, ignore_errors=True)
    (settings.backend / "under_way.json").unlink(missing_ok=True)


_OWN = ssl._create_unverified_context()  # noqa: S323 - of our own service, whose certificate nobody else signed


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1, context=_OWN):  # noqa: S310 - our own address
            return True
    except urllib.error.HTTPError as error:
        with error:
            return error.code < 500
    except (OSError, http.client.HTTPException):
        return False


def _log_path(settings: Settings, name: str) -> Path:
    return settings.logs / f"{name}.log"


def _log(settings: Settings, name: str) -> IO[bytes]:
    settings.logs.mkdir(parents=True, exist_ok=True)
    return _log_path(settings, name).open("ab")


def _too_long(settings: Settings, name: str) -> bool:
    return _log_path(settings, name).stat().st_size > LOG_LIMIT_BYTES


def _rotate(settings: Settings, name: str) -> None:
    """Keep the log so far as ``NAME.log.1`` and go on in an empty one; the process appends, so it need not know.

    Where the disk is full, the room that the log takes is what is wanting: nothing of it is kept.
    """
    log = _log_path(settings, name)
    kept = log.with_suffix(".log.1")
    try:
        shutil.copyfile(log, kept)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        kept.unlink(missing_ok=True)
    os.truncate(log, 0)


def _last_words(settings: Settings, name: str) -> str:
    return last_line(_log_path(settings, name)) or "none"


def stop(settings: Settings) -> int:
    """End the running ``up`` of this home and all that any earlier one left; give how many processes there were.

    Raises
    ------
    Unavailable
        Something of ours does not end.
    """
    running = state.read(settings)
    count = 0
    if running is not None:
        count = 1 + sum(1 for _ in processes.marked(settings.home))
        with contextlib.suppress(psutil.Error):
            supervisor = psutil.Process(running.pid)
            supervisor.terminate()
            with contextlib.suppress(psutil.TimeoutExpired):
                supervisor.wait(STOP_GRACE_S + 12)
            processes.end([supervisor] if supervisor.is_running() else [], 0.5)
    count += processes.sweep(settings.home) + runner.stop_all(settings)
    if left := [process.pid for process in processes.marked(settings.home)]:
        raise Unavailable(
            f"these processes do not end: {left}; end them with: kill -9 {' '.join(map(str, left))}"
        )
    _clear_run(settings)
    return count
