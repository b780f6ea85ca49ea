"""Changes in folders that untrusted code may write, and copies of what it left there; see ``untrusted_folders``.

Nothing here follows a link or leaves the folder. What a hostile owner has put in the place of something is replaced or
refused, never written through.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from workbench.system.untrusted_folders import (
    Folder,
    NotPlain,
    TooMuch,
    is_text,
    opened,
    opened_file,
    shown,
    steps,
    walk,
)

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ADD = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_BLOCK = 1024 * 1024


def write(folder: Folder, name: str, content: bytes, mode: int = 0o644) -> None:
    """Replace a file, whatever the code has put in its place; its folder must be there."""
    *above, last = steps(name)
    with opened(folder, *above) as parent:
        aside = f".{secrets.token_hex(8)}"
        file = os.open(aside, _NEW, mode, dir_fd=parent)
        try:
            try:
                _write_all(file, content)
            finally:
                os.close(file)
            _replace(aside, parent, last, parent)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(aside, dir_fd=parent)
            raise


def open_to_add(folder: Folder, name: str) -> int:
    """Open a plain file to be read and appended to, a new one where something else is; its folder must be there."""
    *above, last = steps(name)
    with opened(folder, *above) as parent:
        for last_try in (False, True):
            try:
                file = os.open(last, _ADD, 0o644, dir_fd=parent)
            except OSError as error:
                if last_try or error.errno not in (errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.EISDIR):
                    raise
            else:
                found = os.fstat(file)
                if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
                    return file
                os.close(file)
            _remove(parent, last)
    raise NotPlain(errno.EINVAL, f"{shown(name)} is no plain file")


def add(folder: Folder, name: str, content: bytes, size: int | None = None) -> int:
    """Append to a file, which is cut to ``size`` first where it is longer; give its new size."""
    file = open_to_add(folder, name)
    try:
        if size is not None and os.fstat(file).st_size > size:
            os.ftruncate(file, size)
        _write_all(file, content)
        return os.fstat(file).st_size
    finally:
        os.close(file)


def rename(folder: Folder, name: str, new: str) -> None:
    """Call something in a folder otherwise, in the same folder; what had that name goes."""
    *above, last = steps(name)
    with opened(folder, *above) as parent:
        _replace(last, parent, new, parent)


def make_folder(folder: Folder, name: str) -> None:
    """Make a folder and those above it below the trusted one; what else is in their place is removed."""
    with contextlib.ExitStack() as stack:
        parent = stack.enter_context(opened(folder))
        for step in steps(name):
            for last_try in (False, True):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(step, dir_fd=parent)
                try:
                    inner = os.open(step, _FOLDER, dir_fd=parent)
                    break
                except NotADirectoryError:
                    if last_try:
                        raise
                    remove(parent, step)
                except OSError as error:  # a link
                    if last_try or error.errno != errno.ELOOP:
                        raise
                    remove(parent, step)
            stack.callback(os.close, inner)
            parent = inner


def move_in(source: Path, folder: Folder, name: str) -> None:
    """Move a file or folder of ours to a place in the folder; what was there is removed."""
    *above, last = steps(name)
    with opened(folder, *above) as parent:
        _replace(str(source), None, last, parent)


def remove(folder: Folder, name: str) -> None:
    """Remove a file, a link (not where it leads) or a folder however deep; one that is not there is fine.

    What cannot be removed stays: nobody may be stopped by it.
    """
    with contextlib.suppress(OSError):
        *above, last = steps(name)
        with opened(folder, *above) as parent:
            _remove(parent, last)


def copy(folder: Folder, name: str, target: Path, *, most_bytes: int, most_files: int) -> None:
    """Copy a folder of plain files and folders into one of ours, which must exist.

    Raises
    ------
    NotPlain
        Something in it is neither.
    TooMuch
        It has more bytes, files or folders within each other than are taken.
    OSError
        It is not there, or changes meanwhile.
    """
    left = most_bytes
    with opened(target) as aim:
        for count, (parent, path, found) in enumerate(walk(folder, name), 1):
            if count > most_files:
                raise TooMuch(errno.EFBIG, f"it holds more than {most_files:,} files")
            if stat.S_ISDIR(found.st_mode) and is_text(path):
                make_folder(aim, path)
                continue
            if not stat.S_ISREG(found.st_mode) or not is_text(path):
                raise NotPlain(errno.EINVAL, f"it holds something that is no plain file: {shown(path)}")
            if found.st_size > left:
                raise TooMuch(errno.EFBIG, f"it has more than {most_bytes:,} bytes")
            left -= _copy_file(parent, path, aim, left)


def is_ours(error: OSError) -> bool:
    """Whether an error of :func:`copy` is our side's: the disk is full, there are too many open files."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EIO, errno.EROFS)


