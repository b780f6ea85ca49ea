"""``deployments.json``: which version of each model serves, since when, which one did before, and who decided it.

Written whole or not at all, by one process at a time; its inode and time tell whether it has changed.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.system import files
from workbench.system.locks import locked

FILE = "deployments.json"
HISTORY = 100


class Record:
    """The file as one process sees it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._file = folder, folder / FILE

    def mark(self) -> object:
        """What differs after every change."""
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def read(self) -> dict[str, Any]:
        """By name: ``version``, ``since``, ``previous``, ``canary`` and ``history``."""
        try:
            return dict(json.loads(self._file.read_text())["models"])
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError) as error:
            raise WorkbenchError(
                f"{self._file} is damaged ({error}); activate a version again to rewrite it"
            ) from error

    @contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        """The deployments, to be changed by one process at a time; written whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with locked(self._folder / ".lock"):
            try:
                models = self.read()
            except WorkbenchError:  # damaged by hand: kept beside for whoever did it
                self._file.replace(self._file.with_suffix(".damaged"))
                models = {}
            before = json.dumps(models)
            yield models
            text = json.dumps({"format": 1, "models": models}, indent=2) + "\n"
            if json.dumps(models) != before:
                files.write(self._file, text, synced=True)


def switch(models: dict[str, Any], name: str, version: int, done: dict[str, Any]) -> None:
    """Let another version serve; a canary ends."""
    entry = models.setdefault(name, {"version": None, "history": []})
    entry.pop("canary", None)
    if entry["version"] != version:
        entry |= {"version": version, "since": now(), "previous": entry["version"]}
    note(entry, {**done, "version": version})


def note(entry: dict[str, Any], done: dict[str, Any]) -> None:
    """Add a line to the history."""
    entry["history"] = [*entry["history"][1 - HISTORY :], {"t": now(), **done}]


def now() -> str:
    """UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
