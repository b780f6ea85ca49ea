"""A data set as it is kept: what its examples are made of, in which files they lie, and what is known of them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench.system import wire

TEXT = "text"
"""Stands for a dtype: UTF-8 of any length."""
CATEGORIES = 200
"""Most different values of a column that are kept as categories."""


@dataclass(frozen=True)
class Column:
    """One thing that each example has: its picture, a cell of its row, its class.

    Attributes
    ----------
    kind
        ``number``, ``flag``, ``date`` (days since 1970), ``category`` (its number, -1 where it is missing), ``text``, ``pixels`` or
        ``values`` (an array).
    dtype, shape
        Of what is kept of one example: NumPy's name, little-endian, or ``text``.
    role
        ``input``, ``target``, or ``unused``: kept and shown, and not given to a model unless asked for.
    missing
        Examples that have none: kept as NaN, or as category -1.
    low, high, mean, deviation
        Of the numbers in the training part.
    counts
        How many examples have each category, or lie in each of as many equal steps from ``low`` to ``high``.
    outliers
        Examples more than five deviations from the mean.
    """

    name: str
    kind: str
    dtype: str
    shape: tuple[int, ...] = ()
    role: str = "input"
    categories: tuple[str, ...] = ()
    missing: int = 0
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    deviation: float | None = None
    counts: tuple[int, ...] = ()
    outliers: int = 0

    @property
    def is_text(self) -> bool:
        """Whether its length differs from example to example."""
        return self.dtype == TEXT


@dataclass(frozen=True)
class Shard:
    """One file of examples, named by its content."""

    sha256: str
    bytes: int
    examples: int


@dataclass(frozen=True)
class Part:
    """The examples to train with, or those to test with."""

    examples: int = 0
    shards: tuple[Shard, ...] = ()
    classes: tuple[int, ...] = ()
    """How many there are of each label."""

    @property
    def bytes(self) -> int:
        """Of its files."""
        return sum(shard.bytes for shard in self.shards)


@dataclass(frozen=True)
class Duplicates:
    """Examples that are there more than once: surplus ones within a part, and those of the test part that are in the training
    part too. ``None`` where there were too many examples to compare."""

    train: int | None = 0
    test: int | None = 0
    between: int | None = 0


@dataclass(frozen=True)
class Split:
    """How the test part was chosen: ``given`` by the source, or by ``share``, by a ``column`` or by a ``group``."""

    by: str = "share"
    share: float = 0.2
    column: str = ""
    seed: int = 0


@dataclass(frozen=True)
class DatasetManifest:
    """Everything that is known of one version.

    Attributes
    ----------
    kind
        ``pictures``, ``table``, ``text`` or ``arrays``.
    labels
        Name of each class; empty where the target is a number.
    sha256
        Of all that a model can see of it: the same examples in the same parts have the same.
    notes
        What was guessed or left out when it came in.
    """

    name: str
    version: int
    created: str
    kind: str
    columns: tuple[Column, ...]
    train: Part
    test: Part
    sha256: str = ""
    labels: tuple[str, ...] = ()
    split: Split = Split()
    duplicates: Duplicates = Duplicates()
    source: str = ""
    licence: str = ""
    notes: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"

    @property
    def target(self) -> Column | None:
        """The column that a model is to tell."""
        return next((column for column in self.columns if column.role == "target"), None)

    @property
    def inputs(self) -> tuple[Column, ...]:
        """The columns that a model is given."""
        return tuple(column for column in self.columns if column.role == "input")

    @property
    def shards(self) -> tuple[Shard, ...]:
        """The files of both parts."""
        return (*self.train.shards, *self.test.shards)

    @property
    def bytes(self) -> int:
        """Of all its files."""
        return self.train.bytes + self.test.bytes

    def digest(self) -> str:
        """Compute ``sha256`` from the rest."""
        seen = [
            self.kind,
            self.labels,
            [[c.name, c.kind, c.dtype, list(c.shape), c.role, list(c.categories)] for c in self.columns],
            *[[shard.sha256 for shard in part.shards] for part in (self.train, self.test)],
        ]
        return hashlib.sha256(json.dumps(seen).encode()).hexdigest()

    def as_json(self) -> Mapping[str, wire.Json]:
        """The manifest as it stands in the file, and as ``--json`` prints it."""
        told = wire.pack(self)
        assert isinstance(told, dict)
        return {
            **told,
            "examples": {"train": self.train.examples, "test": self.test.examples},
            "bytes": self.bytes,
        }
