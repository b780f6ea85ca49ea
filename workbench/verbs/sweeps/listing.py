"""The sweeps of a workbench, as pages and commands list them; begun, stopped and gone on with by a process of their own."""

from collections.abc import Callable
from dataclasses import dataclass

from workbench.errors import Conflict, WorkbenchError
from workbench.settings import Settings
from workbench.sweeps import Sweep, spending
from workbench.sweeps.drivers import start_driver
from workbench.sweeps.records import open_records
from workbench.verbs.sweeps import kept
from workbench.verbs.sweeps.asking import Asked
from workbench.verbs.sweeps.looking import Curves, look_again
from workbench.verbs.workbench import Workbench

MOST = 200
"""Sweeps that are listed."""
MOVING = ("waiting", "running", "stopping")


@dataclass(frozen=True)
class Entry:
    """One sweep in the list.

    Attributes
    ----------
    state
        ``waiting`` for its process, ``running``, ``stopping``, ``completed``, ``stopped``, ``failed``, or ``interrupted``:
        then nobody goes on with it.
    t
        When it was first asked for, in seconds since 1970.
    said
        Why it failed, or why no more trials are begun.
    """

    asked: Asked
    sweep: Sweep
    state: str
    t: float
    said: str = ""

    @property
    def id(self) -> str:
        return self.asked.id

    @property
    def cost(self) -> float:
        """US dollars so far."""
        return spending.spent(self.sweep.trials)

    def as_json(self) -> dict[str, object]:
        """What ``--json`` prints."""
        request = self.asked.request
        about = {
            "state": self.state,
            "requester": request.requester,
            "provider": request.provider,
            "asked": self.t,
            "cost": self.cost,
            "max_price": self.asked.options.max_price,
            "said": self.said or None,
        }
        return {**self.sweep.as_json(), **about}


class Sweeps:
    """The sweeps of one workbench. What was read of jobs that have ended is kept, so that a list is cheap to refresh.

    Parameters
    ----------
    start
        Starts the process that goes on with a sweep.
    """

    def __init__(self, workbench: Workbench, start: Callable[[str, Settings], object] = start_driver) -> None:
        self._workbench, self._start = workbench, start
        self._records = open_records(workbench.settings)
        self._asked: dict[str, tuple[kept.Wish, Asked]] = {}
        self._ended: dict[str, Curves] = {}

    def entries(self) -> list[Entry]:
        """The newest sweeps; one that this version cannot read is left out."""
        found = []
        for id in kept.ids(self._workbench.settings)[:MOST]:
            try:
                found.append(self.entry(id))
            except WorkbenchError:
                continue
        return sorted(found, key=lambda entry: -entry.t)

    def entry(self, id: str) -> Entry:
        """One sweep as it is now; changes nothing. Raises ``NotFound``."""
        wish = kept.read(id, self._workbench.settings)
        known = self._asked.get(id)
        asked = known[1] if known is not None and known[0] == wish else wish.asked()
        self._asked[id] = wish, asked
        record = self._records.read(id)
        sweep = look_again(asked, self._workbench, record, self._ended.setdefault(id, {}))
        said = wish.error or spending.said(sweep.trials, asked.options.max_price, asked.trials)
        return Entry(asked, sweep, self._state(id, sweep, wish.error), wish.t, said)

    def begin(self, asked: Asked) -> str:
        """Have a process go on with it until it has ended; give its id. One that was interrupted goes on where it was.

        Raises
        ------
        Conflict
            It goes on already.
        """
        if self._records.is_held(asked.id):
            raise Conflict(f"this very sweep goes on already: {asked.id}")
        kept.keep(asked, self._workbench.settings)
        self._records.ask_stop(asked.id, False)
        self._drive(asked.id)
        return asked.id

    def go_on(self, id: str) -> None:
        """Have a process go on with a sweep that was stopped or interrupted."""
        self.begin(kept.read(id, self._workbench.settings).asked())

    def stop(self, id: str) -> None:
        """End the trials that run and begin no more; the best of those that completed becomes a version."""
        kept.read(id, self._workbench.settings)
        self._records.ask_stop(id)
        if not self._records.is_held(id):
            self._drive(id)

    def _drive(self, id: str) -> None:
        self._records.set_unattended(id, True)
        self._start(id, self._workbench.settings)

    def _state(self, id: str, sweep: Sweep, error: str) -> str:
        stopped = self._records.is_stop_asked(id)
        if self._records.is_held(id):
            return "stopping" if stopped else "running"
        if id in self._records.unattended():
            return "stopping" if stopped else "waiting"
        if error:
            return "failed"
        if stopped:
            return "stopped"
        return "completed" if sweep.version else "interrupted"
