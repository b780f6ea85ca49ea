"""Digits that people drew with a pen: read from a file, and drawn as a visitor's canvas.

The file ``strokes.jsonl.gz`` has one object a line: ``digit``, ``writer`` and ``strokes``, lists of ``[x, y]`` from 0 to 500
with y upward.
"""

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, Unavailable
from workbench.pictures import ink

SIDE, BOX = 280, 500
"""Pixels of a visitor's canvas, and units of the tablet's box."""
PENS = 10, 15, 25, 35, 50
SIZES = 0.3, 0.45, 0.6, 0.75, 0.9
"""Of the canvas' side, the longer side of a digit that is moved about."""
PLACES = 5
"""Along each side of the canvas."""

Grey = NDArray[np.uint8]
Strokes = Sequence[NDArray[np.float64]]


@dataclass(frozen=True)
class Written:
    """One digit by one writer: strokes ``(points, 2)``, 0 to 500, y downward."""

    digit: int
    writer: int
    strokes: tuple[NDArray[np.float64], ...]

    def on_canvas(self, pen: int) -> Grey:
        """The digit where and as large as it was written, with a pen of so many pixels."""
        return draw([stroke * (SIDE / BOX) for stroke in self.strokes], pen)

    def as_high_as(self, height: float) -> list[NDArray[np.float64]]:
        """The strokes from ``(0, 0)`` on, the longer side of so many pixels."""
        points = np.concatenate(self.strokes)
        low, longer = points.min(axis=0), max(float(np.ptp(points, axis=0).max()), 1.0)
        return [(stroke - low) * (height / longer) for stroke in self.strokes]


def read(folder: Path) -> list[Written]:
    """Read the digits that people drew, all of them."""
    path = folder / "strokes.jsonl.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            return [parse(line) for line in lines]
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise Unavailable(f"{path} cannot be read ({error}); give the folder in which it lies") from error


def parse(line: str) -> Written:
    """Take one line apart.

    >>> parse('{"digit": 1, "writer": 7, "strokes": [[[250, 500], [250, 0]]]}').strokes[0].tolist()
    [[250.0, 0.0], [250.0, 500.0]]
    """
    try:
        fields = json.loads(line)
        strokes = tuple(
            np.array(s, np.float64).reshape(-1, 2) * (1, -1) + (0, BOX) for s in fields["strokes"]
        )
        return Written(int(fields["digit"]), int(fields["writer"]), strokes)
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"a line of the strokes is not as it should be ({error!r}). Received: {line[:80]!r}"
        ) from error


def draw(strokes: Strokes, pen: int, size: tuple[int, int] = (SIDE, SIDE)) -> Grey:
    """Draw strokes in pixels on a canvas ``(h, w)``, white on black, with a round pen."""
    canvas = np.zeros(size, np.uint8)
    lines = [np.round(np.repeat(s, 2 if len(s) == 1 else 1, axis=0) * 16).astype(np.int32) for s in strokes]
    cv2.polylines(canvas, lines, False, 255, pen, cv2.LINE_AA, 4)
    return canvas


def see(canvas: Grey) -> Grey:
    """Fit a canvas as the back end does; where nothing is seen the picture is empty."""
    fitted = ink.fit(canvas)
    return np.zeros((28, 28), np.uint8) if fitted is None else fitted


def see_plainly(canvas: Grey) -> Grey:
    """Make a canvas smaller, as the tutorial of 2020 did."""
    return cv2.resize(canvas, (28, 28), interpolation=cv2.INTER_AREA).astype(np.uint8)


def moved(written: Sequence[Written]) -> Iterator[tuple[int, Grey]]:
    """One digit of each kind, by an odd-numbered writer, at all places, in all sizes, with all pens."""
    for digit in range(10):
        one = next(w for w in written if w.digit == digit and w.writer % 2)
        for size in SIZES:
            strokes = one.as_high_as(size * SIDE)
            room = SIDE - np.concatenate(strokes).max(axis=0)
            for pen in (p for p in PENS if p <= size * SIDE / 4):
                for place in np.ndindex(PLACES, PLACES):
                    at = pen / 2 + (room - pen) * np.array(place) / (PLACES - 1)
                    yield digit, draw([stroke + at for stroke in strokes], pen)
