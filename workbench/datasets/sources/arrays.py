"""Arrays: ``.npz``, ``.npy`` and IDX, read in pieces and never unpickled."""

import gzip
import io
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from workbench.datasets.kept.blocks import TEST, TRAIN, Block
from workbench.datasets.kept.records import fixed_dtype
from workbench.datasets.kept.values import TEXT, Column, Split
from workbench.datasets.sources.base import BLOCK_BYTES, BLOCK_EXAMPLES, MOST_BYTES, Described, How
from workbench.errors import BadInput, TooLarge

INPUTS = ("x", "data", "images", "features", "inputs", "samples", "series")
TARGETS = ("y", "labels", "targets", "target", "label", "classes")
NAMES = ("label_names", "class_names", "target_names", "names")
MOST_CLASSES = 10_000
FEW = 1_000
"""Most whole numbers from 0 on that are taken for classes."""
_IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_DAMAGED = (ValueError, zipfile.BadZipFile, zlib.error, EOFError, OSError, struct.error, KeyError)


@dataclass(frozen=True)
class Stored:
    """One array where it is stored: its shape is known, its content is read from ``open``."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    open: Callable[[], IO[bytes]]
    """A stream that begins with the first element."""

    def pieces(self, rows: int) -> Iterator[np.ndarray]:
        """Yield so many rows at a time."""
        size = self.dtype.itemsize * math.prod(self.shape[1:])
        with self.open() as stream:
            for start in range(0, self.shape[0], rows):
                count = min(rows, self.shape[0] - start)
                content = _exactly(stream, count * size, self.name)
                yield np.frombuffer(content, self.dtype).reshape(count, *self.shape[1:])


class Arrays:
    """See :class:`workbench.datasets.sources.base.Source`."""

    def __init__(self, stored: Mapping[str, Stored], name: str, how: How) -> None:
        self._name, self._how = name, how
        self._all = stored
        self._pairs = pair(stored, name)

    def describe(self) -> Described:
        x = self._pairs[0][1]
        for _, more_x, more_y in self._pairs:
            if more_x.shape[1:] != x.shape[1:]:
                raise BadInput(
                    f"{more_x.name} has examples of shape {more_x.shape[1:]}, {x.name} of {x.shape[1:]}"
                )
            if not more_x.shape or not more_y.shape or more_x.shape[0] != more_y.shape[0]:
                raise BadInput(
                    f"{self._name}: {more_x.name} has {more_x.shape[0] if more_x.shape else 0} examples, "
                    f"{more_y.name} {more_y.shape[0] if more_y.shape else 0}; each needs one"
                )
        size = sum(math.prod(a.shape) * a.dtype.itemsize for pair in self._pairs for a in pair[1:])
        if size > MOST_BYTES:
            raise TooLarge(f"{self._name} holds {size:,} bytes; at most {MOST_BYTES:,} are taken")
        notes: list[str] = []
        target = self._target(notes)
        kind, column = self._input(x)
        self._columns = (column, target)
        given = len(self._pairs) > 1
        return Described(
            kind,
            self._columns,
            target.categories,
            size,
            Split("given", 0.0) if given else self._how.split,
            tuple(notes),
        )

    def blocks(self) -> Iterator[Block]:
        column, target = self._columns
        for part, x, y in self._pairs:
            size = max(1, x.dtype.itemsize * math.prod(x.shape[1:]))
            rows = max(1, min(BLOCK_EXAMPLES, BLOCK_BYTES // size))
            for some_x, some_y in zip(x.pieces(rows), y.pieces(rows), strict=True):
                fixed = np.zeros(len(some_x), fixed_dtype(self._columns))
                texts = []
                if column.is_text:
                    texts = [[str(text) for text in some_x]]
                else:
                    fixed["c0"] = some_x.reshape(len(some_x), *column.shape)
                fixed["c1"] = (
                    self._codes(some_y)
                    if target.kind == "category"
                    else some_y.reshape(len(some_y), *target.shape)
                )
                yield Block(fixed, texts, None if len(self._pairs) == 1 else [part] * len(some_x))

    def notes(self) -> tuple[str, ...]:
        return ()

    def _input(self, x: Stored) -> tuple[str, Column]:
        if x.dtype.kind == "U" and len(x.shape) == 1:
            return "text", Column("text", "text", TEXT)
        if x.dtype.kind not in "fiub" or x.dtype.itemsize > 8:
            raise BadInput(f"{x.name} has values of type {x.dtype}; give numbers or text")
        shape = x.shape[1:]
        pictures = (
            x.dtype == np.uint8 and len(shape) in (2, 3) and (len(shape) == 2 or shape[-1] in (1, 3, 4))
        )
        if pictures and self._how.kind in (None, "pictures"):
            return "pictures", Column("picture", "pixels", "|u1", shape if len(shape) == 3 else (*shape, 1))
        narrow = {"f": "<f4", "b": "|u1"}.get(x.dtype.kind, x.dtype.newbyteorder("<").str)
        return "arrays", Column("x", "values", narrow, shape)

    def _target(self, notes: list[str]) -> Column:
        stored = [y for _, _, y in self._pairs]
        first = stored[0]
        if first.dtype.kind in "SU" and len(first.shape) == 1:
            found = sorted(
                {str(_text(v)) for y in stored for piece in y.pieces(BLOCK_EXAMPLES) for v in piece}
            )
            if len(found) > MOST_CLASSES:
                raise BadInput(f"{first.name} has {len(found):,} classes; at most {MOST_CLASSES:,} are taken")
            self._labels = {label: n for n, label in enumerate(found)}
            return Column("class", "category", "<i4", role="target", categories=tuple(found))
        if first.dtype.kind not in "fiub":
            raise BadInput(f"{first.name} has values of type {first.dtype}; give numbers, or classes as text")
        flat = math.prod(first.shape[1:]) == 1
        one_hot = (
            len(first.shape) == 2
            and first.shape[1] > 1
            and self._how.classes is not False
            and self._is_one_hot(stored)
        )
        if one_hot:
            notes.append(f"{first.name} is one-hot; it was turned into classes")
            self._labels = {}
            return Column("class", "category", "<i4", role="target", categories=self._names(first.shape[1]))
        if self._how.classes or (self._how.classes is None and flat and first.dtype.kind in "iub"):
            low, high = self._range(stored)
            if self._how.classes or 0 <= low <= high < FEW:
                if not 0 <= low <= high < MOST_CLASSES:
                    raise BadInput(
                        f"classes are whole numbers from 0, below {MOST_CLASSES:,}. Received: {low} to {high} in {first.name}"
                    )
                self._labels = {}
                return Column("class", "category", "<i4", role="target", categories=self._names(high + 1))
        shape = () if flat else first.shape[1:]
        return Column("y", "number" if flat else "values", "<f8" if flat else "<f4", shape, role="target")

    def _names(self, count: int) -> tuple[str, ...]:
        for key, stored in self._all.items():
            if key.lower() in NAMES and stored.shape == (count,):
                return tuple(str(_text(value)) for piece in stored.pieces(count) for value in piece)
        return tuple(map(str, range(count)))

    def _codes(self, values: np.ndarray) -> np.ndarray:
        if self._labels:
            return np.array([self._labels[str(_text(value))] for value in values], np.int32)
        if values.ndim == 2 and values.shape[1] > 1:
            return np.asarray(values.argmax(1), np.int32)
        return np.asarray(values.reshape(len(values)), np.int32)

    @staticmethod
    def _range(stored: list[Stored]) -> tuple[int, int]:
        pieces = [piece for y in stored for piece in y.pieces(BLOCK_EXAMPLES)]
        return min(int(p.min()) for p in pieces), max(int(p.max()) for p in pieces)

    @staticmethod
    def _is_one_hot(stored: list[Stored]) -> bool:
        return all(
            bool(((piece == 0) | (piece == 1)).all() and (piece.sum(1) == 1).all())
            for y in stored
            for piece in y.pieces(BLOCK_EXAMPLES)
        )


def read_npz(path: Path) -> dict[str, Stored]:
    """The arrays of an ``.npz``; raises ``BadInput``."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = {}
            for info in archive.infolist():
                if info.filename.endswith(".npy"):
                    key = info.filename[:-4]
                    found[key] = _stored(key, lambda name=info.filename: _member(path, name))  # type: ignore[misc]
            return found
    except _DAMAGED as error:
        raise BadInput(f"{path.name} is no .npz that can be read: {error}") from error


