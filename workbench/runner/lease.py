"""A job's lease, held by a thread while the runner works, which also hears the wish to end the job."""

import contextlib
import math
import threading
import time
from collections.abc import Callable

from workbench.errors import Unavailable, WorkbenchError
from workbench.jobs import Store
from workbench.runner.faults import Rules

WATCH_S = 0.5


class Lost(WorkbenchError):
    """Another runner has the job: this one was taken for dead and must leave everything as it is."""


class EndAsked(WorkbenchError):
    """Somebody asked to terminate the job."""


class LeaseHolder:
    """Keeps a lease by its heartbeat from ``start`` to ``close``.

    Raises ``Unavailable`` where the store cannot tell whether the job is to end.

    Parameters
    ----------
    runner
        Who has the lease already.
    """

    def __init__(self, job: int, runner: str, store: Store, rules: Rules) -> None:
        self._job, self._runner, self._store, self._rules = job, runner, store, rules
        self._asked, self._lost, self._over = threading.Event(), threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        if store.terminate_asked(job):
            self._asked.set()

    def start(self, end_by_force: Callable[[], object]) -> None:
        """Hold the lease from now on.

        Parameters
        ----------
        end_by_force
            Called in the holder's thread where the job was to end ``Rules.last_resort_s`` ago and has not.
        """
        self._thread = threading.Thread(target=self._watch, args=(end_by_force,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let the lease go: it is neither renewed nor given back."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def is_lost(self) -> bool:
        return self._lost.is_set()

    def is_told(self) -> bool:
        """Whether this runner is to stop working on the job."""
        return self._asked.is_set() or self._lost.is_set()

    def stop_if_told(self) -> None:
        """Go on only if nobody else has the job and nobody wants it to end.

        Raises
        ------
        Lost
        EndAsked
        """
        if self._lost.is_set():
            raise Lost(f"another runner has job {self._job}")
        if self._asked.is_set():
            raise EndAsked(f"job {self._job} is to end")

    def wait(self, seconds: float) -> None:
        """Let time pass until the job is to end."""
        self._asked.wait(seconds)

    def _watch(self, end_by_force: Callable[[], object]) -> None:
        beaten, asked = time.monotonic(), math.inf
        try:
            while not self._over.wait(WATCH_S):
                with contextlib.suppress(Unavailable):
                    if time.monotonic() - beaten >= self._rules.heartbeat_s:
                        beaten = time.monotonic()
                        if not self._store.heartbeat(self._job, self._runner):
                            return
                    if not self._asked.is_set() and self._store.terminate_asked(self._job):
                        self._asked.set()
                    asked = min(asked, time.monotonic()) if self._asked.is_set() else asked
                if time.monotonic() - asked > self._rules.last_resort_s and not self._over.is_set():
                    end_by_force()
                    return
        finally:
            if not self._over.is_set():
                self._lost.set()
