"""What runs now, as one file that any command reads: ``WORKBENCH_HOME/run/services.json``, mode 600."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from workbench.settings import Settings
from workbench.system.files import write_json


@dataclass
class Row:
    """One line of the table that ``up`` and ``status`` show."""

    name: str
    """``drawing page``, ``back end``, ``dashboard`` or ``first model``."""
    state: str
    """``starting``, ``ready``, ``restarting``, ``given up``, ``training``, ``done`` or ``failed``."""
    url: str = ""
    pid: int | None = None
    restarts: int = 0
    message: str = ""


@dataclass
class State:
    """The supervisor's process and its rows."""

    pid: int
    created: float
    """When the supervisor's process started, s since the epoch; with ``pid`` it names one process for ever."""
    rows: list[Row] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.created) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


def path(settings: Settings) -> Path:
    return settings.run / "services.json"


def read(settings: Settings) -> State | None:
    """What the running supervisor wrote; ``None`` if none runs."""
    try:
        value: dict[str, Any] = json.loads(path(settings).read_text())
        state = State(value["pid"], value["created"], [Row(**row) for row in value["rows"]])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError):
        return None  # another version's file; the process it speaks of is found by its mark
    return state if state.alive else None


def write(settings: Settings, state: State) -> None:
    """Replace the file as a whole."""
    write_json(path(settings), asdict(state), indent=1, mode=0o600)
