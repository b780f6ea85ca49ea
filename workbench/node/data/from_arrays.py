"""Batches of arrays: places are shuffled and shared, and the examples there gathered."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from workbench.node.data.batches import (
    EVERYTHING,
    TASK_BATCHES,
    VALIDATION_SHARE,
    WorkerShare,
    as_floats,
    augmented,
    bytes_of,
    draw_apart,
    fit_batch,
)
from workbench.node.inference import at_once


class ArrayBatches:
    """Batches of places first, then one gather: shuffling 54,000 examples one by one costs seconds an epoch."""

    def __init__(
        self,
        given: tuple[Any, ...],
        batch_size: int,
        augment: Callable[[Any], Any] | None,
        seed: int,
        replicas: int,
    ) -> None:
        count = self.count = len(tf.nest.flatten(given)[0])
        order = np.random.default_rng(seed).permutation(count)
        held = int(count * VALIDATION_SHARE)
        chosen, rest = np.sort(order[:held]), np.sort(order[held:])
        self._held = tf.nest.map_structure(lambda array: array[chosen], given)
        self._part = tf.nest.map_structure(lambda array: tf.constant(array[rest]), given)
        self._has_held = held > 0
        self._augment, self._seed = augment, seed
        self.batch_size = fit_batch(batch_size, len(rest), replicas)
        self.steps_per_epoch = len(rest) // self.batch_size
        self.sample = tf.nest.map_structure(lambda array: array[:1], self._part[:2])
        self._validated = max(self.batch_size, at_once(bytes_of(self.sample)))
        self._shuffled: tuple[int, tf.Tensor] = (-1, tf.zeros((0, 0), tf.int64))

    def feed(self, first: int = 0, share: WorkerShare = EVERYTHING) -> tf.data.Dataset:
        draw_apart(self._seed, first, share)
        epochs = tf.data.Dataset.counter(first // self.steps_per_epoch)
        places = epochs.flat_map(
            lambda epoch: tf.data.Dataset.from_tensor_slices(self._epoch(epoch)[:, share.index :: share.of])
        )
        batches = places.skip(first % self.steps_per_epoch).map(lambda i: self._gather(self._part, i))
        return augmented(batches, self._augment).prefetch(4)

    def validation(self, share: WorkerShare = EVERYTHING) -> tf.data.Dataset | None:
        if not self._has_held:
            return None
        mine = tf.nest.map_structure(lambda array: array[share.index :: share.of], self._held)
        return tf.data.Dataset.from_tensor_slices(mine).batch(self._validated)

    def examples(self, count: int) -> tuple[np.ndarray, np.ndarray] | None:
        if not all(map(tf.is_tensor, self._part[:2])):
            return None
        there = len(self._part[0])
        places = np.linspace(0, there - 1, min(count, there)).astype(np.int64)
        x, y = (tf.gather(array, places).numpy() for array in self._part[:2])
        return x, y

    def source(self, workers: int) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensors(self._part).repeat()

    def places(self, first: int) -> tf.Tensor:
        epoch, step = divmod(first, self.steps_per_epoch)
        if self._shuffled[0] != epoch:
            self._shuffled = (epoch, self._epoch(tf.constant(epoch, tf.int64)))
        found = self._shuffled[1][step : step + TASK_BATCHES]
        return tf.pad(found, [[0, TASK_BATCHES - int(found.shape[0])], [0, 0]])

    def task(self, source: Any, places: tf.Tensor) -> Callable[[tf.Tensor], Any]:
        # No tf.data here: to begin an iterator over what is gathered from 42 MB takes 60 ms, for each task.
        part = next(source)
        return lambda number: self._augment_batch(*self._gather(part, places[number]))

    def _epoch(self, epoch: tf.Tensor) -> tf.Tensor:
        """The places of an epoch, ``(steps_per_epoch, batch_size)``, the same on every machine."""
        places = tf.range(tf.shape(tf.nest.flatten(self._part)[0], tf.int64)[0])
        seed = tf.stack([tf.cast(self._seed, tf.int64), epoch])
        shuffled = tf.random.experimental.stateless_shuffle(places, seed=seed)
        used = shuffled[: self.steps_per_epoch * self.batch_size]
        return tf.reshape(used, (self.steps_per_epoch, self.batch_size))

    def _augment_batch(self, x: Any, *others: Any) -> tuple[Any, ...]:
        return (x if self._augment is None else self._augment(as_floats(x))), *others

    @staticmethod
    def _gather(part: tuple[Any, ...], places: tf.Tensor) -> Any:
        return tf.nest.map_structure(lambda array: tf.gather(array, places), part)
