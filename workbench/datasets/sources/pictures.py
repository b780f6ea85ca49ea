"""Folders of pictures, a folder a class: each decoded as the back end does it, so that a model sees the same of a visitor's."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from workbench.datasets.kept.blocks import UNKNOWN, Block
from workbench.datasets.kept.records import fixed_dtype
from workbench.datasets.kept.values import Column, Split
from workbench.datasets.sources.base import Described, How, part_named
from workbench.errors import BadInput, PictureError
from workbench.pictures import ink
from workbench.pictures.decoders import MAX_BYTES
from workbench.pictures.headers import read_header

ENDINGS = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic"}
_BEGINNINGS = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP|BM....\0\0\0\0|II\*\0|MM\0\*|....ftyp(?:avif|hei[cx]|mif1)",
    re.DOTALL,
)
"""Of files whose names do not say that they are pictures, as downloads and ``.jfif`` do."""
_OF_SYSTEMS = {"Thumbs.db", "desktop.ini"}
LOOKED_AT = 300
"""Pictures whose sizes are read to choose one for all."""
LARGEST_USUAL, SMALLEST_USUAL = 160, 32
MOST_SIDE = 1024
MOST_CLASSES = 10_000
SHOWN = 5
BATCH = 64
_MANY = 0.5


@dataclass(frozen=True)
class Found:
    """One file, its class and the part that its folder says."""

    path: Path
    label: str
    part: int


class Pictures:
    """See :class:`workbench.datasets.sources.base.Source`."""

    def __init__(self, folder: Path, how: How) -> None:
        self._how = how
        self._folder = folder
        self._found, self._links, self._others = find(folder, is_picture)
        self._left_out: list[str] = []

    def describe(self) -> Described:
        labels = sorted({one.label for one in self._found})
        if len(labels) < 2:
            raise BadInput(
                f"the pictures must lie in a folder for each class, at least two. Received: {', '.join(labels) or 'no folder with pictures'} "
                f"in {self._folder.name}"
            )
        if len(labels) > MOST_CLASSES:
            raise BadInput(f"at most {MOST_CLASSES:,} classes are taken. Received: {len(labels):,} folders")
        self._labels = {label: n for n, label in enumerate(labels)}
        width, height, note = self._choose_size()
        self._columns = (
            Column("picture", "pixels", "|u1", (height, width, self._how.channels)),
            Column("class", "category", "<i4", role="target", categories=tuple(labels)),
        )
        given = any(one.part != UNKNOWN for one in self._found)
        notes = [note] if note else []
        if self._links:
            notes.append(f"{self._links} links were not followed")
        if self._others:
            notes.append(passed_by(self._others, "pictures"))
        return Described(
            "pictures",
            self._columns,
            tuple(labels),
            len(self._found) * width * height * self._how.channels,
            Split("given", 0.0) if given else self._how.split,
            tuple(notes),
        )

    def blocks(self) -> Iterator[Block]:
        for start in range(0, len(self._found), BATCH):
            yield from self._read(self._found[start : start + BATCH])
        if len(self._left_out) > _MANY * len(self._found):
            raise BadInput(f"most pictures cannot be read: {'; '.join(self._left_out[:SHOWN])}")

    def notes(self) -> tuple[str, ...]:
        if not self._left_out:
            return ()
        more = f" and {len(self._left_out) - SHOWN} more" if len(self._left_out) > SHOWN else ""
        return (f"left out {len(self._left_out)}: {'; '.join(self._left_out[:SHOWN])}{more}",)

    def _read(self, some: Sequence[Found]) -> Iterator[Block]:
        height, width, channels = self._columns[0].shape
        rows = np.zeros(len(some), fixed_dtype(self._columns))
        good, parts = [], []
        for n, one in enumerate(some):
            try:
                rows["c0"][n] = ink.resize(ink.read_planes(_content(one.path)), width, height, channels)
            except (PictureError, BadInput, OSError) as error:
                self._left_out.append(f"{one.path.relative_to(self._folder)} ({str(error)[:120]})")
                continue
            rows["c1"][n] = self._labels[one.label]
            good.append(n)
            parts.append(one.part)
        if good:
            yield Block(rows[good], part=parts)

    def _choose_size(self) -> tuple[int, int, str]:
        if self._how.size is not None:
            if not all(1 <= side <= MOST_SIDE for side in self._how.size):
                raise BadInput(
                    f"a picture's size is from 1×1 to {MOST_SIDE}×{MOST_SIDE}. Received: {self._how.size}"
                )
            return *self._how.size, ""
        step = max(1, len(self._found) // LOOKED_AT)
        sizes = []
        for one in self._found[::step]:
            try:
                header = read_header(_content(one.path))
            except (PictureError, OSError):
                continue
            sizes.append((header.width, header.height))
        if not sizes:
            raise BadInput(f"no picture in {self._folder.name} can be read")
        if len(set(sizes)) == 1 and max(sizes[0]) <= LARGEST_USUAL:
            return *sizes[0], ""
        side = int(median(min(size) for size in sizes)) // 32 * 32
        side = max(SMALLEST_USUAL, min(LARGEST_USUAL, side))
        return (
            side,
            side,
            f"pictures of several sizes were brought to {side}×{side}; say a size to have another",
        )


def is_picture(path: Path) -> bool:
    """Whether a file's name says that it is a picture, or else its first bytes."""
    if path.suffix.lower() in ENDINGS:
        return True
    with path.open("rb") as file:
        return bool(_BEGINNINGS.match(file.read(16)))


def find(folder: Path, wanted: Callable[[Path], bool]) -> tuple[list[Found], int, list[str]]:
    """Every file that is wanted below a folder that names its class, sorted; how many links, and which files, were passed by."""
    top = inside(folder)
    found, links, others = [], 0, []
    for path in sorted(top.rglob("*")):
        if path.is_symlink():
            links += 1
            continue
        above = list(path.relative_to(top).parts[:-1])
        if not path.is_file() or any(
            name.startswith((".", "__MACOSX")) or name in _OF_SYSTEMS for name in (*above, path.name)
        ):
            continue
        if not wanted(path):
            others.append(str(path.relative_to(top)))
            continue
        part = part_named(above[0]) if len(above) > 1 else None
        if part is not None:
            above = above[1:]
        if above:
            found.append(Found(path, above[0], UNKNOWN if part is None else part))
        else:
            others.append(path.name)
    if len({one.part for one in found}) == 1:  # one part alone is to be split
        found = [Found(one.path, one.label, UNKNOWN) for one in found]
    return found, links, others


def passed_by(names: Sequence[str], what: str) -> str:
    """Say which files are no part of the data set."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"passed by {len(names)} that are no {what} in the folder of a class: {', '.join(names[:SHOWN])}{more}"


def inside(folder: Path) -> Path:
    """The folder itself, or the only one in it: what zips wrap their content in."""
    while True:
        inner = [path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX"))]
        if len(inner) != 1 or not inner[0].is_dir() or inner[0].is_symlink():
            return folder
        within = list(inner[0].iterdir())
        if not any(p.is_dir() for p in within) and any(map(is_picture, within)):
            return folder  # the only folder is a class
        folder = inner[0]


def _content(path: Path) -> bytes:
    if path.stat().st_size > MAX_BYTES:
        raise BadInput(f"it has {path.stat().st_size:,} bytes; a picture has at most {MAX_BYTES:,}")
    return path.read_bytes()
