"""A machine's own side: its events, appended to its file."""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from workbench.events.lines import dump
from workbench.events.values import (
    MAX_TRACEBACK,
    MEASURED,
    PHASES,
    Error,
    Event,
    Log,
    Metric,
    Phase,
    Progress,
    clean,
)

METRIC_EVERY_S = 1.0
MAX_KEPT = 200
"""Lines kept in memory while they cannot be written."""


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

    def metric(self, progress: Progress) -> None:
        """Say how far the training is; what comes too soon after the one before is held back or left out."""
        with self._lock:
            metric = Metric(*self._now(), *(getattr(progress, name) for name in MEASURED))
            if self._held is not None and self._held.epoch != metric.epoch:
                self._release()
            due = self._shown is None or metric.t - self._shown.t >= METRIC_EVERY_S
            if due or metric.validated or metric.step >= metric.of:
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
