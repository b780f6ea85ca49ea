"""A trained model in every form that a version holds, each checked against the model itself."""

import contextlib
import io
import os
import platform
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from workbench import datasets
from workbench.errors import ModelRefused
from workbench.manifest import Corrected, Input, Manifest, Output, Share, Training
from workbench.models.measured import Evaluation, Regression
from workbench.node.inference import in_batches, run_onnx, run_saved_model
from workbench.node.model import plain, predict
from workbench.node.training import Trained
from workbench.recipes import Program
from workbench.recipes.program import Namespace

TOLERANCE = 1e-4
"""Largest difference of any output, relative to the largest output, that different kernels may make."""
EXAMPLES = 16
"""Held-out inputs that travel with a version, so that whoever loads it can check its answers."""


def write_version(
    folder: Path, trained: Trained, program: Program, evaluation: Evaluation | Regression, x: np.ndarray
) -> Manifest:
    """Write all that a version holds into the folder; give its manifest but for name, number and files.

    Parameters
    ----------
    evaluation
        Of ``trained`` on the test part.
    x
        The test part's inputs, ``(n, …)``, the very ones that were evaluated.
    """
    missing = export(trained.model, folder, x, evaluation.outputs, program.namespaces)
    wanted = describe_input(program, x)
    evaluation.save(folder, x)
    np.savez_compressed(folder / "examples.npz", x=x[:EXAMPLES], y=evaluation.outputs[:EXAMPLES])
    return Manifest(
        input=wanted,
        preprocessing=(program.input_ or {}).get("preprocessing", "none"),
        labels=tuple(program.labels),
        output=Output(evaluation.output_kind, evaluation.outputs.shape[1:]),
        metrics=evaluation.metrics,
        training=Training(round(trained.seconds, 3), trained.stopped, program.epochs),
        frameworks=frameworks(),
        missing=missing,
        corrections=describe_corrections(trained.predict, wanted),
    )


def describe_corrections(predict: Callable[[np.ndarray], np.ndarray], wanted: Input) -> Corrected | None:
    """The visitors' corrections that the recipe read, and how many of them are recognised before and after.

    ``None`` where the recipe read none.
    """
    used = datasets.corrections_used()
    if not used:
        return None
    latest = max(used, key=lambda corrected: corrected.version)
    x, y, predicted = datasets.read_corrections(latest)
    told, after = Share(int((predicted == y).sum()), len(y)), None
    if len(y) and np.prod(wanted.shape) == 28 * 28:
        low, high = wanted.range
        fed = x.reshape(-1, *wanted.shape).astype(np.float32) * ((high - low) / 255) + low
        outputs = predict(fed if (low, high) != (0, 255) else x.reshape(-1, *wanted.shape))
        after = Share(int((np.asarray(outputs).argmax(-1) == y).sum()), len(y))
    return Corrected(latest.version, tuple(latest.ids), told, after)


def describe_input(program: Program, x: np.ndarray) -> Input:
    """The input that the model takes, with the range that was seen in ``x``."""
    given = program.input_ or {}
    pictures = x.ndim == 4 and x.shape[-1] in (1, 3, 4)
    return Input(
        shape=x.shape[1:],
        kind=given.get("kind", "image" if pictures else "array"),
        range=(0, 255) if x.dtype == np.uint8 else (float(x.min()), float(x.max())),
    )


