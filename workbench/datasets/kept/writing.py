"""Blocks of examples become the files of a version: split, compared, shuffled, in memory that does not grow with them.

The examples are first spilled into buckets by a hash of what a model would see of them, then each bucket is put in the order
of the hashes and written: so every file is a fair sample, whatever order the source had. Equal examples have equal hashes and so
always come into the same part. Files of the version before are taken as they are where all their examples still are there.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from workbench.datasets.kept import records
from workbench.datasets.kept.blocks import TEST, TRAIN, UNKNOWN, Block, Seen
from workbench.datasets.kept.former import Former, reusable
from workbench.datasets.kept.hashing import hash_of, keys_of
from workbench.datasets.kept.shards import SHARD_BYTES, ShardWriter
from workbench.datasets.kept.splitting import choose_parts
from workbench.datasets.kept.values import Column, Duplicates, Part, Split
from workbench.errors import BadInput

MOST_COMPARED = 10_000_000
"""Examples that are compared with each other: some 14 bytes of memory each."""
_SPILL = struct.Struct("<QiBBI")
"""Hash, class, part, kind of hash, length of what follows."""


@dataclass(frozen=True)
class Written:
    """The two parts, and what was seen while they were written."""

    train: Part
    test: Part
    duplicates: Duplicates
    split: Split


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
    seen = Seen()
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
    chosen = choose_parts(seen, split, before)
    if not any(chosen) or all(chosen):
        empty = "test" if not any(chosen) else "training"
        raise BadInput(
            f"the {empty} part would be empty ({count:,} examples, split by {split.by}); choose another split"
        )
    kept, skip = reusable(former, seen, chosen)
    out = {part: ShardWriter(folder, columns, classes) for part in (TRAIN, TEST)}
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
    block: Block, columns: Sequence[Column], spills: Sequence[IO[bytes]], seen: Seen, split: Split
) -> None:
    fixed = np.ascontiguousarray(block.fixed)
    size = fixed.dtype.itemsize
    raw = fixed.tobytes()
    keys = keys_of(fixed, columns)
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


def _labels(fixed: np.ndarray, columns: Sequence[Column]) -> list[int]:
    for n, column in enumerate(columns):
        if column.role == "target" and column.kind in ("category", "flag") and not column.shape:
            labels: list[int] = fixed[f"c{n}"].astype(np.int32).tolist()
            return labels
    return [0] * len(fixed)


def _places(seen: Seen, buckets: int) -> list[np.ndarray]:
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


def _duplicates(seen: Seen, chosen: bytearray) -> Duplicates:
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
