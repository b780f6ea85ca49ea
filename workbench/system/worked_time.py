"""Time that a process had for its work: what passed, but for what it waited for a core that others held."""

import time
from collections.abc import Callable
from pathlib import Path

LOOK_EVERY_S = 0.5
Threads = dict[str, tuple[int, int]]
"""By thread: nanoseconds on a core, and nanoseconds ready to run without one."""


class WorkedTime:
    """A clock of one process, which slows down while the process is kept waiting for a core.

    A process that sleeps, or waits for a disk or the network, uses its time all the same: nobody keeps it from
    its work.

    Parameters
    ----------
    threads, now
        Where the figures come from; ``/proc`` and the clock.
    """

    def __init__(
        self,
        pid: int,
        threads: Callable[[int], Threads] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pid, self._threads, self._now = pid, threads or read_threads, now
        self._at, self._before, self._counted = now(), self._threads(pid), 0.0

    def seconds(self) -> float:
        """Give the time since the clock was made; asked often, it looks at the process and goes on now and then."""
        passed = self._now() - self._at
        if passed < LOOK_EVERY_S:
            return self._counted
        found = self._threads(self._pid)
        self._counted += passed * share_had(self._before, found, passed)
        self._at, self._before = self._now(), found
        return self._counted


def share_had(before: Threads, after: Threads, passed_s: float) -> float:
    """The share of a time, 0 to 1, in which nobody kept the process from its work.

    >>> share_had({"1": (0, 0)}, {"1": (1_000_000_000, 3_000_000_000)}, 4.0)  # always ready, a core a quarter of it
    0.25
    >>> share_had({"1": (0, 0)}, {"1": (0, 0)}, 4.0)  # asleep
    1.0
    """
    ran = waited = 0
    for thread, (on_core, ready) in after.items():
        old_on_core, old_ready = before.get(thread, (0, 0))
        ran += max(0, on_core - old_on_core)
        waited += max(0, ready - old_ready)
    if not waited or passed_s <= 0:
        return 1.0
    at_it = min(1.0, (ran + waited) / (passed_s * 1e9))
    return 1.0 - at_it * waited / (ran + waited)


def read_threads(pid: int) -> Threads:
    """Read the figures of a process's threads from ``/proc/PID/task/*/schedstat``; empty where the system has none.

    https://docs.kernel.org/scheduler/sched-stats.html
    """
    found: Threads = {}
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            on_core, ready, *_ = path.read_text().split()
            found[path.parent.name] = int(on_core), int(ready)
        except (OSError, ValueError):
            continue  # it has just ended
    return found
