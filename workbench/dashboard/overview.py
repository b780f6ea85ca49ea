"""The landing page's news: the services, and how many jobs wait and run."""

import threading
import time
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
MOST = 6
"""Jobs that are named."""
SERVING_S = 10.0
"""Between two questions to the back end."""


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
class Going:
    """A job that has not ended."""

    id: int
    name: str
    state: str
    share: float | None
    """Of its steps that are done, 0 to 1."""


@dataclass(frozen=True)
class Serving:
    """The version that answers on the drawing page."""

    name: str
    version: int
    accuracy: float | None
    since: str


@dataclass(frozen=True)
class Overview:
    """All that the landing page shows and polls; its JSON has the same names."""

    services: tuple[Shown, ...]
    jobs: JobCounts | None
    """``None`` while the job store does not answer; ``problem`` says why."""
    problem: str = ""
    going: tuple[Going, ...] = ()
    """Some of the jobs that run or wait, those that run first."""
    serving: Serving | None = None
    versions: int = 0
    """How many versions of that model are published; with the first one somebody has begun."""


class OverviewReader:
    """Asks the supervisor's file and, by one query, the job store; now and then what serves."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: Store | None = None
        self._opening = threading.Lock()
        self._serving: tuple[float, Serving | None] = (float("-inf"), None)

    def read(self) -> Overview:
        """Look at all of it now; may take a moment, so not in the server's loop."""
        try:
            pulse = self._open().pulse()
        except WorkbenchError as error:
            return Overview(self._services(), None, f"The job store does not answer: {error}")
        from workbench.verbs import models

        serving = self._what_serves()
        return Overview(
            self._services(),
            JobCounts(pulse.waiting, pulse.active),
            going=self._going() if pulse.waiting + pulse.active else (),
            serving=serving,
            versions=len(models.versions(self._settings, serving.name)) if serving else 0,
        )

    def drawing_port(self) -> int:
        """The drawing page's port: Apache's, or the back end's where there is no Apache."""
        running = services.now(self._settings)
        for row in running.rows if running else ():
            if row.name == "drawing page" and (port := urlsplit(row.url).port):
                return port
        return self._settings.frontend_port

    def _going(self) -> tuple[Going, ...]:
        from workbench.jobs import ACTIVE

        store = self._open()
        found = [*store.jobs(state=ACTIVE, limit=MOST), *store.jobs(state="queued", limit=MOST)][:MOST]
        return tuple(
            Going(job.id, job.name, job.state, job.step / job.of if job.step and job.of else None)
            for job in found
        )

    def _what_serves(self) -> Serving | None:
        """The version that answers; asked again only after a while, and of a back end that is away not at all."""
        asked, known = self._serving
        if time.monotonic() - asked < SERVING_S:
            return known
        # Here, since it brings an HTTP client along.
        from workbench.verbs import backends

        try:
            there = backends.open_backend(None, self._settings).models()
        except WorkbenchError:
            there = ()
        found = None
        if there:
            now = there[-1]
            found = Serving(now.name, now.version, now.metrics.get("accuracy"), now.since)
        self._serving = (time.monotonic(), found)
        return found

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
