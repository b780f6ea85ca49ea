"""The training examples most like a drawing, by what the model makes of both just before its last layer."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.artifact import ALIKE, UNREADABLE
from workbench.manifest import Manifest
from workbench.pictures import ink

COUNT = 5
MOST = 1_000
"""Examples of a version that are looked at, at most."""


class Alike:
    """A version's sample of what it was trained on, each example with the model's features.

    Parameters
    ----------
    x, labels
        Pixels ``(n, h, w, c)`` and the number of each one's class.
    features
        ``(n, f)``.
    """

    def __init__(
        self, x: NDArray[np.uint8], labels: NDArray[np.int64], features: NDArray[np.float32]
    ) -> None:
        self._x, self._labels = x, labels
        self._features = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-9)

    def nearest(self, features: NDArray[np.float32], names: tuple[str, ...]) -> list[dict[str, object]]:
        """Give the five that are most like it, the nearest first: cosine of the features, 1 at most."""
        length = max(float(np.linalg.norm(features)), 1e-9)
        likeness = self._features @ (features / length)
        found = []
        for i in np.argsort(-likeness, kind="stable")[:COUNT]:
            label = int(self._labels[i])
            found.append(
                {
                    "label": names[label] if 0 <= label < len(names) else str(label),
                    "picture": ink.to_data_url(self._x[i, :, :, 0]),
                    "likeness": round(float(likeness[i]), 4),
                }
            )
        return found


def read_sample(folder: Path, manifest: Manifest) -> tuple[NDArray[np.uint8], NDArray[np.int64]] | None:
    """Read pixels and classes of the sample that travels with a version; ``None`` where there is none that fits."""
    try:
        with np.load(folder / ALIKE, allow_pickle=False) as archive:
            x, y = archive["x"][:MOST], archive["y"][:MOST]
    except (*UNREADABLE, OSError, KeyError):
        return None
    height, width, channels = manifest.takes.sizes
    fits = x.dtype == np.uint8 and x.shape[1:] == (height, width, channels) and channels == 1
    if not fits or y.shape != x.shape[:1] or y.dtype.kind not in "iu" or len(x) < COUNT:
        return None
    return x, y.astype(np.int64)


def to_input(x: NDArray[np.uint8], manifest: Manifest) -> NDArray[np.float32]:
    """Bring pixels to the range that the model takes."""
    low, high = manifest.takes.range
    scaled: NDArray[Any] = x.astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)
    return scaled
