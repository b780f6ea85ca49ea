"""A trained model in every form that a version holds, each checked against the model itself."""

import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from workbench import datasets, doubt, film
from workbench.manifest import Input, Manifest, ModelOutput, Training
from workbench.models.measured import Evaluation, Regression
from workbench.node import forms
from workbench.node.companions import browser, doubting, sample
from workbench.node.model import input_of, layers_of, plain
from workbench.node.retraining.corrected import describe_corrections
from workbench.node.retraining.parent import parent_used
from workbench.node.training import Trained
from workbench.recipes import Program
from workbench.recipes.program import Namespace
from workbench.settings import Settings, from_environment

EXAMPLES = 16
"""Held-out inputs that travel with a version, so that whoever loads it can check its answers."""


def write_version(
    folder: Path,
    trained: Trained,
    program: Program,
    evaluation: Evaluation | Regression,
    x: np.ndarray,
    settings: Settings | None = None,
) -> Manifest:
    """Write all that a version holds into the folder; give its manifest but for name, number and files.

    Parameters
    ----------
    evaluation
        Of ``trained`` on the test part.
    x
        The test part's inputs, ``(n, …)``, the very ones that were evaluated.
    """
    model = plain(trained.model, x[:EXAMPLES])
    made = export(model, folder, x, evaluation.outputs, program.namespaces)
    wanted = describe_input(program, model, x)
    evaluation.save(folder, x)
    np.savez_compressed(folder / "examples.npz", x=x[:EXAMPLES], y=made.answers)
    sample.write(folder, trained.examples, wanted)
    if trained.film is not None:
        film.write(trained.film, folder)
    preprocessing, labels = (program.input_ or {}).get("preprocessing", "none"), tuple(program.labels)
    detector = doubting.find(labels, preprocessing, settings or from_environment())
    if detector is not None:
        doubt.write(folder, detector)
    browser.write(folder, model, wanted, {"labels": list(labels), "output": str(evaluation.output_kind)})
    return Manifest(
        input=wanted,
        preprocessing=preprocessing,
        labels=labels,
        output=ModelOutput(evaluation.output_kind, made.answers.shape[1:]),
        metrics=evaluation.metrics,
        training=Training(round(trained.seconds, 3), trained.stopped, program.epochs, trained.best_epoch),
        frameworks=frameworks(),
        missing=made.missing,
        corrections=describe_corrections(trained.predict, wanted, evaluation.output_kind),
        parent=parent_used(),
        doubt=None if detector is None else doubt.FILE,
        datasets=datasets.used(),
    )


def describe_input(program: Program, model: keras.Model, x: np.ndarray) -> Input:
    """The input that the model takes, ``None`` where it takes any size, with the range that was seen in ``x``."""
    given = program.input_ or {}
    takes = input_of(model, x)
    text = takes.dtype == tf.string
    pictures = x.ndim == 4 and x.shape[-1] in (1, 3, 4)
    return Input(
        shape=tuple(takes.shape[1:]),
        kind="text" if text else given.get("kind", "image" if pictures else "array"),
        dtype=takes.dtype.name,
        example=x.shape[1:] if None in takes.shape[1:] else (),
        range=(0, 0) if text else (0, 255) if x.dtype == np.uint8 else (float(x.min()), float(x.max())),
    )


def export(
    model: keras.Model, folder: Path, x: np.ndarray, y: np.ndarray, namespaces: Iterable[Namespace] = ()
) -> forms.Made:
    """Write ``model.keras``, ``saved_model/``, ``model.onnx`` and ``model.tflite`` and load each back.

    Parameters
    ----------
    x
        Held-out inputs as the recipe gives them, ``(n, …)``.
    y
        What ``predict(model, x)`` gave for them.
    namespaces
        The recipe's, where classes of its own may be that ``model.keras`` needs.

    Raises
    ------
    ModelRefused
        ``model.keras`` or ``saved_model`` could not be written or answers differently.
    """
    _fix_constants(model)
    own = {name: value for names in namespaces for name, value in names.items() if isinstance(value, type)}
    return forms.write(model, folder, x, y, own, EXAMPLES)


def frameworks() -> dict[str, str]:
    """Versions of what made the export."""
    names = ("tensorflow", "keras", "numpy", "onnx", "tf2onnx", "onnxruntime")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _fix_constants(model: keras.Model) -> None:
    """Layers such as ``Normalization`` keep tensors that are no variables, which tf2onnx takes for further inputs."""
    for layer in list(layers_of(model)):
        for name, value in list(vars(layer).items()):
            if tf.is_tensor(value) and not isinstance(value, keras.Variable) and hasattr(value, "numpy"):
                setattr(layer, name, value.numpy())