def give(folder: Path, uid: int) -> None:
    """Make a user the owner of a folder and of all in it; links are given, not where they lead.

    Raises
    ------
    TooMuch
        Its folders are nested too deep.
    """
    with opened(folder) as top:
        for parent, path, _ in walk(top, ""):
            os.chown(path.rpartition("/")[2], uid, uid, dir_fd=parent, follow_symlinks=False)
        os.fchown(top, uid, uid)


def _write_all(file: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]


def _copy_file(parent: int, path: str, aim: int, most: int) -> int:
    """Copy a plain file with its holes, which take no room but count as the zeros that are read in them."""
    with opened_file(parent, path.rpartition("/")[2]) as (file, _):
        *above, last = steps(path)
        with opened(aim, *above) as inner:
            made = os.open(last, _NEW, 0o644, dir_fd=inner)
            try:
                for begin, end in _written(file):
                    os.lseek(made, begin, os.SEEK_SET)
                    while begin < end and (block := os.pread(file, min(_BLOCK, end - begin), begin)):
                        begin += len(block)
                        _check_grown(path, begin, most)
                        _write_all(made, block)
                size = os.lseek(file, 0, os.SEEK_END)
                _check_grown(path, size, most)
                os.ftruncate(made, size)
                return size
            finally:
                os.close(made)


def _written(file: int) -> Iterator[tuple[int, int]]:
    """Give begin and end of each stretch of a file that was written; between them are holes."""
    end = 0
    while True:
        try:
            begin = os.lseek(file, end, os.SEEK_DATA)
            end = os.lseek(file, begin, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole, if anything
                return
            raise
        yield begin, end


def _check_grown(path: str, size: int, most: int) -> None:
    if size > most:
        raise TooMuch(errno.EFBIG, f"{shown(path)} grew while it was copied")


def _replace(source: str, source_folder: int | None, name: str, folder: int) -> None:
    """Rename; a folder in the place of which a file is to be, or the other way round, is removed."""
    try:
        os.rename(source, name, src_dir_fd=source_folder, dst_dir_fd=folder)
    except OSError as error:
        if error.errno not in (errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST):
            raise
        _remove(folder, name)
        os.rename(source, name, src_dir_fd=source_folder, dst_dir_fd=folder)


def _remove(folder: int, name: str) -> None:
    """Remove without recursion: a full folder within is moved up first, so that depth costs nothing."""
    waiting = [name]
    while waiting:
        one = waiting.pop()
        try:
            os.unlink(one, dir_fd=folder)
            continue
        except (IsADirectoryError, PermissionError):
            pass
        except FileNotFoundError:
            continue
        with contextlib.suppress(OSError):
            if os.geteuid() != 0:
                with opened(folder, one) as there:
                    os.fchmod(there, 0o700)
            with opened(folder, one) as there:
                with os.scandir(there) as entries:
                    inside = [entry.name for entry in entries]
                for inner in inside:
                    with contextlib.suppress(OSError):
                        _remove_or_move_up(there, inner, folder, waiting)
            os.rmdir(one, dir_fd=folder)


def _remove_or_move_up(there: int, inner: str, folder: int, waiting: list[str]) -> None:
    try:
        os.unlink(inner, dir_fd=there)
    except (IsADirectoryError, PermissionError):
        try:
            os.rmdir(inner, dir_fd=there)
        except OSError:
            aside = f".{secrets.token_hex(8)}"
            os.rename(inner, aside, src_dir_fd=there, dst_dir_fd=folder)
            waiting.append(aside)
