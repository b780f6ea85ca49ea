"""What a model made of a drawing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Answer:
    """What a model made of a drawing."""

    probabilities: Sequence[float]
    seen: np.ndarray | None = None
    """uint8 ``(h, w)``, the picture that the model was given: 0 = paper, 255 = ink."""
