"""An installation's notebooks: copies in the user's home, where they may be changed; a checkout shows its own."""

import hashlib
import json
from pathlib import Path

from workbench.settings import PROJECT
from workbench.system import files

_NOTE = ".brought.json"


def place(folder: Path, source: Path = PROJECT / "notebooks") -> None:
    """Copy what this version brings and its user has not changed; doing so again changes nothing.

    A notebook that was changed stays as it is, also when a newer version brings another one. One that was removed comes back.
    """
    if folder == source:
        return
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / _NOTE
    try:
        before: dict[str, str] = json.loads(note.read_text())
    except (OSError, ValueError):
        before = {}
    brought = {}
    for path in sorted(source.iterdir()):
        if not path.is_file() or path.name.startswith("."):
            continue
        content, own = path.read_bytes(), folder / path.name
        brought[path.name] = _digest(content)
        there = _digest(own.read_bytes()) if own.exists() else None
        if there in (None, before.get(path.name)) and there != brought[path.name]:
            files.write(own, content)
    files.write_json(note, brought)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
