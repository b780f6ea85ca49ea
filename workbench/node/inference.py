"""Answers of a published version: by ONNX Runtime where there is such a form, else by TensorFlow."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from workbench import arrays

BATCH = 1_000
"""Examples that are answered at a time ..."""
BATCH_BYTES = 16 * 1024**2
"""... and bytes of them: what a net makes of an example on the way is many times as large."""


def at_once(bytes_each: int) -> int:
    """Examples of this size that are answered at a time.

    >>> at_once(28 * 28), at_once(224 * 224 * 3 * 4)
    (1000, 27)
    """
    return max(1, min(BATCH, BATCH_BYTES // max(1, bytes_each)))


def bytes_of(example: arrays.Arrays) -> int:
    """Bytes of all inputs of an example."""
    return sum(one.nbytes for one in arrays.each(example))


def predict(folder: Path, x: Any) -> Any:
    """Ask the version in a folder about inputs ``(n, …)`` as its manifest describes them: float32 ``(n, …)``.

    Several inputs are given, and several outputs come, as dicts by name.
    """
    if (folder / "model.onnx").is_file():
        return run_onnx(folder / "model.onnx", x)
    return run_saved_model(folder / "saved_model", x)


def run_onnx(path: Path, x: Any) -> Any:
    """Answers of the ONNX form, in the dtypes that it takes."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    kinds = {feed.name: feed.type.removeprefix("tensor(").removesuffix(")") for feed in session.get_inputs()}
    dtypes = {
        name: np.dtype({"float": "float32", "double": "float64"}.get(kind, kind))
        for name, kind in kinds.items()
    }
    names = [fetch.name for fetch in session.get_outputs()]

    def run(batch: Any) -> Any:
        given = {name: part.astype(dtypes[name]) for name, part in _by_name(batch, dtypes).items()}
        return _one_or_several(dict(zip(names, session.run(names, given), strict=True)))

    return in_batches(run, x)


def run_saved_model(path: Path, x: Any) -> Any:
    """Answers of a SavedModel, in the dtypes that it takes."""
    import tensorflow as tf  # half a gigabyte, which who has the ONNX form need not pay

    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    specs = serve.structured_input_signature[1]

    def run(batch: Any) -> Any:
        given = {
            name: tf.cast(tf.constant(part), specs[name].dtype)
            for name, part in _by_name(batch, specs).items()
        }
        return _one_or_several({name: answer.numpy() for name, answer in serve(**given).items()})

    return in_batches(run, x)


def _by_name(batch: Any, names: Mapping[str, object]) -> Mapping[str, np.ndarray]:
    """The inputs by the model's names, whatever an only one is called.

    Raises
    ------
    ValueError
        They are others.
    """
    if not isinstance(batch, Mapping):
        batch = {"input": batch}
    if len(batch) == len(names) == 1:
        return dict(zip(names, batch.values(), strict=True))
    if set(batch) != set(names):
        raise ValueError(f"the model takes {', '.join(names)}. Received: {', '.join(batch)}")
    return batch


def _one_or_several(answers: Mapping[str, np.ndarray]) -> Any:
    return next(iter(answers.values())) if len(answers) == 1 else answers


def in_batches(run: Callable[[Any], Any], x: Any) -> Any:
    """Ask about a batch at a time; the answers in one array, float32, or several by name."""
    size = at_once(bytes_of(arrays.cut(x, 0, 1)))
    found = [
        arrays.convert(lambda one: np.asarray(one, np.float32), run(arrays.cut(x, i, i + size)))
        for i in range(0, arrays.count(x), size)
    ]
    return arrays.join(found)
