"""Folders of texts, a folder a class, a file a text."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from workbench.datasets.kept.blocks import UNKNOWN, Block
from workbench.datasets.kept.records import fixed_dtype
from workbench.datasets.kept.values import TEXT, Column, Split
from workbench.datasets.sources.base import Described, How
from workbench.datasets.sources.pictures import find, passed_by
from workbench.errors import BadInput

ENDINGS = {".txt"}
MOST_TEXT = 1_000_000
"""Bytes of one text."""
BATCH = 512


class Texts:
    """See :class:`workbench.datasets.sources.base.Source`."""

    def __init__(self, folder: Path, how: How) -> None:
        self._folder, self._how = folder, how
        self._found, self._links, self._others = find(folder, lambda path: path.suffix.lower() in ENDINGS)

    def describe(self) -> Described:
        labels = tuple(sorted({one.label for one in self._found}))
        if len(labels) < 2:
            raise BadInput(
                f"the texts must lie in a folder for each class, at least two. Received: {', '.join(labels) or 'none'}"
            )
        self._labels = {label: n for n, label in enumerate(labels)}
        self._columns = (
            Column("text", "text", TEXT),
            Column("class", "category", "<i4", role="target", categories=labels),
        )
        given = any(one.part != UNKNOWN for one in self._found)
        size = sum(one.path.stat().st_size for one in self._found)
        notes = [f"{self._links} links were not followed"] if self._links else []
        if self._others:
            notes.append(passed_by(self._others, "texts"))
        split = Split("given", 0.0) if given else self._how.split
        return Described("text", self._columns, labels, size, split, tuple(notes))

    def blocks(self) -> Iterator[Block]:
        for start in range(0, len(self._found), BATCH):
            some = self._found[start : start + BATCH]
            fixed = np.zeros(len(some), fixed_dtype(self._columns))
            fixed["c1"] = [self._labels[one.label] for one in some]
            yield Block(fixed, [[self._read(one.path) for one in some]], part=[one.part for one in some])

    def notes(self) -> tuple[str, ...]:
        return ()

    def _read(self, path: Path) -> str:
        if path.stat().st_size > MOST_TEXT:
            raise BadInput(
                f"{path.relative_to(self._folder)} has {path.stat().st_size:,} bytes; a text has at most {MOST_TEXT:,}"
            )
        content = path.read_bytes()
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            return content.decode("cp1252", errors="replace")
