"""Batches of a ``tf.data.Dataset``, and what a pipeline must be for other machines to draw from it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from workbench.errors import RecipeError
from workbench.node.data.batches import (
    EVERYTHING,
    VALIDATION_SHARE,
    WorkerShare,
    augmented,
    bytes_of,
    draw_apart,
    fit_batch,
)
from workbench.node.inference import at_once

SHUFFLE_BUFFER = 10_000
"""Examples among which a stream is shuffled ..."""
SHUFFLE_BYTES = 256 * 1024**2
"""... and bytes: 10,000 photos would be more than a machine has. A data set's files are shuffled already."""
HELD_BYTES = 64 * 1024**2
"""Of a stream's validation part that a machine keeps decoded after the first epoch; a larger one is read anew in each."""
_PYTHON_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "GeneratorDataset"}


class DatasetBatches:
    def __init__(
        self,
        part: tf.data.Dataset,
        batch_size: int,
        augment: Callable[[Any], Any] | None,
        seed: int,
        replicas: int,
    ) -> None:
        count = self.count = count_of(part)
        self._graph, self._spec = _graph(part), part.element_spec
        held = int(count * VALIDATION_SHARE)
        self._held, self._train = part.take(held) if held else None, part.skip(held)
        self._skipped = held
        self._augment, self._seed = augment, seed
        self.batch_size = fit_batch(batch_size, count - held, replicas)
        self.steps_per_epoch = (count - held) // self.batch_size
        x, y, *_ = next(iter(self._train.batch(1).take(1)))
        self.sample = (x, y)
        size = bytes_of(self.sample)
        self._shuffled = max(1, min(SHUFFLE_BUFFER, SHUFFLE_BYTES // size))
        self._validated = max(self.batch_size, at_once(size))
        self._held_bytes = held * size

    def feed(self, first: int = 0, share: WorkerShare = EVERYTHING) -> tf.data.Dataset:
        draw_apart(self._seed, first, share)
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
        return augmented(shuffled.repeat().batch(batch_size, drop_remainder=True), self._augment)


def count_of(part: tf.data.Dataset) -> int:
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
