"""A recipe tried on one batch, and an export loaded back, before anybody relies on either.

Both run the code that a user brought, so both run as a machine does: in a child that is shut in, with limits of time
and memory, and that says how it went in ``result.json``.
"""

import ast
import contextlib
import json
import math
import os
import re
import secrets
import shutil
import signal
import sys
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench import datasets, recipes
from workbench.errors import ModelRefused, RecipeError, WorkbenchError
from workbench.providers import Layout, Machine
from workbench.providers.local import LocalProvider, default_limits
from workbench.recipes import Recipe
from workbench.settings import Settings

TIMEOUT_S = 240.0
POLL_S = 0.05
EXAMPLES = 64
"""Of the test part, that the untrained model is asked about."""
TOLERANCE = 1e-3
"""Largest difference of an output, relative to the largest output, from what the training machine had."""


class Stopped(WorkbenchError):
    """A check was asked to end before it was done."""


@dataclass(frozen=True)
class Checked:
    """What the dry run found.

    Attributes
    ----------
    examples, test_examples
        In the training part, validation included, and in the test part; ``None`` where that is not known.
    input_shape, output_shape
        Of one example.
    steps_per_epoch
        Batches in an epoch.
    parameters
        Of the model.
    """

    examples: int | None
    test_examples: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    steps_per_epoch: int
    parameters: int


def check(
    recipe: Recipe,
    settings: Settings,
    *,
    workers: int = 1,
    provider: LocalProvider | None = None,
    timeout_s: float = TIMEOUT_S,
    name: str | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Checked:
    """Try the recipe: load its data, build its model, take one training step, evaluate a few examples.

    Parameters
    ----------
    name
        Of the check: there is one of this name at a time, a new one ends it.
    stop
        Asked all the time; once it says yes the check ends.

    Raises
    ------
    RecipeError
        With the user's own field, line and traceback.
    Unavailable
        No child can be begun, or a data set cannot be had.
    Stopped
        ``stop`` said so.
    """
    recipes.check(recipe)
    fetch_data(recipe, settings)
    with _folder(settings, name or f"check-{secrets.token_hex(8)}") as folder:
        recipe.write(folder / "recipe")
        task = {"do": "recipe", "workers": workers}
        found = _run(folder, task, provider or LocalProvider(settings), timeout_s, stop)
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in found.items()}
    return Checked(**values)


