"""The forms of a model version: each written in inference mode, in full precision, and read back.

Every form but ``model.keras`` is made of one wrapper around the model, whose call says ``training=False`` to
whatever is within: Keras would trace layers that act in training only (``RandomFlip``, ``GaussianNoise``) with their
default, which is training (https://github.com/keras-team/keras/issues/19100).
"""

import contextlib
import io
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from workbench import arrays, layers
from workbench.errors import ModelRefused
from workbench.node.given.signature import PLAIN, Signature
from workbench.node.inference import in_batches, run_onnx, run_saved_model
from workbench.node.model import full_precision, inputs_of, layers_of, own_dtypes, predict, predictor

TOLERANCE = 1e-4
"""Largest difference of any output, relative to the largest output, that different kernels may make."""
ROUNDINGS = 8
"""Steps of the coarsest dtype within a model that add up to a difference which is not an error."""
KERAS, SAVED_MODEL, ONNX, TFLITE = "model.keras", "saved_model", "model.onnx", "model.tflite"
NEEDED = (KERAS, SAVED_MODEL)
"""The forms that every version has."""
_TEXT_NEEDS_TENSORFLOW = "the model takes text, which model.keras and the SavedModel alone do"


@dataclass(frozen=True)
class Made:
    """The forms that were written.

    Attributes
    ----------
    missing
        The forms that this model cannot take, each with the reason: ``{"model.onnx": "…"}``.
    answers
        What the form that will serve answers to the first inputs, float32 ``(n, …)``; several outputs by name.
    """

    missing: Mapping[str, str]
    answers: arrays.Arrays


class Inference(keras.Model):
    """A model in inference mode, whoever calls it however: one tensor or several by name; half precision comes out as
    float32."""

    def __init__(self, inner: keras.Model, takes: Mapping[str, tf.TensorSpec], signature: Signature) -> None:
        super().__init__(dtype="float32")
        self.inner, self._signature = inner, signature
        own = own_dtypes(inner, signature)
        self._casts = {
            name: own[name] for name, spec in takes.items() if own.get(name, spec.dtype) != spec.dtype
        }

    def build(self, shape: Any) -> None:
        """Leave it: what is within is built."""

    def call(self, x: Any) -> Any:
        if self._signature.one_input:
            x = tf.cast(x, next(iter(self._casts.values()))) if self._casts else x
        else:
            x = {
                name: tf.cast(one, self._casts[name]) if name in self._casts else one
                for name, one in x.items()
            }
        answers = self._signature.name(self.inner(self._signature.give(x), training=False))
        return arrays.convert(
            lambda one: tf.cast(one, tf.float32) if one.dtype in (tf.float16, tf.bfloat16) else one, answers
        )


def write(
    model: keras.Model,
    folder: Path,
    x: arrays.Arrays,
    y: arrays.Arrays,
    own: Mapping[str, type],
    first: int,
    signature: Signature = PLAIN,
) -> Made:
    """Write every form into the folder, load each back and compare its answers with the model's own.

    Parameters
    ----------
    x
        Inputs as the recipe gives them, ``(n, …)``; several by name.
    y
        The model's own answers to them, ``(n, …)``; several by name.
    own
        Classes of the recipe's own, by name, that ``model.keras`` may need.
    first
        How many inputs ``answers`` is about.

    Raises
    ------
    ModelRefused
        A form that every version has could not be written, or answers differently.
    """
    takes = inputs_of(model, x, signature)
    tolerance = allowed(model)
    _check_steadiness(model, arrays.cut(x, 0, first), tolerance, signature)
    one = arrays.cut(x, 0, 1)
    makers: dict[str, tuple[Callable[[Path], None], Callable[[Path, Any], Any]]] = {
        KERAS: (layers.in_keras_terms(model).save, lambda path, x: _run_keras(path, x, own, signature)),
        SAVED_MODEL: (
            lambda path: _export(model, takes, one, path, "tf_saved_model", signature),
            run_saved_model,
        ),
        ONNX: (lambda path: _export(model, takes, one, path, "onnx", signature), run_onnx),
        TFLITE: (lambda path: _write_tflite(folder / SAVED_MODEL, path), _run_tflite),
    }
    has_text = any(spec.dtype == tf.string for spec in takes.values())
    missing: dict[str, str] = {}
    answers: dict[str, arrays.Arrays] = {}
    for form, (make, read) in makers.items():
        path = folder / form
        try:
            if has_text and form not in NEEDED:
                missing[form] = _TEXT_NEEDS_TENSORFLOW
                continue
            with _quiet(), full_precision(model):
                make(path)
                found = read(path, x)
            check_agreement(found, y, tolerance)
            answers[form] = arrays.cut(found, 0, first)
        except Exception as error:
            if form in NEEDED:
                raise ModelRefused(f"{form} could not be exported: {_explain(error, model)}") from error
            path.unlink(missing_ok=True)
            missing[form] = _explain(error, model)
    return Made(missing, answers.get(ONNX, answers[SAVED_MODEL]))


def allowed(model: keras.Model) -> float:
    """The largest difference between two computations of the model's outputs, relative to the largest output.

    >>> allowed(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, dtype="mixed_bfloat16")])) > 0.01
    True
    """
    used = {tf.as_dtype(layer.compute_dtype) for layer in layers_of(model) if layer.compute_dtype}
    steps = [
        float(np.finfo(dtype.as_numpy_dtype).eps) if dtype != tf.bfloat16 else 2.0**-7
        for dtype in used
        if dtype.is_floating
    ]
    return max([TOLERANCE, *(ROUNDINGS * step for step in steps if step > 1e-5)])


