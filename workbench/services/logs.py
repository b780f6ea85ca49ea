"""What a service writes: one file each, kept short, read for its last words."""

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from workbench.settings import Settings
from workbench.system.endings import last_line

LIMIT_BYTES = 10 * 1024 * 1024
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class ServiceLog:
    """The log of one service."""

    path: Path

    @classmethod
    def of(cls, name: str, settings: Settings) -> "ServiceLog":
        """The log of the service of this name."""
        return cls(settings.logs / f"{name}.log")

    def open(self) -> IO[bytes]:
        """Open the file to add to it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self.path.open("ab")

    @property
    def last_words(self) -> str:
        """The last line that says something."""
        return last_line(self.path) or "none"

    def keep_short(self) -> None:
        """Keep a log that is too long as ``NAME.log.1`` and go on in an empty one; who appends need not know.

        Where the disk is full, the room that the log takes is what is wanting: nothing of it is kept.
        """
        if self.path.stat().st_size <= LIMIT_BYTES:
            return
        kept = self.path.with_suffix(".log.1")
        try:
            shutil.copyfile(self.path, kept)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            kept.unlink(missing_ok=True)
        os.truncate(self.path, 0)
