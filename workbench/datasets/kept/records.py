"""Files of examples: TFRecord, which TensorFlow reads by itself on any machine, each record one example packed.

A record is the fixed columns one after the other, little-endian, then the length of each text, then the texts. So a file
without texts is one array of a structured dtype as well, which NumPy maps into memory without reading it.
"""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from workbench.datasets.kept.values import Column
from workbench.errors import Unavailable

HEAD, TAIL = 12, 4
"""Bytes of a record before and after its content: length, its checksum; the content's checksum."""
_MASK = 0xA282EAD8
_LENGTH = struct.Struct("<Q")
_SUM = struct.Struct("<I")


def fixed_dtype(columns: Sequence[Column]) -> np.dtype[np.void]:
    """The structured dtype of the fixed columns, packed."""
    return np.dtype([(f"c{n}", c.dtype, c.shape) for n, c in enumerate(columns) if not c.is_text])


def write_record(file: IO[bytes], content: bytes) -> int:
    """Append a record; give the bytes that it takes."""
    length = _LENGTH.pack(len(content))
    file.write(length + _checksum(length))
    file.write(content)
    file.write(_checksum(content))
    return HEAD + len(content) + TAIL


def read_records(path: Path) -> Iterator[bytes]:
    """Yield the content of each record.

    Raises
    ------
    Unavailable
        The file is damaged.
    """
    with path.open("rb") as file:
        while head := file.read(HEAD):
            if len(head) < HEAD:
                raise _damaged(path)
            (length,) = _LENGTH.unpack_from(head)
            content = file.read(length + TAIL)
            if len(content) < length + TAIL:
                raise _damaged(path)
            yield content[:length]


def map_fixed(path: Path, columns: Sequence[Column]) -> np.ndarray:
    """A file without texts as one structured array ``(n,)``, mapped, not read."""
    inner = fixed_dtype(columns)
    framed = np.dtype([("head", f"V{HEAD}"), ("example", inner), ("tail", f"V{TAIL}")])
    if path.stat().st_size % framed.itemsize:
        raise _damaged(path)
    whole: np.ndarray = np.memmap(path, framed, "r") if path.stat().st_size else np.zeros(0, framed)
    return whole["example"]


def unpack_fixed(contents: Sequence[bytes], dtype: np.dtype[np.void]) -> np.ndarray:
    """The fixed columns of some records ``(n,)``, also where all columns are texts."""
    if not dtype.itemsize:
        return np.zeros(len(contents), dtype)
    return np.frombuffer(b"".join(content[: dtype.itemsize] for content in contents), dtype)


def pack_texts(fixed: bytes, texts: Sequence[str]) -> bytes:
    """A record's content of the fixed columns' bytes and the texts."""
    encoded = [text.encode() for text in texts]
    return b"".join([fixed, *(_SUM.pack(len(text)) for text in encoded), *encoded])


def unpack_texts(content: bytes, size: int, count: int) -> list[str]:
    """The texts of a record whose fixed columns take ``size`` bytes."""
    lengths = [_SUM.unpack_from(content, size + 4 * n)[0] for n in range(count)]
    at, texts = size + 4 * count, []
    for length in lengths:
        texts.append(content[at : at + length].decode())
        at += length
    return texts


def _checksum(content: bytes) -> bytes:
    import google_crc32c  # of the extra ``data``, which who only reads has not

    crc = google_crc32c.value(content)
    return _SUM.pack((((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF)


def _damaged(path: Path) -> Unavailable:
    return Unavailable(f"{path} is damaged; remove the data set's version and add it again")
