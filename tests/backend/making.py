"""What the back end's tests are fed with: small model versions, and pictures in every form."""

import base64
import io
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from workbench import artifact, doubt
from workbench.manifest import FILE, Manifest, read
from workbench.manifest import write_listing as rewrite
from workbench.models import registry
from workbench.models.registry import Version
from workbench.settings import Settings

TOKEN = "deploy-token-of-the-tests"


def version(
    folder: Path,
    number: int,
    *,
    name: str = "mnist-cnn",
    answer: int | None = None,
    detector: int | None = None,
    **manifest: Any,
) -> Path:
    """A version whose model says ``answer`` (its number's last digit) to everything, a little less so to bright pictures.

    With a ``detector`` that gives this answer, one of its twelve, to every picture.
    """
    answer = number % 10 if answer is None else answer
    shape = manifest.get("input", {}).get("shape", [28, 28, 1])
    pixels = int(np.prod(shape))
    weights = np.full((pixels, 10), 0.01 / 255 / pixels, np.float32)
    weights[:, answer] = 0
    bias = np.zeros(10, np.float32)
    bias[answer] = 5
    graph = helper.make_graph(
        [
            helper.make_node("Reshape", ["input", "flat"], ["x"]),
            helper.make_node("Gemm", ["x", "weights", "bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["output"], axis=1),
        ],
        "fixture",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", 10])],
        [
            numpy_helper.from_array(np.array([-1, pixels], np.int64), "flat"),
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(bias, "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    (folder / "model.keras").write_bytes(b"not read by the back end")
    x = np.random.default_rng(0).integers(0, 256, (16, *shape)).astype(np.uint8)
    logits = x.reshape(16, -1).astype(np.float32) @ weights + bias
    odds = np.exp(logits - logits.max(1, keepdims=True))
    np.savez(folder / "examples.npz", x=x, y=odds / odds.sum(1, keepdims=True))
    if detector is not None:
        doubt.write(folder, sure_of(detector))
        manifest = {"doubt": doubt.FILE, **manifest}
    rewrite(
        folder,
        {
            "name": name,
            "version": number,
            "job": None,
            "created": "2026-11-22T10:00:00Z",
            "input": {"kind": "image", "shape": shape, "dtype": "float32", "range": [0, 255]},
            "preprocessing": "mnist",
            "labels": [str(digit) for digit in range(10)],
            "output": {"kind": "probabilities", "shape": [10]},
            "metrics": {"accuracy": 0.1},
            "frameworks": {},
            "missing": {},
            **manifest,
        },
    )
    return folder


def sure_of(answer: int) -> doubt.Detector:
    """A detector that gives one answer to every picture."""
    first, second, third, last = (
        doubt.Layer(np.zeros(size, np.float32), np.zeros(size[1], np.float32))
        for size in ((25, 1), (9, 1), (25, 1), (1, doubt.ANSWERS))
    )
    last.bias[answer] = 9
    return doubt.Detector((first, second, third, last), 0.5)


def zipped(folder: Path, destination: Path) -> bytes:
    """A version folder as the bytes of its zip."""
    return artifact.pack(folder, destination).read_bytes()


def seven(side: int = 280, pen: int = 20, *, ink: Any = 255, paper: Any = 0) -> NDArray[np.uint8]:
    """A seven in the upper left part of a square; a colour of several channels makes a picture of as many."""
    shape = (side, side) if np.ndim(paper) == 0 else (side, side, len(paper))
    picture = np.full(shape, paper, np.uint8)
    points = np.array([[60, 60], [160, 60], [90, 200]]) * side // 280
    colour = ink if np.ndim(ink) == 0 else tuple(int(c) for c in ink)
    cv2.polylines(picture, [points.astype(np.int32)], False, colour, max(1, pen * side // 280), cv2.LINE_AA)
    return picture


def png(picture: NDArray[Any], way: int | None = None) -> bytes:
    """A PNG; with ``way`` each row is filtered so (0 none, 1 Sub, 2 Up), RGB(A) order, else as OpenCV likes."""
    if way is None:
        return cv2.imencode(".png", picture)[1].tobytes()
    pixels = picture if picture.ndim == 3 else picture[:, :, None]
    height, width, channels = pixels.shape
    before = np.zeros_like(pixels)
    if way == 1:
        before[:, 1:] = pixels[:, :-1]
    elif way == 2:
        before[1:] = pixels[:-1]
    rows = np.hstack([np.full((height, 1), way, np.uint8), (pixels - before).reshape(height, -1)])
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    return png_of(struct.pack(">II5B", width, height, 8, colour, 0, 0, 0), zlib.compress(rows.tobytes()))


def png_of(header: bytes, data: bytes) -> bytes:
    """A PNG of a raw header and compressed data, right or wrong."""
    parts = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_part(kind, content) for kind, content in parts)


def png_part(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def data_url(picture: bytes, kind: str = "image/png") -> bytes:
    return b"data:" + kind.encode() + b";base64," + base64.b64encode(picture)


def saved(picture: NDArray[Any], kind: str, **options: Any) -> bytes:
    """The picture as Pillow writes it, in RGB(A) order."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind, **options)
    return file.getvalue()


def publish(made: Path, settings: Settings) -> Version:
    """Publish a version that lies in a folder as the next one of its name."""

    def write(aside: Path) -> Manifest:
        for path in made.iterdir():
            if path.name != FILE:
                shutil.copy(path, aside)
        return read(made)

    return registry.add(read(made).name, write, settings)
