"""Pen strokes: digits that are drawn here, of a seed, the first time they are asked for.

MNIST's digits are scans of what Americans wrote on paper in the 1980s and 90s. These are what many hands draw with pens of
all widths, as :mod:`workbench.datasets.handwriting` knows them, fitted as the back end fits a visitor's drawing.
"""

import hashlib
from pathlib import Path

import numpy as np

NAME = "pen-strokes"
TRAIN, TEST = 40_000, 5_000
SEED = 20


def draw() -> list[np.ndarray]:
    """Draw both parts, some 0.2 ms of CPU a picture: ``x_train, y_train, x_test, y_test``."""
    from workbench.datasets.handwriting import draw_all  # OpenCV comes with it

    return [*draw_all(TRAIN, SEED), *draw_all(TEST, SEED + 1)]


def made_by() -> str:
    """Name all that decides how they look: how many, the seed, and the code that draws and fits.

    Not the pictures themselves: processors differ in the last bits of a sine, and so in single grey levels.
    """
    folder = Path(__file__).parent
    sources = [*sorted((folder / "handwriting").glob("*.py")), folder.parent / "pictures" / "ink.py"]
    code = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    return f"{TRAIN} + {TEST} of seed {SEED} by {code}"
