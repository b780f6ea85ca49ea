"""Logs of a job's machines: the files, the end of one, and what was added since."""

import os
from dataclasses import dataclass
from pathlib import Path

from workbench.machines import Place
from workbench.settings import Settings

TAIL_BYTES = 64 * 1024


@dataclass(frozen=True, order=True)
class Log:
    """One file that a machine writes."""

    place: Place
    stream: str
    """``stdout`` or ``stderr``."""
    path: Path


def list_logs(id: int, settings: Settings) -> list[Log]:
    """The logs that the job's machines have begun, by role, number and stream."""
    found = []
    for path in (settings.home / "jobs" / str(id) / "machines").glob("*/std*.log"):
        role, _, index = path.parent.name.rpartition("-")
        found.append(Log(Place(role, int(index)), path.stem, path))
    return sorted(found)


def read_lines(path: Path, offset: int = 0) -> tuple[list[str], int]:
    """The whole lines after the offset, and where to go on. A file that was rotated begins anew."""
    text, offset = _read(path, offset)
    whole = text[: text.rfind(b"\n") + 1]
    return whole.decode(errors="replace").splitlines(), offset + len(whole)


def read_end(path: Path, most: int = TAIL_BYTES) -> tuple[str, bool]:
    """The last bytes as text, and whether that is all; lines are whole but for the very last one."""
    size = path.stat().st_size if path.exists() else 0
    if not size:
        return "", True
    text, _ = _read(path, max(0, size - most))
    if size > most:
        text = text[text.find(b"\n") + 1 :]
    return text.decode(errors="replace"), size <= most


def _read(path: Path, offset: int) -> tuple[bytes, int]:
    # No links: a recipe's code writes into this folder, and this process may read more than it may.
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:  # noqa: PTH123
        if os.fstat(file.fileno()).st_size < offset:
            offset = 0
        file.seek(offset)
        return file.read(), offset
