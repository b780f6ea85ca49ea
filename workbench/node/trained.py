"""What a training tells while it goes on, and what it gives at its end."""

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from workbench.events import Progress
from workbench.node.companions import film as films
from workbench.node.given.signature import PLAIN, Signature
from workbench.node.model import predict, says_logits


@dataclass(frozen=True, kw_only=True)
class TrainingProgress(Progress):
    """The progress of a training in this process, with what only this process knows.

    Attributes
    ----------
    epochs
        How many there are.
    loss
        Not a number where no batch was measured since the report before.
    val_loss, val_accuracy
        Set in the last report of an epoch only.
    seconds
        Spent since the first batch.
    film
        The model as it was after the first steps; ``None`` where there is no such film.
    """

    loss: float = field()
    images_per_s: float = field()
    epochs: int
    seconds: float
    film: films.Film | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Trained:
    """A trained model and how it came about."""

    model: keras.Model
    history: list[TrainingProgress]
    seconds: float
    """Of training alone: data, building and tracing are not in it."""
    stopped: bool
    """Ended early because it was asked to."""
    steps: int = 0
    best_epoch: int | None = None
    """The epoch whose weights these are, where the recipe's ``PATIENCE`` chose them; else they are the last."""
    examples: tuple[np.ndarray, np.ndarray] | None = None
    """Some of what it was trained on, ``(x, y)``, as the recipe gave them."""
    film: films.Film | None = None
    signature: Signature = PLAIN

    @property
    def says_logits(self) -> frozenset[str]:
        """Names of the outputs that the model's loss takes for logits."""
        return says_logits(self.model, self.signature)

    def predict(self, x: Any) -> Any:
        """The model's outputs in inference mode, float32 ``(n, …)``; several inputs and outputs by name."""
        return predict(self.model, x, self.signature)
