"""Unpack an archive that nobody vouches for: no links, no way out of its folder, no more than is allowed."""

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from workbench.datasets.sources.base import MOST_BYTES
from workbench.errors import BadInput, Full, TooLarge

MOST_FILES = 2_000_000
MOST_RATIO = 200
"""How many times larger than the zip its content may be, once it is above a megabyte a file."""
_LEFT_OUT = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
_BLOCK = 1024 * 1024


def unpack(archive: Path, folder: Path, most_bytes: int = MOST_BYTES) -> None:
    """Write the files of a zip into the folder, in constant memory.

    Raises
    ------
    BadInput
        It is no zip, is damaged, encrypted, or holds links or names that lead out of it.
    TooLarge
        It grows beyond what is allowed, whatever its table of contents says.
    Full
        The disk has no room for it.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            wanted = [
                info for info in opened.infolist() if not info.is_dir() and not _is_litter(info.filename)
            ]
            if len(wanted) > MOST_FILES:
                raise TooLarge(f"{archive.name} has {len(wanted):,} files; at most {MOST_FILES:,} are taken")
            total = sum(info.file_size for info in wanted)
            _check_size(archive, total, most_bytes)
            left = min(most_bytes, max(_BLOCK, MOST_RATIO * archive.stat().st_size))
            if total > (free := shutil.disk_usage(folder).free) // 2:
                raise Full(
                    f"{archive.name} unpacks to {total:,} bytes; the disk has {free:,} free, and half of it stays free"
                )
            for info in wanted:
                left -= _unpack_one(opened, info, folder, left, archive.name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        if isinstance(error, OSError) and not isinstance(error, zipfile.BadZipFile) and error.errno == 28:
            raise Full(f"the disk became full while {archive.name} was unpacked; nothing was kept") from error
        raise BadInput(
            f"{archive.name} cannot be unpacked: {error}; make the zip again, without a password"
        ) from error


def _check_size(archive: Path, total: int, most_bytes: int) -> None:
    if total > most_bytes:
        raise TooLarge(f"{archive.name} unpacks to {total:,} bytes; at most {most_bytes:,} are taken")
    packed = archive.stat().st_size
    if total > _BLOCK and total > MOST_RATIO * packed:
        raise TooLarge(
            f"{archive.name} unpacks to {total:,} bytes, {total // max(1, packed):,} times its size; at most {MOST_RATIO} times is taken"
        )


def _unpack_one(opened: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path, left: int, name: str) -> int:
    if stat.S_ISLNK(info.external_attr >> 16):
        raise BadInput(f"{name} holds a link, {info.filename!r}; put the file itself into it")
    path = PurePosixPath(info.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "\0" in info.filename or ":" in (path.parts or ("",))[0]:
        raise BadInput(f"{name} holds {info.filename[:80]!r}, which leads out of its folder")
    if any(len(part.encode()) > 255 for part in path.parts) or len(path.parts) > 32:
        raise BadInput(f"{name} holds a name that is too long: {info.filename[:80]!r}…")
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        raise BadInput(f"{name} holds {info.filename[:80]!r} twice")
    written = 0
    with opened.open(info) as source, target.open("wb") as file:
        while block := source.read(_BLOCK):
            written += len(block)
            if written > left:
                raise TooLarge(
                    f"{name} grows beyond what its table of contents says; it was made to fill a disk"
                )
            file.write(block)
    return written


def _is_litter(name: str) -> bool:
    return (
        name.startswith("__MACOSX/")
        or PurePosixPath(name).name in _LEFT_OUT
        or PurePosixPath(name).name.startswith("._")
    )
