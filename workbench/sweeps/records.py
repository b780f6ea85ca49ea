"""What a sweep remembers in ``WORKBENCH_HOME/sweeps``: which settings were tried by which job. All else the jobs know.

Beside it lie two signs, empty files: ``ID.unattended`` where a process of its own is to go on with the sweep until it
has ended, and ``ID.stop`` where somebody asked for its end.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import Conflict
from workbench.recipes.capitals import literal
from workbench.settings import Settings
from workbench.system import files, wire
from workbench.system.locks import locked

HELD_FOR_S = 1.0
"""Who looks whether a sweep goes on holds it for a moment, too."""


@dataclass(frozen=True)
class TrialRecord:
    """One trial.

    Attributes
    ----------
    written
        Its settings as Python writes them.
    recipe
        The sha256 of the recipe that they make, by which its job is found where nobody could note it down.
    stopped
        After which epoch it was stopped early; 0 if it was not.
    """

    number: int
    written: Mapping[str, str]
    recipe: str
    job: int | None = None
    stopped: int = 0

    @property
    def settings(self) -> dict[str, object]:
        """Its settings."""
        return {name: literal(text) for name, text in self.written.items()}


@dataclass(frozen=True)
class Record:
    """One sweep, and its trials by number."""

    id: str
    trials: tuple[TrialRecord, ...] = ()


def identify(name: str, *what: object) -> str:
    """Name a sweep by what it is: the same command gives the same id, and so goes on with what is there."""
    told = json.dumps([name, *map(repr, what)])
    return f"{name[:40].rstrip('-_.')}-sweep-{hashlib.sha256(told.encode()).hexdigest()[:8]}"


class Records:
    """The sweeps in a folder, one file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, id: str) -> Record:
        """The sweep; without trials where there is none yet, or its file cannot be read: the jobs are still found."""
        try:
            return wire.unpack(Record, json.loads((self._folder / f"{id}.json").read_bytes()))
        except (FileNotFoundError, ValueError):
            return Record(id)

    def write(self, record: Record) -> None:
        """Keep it; the file has it whole or is as it was."""
        files.write_json(self._folder / f"{record.id}.json", wire.pack(record))

    @contextmanager
    def held(self, id: str) -> Iterator[None]:
        """Nobody else goes on with this sweep meanwhile; raises ``Conflict`` where somebody does."""
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            with locked(self._folder / f".{id}.lock", HELD_FOR_S):
                yield
        except TimeoutError as error:
            raise Conflict(
                f"sweep {id} goes on already, in another process; see: workbench sweeps {id}"
            ) from error

    def is_held(self, id: str) -> bool:
        """Tell whether somebody goes on with it now."""
        try:
            with locked(self._folder / f".{id}.lock", 0):
                return False
        except TimeoutError:
            return True
        except FileNotFoundError:
            return False

    def unattended(self) -> list[str]:
        """The sweeps that a process of their own is to go on with."""
        return sorted(path.stem for path in self._folder.glob("*.unattended"))

    def set_unattended(self, id: str, wanted: bool) -> None:
        """Have a process go on with the sweep, or no longer; saying so again changes nothing."""
        self._sign(id, "unattended", wanted)

    def is_stop_asked(self, id: str) -> bool:
        """Tell whether somebody asked for the sweep's end."""
        return (self._folder / f"{id}.stop").exists()

    def ask_stop(self, id: str, wanted: bool = True) -> None:
        """Ask for the sweep's end, or take that back."""
        self._sign(id, "stop", wanted)

    def _sign(self, id: str, name: str, wanted: bool) -> None:
        path = self._folder / f"{id}.{name}"
        if wanted:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.touch()
        else:
            path.unlink(missing_ok=True)


def open_records(settings: Settings) -> Records:
    """The sweeps of this home."""
    return Records(settings.home / "sweeps")
