"""Answers of a published version: by ONNX Runtime where there is such a form, else by TensorFlow."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

BATCH = 1_000
"""Examples that are answered at a time."""


def predict(folder: Path, x: np.ndarray) -> np.ndarray:
    """Ask the version in a folder about inputs ``(n, …)`` as its manifest describes them: float32 ``(n, …)``."""
    if (folder / "model.onnx").is_file():
        return run_onnx(folder / "model.onnx", x)
    return run_saved_model(folder / "saved_model", x)


def run_onnx(path: Path, x: np.ndarray) -> np.ndarray:
    """Answers of the ONNX form, in the dtype that it takes."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (feed,) = session.get_inputs()
    kind = feed.type.removeprefix("tensor(").removesuffix(")")
    dtype = np.dtype({"float": "float32", "double": "float64"}.get(kind, kind))
    return in_batches(lambda batch: session.run(None, {feed.name: batch.astype(dtype)})[0], x)


def run_saved_model(path: Path, x: np.ndarray) -> np.ndarray:
    """Answers of a SavedModel with one input and one output."""
    import tensorflow as tf  # half a gigabyte, which who has the ONNX form need not pay

    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    (name, spec), *more = serve.structured_input_signature[1].items()
    if more:
        raise ValueError("a model with several inputs has no single answer to compare")

    def run(batch: np.ndarray) -> np.ndarray:
        given = tf.cast(tf.constant(batch), spec.dtype)
        return np.asarray(next(iter(serve(**{name: given}).values())))

    return in_batches(run, x)


def in_batches(run: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """Ask about a batch at a time; the answers in one array, float32."""
    return np.concatenate([np.asarray(run(x[i : i + BATCH]), np.float32) for i in range(0, len(x), BATCH)])
