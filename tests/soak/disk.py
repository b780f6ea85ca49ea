"""A small disk for a workbench's home, which can be filled and emptied."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SIZE_MB = 256


@dataclass(frozen=True)
class Disk:
    """Mounted at the folder."""

    folder: Path

    @property
    def _file(self) -> Path:
        return self.folder / "somebody-elses-file"

    def fill(self) -> None:
        """Leave no byte."""
        with contextlib.suppress(OSError), self._file.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)):
                        pass

    def empty(self) -> None:
        """Give the room back; twice is fine."""
        self._file.unlink(missing_ok=True)


def missing() -> str | None:
    """Why no disk can be mounted here; ``None`` if one can, as far as is known before it is tried."""
    if os.geteuid() != 0:
        return "needs root, to mount a small disk"
    return None if shutil.which("mount") else "there is no program mount"


@contextmanager
def mounted(folder: Path) -> Iterator[Disk]:
    """A disk of ``SIZE_MB`` at the folder; whatever happens, it is gone at the end.

    Raises
    ------
    OSError
        This system lets nobody mount.
    """
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={SIZE_MB}m,mode=755"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True
    )
    if done.returncode:
        raise OSError(f"mount: {done.stderr.strip()}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
