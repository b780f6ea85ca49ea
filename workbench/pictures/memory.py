"""Tune glibc's malloc for picture-sized buffers, and decode large pictures one at a time.

A canvas takes pieces of 80 to 400 KB. By default each is asked of the kernel anew, at a page fault every 4 KB, which
doubled the time of decoding; kept for ever, one large photo would make a worker fat for good.
"""

import ctypes
import functools
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from workbench.errors import Unavailable

HEAVY_PIXELS = 2 * 1024 * 1024
"""Pictures above this are decoded one at a time in each process: 16 megapixels take 100 MB for a moment."""
HEAVY_WAIT_S = 1.0
"""A thread that waits longer would be missed by others."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # malloc.h
_heavy = BoundedSemaphore(1)


@functools.cache
def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def keep_pieces() -> None:
    """Let pieces up to 4 MB be used again, from one arena for all threads. Elsewhere than on glibc: nothing."""
    if libc := _libc():
        libc.mallopt(_MMAP_THRESHOLD, 4 * 1024 * 1024)
        libc.mallopt(_TRIM_THRESHOLD, 16 * 1024 * 1024)
        libc.mallopt(_ARENA_MAX, 1)


def give_back() -> None:
    """Give what is free to the system, after something large."""
    if libc := _libc():
        libc.malloc_trim(0)


@contextmanager
def one_at_a_time(pixels: int) -> Iterator[None]:
    """Room for a picture of this size.

    Raises
    ------
    Unavailable
        Large ones have queued for too long.
    """
    if pixels <= HEAVY_PIXELS:
        yield
        return
    if not _heavy.acquire(timeout=HEAVY_WAIT_S):
        raise Unavailable("several large pictures are being read; try again")
    try:
        yield
    finally:
        give_back()
        _heavy.release()
