"""Blocks of examples become the files of a version: split, compared, shuffled, in memory that does not grow with them.

The examples are first spilled into buckets by a hash of what a model would see of them, then each bucket is put in the order
of the hashes and written: so every file is a fair sample, whatever order the source had. Equal examples have equal hashes and so
always come into the same part. Files of the version before are taken as they are where all their examples still are there.
"""

import hashlib
import os
import struct
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

from workbench.datasets.kept import records
from workbench.datasets.kept.values import Column, DatasetManifest, Duplicates, Part, Shard, Split
from workbench.errors import BadInput
from workbench.settings import Settings

SHARD_BYTES = 48 * 1024**2
MOST_COMPARED = 10_000_000
"""Examples that are compared with each other: some 14 bytes of memory each."""
MOST_SHARED = 2_000_000
"""Examples up to which files of the version before are looked at."""
TRAIN, TEST, UNKNOWN = 0, 1, 2
_SPILL = struct.Struct("<QiBBI")
"""Hash, class, part, kind of hash, length of what follows."""


@dataclass(frozen=True)
class Block:
    """Some examples, as a source gives them.

    Attributes
    ----------
    fixed
        Structured array ``(n,)`` of :func:`records.fixed_dtype`.
    texts
        Of each text column one text an example; empty where there is none.
    part
        The part of each example, where the source says so.
    groups
        What must not be torn apart, where the split is by group.
    """

    fixed: np.ndarray
    texts: Sequence[Sequence[str]] = ()
    part: Sequence[int] | None = None
    groups: Sequence[str] | None = None


@dataclass(frozen=True)
class Written:
    """The two parts, and what was seen while they were written."""

    train: Part
    test: Part
    duplicates: Duplicates
    split: Split


@dataclass
class _Seen:
    """A few bytes of each example, kept until all are known."""

    hashes: "array[int]" = field(default_factory=lambda: array("Q"))
    classes: "array[int]" = field(default_factory=lambda: array("i"))
    parts: bytearray = field(default_factory=bytearray)
    groups: "array[int]" = field(default_factory=lambda: array("Q"))


class Former:
    """What of the version before may stay as it is."""

    def __init__(
        self, manifest: DatasetManifest | None, columns: Sequence[Column], settings: Settings
    ) -> None:
        self.shards: list[tuple[int, Shard, np.ndarray]] = []
        told = (
            []
            if manifest is None
            else [(c.name, c.kind, c.dtype, c.shape, c.role, c.categories) for c in manifest.columns]
        )
        same = told == [(c.name, c.kind, c.dtype, c.shape, c.role, c.categories) for c in columns]
        if manifest is None or not same or manifest.train.examples + manifest.test.examples > MOST_SHARED:
            return
        from workbench.datasets.kept.store import blob

        for part, one in ((TRAIN, manifest.train), (TEST, manifest.test)):
            for shard in one.shards:
                hashes = np.fromiter(_hashes_of(blob(shard, settings), columns), np.uint64, shard.examples)
                self.shards.append((part, shard, hashes))

    def parts(self) -> dict[int, int]:
        """The part that each example had."""
        return {int(h): part for part, _, hashes in self.shards for h in hashes}


