"""What a machine prints, from a pipe to a file that never grows beyond a size."""

import contextlib
import fcntl
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from workbench.system import untrusted_folders

LOG_BYTES = 4 * 1024 * 1024
"""Of each of the two files that are kept of an output: ``stdout.log`` and, before it, ``stdout.log.1``."""
PIPE_BYTES = 1024 * 1024
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass
class Output:
    """One pipe from a machine to its file, with one file before it."""

    descriptor: int
    path: Path
    written: int
    closed: bool = False

    @classmethod
    def open(cls, descriptor: int, path: Path) -> "Output":
        """Take over the reading end of a pipe."""
        os.set_blocking(descriptor, False)
        with contextlib.suppress(OSError):  # more than this user may have
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        with contextlib.suppress(OSError):  # the recipe's code may have put something else there
            path.parent.mkdir(parents=True, exist_ok=True)
        return cls(descriptor, path, untrusted_folders.size_of(path.parent, path.name))

    def pump(self) -> bool:
        """Take some of what is there; false if there was nothing."""
        try:
            data = os.read(self.descriptor, PIPE_BYTES)
        except BlockingIOError:
            return False
        self.closed = not data
        with contextlib.suppress(OSError):  # a full disk costs lines of a log, not the job
            self._write(data)
        return bool(data)

    def drain(self) -> None:
        """Take all that is there."""
        while not self.closed and self.pump():
            pass

    def _write(self, data: bytes) -> None:
        if self.written + len(data) > LOG_BYTES:
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        with open(os.open(self.path, _APPEND, 0o644), "ab") as file:  # noqa: PTH123 - never waits for a FIFO's reader
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(f"{self.path} is no plain file")
            file.write(data)
            self.written = file.tell()
