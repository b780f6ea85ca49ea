"""A model version on disk: its folder, checked against its manifest, and the same as a zip.

The registry and the back end both read versions, so this module needs the standard library alone.
"""

import errno
import lzma
import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from workbench.errors import BadInput, ModelRefused
from workbench.manifest import FILE as MANIFEST
from workbench.manifest import Manifest, list_files, read, read_files

ALIKE = "alike.npz"
"""A small sample of what a version was trained on: pixels ``x`` ``(n, h, w, c)`` and classes ``y`` ``(n,)``."""
BROWSER = "browser.json"
"""The model as a page computes it by itself, where it can be one: ``workbench.node.companions.browser``."""
FILM = "film.json"
"""The model after so and so many steps of its training: ``workbench.node.companions.film``."""
FILM_FOLDER = "film"
"""The same while it grows: with a job's checkpoints, and in the back end's folder while the first model trains."""
MAX_MEMBERS = 1_000
MAX_BYTES = 2 * 1024**3
MAX_RATIO = 200
"""Unpacked bytes per packed byte; weights hardly shrink, a bomb shrinks a thousandfold."""

UNREADABLE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    EOFError,
    RuntimeError,
    ValueError,
)
_LITTER = {"__macosx", ".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini"}
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")


def check_name(name: str) -> str:
    """Give the model name back if it can be a folder, a URL part and a TensorFlow Serving name."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise BadInput(
            "a model name is 1 to 64 of a-z, 0-9, '.', '_' and '-', and begins and ends with a letter or digit. "
            f"Received: {name!r}"
        )
    return name


def verify(folder: Path) -> Manifest:
    """Check that the folder holds what its manifest lists, byte for byte, and nothing else; give the manifest.

    Raises
    ------
    ModelRefused
        Naming the first files that are missing, changed or not listed.
    """
    verify_files(folder)
    return read(folder)


def verify_files(folder: Path) -> None:
    """Check the same of anything that has a manifest with files, as exported corrections do.

    Raises
    ------
    ModelRefused
    """
    listed, found = read_files(folder), list_files(folder)
    if listed != found:
        wrong = sorted(p for p in listed.keys() | found.keys() if listed.get(p) != found.get(p))
        raise ModelRefused(
            f"files that differ from the manifest: {', '.join(wrong[:5])}; publish the version again"
        )


def pack(folder: Path, destination: Path) -> Path:
    """Write the version as a zip with its files at the top level; the same version gives the same bytes."""
    with zipfile.ZipFile(destination, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            with path.open("rb") as source, archive.open(info, "w") as target:
                shutil.copyfileobj(source, target, 1024 * 1024)
    return destination


def unpack(source: Path | BinaryIO, folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
    """Unpack an untrusted zip into a new folder; on any doubt raise and leave nothing behind.

    What systems put into zips on their own (:func:`is_litter`) is left out. Refused are: too many members, too many bytes (counted as they come, not as the header says), a ratio
    only bombs have, links, devices, absolute or upward paths, and names that clash.
    """
    folder.mkdir(parents=True)
    try:
        _unpack(source, folder, max_bytes)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _unpack(source: Path | BinaryIO, folder: Path, max_bytes: int) -> None:
    try:
        with zipfile.ZipFile(source) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise ModelRefused(f"the zip has {len(members)} members, more than {MAX_MEMBERS}")
            packed = sum(m.compress_size for m in members)
            allowed = min(max_bytes, max(packed * MAX_RATIO, 1024 * 1024))
            written = 0
            for member in members:
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise ModelRefused(
                        f"the zip holds {member.filename!r} packed by another method than deflate"
                    )
                target = _target(member, folder)
                if is_litter(member.filename):
                    continue
                if member.filename.endswith(("/", "\\")):
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as packed_file, target.open("xb") as file:
                    while block := packed_file.read(256 * 1024):
                        written += len(block)
                        if written > allowed:
                            raise ModelRefused(f"the zip unpacks to more than {allowed:,} bytes")
                        file.write(block)
    except UNREADABLE as error:
        raise ModelRefused(f"not a zip that can be read: {error}") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise ModelRefused("the zip names one path twice") from error
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.EILSEQ):
            raise ModelRefused(f"the zip holds a name that cannot be a file: {error.strerror}") from error
        if error.errno == errno.EINVAL:  # a member that is said to begin before the file does
            raise ModelRefused(f"not a zip that can be read: {error.strerror}") from error
        raise


def is_litter(name: str) -> bool:
    """Tell whether a system put this into a zip on its own: nobody meant it, and no model has it.

    >>> [is_litter(name) for name in ("__MACOSX/._model.onnx", "m\\\\Thumbs.db", "m/model.onnx")]
    [True, True, False]
    """
    parts = name.replace("\\", "/").rstrip("/").split("/")
    return parts[-1].startswith("._") or any(part.lower() in _LITTER for part in parts)


def root_of(folder: Path) -> Path:
    """Find the version in an unpacked zip: systems that zip a folder put that folder around what is in it."""
    if (folder / MANIFEST).exists():
        return folder
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and (inside[0] / MANIFEST).exists() else folder


def _target(member: zipfile.ZipInfo, folder: Path) -> Path:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ModelRefused(f"the zip holds a link or device: {member.filename!r}")
    if path.is_absolute() or ".." in path.parts or ":" in member.filename or not path.parts:
        raise ModelRefused(f"the zip holds a path that leaves its folder: {member.filename!r}")
    return folder.joinpath(*path.parts)
