"""Steps as every strategy does and reports them."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from workbench.errors import RecipeError
from workbench.node import model as models

REPORT_EVERY_S = 0.25


@dataclass(frozen=True)
class Advance:
    """The steps done since the last call.

    Attributes
    ----------
    done
        Steps in all.
    loss, accuracy
        Mean over the batches since the last call, ``None`` where the model reports none.
    asked
        Whether any of the machines asked, for each of the questions.
    """

    done: int
    loss: float | None
    accuracy: float | None
    asked: tuple[bool, ...]


def mean_advance(done: int, means: np.ndarray, names: frozenset[str], asked: Sequence[bool]) -> Advance:
    """Name the means of what the steps reported."""
    values = {
        name: float(mean) for name, mean in zip(("loss", "accuracy"), means, strict=True) if name in names
    }
    return Advance(done, values.get("loss"), values.get("accuracy"), tuple(bool(a) for a in asked))


def check_optimizers(model: keras.Model) -> None:
    """Refuse an optimizer that cannot work across machines."""
    if any(optimizer.gradient_accumulation_steps for optimizer in models.optimizers(model)):
        raise RecipeError(
            "Keras cannot accumulate gradients across machines; leave gradient_accumulation_steps out and make "
            "BATCH_SIZE as many times larger",
            field="training",
        )
