"""A recipe tried on one batch, or an export loaded back: what the child does that ``checks`` begins and waits for."""

import ast
import contextlib
import json
import math
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from workbench import arrays, datasets, packages, recipes
from workbench.errors import ModelRefused, RecipeError
from workbench.fields import Fields
from workbench.lineage import parse_pins
from workbench.models import evaluation, held_out
from workbench.node import data, export, measuring, parts
from workbench.node import model as models
from workbench.node.given import callbacks, checking, structures
from workbench.node.given.signature import Signature
from workbench.node.trained import Trained
from workbench.recipes import Program
from workbench.settings import from_environment
from workbench.system import files, wire

EXAMPLES = 64
"""Of the test part, that the untrained model is asked about."""
STEPS, STEPS_S = 20, 1.0
"""How many steps are timed at most, and for how long."""
SEED = 0
"""Of random numbers, as every machine of a job has it."""


def main(arguments: list[str]) -> int:
    """The child: do what ``task.json`` says and leave ``result.json``."""
    folder = Path(arguments[0])
    task = json.loads((folder / "task.json").read_text())
    try:
        said: dict[str, object] = {"found": wire.pack(_do(folder, task))}
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


def _do(folder: Path, task: Mapping[str, Any]) -> object:
    job = folder / "job.json"
    pins = json.loads(job.read_text()) if task["do"] != "recipe" and job.exists() else task
    datasets.pin(parse_pins(Fields(pins), "datasets"))
    packages.use(str(pins.get("packages", "")), from_environment().packages)
    if task["do"] == "recipe":
        return _try_recipe(folder, task["workers"])
    if task["do"] == "data":
        return _load_again(folder)
    return _try_version(folder, task["held_out"], task["expected"])


def _try_recipe(folder: Path, workers: int) -> dict[str, object]:
    with _blame(folder, None):
        program = _load(folder)
    with _blame(folder, "preprocessing"):
        loaded = program.load_data()
        checking.check_parts(loaded)
        train, test = loaded
        batches = data.prepare(
            train,
            batch_size=program.batch_size,
            augment=None,
            class_weight=program.class_weight,
            seed=0,
            replicas=workers,
        )
        x_test, y_test = held = data.arrays(test)
        y_train = _look_at(train)
    if program.augment is not None:
        with _blame(folder, "training"):
            checking.check_augment(program.augment, next(iter(batches.feed()))[0])
            batches = data.prepare(
                train,
                batch_size=program.batch_size,
                augment=program.augment,
                class_weight=program.class_weight,
                seed=0,
                replicas=workers,
            )
    with _blame(folder, "training"):
        model = models.build(program, batches.sample)
        signature = models.signature(model, program, batches.sample)
        few = tuple(arrays.cut(part, 0, EXAMPLES) for part in signature.fit(*held))
        outputs = models.predict(model, few[0], signature)
        for truth, part in ((y_train, "training"), (y_test, "test")):
            checking.check_outputs(arrays.fit(truth, signature.outputs), outputs, program, part)
        wanted = callbacks.read(program.callbacks)
        if wanted.rates:
            callbacks.set_rate([model], callbacks.next_rate(wanted, 0, callbacks.rate_of(model), None))
        step, feed = tf.function(models.Step(model, program.output)), iter(batches.feed())
        loss = float(step(next(feed))[0])
        if not math.isfinite(loss):
            raise RecipeError(
                f"the loss is {loss} after one step; are the inputs scaled and the labels right?"
            )
        step_s = _time_step(step, feed)
        _publish_aside(folder, program, model, signature, few)
    return {
        "examples": batches.count,
        "test_examples": arrays.count(x_test),
        "input_shape": arrays.each(few[0])[0].shape[1:],
        "output_shape": arrays.each(outputs)[0].shape[1:],
        "steps_per_epoch": batches.steps_per_epoch,
        "parameters": int(model.count_params()),
        "largest": max((math.prod(v.shape) for v in model.variables), default=0),
        "epochs": program.epochs,
        "batch_size": program.batch_size,
        "step_s": step_s,
        "held_out": held_out.digest(x_test, y_test),
    }


