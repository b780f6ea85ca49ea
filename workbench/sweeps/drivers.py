"""The processes that go on with sweeps for which nobody waits: one a sweep, begun again where it has died."""

import os
import sys
import time
from collections.abc import Callable

from workbench.settings import CODE, Settings
from workbench.sweeps.records import open_records
from workbench.system import detached, processes

AGAIN_S = 30.0
"""Before one that ended without a word is begun again."""
LEFT_OUT = ("WORKBENCH_RUNNER",)
"""What a driver does not inherit."""


def start_driver(id: str, settings: Settings) -> int:
    """Start the process that goes on with a sweep; give its process number. Of two the second one ends at once."""
    environment = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    environment |= {
        "WORKBENCH_HOME": str(settings.home),
        "WORKBENCH_DATABASE_URL": settings.database_url,
        processes.MARK: processes.mark(settings.home, "sweep"),  # so that ``down`` ends it
    }
    command = [sys.executable, "-m", "workbench.verbs.sweeps", id]
    return detached.start(command, environment, settings.logs / "sweeps.log", CODE)


class Drivers:
    """Begins a driver for each sweep that has none and should.

    Parameters
    ----------
    start
        Starts a driver; see ``start_driver``.
    """

    def __init__(
        self,
        settings: Settings,
        start: Callable[[str, Settings], object] = start_driver,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._start, self._clock = settings, start, clock
        self._begun: dict[str, float] = {}

    def tick(self) -> list[str]:
        """Begin the drivers that are missing; give their sweeps."""
        records, begun = open_records(self._settings), []
        for id in records.unattended():
            last, now = self._begun.get(id), self._clock()
            if (last is None or now - last >= AGAIN_S) and not records.is_held(id):
                self._begun[id] = now
                self._start(id, self._settings)
                begun.append(id)
        return begun
