"""Small models that tell bright pictures from dark ones, with outputs of every kind."""

from pathlib import Path

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.backend import making
from workbench.manifest import write_listing as rewrite

KINDS = ("softmax", "logits", "sigmoids", "sigmoid", "logit", "small logit", "quantity")
SIDE = 28


def picture(light: int) -> bytes:
    return cv2.imencode(".png", np.full((40, 40, 3), light, np.uint8))[1].tobytes()


def weights(kind: str, classes: int) -> tuple[NDArray[np.float32], NDArray[np.float32], str]:
    """Of the mean brightness ``b``, 0 to 1: factors, offsets, and what comes behind them."""
    if kind == "quantity":
        return np.array([[255.0]], np.float32), np.zeros(1, np.float32), ""
    if kind in ("sigmoid", "logit", "small logit"):
        scale = 0.8 if kind == "small logit" else 8.0  # the small one's logits all lie between -0.4 and 0.4
        return (
            np.array([[scale]], np.float32),
            np.array([-scale / 2], np.float32),
            "Sigmoid" if kind == "sigmoid" else "",
        )
    if kind == "no number":  # the logarithm of less than nothing, where a picture is black
        return np.array([[100.0]], np.float32), np.array([-1.0], np.float32), "Log"
    factors = np.zeros((1, classes), np.float32)
    factors[0, 0], factors[0, -1] = -6, 6  # the first class is dark, the last one bright
    offsets = np.full(classes, -2, np.float32)
    offsets[0], offsets[-1] = 3, -3
    return factors, offsets, {"softmax": "Softmax", "sigmoids": "Sigmoid"}.get(kind, "")


def model(
    path: Path,
    kind: str,
    classes: int = 10,
    *,
    takes: str = "float32",
    gives: str = "float32",
    high: float = 255,
) -> Path:
    """Write one whose input and output are of these dtypes; ``high`` is white, and black is 0 or as far below as it goes."""
    factors, offsets, last = weights(kind, classes)
    pixels = SIDE * SIDE * 3
    low = -128.0 if takes == "int8" else 0.0
    spread = np.repeat(factors / (high - low) / pixels, pixels, 0)
    nodes = [
        helper.make_node("Cast", ["input"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["real", "low"], ["above"]),
        helper.make_node("Reshape", ["above", "flat"], ["x"]),
        helper.make_node("Gemm", ["x", "spread", "offsets"], ["z"]),
        helper.make_node(last or "Identity", ["z"], ["said"]),
        helper.make_node("Cast", ["said"], ["output"], to=_elements(gives)),
    ]
    graph = helper.make_graph(
        nodes,
        "bright",
        [helper.make_tensor_value_info("input", _elements(takes), ["n", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("output", _elements(gives), ["n", len(offsets)])],
        [
            numpy_helper.from_array(np.array([-1, pixels], np.int64), "flat"),
            numpy_helper.from_array(spread.astype(np.float32), "spread"),
            numpy_helper.from_array(offsets, "offsets"),
            numpy_helper.from_array(np.array(low, np.float32), "low"),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(made, path)
    return path


def _elements(dtype: str) -> int:
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def answer(kind: str, classes: int, x: NDArray[np.generic]) -> NDArray[np.float32]:
    """What the model says to ``x`` ``(n, 28, 28, 3)``."""
    factors, offsets, last = weights(kind, classes)
    z = x.reshape(len(x), -1).astype(np.float32).mean(1, keepdims=True) / 255 @ factors + offsets
    if last == "Sigmoid":
        return np.asarray(1 / (1 + np.exp(-z)), np.float32)
    if last == "Log":
        return np.asarray(np.log(z), np.float32)
    odds = np.exp(z - z.max(1, keepdims=True))
    return np.asarray(odds / odds.sum(1, keepdims=True) if last else z, np.float32)


def version(
    folder: Path,
    kind: str,
    told: str,
    classes: int = 10,
    labels: tuple[str, ...] = (),
    *,
    takes: str = "float32",
) -> Path:
    """A version of such a model, whose manifest calls its outputs ``told``."""
    making.version(folder, 1, name="bright")
    high = {"bool": 1, "int8": 127}.get(takes, 255)
    model(folder / "model.onnx", kind, classes, takes=takes, high=high)
    x = (
        np.random.default_rng(0)
        .integers(0, 256, (16, 1, 1, 1))
        .repeat(SIDE, 1)
        .repeat(SIDE, 2)
        .repeat(3, 3)
        .astype(np.uint8)
    )
    y = answer(kind, classes, x)
    if takes in ("bool", "int8"):
        light = x > 127
        y = answer(kind, classes, light * 255)
        x = (light if takes == "bool" else np.where(light, 127, -128)).astype(takes)
    np.savez(folder / "examples.npz", x=x, y=y)
    rewrite(
        folder,
        {
            "name": "bright",
            "version": 1,
            "created": "2026-11-22T10:00:00Z",
            "input": {
                "kind": "image",
                "shape": [SIDE, SIDE, 3],
                "dtype": takes,
                "range": [-128 if takes == "int8" else 0, high],
            },
            "preprocessing": "resize",
            "labels": list(labels),
            "output": {"kind": told, "shape": [y.shape[1]]},
            "metrics": {"mean_error": 0.1} if kind == "quantity" else {"accuracy": 0.9},
        },
    )
    return folder
