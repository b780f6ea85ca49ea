"""The pictures most like a drawing, told by their pixels, a little blurred: where ink lies, not which pixel it is."""

import cv2
import numpy as np
from numpy.typing import NDArray

COUNT = 5


class Sample:
    """Pictures with what they are, among which others are looked for.

    Parameters
    ----------
    x, labels
        ``(n, h, w)`` uint8, 0 = paper; and one text each.
    """

    def __init__(self, x: NDArray[np.uint8], labels: tuple[str, ...]) -> None:
        self._x, self._labels = x, labels
        self._features = _features(x)

    @property
    def side(self) -> tuple[int, ...]:
        """Height and width of the pictures."""
        return self._x.shape[1:]

    def nearest(self, drawings: NDArray[np.uint8]) -> list[list[tuple[NDArray[np.uint8], str]]]:
        """For each drawing ``(m, h, w)`` the five most like it with their labels, the nearest first."""
        if not len(drawings) or not len(self._x):
            return [[] for _ in drawings]
        likeness = _features(drawings) @ self._features.T
        order = np.argsort(-likeness, axis=1, kind="stable")[:, :COUNT]
        return [[(self._x[i], self._labels[i]) for i in row] for row in order]


def _features(x: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Blurred pixels of length 1, ``(n, h * w)``."""
    blurred = np.stack([cv2.GaussianBlur(one.astype(np.float32), (0, 0), 1.0) for one in x])
    flat = blurred.reshape(len(x), -1)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    result: NDArray[np.float32] = flat / np.maximum(length, 1e-9)
    return result