def _look_at(part: Any) -> Any:
    """The truth of the training part, as much of it as can be seen in time; of several outputs by name."""
    found = (
        parts.look_through(part, "training")
        if isinstance(part, tf.data.Dataset)
        else structures.tell_apart(*part[:2])[1]
    )
    if structures.is_several(found):
        return arrays.convert(np.asarray, arrays.by_name(found))
    return np.asarray(found)


def _publish_aside(
    folder: Path, program: Program, model: keras.Model, signature: Signature, test: tuple[Any, ...]
) -> None:
    """Do with the hardly trained model what will be done with the trained one: evaluate, export, load back, ask.

    Raises
    ------
    RecipeError
        With the line that makes what cannot be published.
    """
    trained = Trained(model, [], 0.0, stopped=False, signature=signature)
    export_folder = folder / "export"
    export_folder.mkdir()
    x, y = test
    result = evaluation.evaluate(
        trained.predict,
        (x, y),
        program.output_labels or program.labels,
        says_logits=trained.says_logits,
        first=signature.first,
    )
    try:
        export.write_version(export_folder, trained, program, result, x)
        measuring.load_back(export_folder)
    except (ModelRefused, ValueError) as error:
        field, line = _place_of(folder / "recipe", "Lambda" if "Lambda" in str(error) else "build_model")
        raise RecipeError(
            f"{field}, line {line}: the model trains, but could not be published: {error}",
            field=field,
            line=line,
        ) from error


def _placed(error: RecipeError, field: str | None, recipe: Path) -> RecipeError:
    """The error with a line: its own, or that of the function or the name which it is about."""
    name = recipes.REQUIRED.get(field or "")
    if error.line is not None or name is None:
        return RecipeError(str(error), field=field, line=error.line, traceback=error.traceback)
    place, line = _place_of(recipe, "LABELS" if str(error).startswith("LABELS") else name)
    return RecipeError(f"{place}, line {line}: {error}", field=place, line=line, traceback=error.traceback)


def _place_of(recipe: Path, name: str) -> tuple[str, int]:
    """Where the recipe defines or calls what has this name; else the beginning of ``training``."""
    found = recipes.read_code(recipe)
    for field in reversed(recipes.FIELDS):
        for node in ast.walk(recipes.parse(found, field)):
            called = node.func if isinstance(node, ast.Call) else None
            stored = node if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else None
            names = {getattr(node, "name", None)} | {
                getattr(one, kind, None) for one in (called, stored) for kind in ("attr", "id")
            }
            if name in names and hasattr(node, "lineno"):
                return field, node.lineno
    return "training", 1


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
        raise _placed(error, error.field or field, folder / "recipe") from error
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


def _try_version(folder: Path, file: str, expected: str) -> measuring.MeasuredExport:
    try:
        return measuring.measure(folder, file, expected)
    except Exception as error:
        raise RecipeError(f"{type(error).__name__}: {error}".splitlines()[0][:500]) from error


def _load_again(folder: Path) -> dict[str, object]:
    """Have the recipe load its data once more, and keep the held-out part."""
    with _blame(folder, "preprocessing"):
        loaded = _load(folder).load_data()
        checking.check_parts(loaded)
        x, y = data.arrays(loaded[1])
    (folder / held_out.AGAIN).unlink(missing_ok=True)
    held_out.write(folder / held_out.AGAIN, x, y)
    return {"held_out": held_out.digest(x, y)}


def _load(folder: Path) -> Program:
    """The recipe's program, with the random numbers that its machines begin with: a split by chance is the same one."""
    keras.utils.set_random_seed(SEED)
    recipes.enter(folder / "recipe", Path("recipe"))
    return recipes.load(recipes.read_code(folder / "recipe"), folder / "recipe")