def export(
    model: keras.Model, folder: Path, x: np.ndarray, y: np.ndarray, namespaces: Iterable[Namespace] = ()
) -> dict[str, str]:
    """Write ``model.keras``, ``saved_model/``, ``model.onnx`` and ``model.tflite`` and load each back.

    Parameters
    ----------
    x
        Held-out inputs as the recipe gives them, ``(n, …)``.
    y
        What ``predict(model, x)`` gave for them.
    namespaces
        The recipe's, where classes of its own may be that ``model.keras`` needs.

    Returns
    -------
    The forms that this model cannot take, each with the reason: ``{"model.onnx": "…"}``.

    Raises
    ------
    ModelRefused
        ``model.keras`` or ``saved_model`` could not be written or answers differently.
    """
    model = plain(model, x[:EXAMPLES])
    _fix_constants(model)
    own = {name: value for names in namespaces for name, value in names.items() if isinstance(value, type)}
    writers: dict[str, Callable[[Path], None]] = {
        "model.keras": model.save,
        "saved_model": lambda path: model.export(path, format="tf_saved_model", verbose=False),
        "model.onnx": lambda path: model.export(path, format="onnx", verbose=False),
        "model.tflite": lambda path: _write_tflite(folder / "saved_model", path),
    }
    readers = {
        "model.keras": lambda path, x: _run_keras(path, x, own),
        "saved_model": run_saved_model,
        "model.onnx": run_onnx,
        "model.tflite": _run_tflite,
    }
    missing: dict[str, str] = {}
    for form, write in writers.items():
        path = folder / form
        try:
            with _quiet():
                write(path)
                answers = readers[form](path, x)
            difference = float(np.max(np.abs(answers - y)) / max(1e-9, float(np.max(np.abs(y)))))
            if not difference <= TOLERANCE:
                raise ValueError(
                    f"its outputs differ by {difference:.2g} from the model's, more than {TOLERANCE}"
                )
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            if form in ("model.keras", "saved_model"):
                raise ModelRefused(f"{form} could not be exported: {reason}") from error
            path.unlink(missing_ok=True)
            missing[form] = reason
    return missing


def frameworks() -> dict[str, str]:
    """Versions of what made the export."""
    names = ("tensorflow", "keras", "numpy", "onnx", "tf2onnx", "onnxruntime")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _fix_constants(model: keras.Model) -> None:
    """Layers such as ``Normalization`` keep tensors that are no variables, which tf2onnx takes for further inputs."""
    for layer in list(_layers(model)):
        for name, value in list(vars(layer).items()):
            if tf.is_tensor(value) and not isinstance(value, keras.Variable) and hasattr(value, "numpy"):
                setattr(layer, name, value.numpy())


def _layers(model: keras.Model) -> Iterator[keras.Layer]:
    """The model and all within it, however deep; ``model.layers`` has the outermost only."""
    seen: set[int] = set()
    rest: list[object] = [model]
    while rest:
        value = rest.pop()
        if id(value) in seen or not isinstance(value, keras.Layer | Mapping | list | tuple):
            continue
        seen.add(id(value))
        if isinstance(value, keras.Layer):
            yield value
            value = vars(value)
        rest.extend(value.values() if isinstance(value, Mapping) else value)


def _write_tflite(saved_model: Path, path: Path) -> None:
    path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(saved_model)).convert())


def _run_keras(path: Path, x: np.ndarray, own: dict[str, Any]) -> np.ndarray:
    return predict(keras.saving.load_model(path, compile=False, custom_objects=own), x)


def _run_tflite(path: Path, x: np.ndarray) -> np.ndarray:
    interpreter = tf.lite.Interpreter(str(path), num_threads=os.cpu_count())
    (feed,) = interpreter.get_input_details()
    (fetch,) = interpreter.get_output_details()

    def run(batch: np.ndarray) -> np.ndarray:
        interpreter.resize_tensor_input(feed["index"], batch.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(feed["index"], batch.astype(feed["dtype"]))
        interpreter.invoke()
        return interpreter.get_tensor(fetch["index"]).copy()

    return in_batches(run, x)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The converters' chatter goes to a file that is shown only when something failed."""
    sys.stderr.flush()
    logger = tf.get_logger()  # in a notebook it writes to the cell, not to file descriptor 2
    level = logger.level
    with tempfile.TemporaryFile() as chatter:
        kept = os.dup(2)
        os.dup2(chatter.fileno(), 2)
        logger.setLevel("ERROR")
        try:
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
                yield
        finally:
            logger.setLevel(level)
            os.dup2(kept, 2)
            os.close(kept)