def read_npy(path: Path) -> Stored:
    """The array of an ``.npy``; raises ``BadInput``."""
    try:
        return _stored(path.stem, lambda: path.open("rb"))
    except _DAMAGED as error:
        raise BadInput(f"{path.name} is no .npy that can be read: {error}") from error


def read_idx(path: Path) -> Stored:
    """The array of an IDX file, as MNIST's, gzipped or not; raises ``BadInput``."""

    def opened() -> IO[bytes]:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]

    try:
        with opened() as file:
            zero, kind, sides = struct.unpack(">HBB", _exactly(file, 4, path.name))
            if zero != 0 or kind not in _IDX_TYPES or not 1 <= sides <= 8:
                raise ValueError("its first bytes are not those of an IDX file")
            shape = struct.unpack(f">{sides}I", _exactly(file, 4 * sides, path.name))
    except _DAMAGED as error:
        raise BadInput(f"{path.name} is no IDX file that can be read: {error}") from error

    def content() -> IO[bytes]:
        file = opened()
        file.read(4 + 4 * sides)
        return file

    return Stored(path.name.removesuffix(".gz"), shape, np.dtype(_IDX_TYPES[kind]), content)


def pair(stored: Mapping[str, Stored], name: str) -> list[tuple[int, Stored, Stored]]:
    """The arrays that belong together: ``x`` and ``y``, or those of a training and of a test part.

    Raises
    ------
    BadInput
    """
    found: dict[tuple[int, str], Stored] = {}
    for key, one in stored.items():
        words = key.lower().replace("-", "_").replace(".", "_").split("_")
        part = next(
            (
                p
                for word, p in (
                    ("test", TEST),
                    ("t10k", TEST),
                    ("val", TEST),
                    ("valid", TEST),
                    ("train", TRAIN),
                )
                if word in words
            ),
            2,
        )
        role = "x" if set(words) & set(INPUTS) else "y" if set(words) & set(TARGETS) else ""
        if role and key.lower() not in NAMES:
            found.setdefault((part, role), one)
    if (TRAIN, "x") in found and (TRAIN, "y") in found:
        pairs = [(TRAIN, found[TRAIN, "x"], found[TRAIN, "y"])]
        if (TEST, "x") in found and (TEST, "y") in found:
            pairs.append((TEST, found[TEST, "x"], found[TEST, "y"]))
        return pairs
    if (2, "x") in found and (2, "y") in found:
        return [(TRAIN, found[2, "x"], found[2, "y"])]
    raise BadInput(
        f"{name} must hold x and y, or x_train, y_train, x_test and y_test. Received: {', '.join(list(stored)[:10]) or 'no array'}"
    )


