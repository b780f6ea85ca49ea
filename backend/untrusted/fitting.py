"""Fit a picture to an untrusted model, by the model's own signature: sizes, channels, range, type."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.tfserving.rest_format import DTYPES, Arrays, Signature, Tensor
from backend.untrusted.layouts import CHANNELS, LAYOUTS, Size, find_layout
from workbench.errors import BadInput, ModelRefused
from workbench.manifest import Manifest
from workbench.pictures import ink
from workbench.pictures.inputs import prepare
from workbench.pictures.memory import one_at_a_time

SIGNATURE = "serving_default"
_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})(?:x([1-9]\d{0,1}))?", re.IGNORECASE)


@dataclass(frozen=True)
class How:
    """What a request says of the model, where the model does not say it itself."""

    size: Size | None = None
    layout: str = ""
    """One of :data:`~backend.untrusted.layouts.LAYOUTS`."""
    signature: str = ""
    output: str = ""
    range: tuple[float, float] | None = None
    """What it takes for black and white; ``None`` for what models of its type usually do."""


@dataclass(frozen=True)
class Fitted:
    """A picture as a model takes it."""

    signature: str
    inputs: Arrays
    batch: int | None
    """Pictures in it, all the same; ``None`` where the model's answers have no axis for pictures."""
    seen: NDArray[np.uint8] | None
    """The picture ``(h, w, c)`` that the model is given; ``None`` where it decodes one itself."""


def read_size(text: str) -> Size | None:
    """``28x28x1`` as width, height and channels; ``None`` where nothing is said.

    >>> read_size("32x24x3")
    (32, 24, 3)
    """
    if not text:
        return None
    match = _SIZE.fullmatch(text.replace("×", "x").replace(" ", ""))
    width, height, channels = (int(part or 1) for part in match.groups()) if match else (0, 0, 0)
    if match is None or channels not in CHANNELS or width * height > 4_194_304:
        raise BadInput(
            f"imageSize is WIDTHxHEIGHTxCHANNELS with 1, 3 or 4 channels, as 28x28x1. Received: {text[:60]!r}"
        )
    return width, height, channels


def read_range(text: str) -> tuple[float, float] | None:
    """Read what black and white are for a model: ``0,1``; ``None`` where nothing is said."""
    if not text:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError as error:
        raise BadInput(f"inputRange is two numbers, as 0,1. Received: {text[:40]!r}") from error
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise BadInput(f"inputRange is two numbers, the lower first. Received: {text[:40]!r}")
    return low, high


def read_layout(text: str) -> str:
    """Read the order of a model's axes, ``NHWC`` or ``NCHW`` for the most part."""
    known = [axes for layouts in LAYOUTS.values() for axes in layouts]
    if text and text.upper() not in known:
        raise BadInput(f"layout is one of {', '.join(known)}. Received: {text[:40]!r}")
    return text.upper()


def other_size(sent: Size | None, wanted: Size) -> BadInput:
    return BadInput(
        f"imageSize is {'x'.join(map(str, sent or ()))}, but the model takes {'x'.join(map(str, wanted))}"
    )


def fit(data: bytes, signatures: Mapping[str, Signature], manifest: Manifest | None, how: How) -> Fitted:
    """The picture as the model's own signature wants it.

    Raises
    ------
    BadInput
        The request does not fit the model, or must say more.
    ModelRefused
        The model takes no picture.
    """
    signature = choose_signature(signatures, how.signature)
    if len(takes := signatures[signature].inputs) != 1:
        raise BadInput(
            f"the model takes {len(takes)} inputs: {', '.join(takes)[:200]}; give inputs, one example by these names, "
            "with the picture, if it takes one, as image"
        )
    ((name, tensor),) = takes.items()
    laid, batch, seen = fit_picture(data, tensor, manifest, how)
    return Fitted(signature, {name: laid}, batch, seen)


