"""Hashes by which examples are told apart, ordered and split: of what a model would see of them."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from workbench.datasets.kept import records
from workbench.datasets.kept.values import Column


def hash_of(key: bytes) -> int:
    """64 bits by which examples are told apart, ordered and split."""
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little")


def keys_of(fixed: np.ndarray, columns: Sequence[Column]) -> list[bytes]:
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


def hashes_of(path: Path, columns: Sequence[Column]) -> Iterator[int]:
    """The hashes of the examples of a file that was written before."""
    texts = [c for c in columns if c.is_text]
    dtype = records.fixed_dtype(columns)
    for content in records.read_records(path):
        (key,) = keys_of(records.unpack_fixed([content], dtype), columns)
        if texts:
            found = records.unpack_texts(content, dtype.itemsize, len(texts))
            key += b"\0".join(t.encode() for t, c in zip(found, texts, strict=True) if c.role != "unused")
        yield hash_of(key)
