"""A recipe tried on one batch, or an export loaded back: what the child does that ``checks`` begins and waits for."""

import contextlib
import json
import math
import statistics
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from workbench import recipes
from workbench.errors import RecipeError
from workbench.models import evaluation, published_evaluation
from workbench.node import data
from workbench.node import model as models
from workbench.system import files

EXAMPLES = 64
"""Of the test part, that the untrained model is asked about."""
STEPS, STEPS_S = 20, 1.0
"""How many steps are timed at most, and for how long."""
TOLERANCE = 1e-3
"""Largest difference of an output, relative to the largest output, from what the training machine had."""


def main(arguments: list[str]) -> int:
    """The child: do what ``task.json`` says and leave ``result.json``."""
    folder = Path(arguments[0])
    task = json.loads((folder / "task.json").read_text())
    try:
        said = {
            "found": _try_recipe(folder, task["workers"]) if task["do"] == "recipe" else _try_version(folder)
        }
    except RecipeError as error:
        said = {
            "error": {
                "message": str(error),
                "field": error.field,
                "line": error.line,
                "traceback": error.traceback,
            }
        }
    files.write_json(folder / "result.json", said)
    return 0


def _try_recipe(folder: Path, workers: int) -> dict[str, Any]:
    recipe = recipes.read(folder / "recipe")
    with _blame(folder, None):
        program = recipes.load(recipe, folder / "recipe")
    with _blame(folder, "preprocessing"):
        parts = program.load_data()
        _check_parts(parts)
        train, test = parts
        batches = data.prepare(train, batch_size=program.batch_size, augment=None, seed=0, workers=workers)
        x_test, y_test = data.arrays(test)
    if program.augment is not None:
        with _blame(folder, "training"):
            _check_augment(program.augment, next(iter(batches.feed()))[0])
            batches = data.prepare(
                train, batch_size=program.batch_size, augment=program.augment, seed=0, workers=workers
            )
    with _blame(folder, "training"):
        model = models.build(program, batches.sample)
        outputs = models.predict(model, x_test[:EXAMPLES])
        if not isinstance(train, tf.data.Dataset):
            _check_labels(train[1], outputs.shape[1:], program.labels)
        step, feed = tf.function(models.Step(model)), iter(batches.feed())
        loss = float(step(next(feed))[0])
        if not math.isfinite(loss):
            raise RecipeError(
                f"the loss is {loss} after one step; are the inputs scaled and the labels right?"
            )
        evaluation.evaluate(lambda _: outputs, (x_test[:EXAMPLES], y_test[:EXAMPLES]), program.labels)
    return {
        "examples": len(train[0]) if isinstance(train, tuple | list) else int(train.cardinality()),
        "test_examples": len(x_test),
        "input_shape": x_test.shape[1:],
        "output_shape": outputs.shape[1:],
        "steps_per_epoch": batches.steps_per_epoch,
        "parameters": int(model.count_params()),
        "largest": max((math.prod(v.shape) for v in model.variables), default=0),
        "epochs": program.epochs,
        "batch_size": program.batch_size,
        "step_s": _time_step(step, feed),
    }


def _time_step(step: Any, feed: Iterator[Any]) -> float:
    """Seconds that one step takes, as the median of a few after the first, which TensorFlow spends on tracing."""
    took: list[float] = []
    while len(took) < STEPS and sum(took) < STEPS_S:
        began = time.perf_counter()
        float(step(next(feed))[0])
        took.append(time.perf_counter() - began)
    return statistics.median(took)


