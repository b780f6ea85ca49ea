"""Whether a model gives one answer for each example, and what keeps it from that."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from workbench.errors import RecipeError
from workbench.layers import MeanOfViews, Views


def check(layers: Sequence[keras.Layer], x: Any, outputs: Any) -> None:
    """Refuse a model of these layers unless it gave one answer for each example of ``x``.

    Raises
    ------
    RecipeError
    """
    asked = tf.nest.flatten(x)[0].shape[0]
    for answers in filter(tf.is_tensor, tf.nest.flatten(outputs)):
        count = answers.shape[0] if answers.shape.rank else "no"
        if count != asked:
            why = uneven_views(layers) or "the first side of what it gives must be the examples"
            raise RecipeError(
                f"the model gives {count} answers for {asked} examples: {why}", field="training"
            )


def uneven_views(layers: Sequence[keras.Layer]) -> str:
    """What to do where ``Views`` and ``MeanOfViews`` do not fit together; empty where they do, or there are none."""
    shown = math.prod(len(layer.turns) for layer in layers if isinstance(layer, Views))
    together = math.prod(layer.views for layer in layers if isinstance(layer, MeanOfViews))
    if shown == together:
        return ""
    return (
        f"it looks {_times(shown)} at each example (Views) and makes one answer of {together} (MeanOfViews); "
        "give both as many views, or use neither"
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
