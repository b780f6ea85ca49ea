"""What the landing page tells: the services, and how many jobs wait and run."""

import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from workbench.errors import WorkbenchError
from workbench.services import state
from workbench.settings import Settings

SHOWN = ("back end", "drawing page", "job queue", "first model")
"""In this order; of the dashboard one sees that it is there."""
WELL = {"ready", "done"}


@dataclass
class Overview:
    """Asks the supervisor's file and, by one query, the job store."""

    settings: Settings
    _store: Any = None
    _opening: threading.Lock = field(default_factory=threading.Lock)

    def read(self) -> dict[str, Any]:
        """As JSON: ``services[{name, state, message, well}]``, ``jobs{queued, running} | null``, ``problem``."""
        problem, jobs = "", None
        try:
            pulse = self._open().pulse()
            jobs = {"queued": pulse.waiting, "running": pulse.active}
        except WorkbenchError as error:
            problem = f"The job store does not answer: {error}"
        return {"services": self._services(), "jobs": jobs, "problem": problem}

    def drawing_port(self) -> int:
        """Where the drawing page is: Apache's port, or the back end's where there is no Apache."""
        running = state.read(self.settings)
        for row in running.rows if running else ():
            if row.name == "drawing page" and (port := urlsplit(row.url).port):
                return port
        return self.settings.frontend_port

    def _services(self) -> list[dict[str, Any]]:
        running = state.read(self.settings)
        rows = {row.name: row for row in running.rows} if running else {}
        found = []
        for name in SHOWN:
            if row := rows.get(name):
                well = row.state in WELL
                found.append({"name": name, "state": row.state, "message": row.message, "well": well})
        return found

    def _open(self) -> Any:
        with self._opening:
            if self._store is None:
                # Here, since it brings SQLAlchemy along: a second that the server's start need not wait for.
                from workbench.jobs import Store

                self._store = Store(self.settings.database_url)
            return self._store
