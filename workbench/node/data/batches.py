"""What a training draws from, and what batches of arrays and of a ``tf.data.Dataset`` have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from workbench.errors import RecipeError

VALIDATION_SHARE = 0.1
TASK_BATCHES = 64
"""Batches that the chief can hand to an asynchronous worker at once."""


@dataclass(frozen=True)
class WorkerShare:
    """What of something is this machine's: every ``of``-th from ``index`` on."""

    index: int = 0
    of: int = 1


EVERYTHING = WorkerShare()


class Batches(Protocol):
    """What the training draws from.

    Attributes
    ----------
    batch_size
        Examples a step, those of all synchronous workers together.
    steps_per_epoch
        Full batches in the training part.
    sample
        One ``(x, y)`` batch of a single example, to build the model with.
    count
        Examples, with those that are held back for validation.
    """

    batch_size: int
    count: int
    steps_per_epoch: int
    sample: tuple[Any, Any]

    def feed(self, first: int = 0, share: WorkerShare = EVERYTHING) -> tf.data.Dataset:
        """Endless batches from step ``first`` on; of each, this machine's share."""

    def validation(self, share: WorkerShare = EVERYTHING) -> tf.data.Dataset | None:
        """Finite batches of this machine's share, or ``None`` where there is too little data to cut from."""

    def examples(self, count: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Give some of the training part as it is, ``(x, y)``; ``None`` where it is not one ``x`` and one ``y``."""

    def source(self, workers: int) -> tf.data.Dataset:
        """What an asynchronous worker keeps and ``task`` draws from; traced for the worker."""

    def places(self, first: int) -> tf.Tensor:
        """What a worker must be told of the ``TASK_BATCHES`` batches from step ``first`` on."""

    def task(self, source: Any, places: tf.Tensor) -> Callable[[tf.Tensor], Any]:
        """Gives the task's batch of a number from 0 on, once each and in order; traced for the worker."""


def bytes_of(example: Any) -> int:
    """Bytes of a batch of one example, at least 1; those of text are counted, not those that NumPy would pad it to."""
    found = [tf.constant(one) for one in tf.nest.flatten(example)]
    sizes = (
        int(tf.reduce_sum(tf.strings.length(one))) if one.dtype == tf.string else one.numpy().nbytes
        for one in found
    )
    return max(1, sum(sizes))


def draw_apart(seed: int, first: int, share: WorkerShare) -> None:
    """Let ``augment`` not do the same to the examples of two workers, or to an epoch and the one after a restart."""
    if first or share.index:
        tf.random.set_seed(seed + 1_000_003 * first + share.index)


def augmented(batches: tf.data.Dataset, augment: Callable[[Any], Any] | None) -> tf.data.Dataset:
    if augment is None:
        return batches
    return batches.map(
        lambda x, *others: (augment(as_floats(x)), *others), num_parallel_calls=tf.data.AUTOTUNE
    )


def as_floats(x: Any) -> Any:
    """What ``augment`` gets: numbers as float32 where they are one input; several as they are."""
    return tf.cast(x, tf.float32) if tf.is_tensor(x) else x


def fit_batch(batch_size: int, count: int, replicas: int) -> int:
    if count < replicas:
        raise RecipeError(
            f"{count} examples to train on are too few for {replicas} workers", field="preprocessing"
        )
    return max(1, min(batch_size, count) // replicas) * replicas
