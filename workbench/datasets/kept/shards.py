"""Files of examples, each called by its sha256."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from workbench.datasets.kept import records
from workbench.datasets.kept.values import Column, Part, Shard

SHARD_BYTES = 48 * 1024**2


class ShardWriter:
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
