"""A body that a thread reads while it arrives."""

import io
import threading
from collections import deque
from collections.abc import Callable, Iterable

from backend.server.arrival import ARRIVE_S

AHEAD = 1024 * 1024
"""Bytes that may have come and are not read yet; the client waits then."""


class Incoming(io.RawIOBase):
    """A file whose bytes the loop gives and a thread reads; neither waits for the other for ever."""

    def __init__(
        self, begun: Iterable[bytes], wanted: Callable[[], None], *, patience_s: float = ARRIVE_S
    ) -> None:
        """``wanted`` is called, in the thread, whenever more should come."""
        self._pieces = deque(begun)
        self._size = sum(map(len, self._pieces))
        self._wanted, self._patience_s = wanted, patience_s
        self._ended = self._cut = False
        self._changed = threading.Condition()

    def feed(self, piece: bytes) -> bool:
        """Add what came, and tell whether there is room for more."""
        with self._changed:
            self._pieces.append(piece)
            self._size += len(piece)
            self._changed.notify()
            return self._size < AHEAD

    def end(self, *, cut: bool = False) -> None:
        """Say that nothing more comes; ``cut`` where that is too early."""
        with self._changed:
            self._ended, self._cut = True, cut
            self._changed.notify()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read what is there, or wait for it.

        Raises
        ------
        TimeoutError
            Nothing came for too long.
        ConnectionResetError
            Nothing will.
        """
        if not self._pieces and not self._ended:
            self._wanted()
        with self._changed:
            if not self._changed.wait_for(lambda: self._pieces or self._ended, self._patience_s):
                raise TimeoutError("the body stopped coming")
            if not self._pieces:
                if self._cut:
                    raise ConnectionResetError("the body was cut off")
                return 0
            piece = self._pieces.popleft()
            count = min(len(piece), len(buffer))
            buffer[:count] = piece[:count]
            if count < len(piece):
                self._pieces.appendleft(piece[count:])
            self._size -= count
        return count
