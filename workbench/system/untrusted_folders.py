"""Folders that untrusted code may write, used by a process that may do more than that code.

Every function takes a folder whose own path is trusted (its parents belong to us) and the name of something below it.
The name is walked one step at a time, each opened beneath the one before and never through a link, so that nothing
outside of the folder is ever reached, whatever is exchanged meanwhile. Only plain files are read, none is waited for
(a FIFO), and never more of one than asked for, however large it says to be.
"""

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_BLOCK = 1024 * 1024
MAX_DEPTH = 48
"""Folders within each other, in what is copied, listed or given away."""
MAX_NAMES = 10_000
"""Of one folder, that are looked at."""

Folder = Path | int
"""A trusted path, or the descriptor of a folder that :func:`opened` gave."""


@dataclass(frozen=True)
class Part:
    """Some bytes of a file, and how long the file is."""

    data: bytes
    begin: int
    size: int

    @property
    def end(self) -> int:
        """The offset to go on from."""
        return self.begin + len(self.data)


@dataclass(frozen=True)
class Usage:
    """What lies in a folder: bytes that the disk has given to it, and how many files and folders they are."""

    bytes: int
    files: int


class TooMuch(OSError):
    """More files, bytes or folders within each other than are taken."""


class NotPlain(OSError):
    """A link, also a hard one, FIFO, socket or device where a plain file must be."""


@contextmanager
def opened(trusted: Folder, *parts: str) -> Iterator[int]:
    """Open a folder below a trusted one; give its descriptor.

    Raises
    ------
    OSError
        It is not there, or no folder, or a link is on the way.
    """
    folder = os.open(".", _FOLDER, dir_fd=trusted) if isinstance(trusted, int) else os.open(trusted, _FOLDER)
    try:
        for step in (step for part in parts for step in steps(part)):
            above, folder = folder, os.open(step, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            os.close(above)
        yield folder
    finally:
        os.close(folder)


def read(folder: Folder, name: str, most: int) -> bytes:
    """Read a whole file of at most ``most`` bytes.

    Raises
    ------
    OSError
        It is not there, no plain file, or longer.
    """
    with opened_file(folder, name) as (file, found):
        if found.st_size > most or len(data := _read_some(file, most + 1)) > most:
            raise TooMuch(errno.EFBIG, f"{shown(name)} has more than {most:,} bytes")
        return data


def read_json(folder: Folder, name: str, most: int) -> dict[str, object]:
    """Read the JSON object of a file of at most ``most`` bytes.

    Raises
    ------
    OSError
        As :func:`read`.
    ValueError
        It is no JSON object, or one that no sane writer makes.
    """
    try:
        told = json.loads(read(folder, name, most))
    except RecursionError as error:
        raise ValueError(f"{shown(name)} is nested too deep") from error
    if not isinstance(told, dict):
        raise ValueError(f"{shown(name)} must be a JSON object. Received: {type(told).__name__}")
    return told


def read_part(folder: Folder, name: str, offset: int, most: int) -> Part:
    """Read at most ``most`` bytes from an offset on; a file that is shorter than that was begun anew.

    Raises
    ------
    OSError
        It is not there, or no plain file.
    """
    with opened_file(folder, name) as (file, found):
        begin = offset if 0 <= offset <= found.st_size else 0
        os.lseek(file, begin, os.SEEK_SET)
        return Part(_read_some(file, most), begin, found.st_size)


def read_end(folder: Folder, name: str, most: int) -> Part:
    """Read the last bytes of a file; empty where there is none, or no plain one."""
    try:
        with opened_file(folder, name) as (file, found):
            begin = max(0, found.st_size - most)
            os.lseek(file, begin, os.SEEK_SET)
            return Part(_read_some(file, most), begin, found.st_size)
    except OSError:
        return Part(b"", 0, 0)


def is_file(folder: Folder, name: str) -> bool:
    """Whether a plain file is there."""
    found = _stat(folder, name)
    return found is not None and stat.S_ISREG(found.st_mode)


def size_of(folder: Folder, name: str) -> int:
    """The length of a plain file; 0 where there is none."""
    found = _stat(folder, name)
    return found.st_size if found is not None and stat.S_ISREG(found.st_mode) else 0


def list_names(folder: Folder, name: str = "", most: int = MAX_NAMES) -> list[str]:
    """List what is in a folder, sorted, at most so many; empty where there is no folder.

    Names that are no text are left out.
    """
    found: list[str] = []
    try:
        with opened(folder, name) as there, os.scandir(there) as entries:
            for entry in entries:
                if len(found) >= most:
                    break
                if is_text(entry.name):
                    found.append(entry.name)
    except OSError:
        pass
    return sorted(found)


def measure(folder: Folder, name: str = "", most_files: int = 10**9) -> Usage:
    """Measure what a folder takes of the disk, also while it changes; stops counting above ``most_files``.

    A file that is only said to be long counts with what it takes.

    Raises
    ------
    TooMuch
        Its folders are nested too deep.
    """
    size = files = 0
    for _, _, found in walk(folder, name, changing=True):
        files += 1
        size += found.st_blocks * 512
        if files > most_files:
            break
    return Usage(size, files)


# ── below here everything is done by descriptors ──


def steps(name: str) -> list[str]:
    steps = [step for step in name.split("/") if step]
    if any(step in (".", "..") or "\0" in step for step in steps) or name.startswith("/"):
        raise NotPlain(errno.EINVAL, f"no name of something below the folder: {shown(name)}")
    return steps


@contextmanager
def opened_file(folder: Folder, name: str) -> Iterator[tuple[int, os.stat_result]]:
    *above, last = steps(name)
    with opened(folder, *above) as parent:
        try:
            file = os.open(last, _READ, dir_fd=parent)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENODEV):  # a link; a socket or device
                raise NotPlain(error.errno, f"{shown(name)} is no plain file") from error
            raise
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:  # that has another name somewhere else
                raise NotPlain(errno.EINVAL, f"{shown(name)} is no plain file")
            yield file, found
        finally:
            os.close(file)


