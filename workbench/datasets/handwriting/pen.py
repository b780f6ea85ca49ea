"""Handwritten digits as pictures: drawn with pens of many widths, then fitted as a visitor's drawing is."""

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.datasets.handwriting.hand import Drawing, write
from workbench.pictures import ink

Pictures = NDArray[np.uint8]
"""``(n, 28, 28)``, 0 = paper, 255 = full ink."""

SIDE = 72
"""Pixels of the canvas: half as many as a visitor's, but four are left for each of the 20 that are fitted."""
MARGIN = 3
FRACTION = 4
"""Bits behind the point in OpenCV's coordinates."""
USUAL_PENS = 0.05, 0.16, 0.4
"""Least, commonest and largest width of most pens, as parts of the digit's longer side; thin ones are as common."""
WIDE_PENS = 0.2, 0.55
WIDE = 0.3
"""The share of drawings with a wide pen."""


def draw_all(count: int, seed: int) -> tuple[Pictures, NDArray[np.int64]]:
    """Draw so many digits, each by a hand and with a pen of its own; each digit as often, in no order.

    The same on every machine but for single grey levels: sines differ there in their last bits.

    Returns
    -------
    Pictures ``(n, 28, 28)`` and their digits ``(n,)``; n is ``count``.
    """
    random = np.random.default_rng(seed)
    pictures = np.zeros((count, 28, 28), np.uint8)
    digits = np.arange(count) * 10 // count
    for digit in range(10):
        (places,) = np.nonzero(digits == digit)
        drawings = write(random, digit, len(places))
        for place, drawing, pen in zip(places, drawings, draw_pens(random, len(places)), strict=True):
            fitted = ink.fit(draw(drawing, pen))
            assert fitted is not None, "a whole digit was taken for dirt"
            pictures[place] = fitted
    order = random.permutation(count)
    return pictures[order], digits[order]


def draw(drawing: Drawing, pen: float) -> NDArray[np.uint8]:
    """Draw strokes with a round pen on a canvas that they fill.

    Parameters
    ----------
    pen
        The width, as a part of the drawing's longer side.

    Returns
    -------
    Ink ``(72, 72)``.
    """
    points = np.concatenate(drawing)
    low, high = points.min(axis=0), points.max(axis=0)
    longer = float((high - low).max())
    scale = (SIDE - 2 * MARGIN) / (longer * (1 + pen))
    shift = SIDE / 2 - (low + high) / 2 * scale
    lines = [np.round((stroke * scale + shift) * 2**FRACTION).astype(np.int32) for stroke in drawing]
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    width = max(1, round(pen * longer * scale))
    cv2.polylines(canvas, lines, False, 255, width, cv2.LINE_AA, FRACTION)
    return canvas


def draw_pens(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Draw so many pens' widths, as parts of a drawing's longer side: ``(n,)``."""
    least, commonest, most = np.log(USUAL_PENS)
    usual = np.exp(random.triangular(least, commonest, most, count))
    return np.where(random.random(count) < WIDE, random.uniform(*WIDE_PENS, count), usual)