@contextlib.contextmanager
def _blame(folder: Path, field: str | None) -> Iterator[None]:
    """Whatever goes wrong inside becomes a ``RecipeError``, of this field where the code names no other."""
    try:
        yield
    except RecipeError as error:
        raise RecipeError(
            str(error), field=error.field or field, line=error.line, traceback=error.traceback
        ) from error
    except MemoryError as error:
        said = recipes.explain(error, folder / "recipe")
        raise RecipeError(
            f"{said} (the memory that a machine may use is not enough)",
            field=said.field or field,
            line=said.line,
            traceback=said.traceback,
        ) from error
    except (Exception, SystemExit) as error:
        said = recipes.explain(error, folder / "recipe")
        raise RecipeError(
            str(said), field=said.field or field, line=said.line, traceback=said.traceback
        ) from error


def _check_parts(parts: Any) -> None:
    advice = (
        "return arrays (x, y), or a tf.data.Dataset that is made of arrays or files: machines share the data among "
        "each other, which nobody can do with Python code that gives examples one after the other"
    )
    found = parts if isinstance(parts, tuple | list) else (parts,)
    for part in (parts, *found):
        if isinstance(part, types.GeneratorType) or _is_py_dataset(part) or _is_bare_iterator(part):
            raise RecipeError(
                f"load_data() gives a Python generator ({type(part).__name__}); {advice}",
                field="preprocessing",
            )
    if not isinstance(parts, tuple | list) or len(parts) != 2:
        count = f" of {len(parts)}" if isinstance(parts, tuple | list) else ""
        raise RecipeError(
            "load_data() must return (train, test), each (x, y) arrays or an unbatched tf.data.Dataset. "
            f"Received: {type(parts).__name__}{count}",
            field="preprocessing",
        )


def _is_py_dataset(part: Any) -> bool:
    return isinstance(part, keras.utils.PyDataset)


def _is_bare_iterator(part: Any) -> bool:
    return hasattr(part, "__next__")


def _check_augment(augment: Any, x: Any) -> None:
    given = tf.cast(x, tf.float32)
    got = tf.function(augment)(given)
    if tf.convert_to_tensor(got).shape != given.shape:
        raise RecipeError(
            f"augment must give as many pictures of the same shape as it gets, {tuple(given.shape)}. "
            f"Received: {tuple(got.shape)}",
            field="training",
        )


def _check_labels(y: Any, output_shape: tuple[int, ...], labels: tuple[str, ...]) -> None:
    """Whole numbers as truth name outputs of the model, and each output has a label where there are labels."""
    truth = np.asarray(y)
    outputs = output_shape[0] if len(output_shape) == 1 else None
    if labels and outputs is not None and outputs > 1 and len(labels) != outputs:
        raise RecipeError(
            f"LABELS has {len(labels)} texts, the model has {outputs} outputs; give as many", field="training"
        )
    whole = np.issubdtype(truth.dtype, np.integer) and truth.reshape(len(truth), -1).shape[1] == 1
    if whole and outputs is not None and outputs > 1 and (truth.min() < 0 or truth.max() >= outputs):
        raise RecipeError(
            f"y names classes {truth.min()} to {truth.max()}, the model has {outputs} outputs for 0 to {outputs - 1}",
            field="training",
        )


def _try_version(folder: Path) -> dict[str, Any]:
    export = folder / "export"
    try:
        evaluated = published_evaluation.read(export)
        if evaluated is None or not evaluated.count:
            raise ValueError("it was evaluated on no example")
        with np.load(export / "examples.npz") as examples:
            x, y = examples["x"], examples["y"]
        serve = tf.saved_model.load(str(export / "saved_model")).signatures["serving_default"]
        (name, spec), *_ = serve.structured_input_signature[1].items()
        answers = next(iter(serve(**{name: tf.cast(x, spec.dtype)}).values())).numpy()
        difference = float(np.max(np.abs(answers - y)) / max(1e-9, float(np.max(np.abs(y)))))
        if not difference <= TOLERANCE:
            raise ValueError(
                f"loaded back it answers otherwise than when it was trained, by {difference:.2g}"
            )
    except Exception as error:
        raise RecipeError(f"{type(error).__name__}: {error}".splitlines()[0][:500]) from error
    return {}