def _stat(folder: Folder, name: str) -> os.stat_result | None:
    try:
        *above, last = steps(name)
        with opened(folder, *above) as parent:
            return os.stat(last, dir_fd=parent, follow_symlinks=False)
    except OSError:
        return None


def walk(
    folder: Folder, name: str = "", *, changing: bool = False
) -> Iterator[tuple[int, str, os.stat_result]]:
    """Everything below a folder, folders before what is in them: the parent's descriptor, the path, the ``lstat``.

    Parameters
    ----------
    changing
        Leave out what goes away while it is looked at.

    Raises
    ------
    TooMuch
        Folders are nested more than ``MAX_DEPTH`` deep.
    """
    waiting = [""]
    while waiting:
        path = waiting.pop()
        if path.count("/") >= MAX_DEPTH:
            raise TooMuch(errno.EFBIG, f"folders are nested more than {MAX_DEPTH} deep")
        with contextlib.ExitStack() as stack:
            try:
                here = stack.enter_context(opened(folder, name, path))
                with os.scandir(here) as entries:
                    names = sorted(entry.name for entry in entries)
            except OSError:
                if changing:
                    continue
                raise
            for one in names:
                try:
                    found = os.stat(one, dir_fd=here, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                inner = f"{path}/{one}" if path else one
                yield here, inner, found
                if stat.S_ISDIR(found.st_mode):
                    waiting.append(inner)


def _read_some(file: int, most: int) -> bytes:
    blocks: list[bytes] = []
    while most > 0 and (block := os.read(file, min(most, _BLOCK))):
        blocks.append(block)
        most -= len(block)
    return b"".join(blocks)


def is_text(name: str) -> bool:
    """Whether a name can be shown and written as it is: no control or direction characters, no broken encoding."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return name.isprintable()


def shown(name: str) -> str:
    return name if is_text(name) else ascii(name)
