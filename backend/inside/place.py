"""A bounded place beside the answers to drawings: one thread that looks inside, and few who wait for it."""

import contextlib
import mmap
import os
import struct
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from typing import TypeVar

from workbench.errors import TooMany, Unavailable

T = TypeVar("T")
MOST_WAITING = 4
WAIT_S = 5.0
PER_SECOND = 15
"""Requests of one visitor in a second, in all worker processes together."""
NICENESS = 5
"""Drawings come first: the thread that looks inside leaves the processor to the loop that answers them."""
_SLOTS = 4_096
_SLOT = struct.Struct("<II")


class Place:
    """Runs what is asked for, one after the other, in a thread of its own that begins with the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._of = 0
        self._waiting = 0

    def run(self, work: Callable[[], T]) -> T:
        """Give what the work gives.

        Raises
        ------
        Unavailable
            Too many wait already, or it took too long.
        """
        with self._lock:
            if self._waiting >= MOST_WAITING:
                raise Unavailable("too many look inside at once; try again in a moment")
            if (
                self._pool is None or self._of != os.getpid()
            ):  # threads do not survive the fork to the workers
                self._of = os.getpid()
                self._pool = ThreadPoolExecutor(1, "inside", initializer=_be_modest)
            self._waiting += 1
            future: Future[T] = self._pool.submit(work)
        # Without the lock: where the work is done already, the callback runs here and now, and takes it.
        future.add_done_callback(self._one_less)
        try:
            return future.result(WAIT_S)
        except TooLate as error:
            future.cancel()
            raise Unavailable("looking inside takes too long just now; try again") from error

    def _one_less(self, future: object) -> None:
        with self._lock:
            self._waiting -= 1


def _be_modest() -> None:
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


class Visitors:
    """Counts what each visitor asked in the present second; the worker processes share the counts.

    Visitors are told apart by a hash. Two of the same hash share what each may have, which happens to one in thousands.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._counts = mmap.mmap(-1, _SLOTS * _SLOT.size)  # made before the workers are forked

    def admit(self, visitor: str) -> None:
        """Count one request.

        Raises
        ------
        TooMany
            The visitor has had :data:`PER_SECOND` in this second.
        """
        at = zlib.crc32(visitor.encode("utf-8", "replace")) % _SLOTS * _SLOT.size
        second = int(self._clock())
        since, count = _SLOT.unpack_from(self._counts, at)
        count = count + 1 if since == second else 1
        if count > PER_SECOND:
            raise TooMany(f"at most {PER_SECOND} looks inside a second; try again in a moment", after_s=1)
        _SLOT.pack_into(self._counts, at, second, count)
