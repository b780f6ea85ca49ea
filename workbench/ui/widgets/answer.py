"""The answer of a model to a drawing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Doubt = Literal["no_digit", "several"]
DOUBTS: dict[Doubt, str] = {"no_digit": "I don't see a digit", "several": "Several digits?"}
"""The words of the drawing page's ``doubt.js``, for what is not drawn by a widget."""


@dataclass(frozen=True)
class Answer:
    """The probabilities that a model gave, and the picture that it saw."""

    probabilities: Sequence[float]
    seen: np.ndarray | None = None
    """uint8 ``(h, w)``, the picture that the model was given: 0 = paper, 255 = ink."""
    doubt: Doubt | None = None
    """What speaks against taking it as one digit, if anything does."""
