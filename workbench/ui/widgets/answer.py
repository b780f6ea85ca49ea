"""The answer of a model to a drawing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Answer:
    """The probabilities that a model gave, and the picture that it saw."""

    probabilities: Sequence[float]
    seen: np.ndarray | None = None
    """uint8 ``(h, w)``, the picture that the model was given: 0 = paper, 255 = ink."""
