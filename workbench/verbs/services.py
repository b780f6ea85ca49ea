"""The services of this computer: start them, end them, see what runs."""

import os
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from workbench.errors import WorkbenchError
from workbench.machines import Plan, Resource
from workbench.machines.local import processes
from workbench.machines.local.processes import Found
from workbench.services import state
from workbench.services.state import Row, State
from workbench.settings import Settings, reachable

__all__ = [
    "AlreadyUp",
    "Found",
    "Row",
    "ServiceStatus",
    "State",
    "down",
    "listening",
    "now",
    "plan",
    "run",
    "status",
    "up",
]

DETACH_TIMEOUT_S = 120.0
PARTS = ("drawing page", "back end", "dashboard")


class AlreadyUp(WorkbenchError):
    """Another process runs the services of this home; ``running`` is what it runs."""

    def __init__(self, message: str, running: State | None) -> None:
        super().__init__(message)
        self.running = running


@dataclass(frozen=True)
class ServiceStatus:
    """All that runs here."""

    running: State | None
    """``None`` where no supervisor runs."""
    prewarmed: Found | None
    """The process from which machines are forked."""
    machines: tuple[Found, ...]
    """The first process of each machine of a job or a standing cluster."""


def run(settings: Settings, tell: Callable[[State, str], None], only: Collection[str] = ()) -> None:
    """Start the services and watch over them until this process is asked to end.

    Parameters
    ----------
    tell
        Called whenever something changes, with a line about it or with nothing.
    only
        Some of ``backend``, ``frontend`` and ``dashboard``; all where it is empty.

    Raises
    ------
    AlreadyUp
    """
    from workbench.services import supervisor

    try:
        supervisor.run(settings, tell, only or supervisor.SERVICES)
    except supervisor.AlreadyRunning as error:
        raise AlreadyUp(str(error), state.read(settings)) from error


def up(settings: Settings, only: Sequence[str] = ()) -> tuple[State | None, bool]:
    """Start the services in a process of their own and return once they are ready; what runs already is left alone.

    Returns
    -------
    What runs, and whether it was started now.
    """
    if (running := state.read(settings)) is not None:
        return running, False
    settings.logs.mkdir(parents=True, exist_ok=True)
    path = settings.logs / "up.log"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as log:  # with the token
        child = subprocess.Popen(
            [sys.executable, "-m", "workbench.cli", "up", *(f"--only={name}" for name in only)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    give_up = time.monotonic() + DETACH_TIMEOUT_S
    while not is_settled(running := state.read(settings)):
        if child.poll() is not None:
            raise WorkbenchError(f"up ended: {path.read_text(errors='replace').strip()}")
        if time.monotonic() > give_up:
            raise WorkbenchError(f"not ready after {DETACH_TIMEOUT_S:.0f} s; see: workbench status")
        time.sleep(0.1)
    return running, True


def is_settled(running: State | None) -> bool:
    """Tell whether each service has come up, or never will."""
    return running is not None and all(
        row.state not in ("starting", "restarting") or not row.url for row in running.rows
    )


def down(settings: Settings) -> int:
    """End all that runs here; how many processes that were."""
    from workbench.services import supervisor

    return supervisor.stop(settings)


def now(settings: Settings) -> State | None:
    """The services as their supervisor last told of them; ``None`` where none runs."""
    return state.read(settings)


def status(settings: Settings) -> ServiceStatus:
    """Look at what runs here."""
    living = processes.living(settings.home)
    clusters = sorted({found.cluster for found in living})
    machines = [
        root
        for name in clusters
        for root in processes.roots([found for found in living if found.cluster == name]).values()
        if root.place.role != "cluster"
    ]
    return ServiceStatus(state.read(settings), processes.find_warm(settings.home), tuple(machines))


def plan() -> Plan:
    """Plan what ``up`` starts."""
    return Plan(tuple(Resource("service", name) for name in PARTS), 0.0)


def listening(settings: Settings) -> dict[str, bool]:
    """Tell whether the front end and the dashboard here, and the back end that is used here, answer at their ports."""
    backend = urllib.parse.urlsplit(settings.backend_service)
    return {
        "frontend": _listens(reachable(settings.frontend_address), settings.frontend_port),
        "backend": _listens(backend.hostname or "", backend.port or 80),
        "dashboard": _listens(reachable(settings.dashboard_address), settings.dashboard_port),
    }


def _listens(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False