def check_agreement(answers: arrays.Arrays, expected: arrays.Arrays, tolerance: float) -> None:
    """Compare two float32 ``(n, …)``, of which one may be flattened; NaN agrees with nothing. Several are compared by name.

    Raises
    ------
    ValueError
    """
    if not isinstance(answers, Mapping) and not isinstance(expected, Mapping):
        _check_one(answers, expected, tolerance)
        return
    if not (isinstance(answers, Mapping) and isinstance(expected, Mapping)) or set(answers) != set(expected):
        told = [", ".join(one) if isinstance(one, Mapping) else "one array" for one in (answers, expected)]
        raise ValueError(f"it answers {told[0]} where the model answers {told[1]}")
    for name, one in answers.items():
        try:
            _check_one(one, expected[name], tolerance)
        except ValueError as error:
            raise ValueError(f"output {name}: {error}") from error


def _check_one(answers: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    if answers.size != expected.size or len(answers) != len(expected):
        raise ValueError(f"it answers {answers.shape} where the model answers {expected.shape}")
    if not answers.size:
        return
    expected = expected.reshape(answers.shape)
    difference = float(np.max(np.abs(answers - expected)) / max(1e-9, float(np.max(np.abs(expected)))))
    if not difference <= tolerance:
        raise ValueError(
            f"its outputs differ by {difference:.2g} from the model's, more than {tolerance:.2g}"
        )


def _check_steadiness(model: keras.Model, x: arrays.Arrays, tolerance: float, signature: Signature) -> None:
    """Refuse a model that answers the same input differently: nothing that is exported can be compared with it."""
    # Of two functions each would begin its chances anew where a seed is set, as in every job, and agree with the other.
    answer = predictor(model, signature)
    try:
        check_agreement(answer(x), answer(x), tolerance)
    except ValueError as error:
        raise ModelRefused(
            "the model answers the same input differently each time, or not with numbers, also when it is not "
            "being trained: a layer is called with training=True, or draws numbers itself; leave that out "
            f"({error})"
        ) from error


def _explain(error: Exception, model: keras.Model) -> str:
    """The reason in one line, with the way out where there is one."""
    lambdas = [layer for layer in layers_of(model) if isinstance(layer, keras.layers.Lambda)]
    if lambdas:
        names = ", ".join(layer.name for layer in lambdas)
        return (
            f"a Lambda layer ({names}) holds Python code, which nobody loads from a file; use a layer that does the "
            "same (Rescaling, Reshape, …), an operation of keras.ops, or a keras.layers.Layer class of your own"
        )
    text = str(error)
    if "Exception encountered: " in text:  # Keras tells first what it was about to load, whole
        text = text.rsplit("Exception encountered: ", 1)[1]
    if found := re.search(r"(\w+)\.__init__\(\) got an unexpected keyword argument", text):
        return (
            f"nobody can make the class {found[1]} anew from a file: let its __init__ take **kwargs and hand them to "
            "super().__init__(**kwargs), and give it get_config() for arguments of its own"
        )
    lines = [line.strip() for line in f"{type(error).__name__}: {text}".splitlines() if line.strip()]
    return lines[0][:300]


def _export(
    model: keras.Model,
    takes: Mapping[str, tf.TensorSpec],
    example: arrays.Arrays,
    path: Path,
    form: str,
    signature: Signature,
) -> None:
    wrapped = Inference(model, takes, signature)
    parts = dict(zip(takes, arrays.each(example), strict=True))
    given = {name: tf.cast(tf.constant(one), takes[name].dtype) for name, one in parts.items()}
    (only,) = takes.values() if signature.one_input else (dict(takes),)
    wrapped(next(iter(given.values())) if signature.one_input else given)  # so that Keras knows it as built
    wrapped.export(path, format=form, verbose=False, input_signature=[only])


def _write_tflite(saved_model: Path, path: Path) -> None:
    path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(saved_model)).convert())


def _run_keras(path: Path, x: arrays.Arrays, own: Mapping[str, type], signature: Signature) -> Any:
    return predict(keras.saving.load_model(path, compile=False, custom_objects=dict(own)), x, signature)


def _run_tflite(path: Path, x: arrays.Arrays) -> Any:
    interpreter = tf.lite.Interpreter(str(path), num_threads=os.cpu_count())
    if isinstance(x, Mapping) or len(interpreter.get_output_details()) > 1:
        return _run_tflite_by_name(interpreter, x)
    (feed,) = interpreter.get_input_details()
    (fetch,) = interpreter.get_output_details()

    def run(batch: np.ndarray) -> np.ndarray:
        interpreter.resize_tensor_input(feed["index"], batch.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(feed["index"], batch.astype(feed["dtype"]))
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(fetch["index"]).copy())

    return in_batches(run, x)


def _run_tflite_by_name(interpreter: Any, x: arrays.Arrays) -> Any:
    runner = interpreter.get_signature_runner()
    feeds = runner.get_input_details()

    def run(batch: Any) -> dict[str, np.ndarray]:
        parts = dict(zip(feeds, [batch], strict=True)) if not isinstance(batch, Mapping) else batch
        given = {name: part.astype(feeds[name]["dtype"]) for name, part in parts.items()}
        return {name: np.asarray(answer) for name, answer in runner(**given).items()}

    found = in_batches(run, x)
    return next(iter(found.values())) if len(found) == 1 else found


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
