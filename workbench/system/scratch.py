"""Folders to work in on the disk of the home, which nobody's death leaves behind."""

import contextlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.system import files

NAME = ".scratch"


@contextmanager
def folder(parent: Path) -> Iterator[Path]:
    """Give a new folder within ``parent``, gone at the end; those of processes that were killed go before."""
    sweep(parent)
    try:
        with files.folder_aside(parent / NAME, stale_s=math.inf, mode=0o700) as made:
            yield made
    finally:
        _remove_empty(parent / NAME)


def sweep(parent: Path) -> None:
    """Remove what processes that were killed left of :func:`folder`; what others work in stays."""
    files.sweep(parent / NAME)
    _remove_empty(parent / NAME)


def _remove_empty(path: Path) -> None:
    with contextlib.suppress(OSError):  # somebody works in it, or it is gone
        path.rmdir()
