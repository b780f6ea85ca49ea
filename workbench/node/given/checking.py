"""Checks of what a recipe gives, before any machine is begun: its parts, its augmentation, its labels and outputs."""

import types
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from workbench.errors import RecipeError
from workbench.recipes import Program


def check_parts(loaded: Any) -> None:
    """Refuse what ``load_data()`` gives unless it is two parts that machines can share among each other.

    Raises
    ------
    RecipeError
    """
    advice = (
        "return arrays (x, y), or a tf.data.Dataset that is made of arrays or files: machines share the data among "
        "each other, which nobody can do with Python code that gives examples one after the other"
    )
    found = loaded if isinstance(loaded, tuple | list) else (loaded,)
    for part in (loaded, *found):
        if isinstance(part, types.GeneratorType) or _is_py_dataset(part) or _is_bare_iterator(part):
            raise RecipeError(
                f"load_data() gives a Python generator ({type(part).__name__}); {advice}",
                field="preprocessing",
            )
    if not isinstance(loaded, tuple | list) or len(loaded) != 2:
        count = f" of {len(loaded)}" if isinstance(loaded, tuple | list) else ""
        raise RecipeError(
            "load_data() must return (train, test), each (x, y) arrays or an unbatched tf.data.Dataset. "
            f"Received: {type(loaded).__name__}{count}",
            field="preprocessing",
        )


def _is_py_dataset(part: Any) -> bool:
    return isinstance(part, keras.utils.PyDataset)


def _is_bare_iterator(part: Any) -> bool:
    return hasattr(part, "__next__")


def check_augment(augment: Any, x: Any) -> None:
    """Refuse an ``augment`` that gives other shapes than it gets.

    Raises
    ------
    RecipeError
    """
    given = tf.cast(x, tf.float32) if tf.is_tensor(x) else x
    got = tf.function(augment)(given)
    wanted, shapes = (tf.nest.map_structure(lambda t: tuple(t.shape), one) for one in (given, got))
    if wanted != shapes:
        raise RecipeError(
            f"augment must give as many pictures of the same shape as it gets, {wanted}. Received: {shapes}",
            field="training",
        )


def _check_labels(y: np.ndarray, output_shape: tuple[int, ...], labels: tuple[str, ...], part: str) -> None:
    """Whole numbers as truth name outputs of the model, and each output has a label where there are labels."""
    truth = np.asarray(y)
    outputs = output_shape[0] if len(output_shape) == 1 else None
    if labels and outputs is not None and outputs > 1 and len(labels) != outputs:
        raise RecipeError(
            f"LABELS has {len(labels)} texts, the model has {outputs} outputs; give as many", field="training"
        )
    if labels and outputs == 1 and len(labels) != 2 and truth.dtype.kind in "iub":
        raise RecipeError(
            f"LABELS has {len(labels)} texts, and the model's one output tells two classes apart; give 2, that of 0 first",
            field="training",
        )
    flat = truth.reshape(len(truth), -1)
    if not np.issubdtype(truth.dtype, np.integer) or flat.shape[1] != 1 or outputs is None:
        return
    least, most, classes = int(truth.min()), int(truth.max()), max(outputs, 2)
    if least >= 0 and most < classes:
        return
    first = int(np.flatnonzero((flat[:, 0] < 0) | (flat[:, 0] >= classes))[0])
    where = f"y of the {part} part names classes {least} to {most}"
    example = f"(example {first} is {int(flat[first, 0])})"
    if outputs == 1:
        raise RecipeError(
            f"{where}, the model has one output, which tells 0 and 1 apart {example}; give it an output for each class, or, "
            "where y is a quantity, give y.astype('float32')",
            field="training",
        )
    raise RecipeError(
        f"{where}, the model has {outputs} outputs for 0 to {outputs - 1} {example}; number the classes from 0, or give the "
        "model as many outputs as there are classes",
        field="training",
    )


def check_outputs(truth: Any, outputs: Any, program: Program, part: str) -> None:
    """Check the truth and the labels of each output; labels without a name are those of the first one that tells classes."""
    labels = program.output_labels
    if strange := sorted(set(labels) - set(outputs if isinstance(outputs, Mapping) else ())):
        there = ", ".join(outputs) if isinstance(outputs, Mapping) else "one output, whose LABELS are a list"
        raise RecipeError(f"LABELS names {', '.join(strange)}; the model has {there}", field="training")
    if not isinstance(outputs, Mapping):
        _check_labels(truth, outputs.shape[1:], program.labels, part)
        return
    for name, one in outputs.items():
        if name in truth:
            try:
                _check_labels(truth[name], one.shape[1:], labels.get(name, ()), part)
            except RecipeError as error:
                raise RecipeError(f"output {name}: {error}", field=error.field) from error
