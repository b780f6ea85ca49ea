"""The one thing that readers of sources have in common, and what their owner may say about a source."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from workbench.datasets.kept.blocks import TEST, TRAIN, Block
from workbench.datasets.kept.values import Column, Split

GIB = 1024**3
MOST_BYTES = 20 * GIB
"""Of a source, and of what a zip becomes."""
BLOCK_EXAMPLES = 4096
BLOCK_BYTES = 16 * 1024**2
PARTS = {
    "train": TRAIN,
    "training": TRAIN,
    "test": TEST,
    "testing": TEST,
    "val": TEST,
    "valid": TEST,
    "validation": TEST,
    "t10k": TEST,
}
"""Names of folders, arrays and cells that say in which part an example is."""


@dataclass(frozen=True)
class How:
    """What its owner says about a source; whatever is not said is guessed, and the guess is told.

    Attributes
    ----------
    kind
        ``pictures``, ``table``, ``text`` or ``arrays``.
    target
        The column that a model is to tell.
    classes
        Whether the target is a class (``True``) or a number (``False``).
    unused
        Columns that no model is to see.
    split
        How the test part is chosen.
    size
        Width and height that pictures are brought to.
    channels
        3 for colours, 1 for the ink alone, as digits are seen.
    header
        Whether the first line of a table names its columns.
    """

    kind: Literal["pictures", "table", "text", "arrays"] | None = None
    target: str | None = None
    classes: bool | None = None
    unused: tuple[str, ...] = ()
    split: Split = field(default_factory=Split)
    size: tuple[int, int] | None = None
    channels: Literal[1, 3] = 3
    header: bool | None = None
    licence: str = ""


@dataclass(frozen=True)
class Described:
    """What a source holds, known before its examples are read."""

    kind: str
    columns: tuple[Column, ...]
    labels: tuple[str, ...]
    expected_bytes: int
    split: Split
    notes: tuple[str, ...] = field(default=())


class Source(Protocol):
    """A source whose examples can be read once."""

    def describe(self) -> Described:
        """Look through it; raises ``BadInput`` where it cannot be used."""

    def blocks(self) -> Iterator[Block]:
        """Yield its examples; after ``describe``."""

    def notes(self) -> tuple[str, ...]:
        """What was left out; after ``blocks``."""


def part_named(name: str) -> int | None:
    """The part that a name means.

    >>> part_named("Test"), part_named("t10k-images"), part_named("cats")
    (1, 1, None)
    """
    low = name.lower()
    if low in PARTS:
        return PARTS[low]
    first = low.replace("-", "_").split("_")[0]
    return PARTS.get(first)
