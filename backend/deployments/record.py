"""``deployments.json``: which version of each model serves, since when, which one did before, and who decided it.

Written whole or not at all, by one process at a time; its inode and time tell whether it has changed.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.system import files
from workbench.system.locks import locked

FILE = "deployments.json"
HISTORY = 100


@dataclass(frozen=True)
class Change:
    """A line of a model's history."""

    t: str
    action: str
    """``activate``, ``canary`` or ``rollback``."""
    version: int
    who: str
    reason: str
    percent: float | None = None
    """Share of the drawings that a canary answers."""

    def as_json(self) -> dict[str, object]:
        """Give the line as the file and ``/models/NAME/history`` have it."""
        told = {"t": self.t, "action": self.action, "version": self.version}
        share = {} if self.percent is None else {"percent": self.percent}
        return told | share | {"who": self.who, "reason": self.reason}


@dataclass(frozen=True)
class CanaryShare:
    """A canary: the version that answers a share of the drawings."""

    version: int
    percent: float
    since: str


@dataclass(frozen=True)
class Entry:
    """The deployment of one model."""

    version: int
    since: str
    previous: int | None
    canary: CanaryShare | None
    history: tuple[Change, ...]
    """The latest last."""

    @classmethod
    def parse(cls, told: Any) -> "Entry":
        """Read the JSON of an entry; ValueError, KeyError, TypeError or AttributeError where it is damaged."""
        canary, previous = told.get("canary"), told.get("previous")
        return cls(
            version=int(told["version"]),
            since=str(told["since"]),
            previous=None if previous is None else int(previous),
            canary=CanaryShare(int(canary["version"]), float(canary["percent"]), str(canary["since"]))
            if canary
            else None,
            history=tuple(
                Change(
                    str(line["t"]),
                    str(line["action"]),
                    int(line["version"]),
                    str(line.get("who", "")),
                    str(line.get("reason", "")),
                    line.get("percent"),
                )
                for line in told["history"]
            ),
        )

    def as_json(self) -> dict[str, object]:
        """Give the entry as the file has it."""
        told: dict[str, object] = {"version": self.version, "since": self.since, "previous": self.previous}
        if self.canary is not None:
            told["canary"] = vars(self.canary)
        return {**told, "history": [change.as_json() for change in self.history]}

    def noted(self, change: Change) -> "Entry":
        """Add a line to the history."""
        return replace(self, history=(*self.history[1 - HISTORY :], change))


def switched(entry: Entry | None, change: Change) -> Entry:
    """Give the entry in which the change's version serves; a canary ends."""
    if entry is None:
        return Entry(change.version, change.t, None, None, (change,))
    if entry.version != change.version:
        entry = replace(entry, version=change.version, since=change.t, previous=entry.version)
    return replace(entry, canary=None).noted(change)


class Entries:
    """All models' entries, the most recently activated last; each is parsed alone, so that a damaged one hides no other."""

    def __init__(self, told: Mapping[str, object]) -> None:
        self._told = dict(told)

    def __iter__(self) -> Iterator[str]:
        return iter(self._told)

    def find(self, name: str) -> Entry | None:
        """Give the entry of a model, if there is one.

        Raises
        ------
        WorkbenchError
            It is damaged.
        """
        if name not in self._told:
            return None
        try:
            return Entry.parse(self._told[name])
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise WorkbenchError(
                f"{FILE} is damaged at {name} ({error!r}); activate a version again to rewrite it"
            ) from error

    def put(self, name: str, entry: Entry) -> None:
        """Replace an entry, or add it."""
        self._told[name] = entry.as_json()

    def put_last(self, name: str, entry: Entry) -> None:
        """Replace an entry, which becomes the last."""
        self._told.pop(name, None)
        self.put(name, entry)

    def as_json(self) -> str:
        """Write the file's text."""
        return json.dumps({"format": 1, "models": self._told}, indent=2) + "\n"


class Record:
    """The file as one process sees it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._file = folder, folder / FILE

    def mark(self) -> object:
        """Give a value that differs after every change."""
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def read(self) -> Entries:
        """Read the entries.

        Raises
        ------
        WorkbenchError
            The file is damaged.
        """
        try:
            return Entries(json.loads(self._file.read_text())["models"])
        except FileNotFoundError:
            return Entries({})
        except (ValueError, KeyError, TypeError) as error:
            raise WorkbenchError(
                f"{self._file} is damaged ({error}); activate a version again to rewrite it"
            ) from error

    @contextmanager
    def changing(self) -> Iterator[Entries]:
        """Let one process at a time change the entries; written whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with locked(self._folder / ".lock"):
            try:
                entries = self.read()
            except WorkbenchError:  # damaged by hand: kept beside for whoever did it
                self._file.replace(self._file.with_suffix(".damaged"))
                entries = Entries({})
            before = entries.as_json()
            yield entries
            if (after := entries.as_json()) != before:
                files.write(self._file, after, synced=True)


def now() -> str:
    """UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
