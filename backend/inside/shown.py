"""What a layer made of a drawing as the pages get it: pictures of 8 bits and a few numbers, bounded in size."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.inside.layers import Kernel, Layer
from workbench.pictures import ink

MOST_MAPS, MOST_SIDE, MOST_VALUES, MOST_WEIGHTS = 16, 64, 128, 6_000
"""Maps of a layer, pixels of a map's side, numbers of a layer without maps, and numbers of all kernels together."""


@dataclass(frozen=True)
class Maps:
    """Pictures of a layer: 0 is ``range[0]``, 255 is ``range[1]``."""

    pictures: tuple[str, ...]
    range: tuple[float, float]


def shape_of(layer: Layer, values: NDArray[Any]) -> tuple[int, ...]:
    """The shape without the batch, channels last where there are any."""
    shape = values.shape[1:]
    if len(shape) == 3 and layer.first is not None:
        shape = (*shape[1:], shape[0]) if layer.first else shape
        if shape[:2] == (1, 1):
            return shape[2:]
    return shape


def describe(layer: Layer, shape: tuple[int, ...] | None) -> dict[str, object]:
    """What is the same for every drawing."""
    told: dict[str, object] = {"name": layer.name, "kind": layer.kind, "shape": list(shape or ())}
    if layer.after:
        told["after"] = layer.after
    return told


def show(layer: Layer, values: NDArray[Any]) -> dict[str, object]:
    """The layer with its maps; with the reason where it has none.

    Parameters
    ----------
    values
        ``(1, …)``, as it came out of the model.
    """
    shape = shape_of(layer, values)
    told = describe(layer, shape)
    if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        return {**told, "maps": [], "missing": "it gives no finite numbers"}
    one = values[0]
    if len(shape) == 3 and layer.first is not None:
        planes = one if layer.first else np.moveaxis(one, 2, 0)
        maps = pictures(planes[:MOST_MAPS])
        told |= {"maps": list(maps.pictures), "range": list(maps.range)}
        if len(planes) > MOST_MAPS:
            told["left_out"] = len(planes) - MOST_MAPS
        return told
    if len(shape) == 1:
        flat = one.reshape(-1)
        maps = pictures(flat[None, None, :MOST_VALUES])
        told |= {"maps": list(maps.pictures), "range": list(maps.range)}
        told["values"] = [float(f"{value:.4g}") for value in flat[:MOST_VALUES].tolist()]
        if len(flat) > MOST_VALUES:
            told["left_out"] = len(flat) - MOST_VALUES
        return told
    return {**told, "maps": [], "missing": "numbers in this order are no picture"}


def pictures(planes: NDArray[Any]) -> Maps:
    """Pictures of planes ``(n, h, w)``, all by one scale; long sides are brought to :data:`MOST_SIDE`."""
    if max(planes.shape[1:]) > MOST_SIDE and planes.shape[1] > 1:
        by = MOST_SIDE / max(planes.shape[1:])
        size = max(1, round(planes.shape[2] * by)), max(1, round(planes.shape[1] * by))
        small = [cv2.resize(p.astype(np.float32), size, interpolation=cv2.INTER_AREA) for p in planes]
        planes = np.stack(small)
    low, high = float(planes.min()), float(planes.max())
    scale = 255 / (high - low) if high > low else 0.0
    grey = ((planes - low) * scale + 0.5).astype(np.uint8)
    return Maps(
        tuple(ink.to_data_url(np.ascontiguousarray(plane)) for plane in grey),
        (float(f"{low:.5g}"), float(f"{high:.5g}")),
    )


def show_kernel(kernel: Kernel) -> dict[str, object]:
    """A convolution's numbers, filter by filter, and how its window moves."""
    return {
        "shape": list(kernel.weights.shape),
        "weights": [float(f"{value:.5g}") for value in kernel.weights.ravel().tolist()],
        "bias": [float(f"{value:.5g}") for value in kernel.bias.tolist()],
        "strides": list(kernel.strides),
        "pads": list(kernel.pads),
        "dilations": list(kernel.dilations),
    }
