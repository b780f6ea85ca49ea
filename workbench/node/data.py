"""A recipe's data as batches: the validation part cut off, shuffled anew each epoch, augmented on the way in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from workbench.errors import RecipeError

VALIDATION_SHARE = 0.1
SHUFFLE_BUFFER = 10_000


@dataclass(frozen=True)
class Batches:
    """What the training loop draws from.

    Attributes
    ----------
    train
        Endless ``(x, y)`` batches of exactly ``batch_size`` examples, float or integer as the recipe gave them
        (float32 once augmented).
    validation
        Finite ``(x, y)`` batches, or ``None`` where there is too little data to cut from.
    steps_per_epoch
        Full batches in the training part.
    sample
        One ``x`` batch, to build the model with.
    """

    train: tf.data.Dataset
    validation: tf.data.Dataset | None
    steps_per_epoch: int
    batch_size: int
    sample: tf.Tensor


def prepare(part: Any, *, batch_size: int, augment: Callable[[Any], Any] | None, seed: int) -> Batches:
    """Cut a tenth off for validation and batch the rest.

    Parameters
    ----------
    part
        The training part: ``(x, y)`` arrays, or an unbatched ``tf.data.Dataset`` of ``(x, y)`` whose cardinality
        is known.

    Raises
    ------
    RecipeError
        The part is neither, is empty, or ``x`` and ``y`` differ in length.
    """
    if isinstance(part, tf.data.Dataset):
        train, validation, count, batch_size = _from_dataset(part, batch_size, seed)
    else:
        train, validation, count, batch_size = _from_arrays(part, batch_size, seed)
    sample, _ = next(iter(train.take(1)))
    if augment is not None:
        train = train.map(
            lambda x, y: (augment(tf.cast(x, tf.float32)), y), num_parallel_calls=tf.data.AUTOTUNE
        )
    return Batches(train.prefetch(4), validation, count // batch_size, batch_size, sample)


def _from_arrays(
    part: Any, batch_size: int, seed: int
) -> tuple[tf.data.Dataset, tf.data.Dataset | None, int, int]:
    x, y = _arrays(part)
    order = np.random.default_rng(seed).permutation(len(x))
    held = int(len(x) * VALIDATION_SHARE)
    validation = None
    if held:
        chosen = np.sort(order[:held])
        validation = tf.data.Dataset.from_tensor_slices((x[chosen], y[chosen])).batch(1024)
    train = tf.constant(np.sort(order[held:]))
    count = int(train.shape[0])
    batch_size = min(batch_size, count)
    steps = count // batch_size
    xs, ys = tf.constant(x), tf.constant(y)

    # Batches of positions, then one gather: shuffling 54,000 examples one by one costs seconds an epoch.
    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        shuffled = tf.random.experimental.stateless_shuffle(
            train, seed=tf.stack([tf.cast(seed, tf.int64), number])
        )
        return tf.data.Dataset.from_tensor_slices(
            tf.reshape(shuffled[: steps * batch_size], (steps, batch_size))
        )

    batches = tf.data.Dataset.counter().flat_map(epoch)
    return batches.map(lambda i: (tf.gather(xs, i), tf.gather(ys, i))), validation, count, batch_size


def _arrays(part: Any) -> tuple[np.ndarray, np.ndarray]:
    if not (isinstance(part, tuple | list) and len(part) == 2):
        raise RecipeError(
            "load_data() must return (train, test), each (x, y) arrays or an unbatched tf.data.Dataset. "
            f"Received a part of type {type(part).__name__}",
            field="preprocessing",
        )
    x, y = (np.asarray(array) for array in part)
    if len(x) != len(y) or len(x) == 0:
        raise RecipeError(
            f"x and y must be of one length, at least 1. Received: {len(x)} and {len(y)}",
            field="preprocessing",
        )
    return x, y


def _from_dataset(
    part: tf.data.Dataset, batch_size: int, seed: int
) -> tuple[tf.data.Dataset, tf.data.Dataset | None, int, int]:
    count = int(part.cardinality())
    if count < 1:
        raise RecipeError(
            "the tf.data.Dataset must know how many examples it has, at least 1; call "
            f".apply(tf.data.experimental.assert_cardinality(n)) or return arrays. Its cardinality is {count}",
            field="preprocessing",
        )
    held = int(count * VALIDATION_SHARE)
    validation = part.take(held).batch(1024) if held else None
    count -= held
    batch_size = min(batch_size, count)
    train = part.skip(held).shuffle(min(count, SHUFFLE_BUFFER), seed=seed, reshuffle_each_iteration=True)
    return train.repeat().batch(batch_size, drop_remainder=True), validation, count, batch_size
