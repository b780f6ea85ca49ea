"""A recipe's data as batches: the validation part cut off, shuffled anew each epoch, shared among the machines.

Synchronous workers each take their share of every batch. Asynchronous workers take whole batches: from arrays the
chief tells which, so that an epoch visits each example once however fast or slow a worker is; a ``tf.data.Dataset``
has no places to name, so there each worker draws from a part of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from workbench import arrays as named
from workbench.errors import RecipeError
from workbench.node import parts
from workbench.node.given import structures, weighing
from workbench.node.inference import at_once

VALIDATION_SHARE = 0.1
SHUFFLE_BUFFER = 10_000
"""Examples among which a stream is shuffled ..."""
SHUFFLE_BYTES = 256 * 1024**2
"""... and bytes: 10,000 photos would be more than a machine has. A data set's files are shuffled already."""
TEST_BYTES = 256 * 1024**2
"""Of a stream's test part that a model is measured on; all machines have it in memory while they train."""
HELD_BYTES = 64 * 1024**2
"""Of a stream's validation part that a machine keeps decoded after the first epoch; a larger one is read anew in each."""
TASK_BATCHES = 64
"""Batches that the chief can hand to an asynchronous worker at once."""
_PYTHON_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "GeneratorDataset"}


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


def prepare(
    part: Any,
    *,
    batch_size: int,
    augment: Callable[[Any], Any] | None,
    seed: int,
    replicas: int = 1,
    class_weight: weighing.ClassWeights | None = None,
) -> Batches:
    """Cut a tenth off for validation and batch the rest.

    Parameters
    ----------
    part
        The training part: ``(x, y)`` arrays, or dicts or tuples of them, or an unbatched ``tf.data.Dataset`` of
        ``(x, y)`` whose cardinality is known; with a weight for each example as a third where the loss is to be weighed.
    augment
        Float32 batch of ``x`` → the same shape, or a dict or tuple of inputs as they are → the same; for batches of the
        training part only.
    replicas
        How many share each batch; ``batch_size`` is rounded down to a multiple of it.
    class_weight
        What each example of a class weighs in the loss, 1 where none is told; times its own weight.

    Raises
    ------
    RecipeError
        The part is neither, is empty, ``x`` and ``y`` differ in length, a value is no number, or Python code would
        have to run for each example.
    """
    if isinstance(part, tf.data.Dataset):
        parts.check_dataset(part, "training")
        if class_weight:
            part = part.map(weighing.by_class(class_weight, part.element_spec[1]))
        if len(part.element_spec) == 3:
            part = part.map(lambda x, y, w: (x, y, structures.fill(w, y, 1.0)))
        return _Stream(part, batch_size, augment, seed, replicas)
    given = parts.as_structures(part, "training")
    if class_weight:
        given = weighing.weigh_arrays(class_weight, given)
    return _Arrays(given, batch_size, augment, seed, replicas)


