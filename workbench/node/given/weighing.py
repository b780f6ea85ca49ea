"""What each example weighs in the loss, from what its class weighs."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from workbench.errors import RecipeError


def weigh_arrays(class_weight: Mapping[int, float], part: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """The arrays ``(x, y)`` or ``(x, y, sample_weight)`` with the classes' weights in the third.

    Raises
    ------
    RecipeError
        ``y`` is neither whole numbers nor one-hot rows.
    """
    x, y, *weights = part
    _check(y.shape[1:], y.dtype.kind in "iub" or bool((y == np.round(y)).all()))
    classes = y.argmax(1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1).astype(np.int64)
    found = np.ones(len(y), np.float32)
    for number, weight in class_weight.items():
        found[classes == number] = weight
    return x, y, found * weights[0] if weights else found


def by_class(class_weight: Mapping[int, float], y: tf.TensorSpec) -> Callable[..., tuple[Any, ...]]:
    """What does so with each element of a ``tf.data.Dataset`` whose truth is like this; raises as :func:`weigh_arrays`."""
    sides = tuple(y.shape) if y.shape.rank is not None else ()
    _check(sides, y.dtype.is_integer or y.dtype.is_bool)
    numbers = tf.constant(list(class_weight), tf.int64)
    weights = tf.constant(list(class_weight.values()), tf.float32)

    def weigh(x: Any, y: Any, *given: Any) -> tuple[Any, ...]:
        number = tf.argmax(y) if len(sides) == 1 and sides[0] != 1 else tf.cast(tf.reshape(y, ()), tf.int64)
        same = numbers == number
        found = tf.where(tf.reduce_any(same), tf.reduce_sum(tf.where(same, weights, 0.0)), 1.0)
        return x, y, found * tf.cast(given[0], tf.float32) if given else found

    return weigh


def _check(sides: tuple[int | None, ...], whole: bool) -> None:
    one = sides in ((), (1,))
    if (one and whole) or (len(sides) == 1 and not one):
        return
    kind = "whole numbers" if whole else "fractions"
    raise RecipeError(
        f"CLASS_WEIGHT is for classes; y has {kind} of shape {sides} for each example. Give each example a weight, "
        "load_data() may return (x, y, sample_weight), or leave CLASS_WEIGHT out",
        field="training",
    )
