"""What glibc does with memory that a picture needed.

A canvas takes pieces of 80 to 400 KB. By default each is asked of the kernel anew, at a page fault every 4 KB, which
doubled the time of decoding; kept for ever, one large photo would make a worker fat for good.
"""

import ctypes
import functools
import platform
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # malloc.h


@functools.cache
def _libc() -> Any:
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
