"""A stranger's picture to a model's input, as the version's manifest describes it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend import images
from backend.guards import one_at_a_time


def prepare(
    data: bytes, manifest: Mapping[str, Any]
) -> tuple[NDArray[np.float32] | None, NDArray[np.uint8] | None]:
    """The model's input ``(1, h, w, c)`` and the same as pixels; ``None`` where nothing was drawn."""
    header = images.read_header(data)
    height, width, channels = manifest["input"]["shape"]
    with one_at_a_time(header.width * header.height):
        if manifest["preprocessing"] == "mnist":
            seen = images.fit(images.decode(data))
        else:
            seen = images.resize(images.read_planes(data), width, height, channels)
    if seen is None:
        return None, None
    x = seen.reshape(1, height, width, channels).astype(np.float32)
    low, high = manifest["input"].get("range") or (0, 255)
    if (low, high) != (0, 255):
        x = x * np.float32((high - low) / 255) + np.float32(low)
    return x, seen