def fit_picture(
    data: bytes, tensor: Tensor, manifest: Manifest | None, how: How
) -> tuple[NDArray[Any], int | None, NDArray[np.uint8] | None]:
    """The picture as an input takes it, how often it is in there, and what the model is given of it; see :class:`Fitted`."""
    if tensor.dtype == "DT_STRING" and (tensor.shape is None or len(tensor.shape) <= 1):
        ink.read_header(data)
        batch = None if tensor.shape == () else max(1, (tensor.shape or (1,))[0])
        return np.full(() if batch is None else batch, data, dtype=object), batch, None
    if tensor.dtype == "DT_STRING" or tensor.dtype not in DTYPES:
        raise ModelRefused(f"the model takes {tensor.dtype}, which is no picture")
    layout = find_layout(tensor.shape, how.size, how.layout)
    width, height, channels = layout.size
    if manifest is not None and manifest.takes.sizes == (height, width, channels):
        x, seen = prepare(data, manifest)
        if x is None:
            raise BadInput("nothing is drawn on the picture")
        pixels = x[0]
    else:
        seen = resize(data, width, height, channels)
        pixels = _scale(seen, how.range, tensor.dtype)
    laid: NDArray[Any] = layout.lay(pixels).astype(DTYPES[tensor.dtype])
    return laid, layout.batch if layout.has_batch else None, seen


def _scale(seen: NDArray[np.uint8], wanted: tuple[float, float] | None, dtype: str) -> NDArray[Any]:
    """Bring pixels from 0 to 255 to what a model of this type takes for black and white."""
    kind = np.dtype(DTYPES[dtype])
    if kind.kind == "b":
        return seen > 127
    low, high = wanted or ((-128.0, 127.0) if kind == np.int8 else (0.0, 255.0))
    if kind.kind in "iu":
        told = np.iinfo(kind.name)
        least, most = told.min, told.max
        if low < least or high > most:
            raise BadInput(f"inputRange {low:g},{high:g} is more than {dtype} can be, {least} to {most}")
    pixels = seen.astype(np.float32)
    if (low, high) != (0.0, 255.0):
        pixels = pixels * np.float32((high - low) / 255) + np.float32(low)
    return np.rint(pixels) if kind.kind in "iu" else pixels


def choose_signature(signatures: Mapping[str, Signature], named: str) -> str:
    """Choose the signature that is named, else the default one, else the only one that there is."""
    has = ", ".join(signatures)[:200]
    if named and named not in signatures:
        raise BadInput(f"the model has no signature {named[:60]!r}; say one of: {has}")
    if not named and SIGNATURE not in signatures and len(signatures) != 1:
        raise BadInput(f"the model has no signature {SIGNATURE}; say which: signature=NAME, one of: {has}")
    return named or (SIGNATURE if SIGNATURE in signatures else next(iter(signatures)))


def resize(data: bytes, width: int, height: int, channels: int) -> NDArray[np.uint8]:
    """A plain resize to ``(h, w, c)`` uint8, 0 is black; colours become grey as the eye weighs them.

    Of four channels the last one is opacity; with fewer, what is transparent lies on the picture's own paper.
    """
    header = ink.read_header(data)
    with one_at_a_time(header.width * header.height):
        planes = ink.read_planes(data)
        colours: list[NDArray[Any]] = list(planes.colours)
        if planes.alpha is not None and channels < 4:
            colours = [ink.lay_on_paper(c, planes.alpha) for c in colours]
        if channels == 1 and len(colours) == 3:
            red, green, blue = (colour.astype(np.float32) for colour in colours)
            colours = [(0.299 * red + 0.587 * green + 0.114 * blue).round().astype(np.uint8)]
        elif channels > 1 and len(colours) == 1:
            colours = colours * 3
        if channels == 4:
            colours.append(np.full_like(colours[0], 255) if planes.alpha is None else planes.alpha)
        shrunk = [cv2.resize(colour, (width, height), interpolation=cv2.INTER_AREA) for colour in colours]
    return np.stack(shrunk, axis=-1).astype(np.uint8)
