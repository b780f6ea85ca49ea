"""Events as lines of ``events.jsonl``, written and read."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from workbench.events.values import (
    MAX_TRACEBACK,
    MEASURED,
    PHASES,
    Error,
    Event,
    Log,
    Metric,
    Phase,
    clean,
)
from workbench.system import untrusted_folders

MAX_READ = 4 * 1024**2
"""Bytes that one ``read`` takes at most; no line of ours is as long."""
COUNTS = ("step", "of", "epoch")
"""Of ``MEASURED``, what every metric has: whole numbers."""
_LATEST = 1e11


def dump(event: Event) -> bytes:
    """The event's line, pure ASCII, newline included."""
    values = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(event).items()
    }
    values = {"t": event.t, "role": event.role, "index": event.index, "kind": event.kind, **values}
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"


def parse(line: bytes) -> Event | None:
    """The event in a line; ``None`` if the line is cut, foreign or damaged."""
    try:
        values = json.loads(line)
        return _PARSERS[values["kind"]](values)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def read(
    path: Path, offset: int = 0, *, below: Path | None = None, limit: int = MAX_READ
) -> tuple[list[Event], int]:
    """The events from a byte offset on, and the offset to go on from.

    A last line without its newline is left for the next call. At most ``limit`` bytes are read: to be sure of
    the end, call until the offset stays. Damaged lines are left out. No file means no events yet; a file that is
    shorter than the offset was begun anew and is read from its beginning.

    Parameters
    ----------
    below
        The folder that is the machines' to write in: no link below it is followed. The file's own if ``None``.

    Raises
    ------
    NotPlain
        A link, FIFO or device is in the file's place.
    """
    folder = below or path.parent
    try:
        part = untrusted_folders.read_part(folder, path.relative_to(folder).as_posix(), offset, limit)
    except FileNotFoundError:
        return [], 0
    block, offset = part.data, part.begin
    end = block.rfind(b"\n") + 1
    if not end and len(block) == limit:
        return [], offset + limit  # the inside of a line that is none of ours
    return [event for line in block[:end].split(b"\n") if (event := parse(line))], offset + end


def _phase(values: dict[str, object]) -> Event:
    if values["phase"] not in PHASES:
        raise ValueError
    return Phase(*_machine(values), phase=values["phase"])


def _metric(values: dict[str, object]) -> Event:
    step, of, epoch = (_count(values[name]) for name in COUNTS)
    counts = (step, max(step, of), epoch)  # nobody has done more than there is to do
    rest = (_number(values.get(name)) for name in MEASURED if name not in COUNTS)
    return Metric(*_machine(values), *counts, *rest)


def _log(values: dict[str, object]) -> Event:
    return Log(*_machine(values), line=clean(_text(values["line"])))


def _error(values: dict[str, object]) -> Event:
    field, line = values.get("field"), values.get("line")
    return Error(
        *_machine(values),
        message=clean(_text(values["message"])),
        field=None if field is None else _name(field),
        line=None if line is None else _count(line),
        traceback=clean(_text(values.get("traceback", "")), MAX_TRACEBACK),
    )


def _machine(values: dict[str, object]) -> tuple[float, str, int]:
    t = _number(values["t"])
    if t is None or not 0 <= t < _LATEST:
        raise ValueError
    return t, _name(values["role"]), _count(values["index"])


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise ValueError
    return value


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _name(value: object) -> str:
    if not re.fullmatch(r"[a-z_]{1,16}", _text(value)):
        raise ValueError
    return str(value)


_PARSERS: dict[str, Callable[[dict[str, object]], Event]] = {
    "phase": _phase,
    "metric": _metric,
    "log": _log,
    "error": _error,
}
