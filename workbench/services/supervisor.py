"""Keeps the services running: starts them in order, starts again what dies, gives up with the reason, ends all."""

import contextlib
import os
import select
import shutil
import signal
from collections.abc import Callable, Collection, Iterator

import psutil

from workbench import runner
from workbench.artifact import FILM_FOLDER
from workbench.errors import BadInput, Unavailable, WorkbenchError
from workbench.services import Service, backend, child, dashboard, first_model, frontend, job_queue, state
from workbench.services.child import Child
from workbench.services.first_training import FirstTraining
from workbench.services.state import Board, Row, State, Tell
from workbench.settings import Settings
from workbench.system import extras, processes, scratch
from workbench.system.locks import locked

TICK_S = 0.1
CALM_S = 1.0
"""Between two looks while all services are ready; a death or a signal is seen at once all the same."""
STOP_GRACE_S = 8.0
TITLES = {
    "backend": "back end",
    "frontend": "drawing page",
    "dashboard": "dashboard",
    "queue": "job queue",
    "first_model": "first model",
}

SERVICES = ("backend", "frontend", "dashboard")
"""What ``up`` can start; the job queue comes with the dashboard."""


class AlreadyRunning(WorkbenchError):
    """Another ``up`` runs for this home."""


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
    with _only_one(settings), _signals(ended) as wait:
        processes.sweep(settings.home)  # what an ``up`` that was killed left
        _clear_run(settings)
        _clear_scratch(settings)
        settings.run.mkdir(mode=0o711)
        supervisor = _Supervisor(settings, tell, only)
        try:
            supervisor.start()
            while not ended:
                supervisor.tick()
                wait(CALM_S if supervisor.is_settled else TICK_S)
        finally:
            supervisor.stop()
            _clear_run(settings)


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


class _Supervisor:
    def __init__(self, settings: Settings, tell: Tell, only: Collection[str]) -> None:
        self._settings = settings
        self._only = only
        self._board = Board(settings, State(os.getpid(), psutil.Process().create_time()), tell)
        self._children: list[Child] = []
        self._training: FirstTraining | None = None

    def start(self) -> None:
        services, warnings = self._prepare()
        for service in services:
            _check_port(service)
        for service in services:
            self._children.append(Child(service, TITLES[service.name], self._settings, self._board))
            if service.name == "backend" and "frontend" in self._only and not _serves_page(services):
                page = Row(
                    TITLES["frontend"], "ready", self._settings.own_backend, message="served by the back end"
                )
                self._board.put(page)
        # Only now, for what is said shows all rows: who waits for them would take some for all.
        for warning in (*warnings, *(service.warning for service in services if service.warning)):
            self._board.say(f"warning: {warning}")
        for one in self._children:
            one.launch()
            # Training takes longest: it begins as soon as it can.
            if one.service.name == "backend" and set(self._only) == set(SERVICES):
                self._train()
        self._board.say()

    def tick(self) -> None:
        self._board.catch_up()
        for one in self._children:
            one.watch()
        if self._training is not None and not self._training.watch():
            self._training = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing changes until a process dies."""
        return self._training is None and all(one.is_settled for one in self._children)

    def stop(self) -> None:
        """End every process, the last started first; doing it twice is fine."""
        started = [one.process for one in self._children if one.process is not None]
        if self._training is not None:
            started.append(self._training.process)
        child.end(started, STOP_GRACE_S)
        processes.sweep(self._settings.home, grace_s=2.0)
        runner.stop_all(self._settings)

    def _train(self) -> None:
        if extras.is_installed("train") and not first_model.is_deployed(self._settings):
            self._training = FirstTraining(TITLES["first_model"], self._settings, self._board)

    def _prepare(self) -> tuple[list[Service], list[str]]:
        """The services in the order of their use, and a warning for each thing that is missing."""
        services, warnings = [], []
        if "backend" in self._only:
            if not extras.is_installed("backend"):
                raise Unavailable(f"the back end is not installed: {extras.install('backend')}")
            services.append(backend.prepare(self._settings))
        if "frontend" in self._only:
            try:
                services.append(frontend.prepare(self._settings))
            except Unavailable as error:
                if not services:
                    raise
                services = [backend.prepare(self._settings, serve_page=True)]
                warnings.append(
                    f"{error}. Until then the back end serves the drawing page, at {services[0].url}"
                )
        if "dashboard" in self._only:
            if extras.is_installed("dashboard"):
                services.append(dashboard.prepare(self._settings))
            elif services:
                warnings.append(f"there is no dashboard; for one: {extras.install('dashboard')}")
            else:
                raise Unavailable(f"the dashboard is not installed: {extras.install('dashboard')}")
            if extras.is_installed("train"):
                services.append(job_queue.prepare(self._settings))
            else:
                warnings.append(f"nothing can be trained here; for that: {extras.install('train')}")
        return services, warnings


def _serves_page(services: Collection[Service]) -> bool:
    return any(service.name == "frontend" for service in services)


def _check_port(service: Service) -> None:
    if service.port and (who := processes.who_listens(service.port, service.address)):
        raise BadInput(
            f"port {service.port}, which the {TITLES[service.name]} needs, is taken by {who}; "
            f"end that or choose another: WORKBENCH_{service.name.upper()}_PORT={service.port + 1}"
        )


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
def _signals(ended: list[int]) -> Iterator[Callable[[float], None]]:
    """Note the signals that mean "end" instead of dying of them; give what waits for one, or for a child's death."""
    noted, written = os.pipe()
    os.set_blocking(noted, False)
    os.set_blocking(written, False)

    def wait(timeout_s: float) -> None:
        if select.select([noted], [], [], timeout_s)[0]:
            os.read(noted, 4096)

    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda n, _: ended.append(n)) for number in ends}
    before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
    descriptor = signal.set_wakeup_fd(written, warn_on_full_buffer=False)
    try:
        yield wait
    finally:
        signal.set_wakeup_fd(descriptor)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(noted)
        os.close(written)


def _clear_run(settings: Settings) -> None:
    """Remove what only exists while services run; for who knows that none does."""
    shutil.rmtree(settings.run, ignore_errors=True)
    (settings.backend / "under_way.json").unlink(missing_ok=True)
    shutil.rmtree(settings.backend / FILM_FOLDER, ignore_errors=True)


def _clear_scratch(settings: Settings) -> None:
    """Remove what fetching, packing and publishing left when they were killed; what is at work keeps its own."""
    for parent in (settings.home, settings.home / "jobs", settings.data, *settings.models.glob("[!.]*")):
        scratch.sweep(parent)
