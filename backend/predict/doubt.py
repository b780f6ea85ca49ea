"""Doubt of an answer: several digits in one drawing, told by pieces that stand apart and are digits themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.manifest import Manifest
from workbench.pictures import ink

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]

DIGITS = tuple("0123456789")
MOST = 4
"""Digits, at most, that a drawing is read as."""
SURE = 0.5
"""Probability, at least, with which each piece is a digit."""
TALL = 0.6
"""Part of the whole height that each piece has, at least; the strokes of one digit are rarely as tall and apart."""
INK = 40


@dataclass(frozen=True)
class Several:
    """Several digits, read from left to right, each with its probabilities."""

    digits: tuple[int, ...]
    probabilities: tuple[tuple[float, ...], ...]

    @property
    def score(self) -> float:
        """The probability that every piece is the digit that it is read as."""
        return float(np.prod([max(each) for each in self.probabilities]))

    def as_json(self) -> Mapping[str, object]:
        """The doubt and the parts, as they stand in the answer."""
        parts = [
            {"digit": digit, "probabilities": [round(p, 6) for p in each]}
            for digit, each in zip(self.digits, self.probabilities, strict=True)
        ]
        return {"doubt": {"kind": "several", "score": round(self.score, 6)}, "parts": parts}


def find_several(seen: NDArray[np.uint8], manifest: Manifest, predict: Predict) -> Several | None:
    """Read the pieces of a fitted drawing ``(28, 28)`` one by one; ``None`` where it is one digit.

    Only models of the ten digits whose drawings are fitted as MNIST's are asked.
    """
    if manifest.preprocessing != "mnist" or manifest.labels != DIGITS:
        return None
    pieces = _pieces(seen)
    fitted = [ink.fit(piece) for piece in pieces]
    found = [piece for piece in fitted if piece is not None]
    if not 2 <= len(found) <= MOST or len(found) < len(pieces):
        return None
    low, high = manifest.takes.range
    x = np.stack(found).reshape(len(found), *manifest.takes.shape).astype(np.float32)
    scores: NDArray[Any] = predict(x * np.float32((high - low) / 255) + np.float32(low))
    if scores.min() < 0 or scores.max() > 1 or float(scores.max(axis=1).min()) < SURE:
        return None
    return Several(
        tuple(int(k) for k in scores.argmax(axis=1)),
        tuple(tuple(float(p) for p in row) for row in scores),
    )


def _pieces(seen: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Parts of the drawing with an empty column between them, if all are tall enough to be digits."""
    columns = (seen >= INK).any(axis=0)
    inked = np.flatnonzero(columns)
    cuts = [(int(a) + 1, int(b)) for a, b in pairwise(inked) if b - a > 1]
    if not cuts:
        return []
    starts = [0, *(end for _, end in cuts)]
    ends = [*(start for start, _ in cuts), seen.shape[1]]
    pieces = [seen[:, start:end] for start, end in zip(starts, ends, strict=True)]
    heights = [int(np.ptp(np.flatnonzero((piece >= INK).any(axis=1)))) + 1 for piece in pieces]
    return pieces if min(heights) >= TALL * max(heights) else []
