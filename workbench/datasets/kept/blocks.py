"""Examples as a source gives them, block by block, and the few bytes of each that are kept until all are known."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

TRAIN, TEST, UNKNOWN = 0, 1, 2


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


@dataclass
class Seen:
    """A few bytes of each example, kept until all are known."""

    hashes: "array[int]" = field(default_factory=lambda: array("Q"))
    classes: "array[int]" = field(default_factory=lambda: array("i"))
    parts: bytearray = field(default_factory=bytearray)
    groups: "array[int]" = field(default_factory=lambda: array("Q"))
