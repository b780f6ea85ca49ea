"""A trained model in every form that a version holds, each checked against the model itself."""

import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from workbench import arrays, datasets, doubt, film
from workbench.errors import RecipeError
from workbench.fields import Fields
from workbench.manifest import Input, InputColumn, Manifest, Training
from workbench.manifest.columns import parse_columns
from workbench.models.measured import Evaluated
from workbench.node import forms
from workbench.node.companions import browser, doubting, sample
from workbench.node.given.signature import PLAIN, Signature
from workbench.node.model import inputs_of, layers_of, plain
from workbench.node.retraining.corrected import describe_corrections
from workbench.node.retraining.parent import parent_used
from workbench.node.trained import Trained
from workbench.recipes import Program
from workbench.recipes.program import Namespace
from workbench.settings import Settings, from_environment

EXAMPLES = 16
"""Held-out inputs that travel with a version, so that whoever loads it can check its answers."""


def write_version(
    folder: Path,
    trained: Trained,
    program: Program,
    evaluation: Evaluated,
    x: arrays.Arrays,
    settings: Settings | None = None,
) -> Manifest:
    """Write all that a version holds into the folder; give its manifest but for name, number and files.

    Parameters
    ----------
    evaluation
        Of ``trained`` on the test part.
    x
        The test part's inputs, ``(n, …)``, the very ones that were evaluated; several by name.
    """
    names, few = trained.signature, arrays.cut(x, 0, EXAMPLES)
    model = plain(trained.model, few, names)
    made = export(model, folder, x, evaluation.outputs, program.namespaces, names)
    inputs = describe_inputs(program, model, x, names)
    wanted = inputs[0] if names.one_input else None
    evaluation.save(folder, x)
    np.savez_compressed(folder / "examples.npz", **arrays.pack(x=few, y=made.answers))  # type: ignore[arg-type]
    if wanted is not None:
        sample.write(folder, trained.examples, wanted)
    if trained.film is not None:
        film.write(trained.film, folder)
    preprocessing = (program.input_ or {}).get("preprocessing", "none")
    labels = program.output_labels.get(evaluation.main.name, program.labels)
    detector = doubting.find(labels, preprocessing, settings or from_environment()) if wanted else None
    if detector is not None:
        doubt.write(folder, detector)
    if wanted is not None:
        browser.write(folder, model, wanted, {"labels": list(labels), "output": str(evaluation.output_kind)})

    def main(fed: np.ndarray) -> np.ndarray:
        answers = trained.predict(fed)
        return np.asarray(answers[evaluation.main.name] if isinstance(answers, dict) else answers)

    return Manifest(
        input=wanted,
        preprocessing=preprocessing,
        labels=labels,
        output=evaluation.main,
        inputs=() if names.one_input else inputs,
        outputs=evaluation.told,
        metrics=evaluation.metrics,
        training=Training(round(trained.seconds, 3), trained.stopped, program.epochs, trained.best_epoch),
        frameworks=frameworks(),
        missing=made.missing,
        corrections=None if wanted is None else describe_corrections(main, wanted, evaluation.output_kind),
        parent=parent_used(),
        doubt=None if detector is None else doubt.FILE,
        datasets=datasets.used(),
    )


def describe_inputs(
    program: Program, model: keras.Model, x: arrays.Arrays, signature: Signature = PLAIN
) -> tuple[Input, ...]:
    """The inputs that the model takes, with the range that was seen of each in ``x``; ``None`` where it takes any size."""
    parts = dict(zip(signature.inputs, arrays.each(x), strict=True))
    takes = inputs_of(model, x, signature)
    return tuple(
        _describe(program.input_ or {} if signature.one_input else {}, takes[name], part, name)
        for name, part in parts.items()
    )


def describe_input(program: Program, model: keras.Model, x: np.ndarray) -> Input:
    """The one input that the model takes."""
    return describe_inputs(program, model, x)[0]


def _describe(given: Mapping[str, Any], takes: tf.TensorSpec, x: np.ndarray, name: str) -> Input:
    text = takes.dtype == tf.string
    pictures = x.ndim == 4 and x.shape[-1] in (1, 3, 4)
    return Input(
        shape=tuple(takes.shape[1:]),
        kind="text" if text else given.get("kind", "image" if pictures else "array"),
        dtype=takes.dtype.name,
        example=x.shape[1:] if None in takes.shape[1:] else (),
        range=(0, 0) if text else (0, 255) if x.dtype == np.uint8 else (float(x.min()), float(x.max())),
        name=name,
        columns=_columns(given, tuple(takes.shape[1:])),
    )


def _columns(given: Mapping[str, Any], shape: tuple[int | None, ...]) -> tuple[InputColumn, ...]:
    """The columns of the rows that the recipe's ``INPUT`` tells.

    Raises
    ------
    RecipeError
        They are none, or not those of the model's input.
    """
    found = parse_columns(Fields(given, "INPUT's ", RecipeError).parts("columns"))
    width = sum(one.width for one in found)
    if found and shape != (width,):
        raise RecipeError(
            f"the columns of INPUT become {width} numbers, and the model takes {shape}", field="training"
        )
    return found


def export(
    model: keras.Model,
    folder: Path,
    x: arrays.Arrays,
    y: arrays.Arrays,
    namespaces: Iterable[Namespace] = (),
    signature: Signature = PLAIN,
) -> forms.Made:
    """Write ``model.keras``, ``saved_model/``, ``model.onnx`` and ``model.tflite`` and load each back.

    Parameters
    ----------
    x
        Held-out inputs as the recipe gives them, ``(n, …)``; several by name.
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
    return forms.write(model, folder, x, y, own, EXAMPLES, signature)


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
