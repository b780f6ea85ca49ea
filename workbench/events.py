"""What machines report: ``events.jsonl``, one JSON object a line, written by a node and replayed by the runner.

A line may be cut, when its machine was killed or its disk was full, and the file may be read again from any
offset: who takes events in must not mind seeing one twice.
"""

import contextlib
import json
import math
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from workbench.system import untrusted_folders

PHASES = ("starting", "initializing", "training", "exporting", "done")
METRIC_EVERY_S = 1.0
MAX_TEXT = 4_000
"""Characters of a message or a log line; of a longer one the beginning and the end are kept."""
MAX_TRACEBACK = 40_000
MAX_READ = 4 * 1024**2
"""Bytes that one ``read`` takes at most; no line of ours is as long."""
MAX_KEPT = 200
"""Lines kept in memory while they cannot be written."""
_LATEST = 1e11


@dataclass(frozen=True)
class Event:
    """One line that a machine reports.

    Attributes
    ----------
    t
        Seconds since 1970 by the machine's clock; no two lines of one writer have the same.
    """

    kind: ClassVar[str]
    t: float
    role: str
    index: int


@dataclass(frozen=True)
class Phase(Event):
    """What the machine does from now on: one of ``PHASES``."""

    kind = "phase"
    phase: str


@dataclass(frozen=True)
class Metric(Event):
    """How far the training is; see ``node.training.Progress``. A value that is no number is ``None``."""

    kind = "metric"
    step: int
    of: int
    epoch: int
    loss: float | None = None
    accuracy: float | None = None
    val_loss: float | None = None
    val_accuracy: float | None = None
    images_per_s: float | None = None
    eta_s: float | None = None

    @property
    def validated(self) -> bool:
        """An epoch ended here and the validation part was looked at."""
        return self.val_loss is not None or self.val_accuracy is not None


@dataclass(frozen=True)
class Log(Event):
    """A line for whoever reads the machine's log."""

    kind = "log"
    line: str


@dataclass(frozen=True)
class Error(Event):
    """What went wrong on a machine; ``field``, ``line`` and ``traceback`` as in ``RecipeError``."""

    kind = "error"
    message: str
    field: str | None = None
    line: int | None = None
    traceback: str = ""


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


class Writer:
    """Appends a machine's events to its file, each at once.

    It never raises into the training: what cannot be written (a full disk) is kept in memory, up to
    ``MAX_KEPT`` lines, and written with the next line that can be; metrics and logs are given up first.
    Metrics come at most once a second, but the last of an epoch always comes.

    Parameters
    ----------
    clock
        Gives seconds since 1970.
    echo
        Takes what a reader of the machine's own log wants to see of it: phases, lines, the end of each epoch.
    """

    def __init__(
        self,
        path: Path,
        role: str,
        index: int,
        *,
        clock: Callable[[], float] = time.time,
        echo: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._path = path
        self._machine = (role, index)
        self._clock = clock
        self._echo = echo
        self._lock = threading.Lock()
        self._file: int | None = None
        self._cut = False
        self._last_t = 0.0
        self._shown: Metric | None = None
        self._held: Metric | None = None
        self._kept: list[tuple[str, bytes]] = []

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def phase(self, phase: str) -> None:
        """Say what the machine does from now on, one of ``PHASES``."""
        if phase not in PHASES:
            raise ValueError(f"a phase is one of {', '.join(PHASES)}. Received: {phase!r}")
        with self._lock:
            self._release()
            self._write(Phase(*self._now(), phase=phase))
        self._echo(phase)

    def metric(
        self,
        *,
        step: int,
        of: int,
        epoch: int,
        loss: float | None = None,
        accuracy: float | None = None,
        val_loss: float | None = None,
        val_accuracy: float | None = None,
        images_per_s: float | None = None,
        eta_s: float | None = None,
    ) -> None:
        """Say how far the training is; what comes too soon after the one before is held back or left out."""
        with self._lock:
            metric = Metric(
                *self._now(), step, of, epoch, loss, accuracy, val_loss, val_accuracy, images_per_s, eta_s
            )
            if self._held is not None and self._held.epoch != epoch:
                self._release()
            due = self._shown is None or metric.t - self._shown.t >= METRIC_EVERY_S
            if due or metric.validated or step >= of:
                self._shown, self._held = metric, None
                self._write(metric)
            else:
                self._held = metric
        if metric.validated:
            self._echo(_summary(metric))

    def log(self, line: str) -> None:
        """Leave a line for the reader of the log."""
        with self._lock:
            self._write(Log(*self._now(), line=clean(line)))
        self._echo(clean(line))

    def error(
        self, message: str, *, field: str | None = None, line: int | None = None, traceback: str = ""
    ) -> None:
        """Say what went wrong."""
        with self._lock:
            self._release()
            self._write(Error(*self._now(), clean(message), field, line, clean(traceback, MAX_TRACEBACK)))

    def close(self) -> None:
        """Write what is held back and close the file; a line after that opens it again."""
        with self._lock:
            self._release()
            if self._file is not None:
                with contextlib.suppress(OSError):
                    os.close(self._file)
                self._file = None

    def _now(self) -> tuple[float, str, int]:
        self._last_t = max(self._clock(), self._last_t + 1e-6)
        return (self._last_t, *self._machine)

    def _release(self) -> None:
        if self._held is not None:
            self._shown = self._held
            self._write(self._held)
            self._held = None

    def _write(self, event: Event) -> None:
        self._kept.append((event.kind, dump(event)))
        if len(self._kept) > MAX_KEPT:
            light = (n for n, (kind, _) in enumerate(self._kept) if kind in ("metric", "log"))
            del self._kept[next(light, 0)]
        with contextlib.suppress(OSError):
            if self._file is None:
                self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
                size = os.fstat(self._file).st_size
                self._cut = size > 0 and os.pread(self._file, 1, size - 1) != b"\n"
            while self._kept:
                line = b"\n" * self._cut + self._kept[0][1]
                written = os.write(self._file, line)
                if written < len(line):
                    self._cut = True
                    return
                self._cut = False
                del self._kept[0]


def _summary(metric: Metric) -> str:
    """The end of an epoch in one line."""
    shown = {
        "loss": metric.loss,
        "accuracy": metric.accuracy,
        "validation loss": metric.val_loss,
        "validation accuracy": metric.val_accuracy,
    }
    values = ", ".join(f"{name} {value:.4g}" for name, value in shown.items() if value is not None)
    return f"epoch {metric.epoch}, step {metric.step} of {metric.of}: {values}"


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """The text without halves of surrogate pairs, which no file or database takes, and at most ``limit`` long.

    Of a longer text the beginning and the end stay.
    """
    text = text.encode(errors="replace").decode()
    if len(text) <= limit:
        return text
    half = (limit - 50) // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def _phase(values: dict[str, object]) -> Event:
    if values["phase"] not in PHASES:
        raise ValueError
    return Phase(*_machine(values), phase=values["phase"])


def _metric(values: dict[str, object]) -> Event:
    counts = (_count(values[name]) for name in ("step", "of", "epoch"))
    rest = ("loss", "accuracy", "val_loss", "val_accuracy", "images_per_s", "eta_s")
    return Metric(*_machine(values), *counts, *(_number(values.get(name)) for name in rest))


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
