"""What runs now, as one file that any command reads: ``WORKBENCH_HOME/run/services.json``, mode 600."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import psutil

from workbench.services.logs import NO_ROOM
from workbench.settings import Settings
from workbench.system.files import write_json


@dataclass(frozen=True)
class Row:
    """One line of the table that ``up`` and ``status`` show."""

    name: str
    """``drawing page``, ``back end``, ``dashboard``, ``job queue`` or ``first model``."""
    state: str
    """``starting``, ``ready``, ``restarting``, ``given up``, ``done``, ``failed``, or what the first model is at."""
    url: str = ""
    pid: int | None = None
    restarts: int = 0
    message: str = ""


@dataclass(frozen=True)
class State:
    """The supervisor's process and its rows."""

    pid: int
    created: float
    """When the supervisor's process started, s since the epoch; with ``pid`` it names one process for ever."""
    rows: tuple[Row, ...] = ()

    @property
    def alive(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.created) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


Tell = Callable[[State, str], None]
"""Called with the whole state whenever it changed, and a line of text if there is something to say."""


class Board:
    """The state as it changes: in the file, and told to whoever watches."""

    def __init__(self, settings: Settings, created: State, tell: Tell) -> None:
        self._settings = settings
        self._supervisor = created
        self._tell = tell
        self._rows: dict[str, Row] = {}
        self._untold = False

    @property
    def state(self) -> State:
        return replace(self._supervisor, rows=tuple(self._rows.values()))

    def put(self, row: Row) -> None:
        """Show this row, in the place of one of the same name or after all others."""
        self._rows[row.name] = row

    def say(self, line: str = "") -> None:
        """Have everybody know the state; what a full disk does not take now is told by :meth:`catch_up`."""
        self._untold = False
        state = self.state
        for tell in (partial(write, self._settings, state), partial(self._tell, state, line)):
            try:
                tell()
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise
                self._untold = True

    def catch_up(self) -> None:
        """Tell the state again if a full disk kept it from somebody."""
        if self._untold:
            self.say()


def path(settings: Settings) -> Path:
    return settings.run / "services.json"


def read(settings: Settings) -> State | None:
    """What the running supervisor wrote; ``None`` if none runs."""
    try:
        state = parse(path(settings).read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError):
        return None  # another version's file; the process it speaks of is found by its mark
    return state if state.alive else None


def parse(text: str) -> State:
    """The state that :func:`write` wrote.

    Raises
    ------
    ValueError, KeyError, TypeError
        Something else wrote it.
    """
    value = json.loads(text)
    return State(int(value["pid"]), float(value["created"]), tuple(Row(**row) for row in value["rows"]))


def write(settings: Settings, state: State) -> None:
    """Replace the file as a whole."""
    write_json(path(settings), asdict(state), indent=1, mode=0o600)
