"""Limits of time for what a model computes: one thread ends whatever runs too long, wherever it was asked for."""

import threading
import time
from typing import Protocol

ANSWER_S, EACH_S, LONGEST_S = 2.0, 0.1, 30.0
"""Seconds for an answer, and more for each further example of a request; never longer than the last."""
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


class RunWatch:
    """Ends what runs too long. Its thread begins with the first run, and again after a fork, and rests in between."""

    def __init__(self) -> None:
        self._running: dict[LimitedRun, float] = {}
        self._busy = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def begin(self, run: LimitedRun, limit_s: float) -> None:
        """Watch a run from now on; :meth:`end` must follow."""
        self._running[run] = time.monotonic() + limit_s
        if not self._busy.is_set():
            self._wake()

    def end(self, run: LimitedRun) -> None:
        """Watch the run no more."""
        self._running.pop(run, None)

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
            if now >= rest_at:
                self._busy.clear()
                if not self._running:  # one may have begun before it was clear
                    self._busy.wait()
                self._busy.set()
                rest_at = time.monotonic() + REST_S
