"""The landing page's news: the services, and how many jobs wait and run."""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from workbench.errors import WorkbenchError
from workbench.settings import Settings
from workbench.verbs import services

if TYPE_CHECKING:
    from workbench.jobs import Store

SHOWN = ("back end", "drawing page", "job queue", "first model")
"""In this order; of the dashboard one sees that it is there."""
WELL = {"ready", "done"}


@dataclass(frozen=True)
class Shown:
    """One service, as ``up`` and ``status`` tell of it."""

    name: str
    state: str
    message: str
    well: bool


@dataclass(frozen=True)
class JobCounts:
    """How many jobs there are that have not ended."""

    queued: int
    running: int


@dataclass(frozen=True)
class Overview:
    """All that the landing page shows and polls; its JSON has the same names."""

    services: tuple[Shown, ...]
    jobs: JobCounts | None
    """``None`` while the job store does not answer; ``problem`` says why."""
    problem: str = ""


class OverviewReader:
    """Asks the supervisor's file and, by one query, the job store."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: Store | None = None
        self._opening = threading.Lock()

    def read(self) -> Overview:
        """Look at all of it now; may take a moment, so not in the server's loop."""
        try:
            pulse = self._open().pulse()
        except WorkbenchError as error:
            return Overview(self._services(), None, f"The job store does not answer: {error}")
        return Overview(self._services(), JobCounts(pulse.waiting, pulse.active))

    def drawing_port(self) -> int:
        """The drawing page's port: Apache's, or the back end's where there is no Apache."""
        running = services.now(self._settings)
        for row in running.rows if running else ():
            if row.name == "drawing page" and (port := urlsplit(row.url).port):
                return port
        return self._settings.frontend_port

    def _services(self) -> tuple[Shown, ...]:
        running = services.now(self._settings)
        rows = {row.name: row for row in running.rows} if running else {}
        found = (rows[name] for name in SHOWN if name in rows)
        return tuple(Shown(row.name, row.state, row.message, row.state in WELL) for row in found)

    def _open(self) -> "Store":
        with self._opening:
            if self._store is None:
                # Here, since it brings SQLAlchemy along: a second that the server's start need not wait for.
                from workbench.verbs.workbench import open_store

                self._store = open_store(self._settings)
            return self._store
