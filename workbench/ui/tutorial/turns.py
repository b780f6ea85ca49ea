"""Turns of the processes of one computer: so many at a time, first come, first served, and who dies lets go.

Each that waits or works has a ticket, a file that it holds locked; their names say who came first. The system lets go of
a lock when its process dies, however it dies, so a ticket that nobody holds counts for nothing and is cleared away.
"""

import contextlib
import fcntl
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType


class Turn:
    """A place in the queue of a folder; given back at the end of the ``with``, or by ``close``.

    Parameters
    ----------
    folder
        Made where there is none; no other home's.
    at_once
        How many may work at a time.
    """

    def __init__(self, folder: Path, at_once: int) -> None:
        self._folder, self._at_once = folder, at_once
        self._descriptor = -1
        self._open()

    def _open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{time.monotonic_ns():020d}-{uuid.uuid4().hex}"
        self._ticket = self._folder / name
        # Under another name until it is held, or somebody might clear it away.
        coming = self._folder / f".{name}"
        self._descriptor = os.open(coming, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        coming.rename(self._ticket)

    def __enter__(self) -> "Turn":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the queue; doing so again changes nothing."""
        if self._descriptor >= 0:
            self._ticket.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def has_come(self) -> bool:
        """Whether fewer than ``at_once`` that came before are there."""
        before = 0
        for ticket in self._before():
            before += _held(ticket)
            if before == self._at_once:
                return False
        return True

    @property
    def ahead(self) -> int:
        """How many came before and have not left, those at work among them."""
        return len(self._before())

    @property
    def others_wait(self) -> bool:
        """Whether somebody came after this one."""
        return any(ticket > self._ticket.name for ticket in self._tickets())

    def wait(self, poll_s: float, stop: Callable[[], bool], told: Callable[[int], None]) -> bool:
        """Wait for the turn, telling now and then how many are ahead; ``False`` if ``stop`` came first."""
        while not self.has_come:
            told(self.ahead)
            if stop():
                return False
            time.sleep(poll_s)
        return True

    def give_way(self) -> None:
        """Let those go first that came after this one."""
        self.close()
        self._open()

    def _before(self) -> list[Path]:
        return [self._folder / name for name in self._tickets() if name < self._ticket.name]

    def _tickets(self) -> list[str]:
        return sorted(path.name for path in self._folder.iterdir() if not path.name.startswith("."))


def _held(ticket: Path) -> bool:
    """Whether somebody holds the ticket; one that nobody holds is cleared away."""
    try:
        descriptor = os.open(ticket, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        with contextlib.suppress(FileNotFoundError):
            ticket.unlink()
        return False
    finally:
        os.close(descriptor)
