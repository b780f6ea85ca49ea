"""The answer of a model to a drawing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.doubt.values import Doubt

COUNTS = {2: "Two", 3: "Three", 4: "Four", 5: "Five", 6: "Six"}


def doubted(doubt: Doubt) -> str:
    """The words of the drawing page's ``doubt.js``, for what is not drawn by a widget."""
    if doubt.kind == "no_digit":
        return "I don't see a digit"
    digits = [str(part.digit) for part in doubt.parts]
    if len(digits) not in COUNTS:
        return "Several digits?"
    return f"{COUNTS[len(digits)]} digits? {', '.join(digits[:-1])} and {digits[-1]}"


@dataclass(frozen=True)
class Answer:
    """The probabilities that a model gave, and the picture that it saw."""

    probabilities: Sequence[float]
    seen: np.ndarray | None = None
    """uint8 ``(h, w)``, the picture that the model was given: 0 = paper, 255 = ink."""
    doubt: Doubt | None = None
    """What speaks against taking it as one digit, if anything does."""