def verify(
    folder: Path,
    provider: LocalProvider,
    *,
    timeout_s: float = TIMEOUT_S,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Load the exported model of a job's folder in a fresh process; it must answer as it did where it was trained.

    Raises
    ------
    ModelRefused
        It cannot be loaded, answers differently, or was not evaluated.
    Stopped
        ``stop`` said so.
    """
    try:
        _run(folder, {"do": "version"}, provider, timeout_s, stop)
    except RecipeError as error:
        raise ModelRefused(f"the exported model cannot be used: {error}") from error


def fetch_data(recipe: Recipe, settings: Settings) -> None:
    """Fetch the data sets that the recipe names: machines have no way out to fetch them.

    Raises
    ------
    Unavailable
        One of them cannot be had.
    """
    trees = [ast.parse(getattr(recipe, field)) for field in recipes.FIELDS]
    texts = {
        n.value
        for t in trees
        for n in ast.walk(t)
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }
    for name in sorted(texts & set(datasets.SOURCES)):
        if not (settings.data / f"{name}.npz").exists():
            datasets.load(name, settings)


def find_place(text: str, folder: Path) -> tuple[str, int] | None:
    """The innermost place in the recipe, as field and line, that a stack of ``faulthandler`` shows.

    >>> find_place('File "/j/machines/worker-0/recipe/helpers.py", line 3 in f', Path("/j"))
    ('helpers', 3)
    """
    match = re.search(f'File "{_recipe(folder)}' + r'(helpers|preprocessing|training)\.py", line (\d+)', text)
    return (match[1], int(match[2])) if match else None


def shorten(text: str, folder: Path) -> str:
    """The text with the recipe's files called as the user knows them: ``training.py``.

    >>> shorten("/j/recipe/training.py and /j/machines/ps-0/recipe/helpers.py", Path("/j"))
    'training.py and helpers.py'
    """
    return re.sub(_recipe(folder), "", text)


def _recipe(folder: Path) -> str:
    """The folder of a job's recipe, or of a machine's own copy, as a regular expression."""
    return re.escape(f"{folder}/") + "(?:machines/[a-z]+-[0-9]+/)?recipe/"


def ask_where(machine: Machine, folder: Path, wait_s: float = 2.0) -> str:
    """What each thread of a machine's process is doing, as Python prints stacks; empty if it does not say."""
    log = folder / "machines" / f"{machine.role}-{machine.index}" / "stderr.log"
    size = log.stat().st_size if log.exists() else 0
    if machine.pid is None:
        return ""
    with contextlib.suppress(ProcessLookupError):
        os.kill(machine.pid, signal.SIGUSR1)
    give_up = time.monotonic() + wait_s
    while time.monotonic() < give_up:
        if log.exists() and log.stat().st_size > size:
            time.sleep(POLL_S)
            with log.open("rb") as file:
                file.seek(size)
                return file.read(100_000).decode(errors="replace")
        time.sleep(POLL_S)
    return ""


def last_lines(path: Path, count: int = 5) -> str:
    """The last lines of a file that say something; empty if there are none."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:  # noqa: PTH123 - no links
            file.seek(max(0, file.seek(0, os.SEEK_END) - 8192))
            lines = [line.rstrip() for line in file.read().decode(errors="replace").splitlines()]
    except OSError:
        return ""
    return "\n".join([line for line in lines if line.strip()][-count:])


@contextlib.contextmanager
def _folder(settings: Settings, name: str) -> Iterator[Path]:
    folder = settings.home / "jobs" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def task_of(folder: Path) -> str:
    """The name of the cluster in which a folder is tried."""
    return f"task-{folder.name}"


def _run(
    folder: Path, task: dict[str, Any], provider: LocalProvider, timeout_s: float, stop: Callable[[], bool]
) -> dict[str, Any]:
    """Let a child do the task; what it found."""
    result, name = folder / "result.json", task_of(folder)
    result.unlink(missing_ok=True)
    (folder / "task.json").write_text(json.dumps(task))
    give_up = time.monotonic() + timeout_s
    provider.terminate(name)  # one that was killed may have left it
    try:
        (machine,) = provider.launch_task(name, folder, "workbench.checks", default_limits(Layout()))
        while machine.state == "running":
            if time.monotonic() > give_up:
                raise _too_long(machine, folder, timeout_s)
            if stop():
                raise Stopped(f"the check of {folder.name} was stopped")
            time.sleep(POLL_S)
            (machine,) = provider.machines(name)
        said = _read(result)
        if said is None:
            raise _crashed(machine, folder)
    finally:
        provider.terminate(name)
    if "error" in said:
        raise RecipeError(**said["error"])
    return dict(said["found"])


def _read(result: Path) -> dict[str, Any] | None:
    try:
        with open(os.open(result, os.O_RDONLY | os.O_NOFOLLOW)) as file:  # noqa: PTH123 - no links
            return dict(json.loads(file.read(10_000_000)))
    except (OSError, ValueError, TypeError):
        return None


def _too_long(machine: Machine, folder: Path, timeout_s: float) -> RecipeError:
    stack = ask_where(machine, folder)
    place = find_place(stack, folder)
    field, line = place or (None, None)
    at = f"{field}, line {line}: " if place else ""
    return RecipeError(
        f"{at}the recipe was not done with its first batch after {timeout_s:.0f} s",
        field=field,
        line=line,
        traceback=shorten(stack, folder),
    )


def _crashed(machine: Machine, folder: Path) -> RecipeError:
    log = folder / "machines" / f"{machine.role}-{machine.index}" / "stderr.log"
    words = last_lines(log, 30)
    place = find_place(words, folder)
    field, line = place or (None, None)
    ended = machine.exit or "nobody knows how"
    return RecipeError(
        f"the recipe's code ended the process it ran in: {ended}",
        field=field,
        line=line,
        traceback=shorten(words, folder),
    )


# From here on: what the child does.


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
                "message": shorten(str(error), folder),
                "field": error.field,
                "line": error.line,
                "traceback": shorten(error.traceback, folder),
            }
        }
    aside = folder / "result.aside"
    aside.write_text(json.dumps(said))
    aside.replace(folder / "result.json")
    return 0


def _try_recipe(folder: Path, workers: int) -> dict[str, Any]:
    import tensorflow as tf

    from workbench import evaluation
    from workbench.node import data
    from workbench.node import model as models

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
        loss = float(tf.function(models.Step(model))(next(iter(batches.feed())))[0])
        if not math.isfinite(loss):
            raise RecipeError(
                f"the loss is {loss} after one step; are the inputs scaled and the labels right?"
            )
        evaluation.evaluate(lambda _: outputs, (x_test[:EXAMPLES], y_test[:EXAMPLES]), program.labels)
    return asdict(
        Checked(
            examples=len(train[0]) if isinstance(train, tuple | list) else int(train.cardinality()),
            test_examples=len(x_test),
            input_shape=tuple(x_test.shape[1:]),
            output_shape=tuple(outputs.shape[1:]),
            steps_per_epoch=batches.steps_per_epoch,
            parameters=int(model.count_params()),
        )
    )


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
    import keras

    return isinstance(part, keras.utils.PyDataset)


def _is_bare_iterator(part: Any) -> bool:
    return hasattr(part, "__next__")


def _check_augment(augment: Any, x: Any) -> None:
    import tensorflow as tf

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
    import numpy as np

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
    import numpy as np
    import tensorflow as tf

    export = folder / "export"
    try:
        evaluated = json.loads((export / "evaluation.json").read_text())
        if not evaluated.get("count", 0) > 0:
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
