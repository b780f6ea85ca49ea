"""Figures about each column of a version, taken from its files: two passes, in memory that does not grow with them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from workbench.datasets.kept import records
from workbench.datasets.kept.values import Column, Part

STEPS = 20
FAR = 5.0
"""Deviations from the mean from which on a number is called an outlier."""
BLOCK = 4096
BLOCK_BYTES = 16 * 1024**2


def measure(columns: Sequence[Column], train: Part, test: Part, find: "Finder") -> tuple[Column, ...]:
    """The columns with their figures: of numbers from the training part, of what is missing from both."""
    sums = [_Sum(column) for column in columns]
    for of_train, part in ((True, train), (False, test)):
        for block, _ in blocks(columns, part, find):
            _each(columns, block, sums, of_train)
    for sum_ in sums:
        sum_.begin_histogram()
    for part in (train, test):
        for block, texts in blocks(columns, part, find):
            if part is train:
                _each(columns, block, sums, None)
            of_text = [sum_ for column, sum_ in zip(columns, sums, strict=True) if column.is_text]
            for sum_, found in zip(of_text, texts, strict=True):
                sum_.texts(found)
    return tuple(sum_.column() for sum_ in sums)


def blocks(
    columns: Sequence[Column], part: Part, find: "Finder"
) -> Iterator[tuple[np.ndarray, list[list[str]]]]:
    """Yield the examples of a part, a few thousand at a time: the fixed columns, and of each text column its texts."""
    texts = [c for c in columns if c.is_text]
    dtype = records.fixed_dtype(columns)
    rows = max(1, min(BLOCK, BLOCK_BYTES // max(1, dtype.itemsize)))
    for shard in part.shards:
        path = find(shard.sha256)
        if not texts:
            mapped = records.map_fixed(path, columns)
            for start in range(0, len(mapped), rows):
                yield np.array(mapped[start : start + rows]), []
            continue
        waiting: list[bytes] = []
        for content in records.read_records(path):
            waiting.append(content)
            if len(waiting) >= rows:
                yield _unpacked(waiting, dtype, len(texts))
                waiting = []
        if waiting:
            yield _unpacked(waiting, dtype, len(texts))


class Finder:
    """Finds a file by its sha256: among those just written, else where blobs are kept."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders

    def __call__(self, sha256: str) -> Path:
        for folder in self._folders:
            for path in (folder / sha256, folder / sha256[:2] / sha256):
                if path.exists():
                    return path
        raise FileNotFoundError(sha256)


def _unpacked(
    contents: Sequence[bytes], dtype: np.dtype[np.void], count: int
) -> tuple[np.ndarray, list[list[str]]]:
    fixed = records.unpack_fixed(contents, dtype)
    rows = [records.unpack_texts(content, dtype.itemsize, count) for content in contents]
    return fixed, [list(column) for column in zip(*rows, strict=True)]


def _each(
    columns: Sequence[Column], block: np.ndarray, sums: "Sequence[_Sum]", of_train: bool | None
) -> None:
    for n, (column, sum_) in enumerate(zip(columns, sums, strict=True)):
        if column.is_text:
            continue
        if of_train is None:
            sum_.count(block[f"c{n}"])
        else:
            sum_.add(block[f"c{n}"], of_train)


class _Sum:
    def __init__(self, column: Column) -> None:
        self._column = column
        self._numbers = column.kind in ("number", "date", "flag", "values", "pixels")
        self._n = self._missing = self._outliers = 0
        self._sum = self._squares = 0.0
        self._low, self._high = np.inf, -np.inf
        steps = len(column.categories) if column.kind == "category" else STEPS
        self._counts = np.zeros(steps, np.int64)
        self._span = (0.0, 1.0)

    def add(self, values: np.ndarray, of_train: bool) -> None:
        """Take in a block of the first pass."""
        flat = values.reshape(len(values), -1)
        if self._column.kind == "category":
            self._missing += int((flat < 0).sum())
            return
        if not self._numbers:
            return
        wrong = ~np.isfinite(flat) if flat.dtype.kind == "f" else np.zeros(flat.shape, bool)
        self._missing += int(wrong.any(1).sum())
        good = flat[~wrong].astype(np.float64)
        if of_train and good.size:
            self._n += good.size
            self._sum += float(good.sum())
            self._squares += float((good**2).sum())
            self._low, self._high = min(self._low, float(good.min())), max(self._high, float(good.max()))

    def begin_histogram(self) -> None:
        """All of the first pass is in."""
        if self._n:
            self._span = (self._low, self._high if self._high > self._low else self._low + 1)

    def count(self, values: np.ndarray) -> None:
        """Take in a block of the second pass."""
        flat = values.reshape(len(values), -1)
        if self._column.kind == "category":
            known = flat[flat >= 0]
            self._counts += np.bincount(known.ravel(), minlength=len(self._counts))[: len(self._counts)]
        elif self._numbers and self._n:
            one = flat.astype(np.float64)
            one = one[:, 0] if one.shape[1] == 1 else one.mean(1)  # of an array, its mean
            one = one[np.isfinite(one)]
            self._counts += np.histogram(one, STEPS, self._span)[0]
            if self.deviation > 0 and not self._column.shape:
                self._outliers += int((np.abs(one - self.mean) > FAR * self.deviation).sum())

    def texts(self, texts: Sequence[str]) -> None:
        """Take in texts: an empty one is missing."""
        self._missing += sum(not text for text in texts)

    @property
    def mean(self) -> float:
        return self._sum / self._n if self._n else 0.0

    @property
    def deviation(self) -> float:
        return float(np.sqrt(max(0.0, self._squares / self._n - self.mean**2))) if self._n else 0.0

    def column(self) -> Column:
        """The column with what was found."""
        counts = tuple(int(count) for count in self._counts)
        if not self._n:
            return replace(
                self._column, missing=self._missing, counts=counts if self._column.kind == "category" else ()
            )
        return replace(
            self._column,
            missing=self._missing,
            low=self._low,
            high=self._high,
            mean=self.mean,
            deviation=self.deviation,
            counts=counts,
            outliers=self._outliers,
        )