def _member(path: Path, name: str) -> IO[bytes]:
    archive = zipfile.ZipFile(path)
    try:
        opened = archive.open(name)
    finally:
        archive.close()  # the member keeps the file open
    return opened


def _stored(name: str, open_: Callable[[], IO[bytes]]) -> Stored:
    with open_() as stream:
        shape, fortran, dtype = _head(stream)
    if dtype.hasobject:
        raise BadInput(
            f"{name} holds Python objects, which are not loaded: they can run code; save plain arrays"
        )
    if fortran and len(shape) > 1:
        if math.prod(shape) * dtype.itemsize > 1024**3:
            raise BadInput(
                f"{name} lies in Fortran's order, in which examples cannot be read one by one; save np.ascontiguousarray of it"
            )

        def turned() -> IO[bytes]:
            with open_() as stream:
                _head(stream)
                content = _exactly(stream, math.prod(shape) * dtype.itemsize, name)
            return io.BytesIO(np.frombuffer(content, dtype).reshape(shape, order="F").tobytes("C"))

        return Stored(name, shape, dtype, turned)

    def content() -> IO[bytes]:
        stream = open_()
        _head(stream)
        return stream

    return Stored(name, shape, dtype, content)


def _head(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    return tuple(shape), bool(fortran), dtype


def _exactly(stream: IO[bytes], count: int, name: str) -> bytes:
    parts, left = [], count
    while left > 0:
        part = stream.read(min(left, 16 * 1024**2))
        if not part:
            raise BadInput(f"{name} broke off: {left:,} bytes are missing")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _text(value: object) -> object:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
