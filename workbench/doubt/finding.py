"""Doubt of an answer: a drawing that is no digit, or several, which are then read one by one."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from workbench.doubt import Detector
from workbench.doubt.apart import Predict, read_apart
from workbench.doubt.values import Doubt
from workbench.pictures import ink

GAP_INK = 40
HARDLY = 0.2
"""Below this score a drawing with a gap is one digit of two strokes, and not cut."""


def find_doubt(
    seen: NDArray[np.uint8],
    read_ink: Callable[[], ink.Ink],
    predict: Predict,
    detector: Detector | None,
) -> Doubt | None:
    """Doubt a fitted drawing ``(28, 28)`` of a model of the ten digits; ``None`` where it is one digit.

    Where there is neither a gap in the drawing nor a doubt of the detector nothing more is looked at. Without a detector
    several digits that stand apart are told, and nothing else.

    Parameters
    ----------
    read_ink
        Gives the drawing as it was sent, where all its pixels are wanted.
    predict
        Asks the model about the parts.
    """
    judged = None if detector is None else detector.judge(seen)
    is_doubted = detector is not None and judged is not None and judged.score > detector.limit
    if not is_doubted and (not _has_gap(seen) or (judged is not None and judged.score < HARDLY)):
        return None
    # Digits far apart are small and thin in the fitted picture, so that it may look like anything else.
    is_one = judged is not None and is_doubted and judged.kind == "no_digit"
    parts = read_apart(read_ink(), predict, detector, cut=not is_one)
    if parts:
        return Doubt("several", float(np.prod([part.probability for part in parts])), parts)
    return Doubt(judged.kind, judged.score) if judged is not None and is_doubted else None


def _has_gap(seen: NDArray[np.uint8]) -> bool:
    """Tell whether an empty column or row parts the drawing."""
    ink_there = seen >= GAP_INK
    for axis in (0, 1):
        inked = np.flatnonzero(ink_there.any(axis=axis))
        if len(inked) and int(inked[-1] - inked[0]) >= len(inked):
            return True
    return False
