"""Limits of time for what a model computes: one thread ends whatever runs too long, wherever it was asked for.

What does not end when it is told to, a single operator that computes for ages, ends with its process: the server starts
another one, and the version that did it is remembered.
"""

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

log = logging.getLogger("backend")

ANSWER_S, EACH_S, LONGEST_S = 2.0, 0.1, 30.0
"""Seconds for an answer, and more for each further example of a request; never longer than the last."""
DEAF_S = 5.0
"""After it was told to end, within which a computation must."""
LOOK_S = 0.1
REST_S = 2.0
"""Without anything to watch, after which the thread rests."""


class LimitedRun(Protocol):
    """A running computation that ends soon after its flag is set, as ``onnxruntime.RunOptions``."""

    terminate: bool


def allowed_s(examples: int) -> float:
    """Seconds in which so many examples must be answered.

    >>> allowed_s(1), allowed_s(11), allowed_s(10_000)
    (2.0, 3.0, 30.0)
    """
    return min(ANSWER_S + EACH_S * max(0, examples - 1), LONGEST_S)


class DeafRuns:
    """The times at which a version ended a process, on the disk, where the next process finds them."""

    OFTEN, WITHIN_S, PAUSE_S = 3, 600.0, 60.0
    """So many within so long: the version is not asked for a while."""

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def note(self) -> None:
        """Write down that it happens now."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with self._file.open("a") as file:
                    file.write(f"{time.time():.1f}\n")

    def pause_s(self) -> float:
        """Seconds for which the version is not to be asked."""
        if self._file is None:
            return 0.0
        try:
            with self._file.open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - 200))
                times = [float(line) for line in file.read().split()[-self.OFTEN :]]
        except (OSError, ValueError):
            return 0.0
        now = time.time()
        if len(times) < self.OFTEN or now - times[0] > self.WITHIN_S:
            return 0.0
        return max(0.0, times[-1] + self.PAUSE_S - now)


NOWHERE = DeafRuns(None)


def end_process() -> None:
    """End this process at once; whoever started it starts another."""
    os.kill(os.getpid(), signal.SIGKILL)


class RunWatch:
    """Ends what runs too long. Its thread begins with the first run, and again after a fork, and rests in between.

    Parameters
    ----------
    end
        Called where a computation does not end within ``deaf_s`` although it was told to.
    """

    def __init__(self, end: Callable[[], None] = end_process, deaf_s: float = DEAF_S) -> None:
        self._end, self._deaf_s = end, deaf_s
        self._deaf: dict[LimitedRun, DeafRuns] = {}
        self._running: dict[LimitedRun, float] = {}
        self._busy = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def begin(self, run: LimitedRun, limit_s: float, deaf: DeafRuns = NOWHERE) -> None:
        """Watch a run from now on; :meth:`end` must follow. ``deaf`` is told if it does not end."""
        self._deaf[run] = deaf
        self._running[run] = time.monotonic() + limit_s
        if not self._busy.is_set():
            self._wake()

    def end(self, run: LimitedRun) -> None:
        """Watch the run no more."""
        self._running.pop(run, None)
        self._deaf.pop(run, None)

    def _wake(self) -> None:
        with self._lock:
            self._busy.set()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look, name="limits", daemon=True)
                self._thread.start()

    def _look(self) -> None:
        rest_at = time.monotonic() + REST_S
        while True:
            time.sleep(LOOK_S)
            now = time.monotonic()
            for run, deadline in list(self._running.items()):
                rest_at = now + REST_S
                if deadline <= now:
                    run.terminate = True
                if deadline + self._deaf_s <= now and (deaf := self._deaf.get(run)):
                    log.error(
                        "a model computes on although it was told to end: this worker ends, another begins"
                    )
                    deaf.note()
                    self.end(run)
                    self._end()
            if now >= rest_at:
                self._busy.clear()
                if not self._running:  # one may have begun before it was clear
                    self._busy.wait()
                self._busy.set()
                rest_at = time.monotonic() + REST_S
