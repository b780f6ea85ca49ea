"""One digit is one digit wherever, however large and with whichever pen it is drawn."""

import itertools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from workbench.pictures import ink

Stroke = list[tuple[float, float]]
STROKES: dict[str, list[Stroke]] = {
    "7": [[(0, 0), (1, 0), (0.35, 1)]],
    "4": [[(0.7, 1), (0.7, 0), (0, 0.65), (1, 0.65)]],
    "2": [[(0, 0.2), (0.3, 0), (0.8, 0.05), (0.95, 0.3), (0, 1), (1, 1)]],
}
CANVAS = 280
SIZES, PENS, PLACES = (80, 110, 140, 170, 200), (0.06, 0.08, 0.1, 0.12, 0.15), 5
"""Heights in pixels; pens as parts of that; places on either axis."""


def drawn(name: str, height: int, pen: float, x: float, y: float) -> NDArray[np.uint8]:
    """The digit on the canvas; ``x`` and ``y``, 0 to 1, of the room that there is."""
    sheet = np.zeros((CANVAS, CANVAS), np.uint8)
    width, thick = round(height * 0.7), max(1, round(height * pen))
    left = round(thick + x * (CANVAS - width - 2 * thick))
    top = round(thick + y * (CANVAS - height - 2 * thick))
    for stroke in STROKES[name]:
        points = np.array([(left + a * width, top + b * height) for a, b in stroke]).round().astype(np.int32)
        cv2.polylines(sheet, [points], False, 255, thick, cv2.LINE_AA)
    return sheet


def all_fitted(name: str) -> NDArray[np.float32]:
    steps = np.linspace(0, 1, PLACES)
    ways = itertools.product(SIZES, PENS, steps.tolist(), steps.tolist())
    found = [ink.fit(drawn(name, height, pen, x, y)) for height, pen, x, y in ways]
    assert all(one is not None for one in found)
    return np.stack([one for one in found if one is not None]).astype(np.float32)


@pytest.mark.parametrize("name", STROKES)
def test_a_digit_at_25_places_in_5_sizes_with_5_pens_is_seen_as_one(name: str) -> None:
    seen = all_fitted(name)
    assert len(seen) == 25 * len(SIZES) * len(PENS)
    others = [np.median(all_fitted(other), axis=0) for other in STROKES if other != name]
    middle = np.median(seen, axis=0)
    own = np.abs(seen - middle).mean(axis=(1, 2))
    for other in others:  # each is far nearer to its own digit than to any other
        assert (np.abs(seen - other).mean(axis=(1, 2)) > 1.5 * own).all()
    # The place alone changes nothing, but that the centre of mass may be rounded to the pixel beside.
    places = seen.reshape(-1, PLACES * PLACES, 28, 28)
    first = places[:, :1]
    shifts = [np.roll(places, shift, axis=(2, 3)) for shift in itertools.product((-1, 0, 1), repeat=2)]
    assert np.min([np.abs(one - first).mean(axis=(2, 3)) for one in shifts], axis=0).max() < 6
