"""Handwritten digits as old scanners and collections of characters have them: bilevel, coarse, stretched to one size.

Forms were scanned in black and white; then each character was cut out, often stretched to a box that was the same for all,
and kept as a few cells, each the share of ink in it. Small pictures of any origin look much the same once they are enlarged.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Random = np.random.Generator

SHARE, WIDEST = 0.35, 0.17
"""The share of digits that are seen so, of those with a pen at most so wide: who fills in forms takes a thin one."""
STRETCHED = 0.6
"""Of these, the share that is stretched to a box; the others keep their proportions."""
BOX = 0.55, 1.05
"""Widths of such boxes, in their heights."""
CELLS = 9, 25
"""Along the longer side: least, and one more than the most."""
HEIGHT = 80
"""Pixels to which the longer side is enlarged again."""
MARGIN = 2
"""Cells of paper around."""
WEAKEST = 1.0
"""The width, in cells, that strokes have at least: others would not have been legible."""


def scan(random: Random, ink: NDArray[np.uint8], pen: float) -> NDArray[np.uint8]:
    """Scan a drawing ``(h, w)``, of strokes as wide as so large a part of its longer side."""
    bilevel = cv2.threshold(ink, 127, 255, cv2.THRESH_BINARY)[1]
    left, top, width, height = cv2.boundingRect(bilevel)
    digit = bilevel[top : top + height, left : left + width]
    slim = random.uniform(*BOX) if random.random() < STRETCHED else width / height
    least = max(CELLS[0], min(CELLS[1] - 1, int(np.ceil(WEAKEST / pen))))
    longer = int(random.integers(least, CELLS[1]))
    across, down = max(2, round(longer * min(1.0, slim))), max(2, round(longer * min(1.0, 1 / slim)))
    cells = cv2.resize(digit, (across, down), interpolation=cv2.INTER_AREA)
    large = HEIGHT / longer
    size = round((across + 2 * MARGIN) * large), round((down + 2 * MARGIN) * large)
    framed = np.pad(cells, MARGIN)
    return np.asarray(cv2.resize(framed, size, interpolation=cv2.INTER_CUBIC), np.uint8)
