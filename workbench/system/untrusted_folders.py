"""Files in folders that untrusted code may write, read and written by a process that may do more: no link is followed."""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def opened(trusted: Path, *parts: str) -> Iterator[int]:
    """Open a folder below a trusted one; give its descriptor."""
    with contextlib.ExitStack() as stack:
        folder = os.open(trusted, _FOLDER)
        stack.callback(os.close, folder)
        for part in parts:
            folder = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            stack.callback(os.close, folder)
        yield folder


def read(folder: int, name: str, most: int) -> bytes:
    """Read a file that is one: no link, no pipe, at most ``most`` bytes.

    Raises
    ------
    OSError
        It is not there, or no such file.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open(os.open(name, flags, dir_fd=folder), "rb") as file:  # noqa: PTH123 - by descriptor
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            raise OSError(f"{name} is no file of at most {most:,} bytes")
        return file.read(most)


def read_end(path: Path, most: int) -> bytes:
    """Read the last bytes of a file; empty where there is none, or no plain one."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return b""
            file.seek(max(0, file.seek(0, os.SEEK_END) - most))
            return file.read(most)
    except OSError:
        return b""


def write(folder: int, name: str, content: bytes) -> None:
    """Replace a file, whatever the code has put in its place; others may read it."""
    aside = f".{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(aside, flags, 0o644, dir_fd=folder), "wb") as file:  # noqa: PTH123 - by descriptor
        file.write(content)
    os.rename(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
