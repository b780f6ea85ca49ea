"""A process that is killed at any moment: by signal 9, as it is about to touch the file system for the n-th time.

The work is done in a fork of the test, so no interpreter starts anew: a moment costs some hundredths of a second. Python tells
of what it does by its audit events, so the moments are the same each time.
"""

import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from tests.chain import wait_until

TOUCHES = ("open", "os.", "shutil.", "fcntl.")


def moments(work: Callable[[Path], object], folder: Path, count: int, seed: int) -> list[int]:
    """Do the work once; some of the moments at which it touches the file system: the first, the last, others by chance."""
    whole = _count(lambda: work(folder))
    chance = random.Random(seed)
    others = range(1, whole - 1)
    return sorted({0, whole - 1, *chance.sample(others, min(count, len(others)))})


def killed_at(moment: int, work: Callable[[Path], object], folder: Path) -> None:
    """Do the work there in a process that is killed at this moment."""
    pid = os.fork()
    if pid == 0:
        _watch(lambda n: os.kill(os.getpid(), signal.SIGKILL) if n == moment else None)
        _do(lambda: work(folder))
    status = _ended(pid)
    assert os.WIFSIGNALED(status), f"it ended by itself before moment {moment}: {status}"


def _count(work: Callable[[], object]) -> int:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        seen = [0]
        _watch(lambda n: seen.__setitem__(0, n + 1))
        try:
            work()
        finally:
            os.write(write, str(seen[0]).encode())
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        whole = int(told.read())
    _ended(pid)
    return whole


def _ended(pid: int) -> int:
    """How the process ended; a fork that hangs is ended, too."""
    found: list[int] = []

    def look() -> bool:
        gone, status = os.waitpid(pid, os.WNOHANG)
        found.append(status)
        return gone == pid

    try:
        wait_until(look, 60, "the fork's end")
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    return found[-1]


def _watch(at: Callable[[int], object]) -> None:
    count = 0

    def hook(event: str, _: tuple[object, ...]) -> None:
        nonlocal count
        if event.startswith(TOUCHES) and event not in ("os.fork", "os.kill"):
            count += 1
            at(count - 1)

    sys.addaudithook(hook)


def _do(work: Callable[[], object]) -> None:
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)
