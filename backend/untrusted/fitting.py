"""Fit a picture to an untrusted model, by the model's own signature: sizes, channels, range, type."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.tfserving.rest_format import DTYPES, Signature, Tensor, show_shape
from workbench.errors import BadInput, ModelRefused
from workbench.manifest import Manifest
from workbench.pictures import ink
from workbench.pictures.inputs import prepare
from workbench.pictures.memory import one_at_a_time

Size = tuple[int, int, int]
"""Width, height and channels."""

_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})(?:x([1-9]\d{0,1}))?", re.IGNORECASE)


def read_size(text: str) -> Size | None:
    """``28x28x1`` as width, height and channels; ``None`` where nothing is said.

    >>> read_size("32x24x3")
    (32, 24, 3)
    """
    if not text:
        return None
    match = _SIZE.fullmatch(text.replace("×", "x").replace(" ", ""))
    width, height, channels = (int(part or 1) for part in match.groups()) if match else (0, 0, 0)
    if match is None or channels not in (1, 3) or width * height > 4_194_304:
        raise BadInput(
            f"imageSize is WIDTHxHEIGHTxCHANNELS with 1 or 3 channels, as 28x28x1. Received: {text[:60]!r}"
        )
    return width, height, channels


def read_range(text: str) -> tuple[float, float]:
    """Read what black and white are for a model: ``0,1``; 0 and 255 where nothing is said."""
    if not text:
        return 0.0, 255.0
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError as error:
        raise BadInput(f"inputRange is two numbers, as 0,1. Received: {text[:40]!r}") from error
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise BadInput(f"inputRange is two numbers, the lower first. Received: {text[:40]!r}")
    return low, high


def other_size(sent: Size | None, wanted: Size) -> BadInput:
    return BadInput(
        f"imageSize is {'x'.join(map(str, sent or ()))}, but the model takes {'x'.join(map(str, wanted))}"
    )


def fit(
    data: bytes,
    signatures: Mapping[str, Signature],
    manifest: Manifest | None,
    sent: Size | None,
    range_: tuple[float, float],
) -> dict[str, NDArray[Any]]:
    """The picture as the model's own signature wants it."""
    signature = signatures.get("serving_default")
    if signature is None or len(signature.inputs) != 1:
        has = ", ".join(signatures)
        raise ModelRefused(
            f"the model must have a signature serving_default with one input. It has: {has[:200]}"
        )
    ((name, tensor),) = signature.inputs.items()
    if tensor.dtype == "DT_STRING" and tensor.shape in (None, (-1,)):
        ink.read_header(data)
        return {name: np.array([data], dtype=object)}
    if tensor.dtype == "DT_STRING" or tensor.dtype not in DTYPES:
        raise ModelRefused(f"the model takes {tensor.dtype}, which is no picture")
    width, height, channels = _size(tensor, sent)
    if manifest is not None and manifest.takes.sizes == (height, width, channels):
        x, _ = prepare(data, manifest)
        if x is None:
            raise BadInput("nothing is drawn on the picture")
        pixels = x
    else:
        low, high = range_
        pixels = resize(data, width, height, channels).astype(np.float32)[None]
        if (low, high) != (0.0, 255.0):
            pixels = pixels * np.float32((high - low) / 255) + np.float32(low)
    rank = len(tensor.shape) if tensor.shape is not None else 4
    shape = {2: (1, -1), 3: (1, height, width)}.get(rank, (1, height, width, channels))
    return {name: pixels.reshape(shape).astype(DTYPES[tensor.dtype])}


def as_picture(x: Mapping[str, NDArray[Any]], range_: Sequence[float]) -> NDArray[np.uint8] | None:
    """Turn what ``fit`` gave into a picture to look at; ``None`` where it is none."""
    (pixels,) = x.values()
    if pixels.dtype == object or pixels.ndim not in (3, 4):
        return None
    low, high = range_
    scaled = (pixels[0].astype(np.float32) - low) * (255 / ((high - low) or 1))
    picture: NDArray[np.uint8] = scaled.clip(0, 255).round().astype(np.uint8)
    return picture


def _size(tensor: Tensor, sent: Size | None) -> Size:
    """Width, height and channels by the model's own input; where that leaves a side open, by ``imageSize``."""
    shape = tensor.shape
    if shape is None or len(shape) not in (2, 3, 4) or shape[0] not in (-1, 1):
        if shape is None and sent is not None:
            return sent
        raise ModelRefused(
            "the model's input is no picture: it must have the shape (n, height, width, channels), "
            f"(n, height, width) or (n, pixels). It has: {'any' if shape is None else show_shape(shape)}"
        )
    if len(shape) == 2:
        if sent is None:
            raise BadInput(f"the model takes {shape[1]} numbers; say of which picture: imageSize, as 28x28x1")
        if shape[1] not in (-1, sent[0] * sent[1] * sent[2]):
            raise BadInput(
                f"imageSize is {'x'.join(map(str, sent))}, which is {sent[0] * sent[1] * sent[2]} numbers, "
                f"but the model takes {shape[1]}"
            )
        return sent
    height, width, channels = (*shape[1:], 1) if len(shape) == 3 else shape[1:]
    wanted = width, height, channels
    if sent is None and -1 in wanted:
        raise BadInput("the model takes pictures of any size; say which: imageSize, as 28x28x1")
    if sent is None:
        sent = wanted
    if any(w not in (-1, s) for w, s in zip(wanted, sent, strict=True)):
        told = "x".join("any" if side < 0 else str(side) for side in wanted)
        raise BadInput(f"imageSize is {'x'.join(map(str, sent))}, but the model takes {told}")
    if sent[2] not in (1, 3):
        raise ModelRefused(f"the model takes pictures of {sent[2]} channels; 1 and 3 are served")
    return sent


def resize(data: bytes, width: int, height: int, channels: int) -> NDArray[np.uint8]:
    """A plain resize to ``(h, w, c)`` uint8, 0 is black; colours become grey as the eye weighs them."""
    header = ink.read_header(data)
    with one_at_a_time(header.width * header.height):
        planes = ink.read_planes(data)
        colours = [
            ink.lay_on_paper(c, planes.alpha) if planes.alpha is not None else c for c in planes.colours
        ]
        if channels == 1 and len(colours) == 3:
            red, green, blue = (colour.astype(np.float32) for colour in colours)
            colours = [(0.299 * red + 0.587 * green + 0.114 * blue).round().astype(np.uint8)]
        elif channels == 3 and len(colours) == 1:
            colours = colours * 3
        shrunk = [cv2.resize(colour, (width, height), interpolation=cv2.INTER_AREA) for colour in colours]
    return np.stack(shrunk, axis=-1).astype(np.uint8)