def write(
    blocks: Iterable[Block],
    columns: Sequence[Column],
    split: Split,
    folder: Path,
    *,
    expected_bytes: int,
    former: Former,
    classes: int,
) -> Written:
    """Write all files of a version into the folder, each called by its sha256.

    Parameters
    ----------
    expected_bytes
        About how many bytes of examples will come; decides into how many files they go.
    classes
        How many labels there are; 0 where the target is a number.

    Raises
    ------
    BadInput
        There are too few examples for two parts.
    """
    buckets = int(min(400, max(1, -(-expected_bytes // SHARD_BYTES))))
    seen = _Seen()
    paths = [folder / f"spill-{n}" for n in range(buckets)]
    with ExitStack() as stack:
        spills = [stack.enter_context(path.open("wb", buffering=256 * 1024)) for path in paths]
        for block in blocks:
            _spill(block, columns, spills, seen, split)
    count = len(seen.hashes)
    if count < 2:
        raise BadInput(
            f"a data set needs at least two examples, one to train and one to test with. Received: {count}"
        )
    before = former.parts()
    chosen = _choose(seen, split, before)
    if not any(chosen) or all(chosen):
        empty = "test" if not any(chosen) else "training"
        raise BadInput(
            f"the {empty} part would be empty ({count:,} examples, split by {split.by}); choose another split"
        )
    kept, skip = _shared(former, seen, chosen)
    out = {part: _Shards(folder, columns, classes) for part in (TRAIN, TEST)}
    order = _places(seen, buckets)
    for bucket, path in enumerate(paths):
        entries = [
            (h, chosen[i], label, content)
            for (h, label, content), i in zip(_read_spill(path), order[bucket], strict=True)
        ]
        entries.sort(key=lambda entry: entry[0])
        for h, part, label, content in entries:
            if skip[part, h] > 0:
                skip[part, h] -= 1
                out[part].count(label)
            else:
                out[part].add(content, label)
        out[TRAIN].end_file()
        path.unlink()
    made = {part: one.finish([s for p, s, _ in kept if p == part]) for part, one in out.items()}
    return Written(made[TRAIN], made[TEST], _duplicates(seen, chosen), split)


def _spill(
    block: Block, columns: Sequence[Column], spills: Sequence[IO[bytes]], seen: _Seen, split: Split
) -> None:
    fixed = np.ascontiguousarray(block.fixed)
    size = fixed.dtype.itemsize
    raw = fixed.tobytes()
    keys = _keys(fixed, columns)
    labels = _labels(fixed, columns)
    text_columns = [c for c in columns if c.is_text]
    for n in range(len(fixed)):
        content = raw[n * size : (n + 1) * size]
        key = keys[n]
        if text_columns:
            texts = [str(column[n]) for column in block.texts]
            content = records.pack_texts(content, texts)
            key += b"\0".join(
                t.encode() for t, c in zip(texts, text_columns, strict=True) if c.role != "unused"
            )
        h = hash_of(key)
        part = UNKNOWN if block.part is None else int(block.part[n])
        if len(seen.hashes) >= MOST_COMPARED * 20:
            raise BadInput(f"a data set has at most {MOST_COMPARED * 20:,} examples")
        seen.hashes.append(h)
        seen.classes.append(labels[n])
        seen.parts.append(part)
        if block.groups is not None:
            seen.groups.append(hash_of(f"{split.seed}\0{block.groups[n]}".encode()))
        file = spills[h % len(spills)]
        file.write(_SPILL.pack(h, labels[n], part, 0, len(content)))
        file.write(content)


def hash_of(key: bytes) -> int:
    """64 bits by which examples are told apart, ordered and split."""
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little")


def _keys(fixed: np.ndarray, columns: Sequence[Column]) -> list[bytes]:
    """What a model would see of each example, as bytes."""
    fixed_columns = [c for c in columns if not c.is_text]
    names = [f"c{n}" for n, c in enumerate(columns) if not c.is_text and c.role != "unused"]
    if len(names) == len(fixed_columns):
        raw, size = fixed.tobytes(), fixed.dtype.itemsize
    else:
        from numpy.lib.recfunctions import repack_fields

        part = repack_fields(fixed[names]) if names else np.zeros(len(fixed), "V0")
        raw, size = part.tobytes(), part.dtype.itemsize
    return [raw[n * size : (n + 1) * size] for n in range(len(fixed))]


def _labels(fixed: np.ndarray, columns: Sequence[Column]) -> list[int]:
    for n, column in enumerate(columns):
        if column.role == "target" and column.kind in ("category", "flag") and not column.shape:
            labels: list[int] = fixed[f"c{n}"].astype(np.int32).tolist()
            return labels
    return [0] * len(fixed)


def _hashes_of(path: Path, columns: Sequence[Column]) -> Iterator[int]:
    """The hashes of the examples of a file that was written before."""
    texts = [c for c in columns if c.is_text]
    dtype = records.fixed_dtype(columns)
    for content in records.read_records(path):
        (key,) = _keys(np.frombuffer(content[: dtype.itemsize], dtype), columns)
        if texts:
            found = records.unpack_texts(content, dtype.itemsize, len(texts))
            key += b"\0".join(t.encode() for t, c in zip(found, texts, strict=True) if c.role != "unused")
        yield hash_of(key)


def _choose(seen: _Seen, split: Split, before: dict[int, int]) -> bytearray:
    """The part of each example."""
    if split.by in ("given", "column") and UNKNOWN not in seen.parts:
        return bytearray(seen.parts)
    chosen = np.zeros(len(seen.hashes), np.uint8)
    hashes = np.frombuffer(seen.hashes, np.uint64) if len(seen.hashes) else np.zeros(0, np.uint64)
    if split.by == "group":
        chosen = _by_group(np.frombuffer(seen.groups, np.uint64), split.share)
    else:
        mixed = _mix(hashes, split.seed)
        labels = np.frombuffer(seen.classes, np.int32)
        for label in np.unique(labels):
            mine = np.flatnonzero(labels == label)
            distinct = np.unique(mixed[mine])
            wanted = min(round(split.share * len(distinct)), len(distinct) - 1)
            if wanted > 0:
                chosen[mine] = mixed[mine] <= distinct[wanted - 1]
        if not chosen.any() and len(np.unique(mixed)) > 1:
            chosen[mixed == mixed.min()] = TEST
    if before:
        for n, h in enumerate(seen.hashes):
            if (part := before.get(h)) is not None:
                chosen[n] = part
    given = np.frombuffer(bytes(seen.parts), np.uint8)
    chosen = np.where(given == UNKNOWN, chosen, given).astype(np.uint8)
    return bytearray(chosen.tobytes())


def _by_group(groups: np.ndarray, share: float) -> np.ndarray:
    """Whole groups, in the order of their hashes, until the share is reached."""
    distinct, where, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    until = np.cumsum(sizes) - sizes / 2 <= share * len(groups)
    if not until.any() and len(distinct) > 1:
        until[0] = True
    if until.all() and len(distinct) > 1:
        until[-1] = False
    return until[where].astype(np.uint8)


def _mix(hashes: np.ndarray, seed: int) -> np.ndarray:
    """Other hashes for each seed; equal ones stay equal (the finaliser of splitmix64)."""
    with np.errstate(over="ignore"):
        h = hashes + np.uint64((seed * 0x9E3779B97F4A7C15) & (2**64 - 1))
        h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed: np.ndarray = h ^ (h >> np.uint64(31))
    return mixed


def _shared(
    former: Former, seen: _Seen, chosen: bytearray
) -> tuple[list[tuple[int, Shard, np.ndarray]], Counter[tuple[int, int]]]:
    """The files that stay, and how often each example of a part needs not be written for that."""
    skip: Counter[tuple[int, int]] = Counter()
    if not former.shards or len(seen.hashes) > MOST_SHARED:
        return [], skip
    there = {part: Counter[int]() for part in (TRAIN, TEST)}
    for h, part in zip(seen.hashes, chosen, strict=True):
        there[part][h] += 1
    kept = []
    for part, shard, hashes in former.shards:
        wanted = Counter(map(int, hashes))
        if all(there[part][h] >= count for h, count in wanted.items()):
            there[part].subtract(wanted)
            skip.update({(part, h): count for h, count in wanted.items()})
            kept.append((part, shard, hashes))
    return kept, skip


def _places(seen: _Seen, buckets: int) -> list[np.ndarray]:
    hashes = np.frombuffer(seen.hashes, np.uint64)
    which = hashes % np.uint64(buckets)
    order = np.argsort(which, kind="stable")
    ends = np.cumsum(np.bincount(which.astype(np.int64), minlength=buckets))
    return np.split(order, ends[:-1])


def _read_spill(path: Path) -> Iterator[tuple[int, int, bytes]]:
    with path.open("rb", buffering=1024 * 1024) as file:
        while head := file.read(_SPILL.size):
            h, label, _, _, length = _SPILL.unpack(head)
            yield h, label, file.read(length)


class _Shards:
    """Writes the files of one part."""

    def __init__(self, folder: Path, columns: Sequence[Column], classes: int) -> None:
        self._folder, self._columns = folder, columns
        self._classes = np.zeros(classes, np.int64)
        self._file: IO[bytes] | None = None
        self._bytes = self._examples = 0
        self._done: list[Shard] = []

    def count(self, label: int) -> None:
        """Count an example whose file stays as it is."""
        if 0 <= label < len(self._classes):
            self._classes[label] += 1

    def add(self, content: bytes, label: int) -> None:
        """Write an example."""
        self.count(label)
        if self._file is None:
            self._file = (self._folder / f"shard-{id(self)}").open("wb", buffering=256 * 1024)
        self._bytes += records.write_record(self._file, content)
        self._examples += 1
        if self._bytes >= 2 * SHARD_BYTES:
            self.end_file()

    def end_file(self) -> None:
        """Give the file that is being written its name."""
        if self._file is None:
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        path = Path(self._file.name)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        path.rename(self._folder / sha256)
        self._done.append(Shard(sha256, self._bytes, self._examples))
        self._file, self._bytes, self._examples = None, 0, 0

    def finish(self, kept: Sequence[Shard]) -> Part:
        """End the last file; the part with those that stay before the new ones."""
        self.end_file()
        shards = (*kept, *self._done)
        return Part(sum(s.examples for s in shards), shards, tuple(self._classes.tolist()))


def _duplicates(seen: _Seen, chosen: bytearray) -> Duplicates:
    if len(seen.hashes) > MOST_COMPARED:
        return Duplicates(None, None, None)
    hashes, parts = np.frombuffer(seen.hashes, np.uint64), np.frombuffer(bytes(chosen), np.uint8)
    train, test = hashes[parts == TRAIN], hashes[parts == TEST]
    known = np.unique(train)
    return Duplicates(
        len(train) - len(known),
        len(test) - len(np.unique(test)),
        int(np.isin(test, known).sum()),
    )
