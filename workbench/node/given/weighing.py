"""What each example weighs in the loss, from what its class weighs; of several outputs, in the loss of each."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from workbench.errors import RecipeError
from workbench.node.given import structures

ClassWeight = Mapping[int, float]
ClassWeights = ClassWeight | Mapping[str, ClassWeight]
"""What each class weighs; where there are several outputs, by the name of the output."""


def weigh_arrays(class_weight: ClassWeights, part: tuple[Any, ...]) -> tuple[Any, ...]:
    """The parts ``(x, y)`` or ``(x, y, sample_weight)`` with the classes' weights in the third.

    Raises
    ------
    RecipeError
        ``y`` is neither whole numbers nor one-hot rows, or nobody knows which output is meant.
    """
    x, y, *weights = part
    of = _of_outputs(class_weight, y)
    if of is None:
        return x, y, _weigh(_only(class_weight), y, *weights)
    found = {
        key: _weigh(of.get(str(key), {}), one, *([weights[0][key]] if weights else []))
        for key, one in y.items()
    }
    return x, y, found


def _of_outputs(class_weight: ClassWeights, y: Any) -> Mapping[str, ClassWeight] | None:
    """The weights by output, where ``y`` is a dict of several; ``None`` where it is one."""
    named = all(isinstance(value, Mapping) for value in class_weight.values())
    if not structures.is_several(y):
        if named and len(class_weight) > 1:
            raise RecipeError(
                f"CLASS_WEIGHT is for the outputs {', '.join(map(str, class_weight))}, and y is one; give "
                "{0: 1.0, 1: 5.0}",
                field="training",
            )
        return None
    names = list(map(str, y)) if isinstance(y, Mapping) else []
    if not named or set(map(str, class_weight)) - set(names):
        told = ", ".join(names) if names else "a tuple; make it a dict by output"
        raise RecipeError(
            f"CLASS_WEIGHT must say of which output, such as {{{(names or ['digit'])[0]!r}: {{0: 1.0, 1: 5.0}}}}; y has "
            f"{told}. Received: {str(dict(class_weight))[:80]}",
            field="training",
        )
    return {str(name): one for name, one in class_weight.items() if isinstance(one, Mapping)}


def _only(class_weight: ClassWeights) -> ClassWeight:
    """The weights of an only output, whether it is named or not."""
    found: Any = next(iter(class_weight.values()))
    return found if isinstance(found, Mapping) else class_weight  # type: ignore[return-value]


def _weigh(class_weight: ClassWeight, y: np.ndarray, *weights: np.ndarray) -> np.ndarray:
    if not class_weight:
        return weights[0] if weights else np.ones(len(y), np.float32)
    _check(y.shape[1:], y.dtype.kind in "iub" or bool((y == np.round(y)).all()))
    classes = y.argmax(1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1).astype(np.int64)
    found = np.ones(len(y), np.float32)
    for number, weight in class_weight.items():
        found[classes == number] = weight
    return found * weights[0] if weights else found


def by_class(class_weight: ClassWeights, y: Any) -> Callable[..., tuple[Any, ...]]:
    """What does so with each element of a ``tf.data.Dataset`` whose truth is like this; raises as :func:`weigh_arrays`."""
    of = _of_outputs(class_weight, y)
    if of is None:
        only = _by_class(_only(class_weight), y)
        return lambda x, y, *given: (x, y, only(y, *given))
    makers = {key: _by_class(of.get(str(key), {}), one) for key, one in y.items()}

    def weigh(x: Any, y: Any, *given: Any) -> tuple[Any, ...]:
        filled = structures.fill(given[0], y, 1.0) if given else None
        return x, y, {key: make(y[key], *([filled[key]] if filled else [])) for key, make in makers.items()}

    return weigh


def _by_class(class_weight: ClassWeight, y: tf.TensorSpec) -> Callable[..., tf.Tensor]:
    if not class_weight:
        return lambda y, *given: tf.cast(given[0], tf.float32) if given else tf.constant(1.0)
    sides = tuple(y.shape) if y.shape.rank is not None else ()
    _check(sides, y.dtype.is_integer or y.dtype.is_bool)
    numbers = tf.constant(list(class_weight), tf.int64)
    weights = tf.constant(list(class_weight.values()), tf.float32)

    def weigh(y: Any, *given: Any) -> tf.Tensor:
        number = tf.argmax(y) if len(sides) == 1 and sides[0] != 1 else tf.cast(tf.reshape(y, ()), tf.int64)
        same = numbers == number
        found = tf.where(tf.reduce_any(same), tf.reduce_sum(tf.where(same, weights, 0.0)), 1.0)
        return found * tf.cast(given[0], tf.float32) if given else found

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