def arrays(part: Any, name: str = "test", say: Callable[[str], None] = lambda line: None) -> tuple[Any, Any]:
    """A part as arrays ``(x, y)``: itself, or what its ``tf.data.Dataset`` gives, without the weights of examples.

    Of a stream that is larger than ``TEST_BYTES`` it is every so-and-so-many-th example, which ``say`` is told.

    Several inputs or outputs come by name, those of a tuple by their places, ``1``, ``2``, ….

    Raises
    ------
    RecipeError
        As ``prepare``, or an element is not one ``x`` and one ``y``.
    """
    if not isinstance(part, tf.data.Dataset):
        x, y, *_ = parts.as_structures(part, name)
    else:
        parts.check_dataset(part, name)
        count, size = _count(part), _bytes_of(next(iter(part.batch(1).take(1))))
        every = -(-count * size // TEST_BYTES)
        if every > 1:
            part = part.shard(every, 0)
            say(
                f"the {name} part has {count:,} examples of some {size:,} bytes: one in {every} of them is taken, "
                f"{-(-count // every):,} examples"
            )
        batches = list(part.batch(at_once(size)).as_numpy_iterator())
        x, y, *_ = (parts.join(list(column)) for column in zip(*batches, strict=True))
        parts.check_values(x, y, name)
    x, y = (named.by_name(one) if structures.is_several(one) else one for one in (x, y))
    return x, y


class _Arrays:
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
        self.batch_size = _fit_batch(batch_size, len(rest), replicas)
        self.steps_per_epoch = len(rest) // self.batch_size
        self.sample = tf.nest.map_structure(lambda array: array[:1], self._part[:2])
        self._validated = max(self.batch_size, at_once(_bytes_of(self.sample)))
        self._shuffled: tuple[int, tf.Tensor] = (-1, tf.zeros((0, 0), tf.int64))

    def feed(self, first: int = 0, share: WorkerShare = EVERYTHING) -> tf.data.Dataset:
        _draw_apart(self._seed, first, share)
        epochs = tf.data.Dataset.counter(first // self.steps_per_epoch)
        places = epochs.flat_map(
            lambda epoch: tf.data.Dataset.from_tensor_slices(self._epoch(epoch)[:, share.index :: share.of])
        )
        batches = places.skip(first % self.steps_per_epoch).map(lambda i: self._gather(self._part, i))
        return _augmented(batches, self._augment).prefetch(4)

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
        return (x if self._augment is None else self._augment(_as_floats(x))), *others

    @staticmethod
    def _gather(part: tuple[Any, ...], places: tf.Tensor) -> Any:
        return tf.nest.map_structure(lambda array: tf.gather(array, places), part)


class _Stream:
    def __init__(
        self,
        part: tf.data.Dataset,
        batch_size: int,
        augment: Callable[[Any], Any] | None,
        seed: int,
        replicas: int,
    ) -> None:
        count = self.count = _count(part)
        self._graph, self._spec = _graph(part), part.element_spec
        held = int(count * VALIDATION_SHARE)
        self._held, self._train = part.take(held) if held else None, part.skip(held)
        self._skipped = held
        self._augment, self._seed = augment, seed
        self.batch_size = _fit_batch(batch_size, count - held, replicas)
        self.steps_per_epoch = (count - held) // self.batch_size
        x, y, *_ = next(iter(self._train.batch(1).take(1)))
        self.sample = (x, y)
        size = _bytes_of(self.sample)
        self._shuffled = max(1, min(SHUFFLE_BUFFER, SHUFFLE_BYTES // size))
        self._validated = max(self.batch_size, at_once(size))
        self._held_bytes = held * size

    def feed(self, first: int = 0, share: WorkerShare = EVERYTHING) -> tf.data.Dataset:
        _draw_apart(self._seed, first, share)
        return self._batches(self._train, self.batch_size // share.of, share.index, share.of, first).prefetch(
            4
        )

    def validation(self, share: WorkerShare = EVERYTHING) -> tf.data.Dataset | None:
        if self._held is None:
            return None
        batches = self._held.shard(share.of, share.index).batch(self._validated)
        return batches.cache() if self._held_bytes // share.of <= HELD_BYTES else batches

    def examples(self, count: int) -> tuple[np.ndarray, np.ndarray] | None:
        found = next(iter(self._train.take(count).batch(count)))
        if not isinstance(found, tuple) or not all(map(tf.is_tensor, found[:2])):
            return None
        return found[0].numpy(), found[1].numpy()

    def source(self, workers: int) -> tf.data.Dataset:
        # A data set made here exists here; its graph can be made a data set anywhere.
        variant = tf.raw_ops.DatasetFromGraph(graph_def=self._graph)
        whole = tf.data.experimental.from_variant(variant, self._spec)
        index = tf.distribute.coordinator.experimental_get_current_worker_index()
        return self._batches(whole.skip(self._skipped), self.batch_size, index, workers, 0).prefetch(4)

    def places(self, first: int) -> tf.Tensor:
        return tf.zeros((), tf.int64)

    def task(self, source: Any, places: tf.Tensor) -> Callable[[tf.Tensor], Any]:
        return lambda number: next(source)

    def _batches(
        self, train: tf.data.Dataset, batch_size: int, index: Any, of: int, first: int
    ) -> tf.data.Dataset:
        mine = train.shard(of, index) if of > 1 else train
        shuffled = mine.shuffle(self._shuffled, seed=self._seed + first, reshuffle_each_iteration=True)
        return _augmented(shuffled.repeat().batch(batch_size, drop_remainder=True), self._augment)


def _bytes_of(example: Any) -> int:
    """Bytes of a batch of one example, at least 1; those of text are counted, not those that NumPy would pad it to."""
    found = [tf.constant(one) for one in tf.nest.flatten(example)]
    sizes = (
        int(tf.reduce_sum(tf.strings.length(one))) if one.dtype == tf.string else one.numpy().nbytes
        for one in found
    )
    return max(1, sum(sizes))


def _draw_apart(seed: int, first: int, share: WorkerShare) -> None:
    """Let ``augment`` not do the same to the examples of two workers, or to an epoch and the one after a restart."""
    if first or share.index:
        tf.random.set_seed(seed + 1_000_003 * first + share.index)


def _augmented(batches: tf.data.Dataset, augment: Callable[[Any], Any] | None) -> tf.data.Dataset:
    if augment is None:
        return batches
    return batches.map(
        lambda x, *others: (augment(_as_floats(x)), *others), num_parallel_calls=tf.data.AUTOTUNE
    )


def _as_floats(x: Any) -> Any:
    """What ``augment`` gets: numbers as float32 where they are one input; several as they are."""
    return tf.cast(x, tf.float32) if tf.is_tensor(x) else x


def _fit_batch(batch_size: int, count: int, replicas: int) -> int:
    if count < replicas:
        raise RecipeError(
            f"{count} examples to train on are too few for {replicas} workers", field="preprocessing"
        )
    return max(1, min(batch_size, count) // replicas) * replicas


def _count(part: tf.data.Dataset) -> int:
    count = int(part.cardinality())
    if count < 1:
        raise RecipeError(
            "the tf.data.Dataset must know how many examples it has, at least 1; call "
            f".apply(tf.data.experimental.assert_cardinality(n)) or return arrays. Its cardinality is {count}",
            field="preprocessing",
        )
    return count


def _graph(part: tf.data.Dataset) -> tf.Tensor:
    """The pipeline as a graph, once it is sure that it runs anywhere and always in one order."""
    try:
        graph = tf.raw_ops.DatasetToGraphV2(
            input_dataset=tf.data.experimental.to_variant(part),
            external_state_policy=1,
            strip_device_assignment=True,
        )
        parsed = graph_pb2.GraphDef.FromString(graph.numpy())
    except Exception as error:
        raise RecipeError(
            "the tf.data.Dataset cannot be sent to other machines; return arrays, or read files in the pipeline. "
            f"TensorFlow says: {error}",
            field="preprocessing",
        ) from error
    nodes = [*parsed.node, *(node for function in parsed.library.function for node in function.node_def)]
    if found := sorted(_PYTHON_OPS & {node.op for node in nodes}):
        raise RecipeError(
            "the tf.data.Dataset runs Python code for each example (from_generator, py_function or numpy_function), "
            "which no other machine can do; return arrays, or build it of TensorFlow's own operations such as "
            f"from_tensor_slices, TFRecordDataset, tf.io. Found: {', '.join(found)}",
            field="preprocessing",
        )
    if any(
        "reshuffle_each_iteration" in node.attr and node.attr["reshuffle_each_iteration"].b for node in nodes
    ):
        raise RecipeError(
            "the tf.data.Dataset is shuffled anew each time, so no part of it can be held back for validation; "
            "leave shuffle() out (the workbench shuffles), or give it reshuffle_each_iteration=False",
            field="preprocessing",
        )
    return graph
