"""Files written whole and folders published by a rename: a reader finds the old state or the new one, never half."""

import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HELD_AFTER_S = 5.0
"""A process that has just made its file may not hold it yet."""
_TRIES = 100
_ASIDE = re.compile(r"\.(.+)\.[0-9]+\.[0-9a-f]{8}", re.DOTALL)


@contextmanager
def replacing(path: Path, *, mode: int | None = None, synced: bool = False) -> Iterator[Path]:
    """Give a new file beside ``path`` to write to; at the end what is there takes the place of ``path``.

    After an error ``path`` is as it was, and nothing is left beside it; what a killed process left there goes as soon as
    somebody else replaces ``path``.

    Parameters
    ----------
    mode
        The file's permissions from its first byte on, whatever the umask is.
    synced
        Wait until the content is on the disk, so that also a power cut leaves the old file or the new one.
    """
    _sweep_beside(path)
    aside = _beside(path)
    held = None
    try:
        held = _create(aside, mode)
        with contextlib.suppress(OSError):  # a file system without locks: then nobody sweeps there, either
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield aside
        if synced:
            _sync(aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
        if held is not None:
            os.close(held)


def write(path: Path, content: bytes | str, *, mode: int | None = None, synced: bool = False) -> None:
    """Replace a file by one with this content; its folder must exist."""
    aside = _beside(path)
    try:
        _fill(_create(aside, mode), content, synced)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_json(
    path: Path, value: object, *, indent: int | None = None, mode: int | None = None, synced: bool = False
) -> None:
    """Replace a file by one with this value as JSON; its folder must exist."""
    write(path, json.dumps(value, indent=indent), mode=mode, synced=synced)


def keep_once(path: Path, make: Callable[[], str], *, mode: int = 0o600) -> str:
    """Give the file's text; where there is none a new one, which the file then keeps, also if many ask at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        aside = _beside(path)
        try:
            _fill(_create(aside, mode), make())
            with contextlib.suppress(FileExistsError):  # whoever comes second keeps the first one's
                os.link(aside, path)
        finally:
            aside.unlink(missing_ok=True)
    return path.read_text().strip()


@contextmanager
def folder_aside(parent: Path, *, stale_s: float, mode: int = 0o777) -> Iterator[Path]:
    """Give a new folder within ``parent``, removed at the end unless it was published.

    What processes that were killed left in ``parent`` goes once it is older than ``stale_s``, or by :func:`sweep`: as
    long as its process lives, a folder is locked.
    """
    with contextlib.suppress(FileNotFoundError):
        for left in parent.iterdir():
            with contextlib.suppress(FileNotFoundError):  # its process has just removed it
                if time.time() - left.stat().st_mtime > stale_s:
                    remove(left)
    folder, held = _new_folder(parent, mode)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if held is not None:
            os.close(held)


def sweep(parent: Path) -> None:
    """Remove what processes that were killed left of :func:`folder_aside`."""
    with contextlib.suppress(FileNotFoundError):
        for left in parent.iterdir():
            held = _lock(left)
            if held is not None:
                remove(left)
                os.close(held)


def _new_folder(parent: Path, mode: int) -> tuple[Path, int | None]:
    """A new folder and what holds it; another one where somebody who sweeps came between."""
    for _ in range(_TRIES):
        with contextlib.suppress(FileNotFoundError, FileExistsError, BlockingIOError):
            return _make_and_hold(parent, mode)
    return _make_and_hold(parent, mode)


def _make_and_hold(parent: Path, mode: int) -> tuple[Path, int | None]:
    parent.mkdir(parents=True, exist_ok=True, mode=mode)
    folder = parent / secrets.token_hex(8)
    folder.mkdir()
    descriptor = _open(folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder.stat()
    except (FileNotFoundError, BlockingIOError):
        os.close(descriptor)
        raise
    except OSError:  # a file system without locks: then nobody sweeps there, either
        os.close(descriptor)
        return folder, None
    return folder, descriptor


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the folder; ``None`` where another process does, or it is none."""
    try:
        descriptor = _open(folder)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _open(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def publish(folder: Path, place: Path) -> bool:
    """Give a finished folder its place; false where one is there already, which stays."""
    try:
        folder.rename(place)
    except OSError:
        if not place.is_dir():
            raise
        return False
    return True


def withdraw(folder: Path) -> bool:
    """Remove a folder that others may be reading: it is gone at once; false where it was gone before."""
    gone = folder.with_name(f".gone-{secrets.token_hex(4)}")
    try:
        folder.rename(gone)
    except OSError:
        return False
    shutil.rmtree(gone, ignore_errors=True)
    return True


def remove(path: Path) -> None:
    """Remove a file, a link (not where it leads) or a folder; one that is not there is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def left_beside(folder: Path, name: str = "") -> list[Path]:
    """Files that were being written in a folder, in place of the one of this name if given, and never took a place."""
    with contextlib.suppress(OSError):
        return [p for p in folder.iterdir() if (found := _ASIDE.fullmatch(p.name)) and name in ("", found[1])]
    return []


def _sweep_beside(path: Path) -> None:
    """Remove what killed processes left in place of ``path``: nobody holds it."""
    for left in left_beside(path.parent, path.name):
        with contextlib.suppress(OSError):  # another user's, or just gone
            descriptor = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if time.time() - os.fstat(descriptor).st_mtime > HELD_AFTER_S:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    left.unlink()
            finally:
                os.close(descriptor)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")


def _create(path: Path, mode: int | None) -> int:
    """Open a new file; also in a folder of somebody else's no link is followed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o666 if mode is None else mode)
    if mode is not None:
        os.fchmod(descriptor, mode)
    return descriptor


def _fill(descriptor: int, content: bytes | str, synced: bool = False) -> None:
    with open(descriptor, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        if synced:
            file.flush()
            os.fsync(file.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
