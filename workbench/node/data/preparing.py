"""The training part as batches, whichever way a recipe gives it."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from workbench.node import parts
from workbench.node.data.batches import Batches
from workbench.node.data.from_arrays import ArrayBatches
from workbench.node.data.from_dataset import DatasetBatches
from workbench.node.given import structures, weighing


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
        return DatasetBatches(part, batch_size, augment, seed, replicas)
    given = parts.as_structures(part, "training")
    if class_weight:
        given = weighing.weigh_arrays(class_weight, given)
    return ArrayBatches(given, batch_size, augment, seed, replicas)
