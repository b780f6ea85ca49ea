"""Drawings that are no single digit, made in other ways than those that detectors learn from.

Letters and signs are those of OpenCV's Hershey fonts, bent; rows, stacks and heaps are of people's own digits.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from benchmarks.hands.written import SIDE, Grey, Written, draw

LETTERS = "ACEFHKLMNPRTUVWXYadefhkmnprtuvwxy"
"""But those that are written like a digit: O, I, l, S, Z, B, D, G, J, Q, b, c, g, i, j, o, q, s, z."""
SIGNS = "#%&*+?=@$<>^~"
FACES = tuple(range(8))
"""Of OpenCV: FONT_HERSHEY_SIMPLEX to FONT_HERSHEY_SCRIPT_COMPLEX."""
HIGH = 100.0
"""Pixels of a digit among several."""

Random = np.random.Generator
Kind = Callable[[Random, Sequence[Written]], Grey]


def letter(random: Random, written: Sequence[Written], signs: str = LETTERS) -> Grey:
    """A letter of a font, leant and stretched."""
    sign, face, pen = (
        signs[random.integers(len(signs))],
        int(random.choice(FACES)),
        int(random.integers(4, 20)),
    )
    (width, height), below = cv2.getTextSize(sign, face, 4, pen)
    canvas = np.zeros((height + below + 80, width + 80), np.uint8)
    cv2.putText(canvas, sign, (40, height + 40), face, 4, 255, pen, cv2.LINE_AA)
    turn = np.array([[random.uniform(0.8, 1.2), random.normal(0, 0.15)], [random.normal(0, 0.1), 1]])
    middle = np.array(canvas.shape[::-1]) / 2
    way = np.hstack([turn, (middle * 1.3 - turn @ middle)[:, None]])
    return cv2.warpAffine(canvas, way, tuple(int(side * 2.6) for side in middle)).astype(np.uint8)


def sign(random: Random, written: Sequence[Written]) -> Grey:
    """A sign of a font, leant and stretched."""
    return letter(random, written, SIGNS)


def _some(random: Random, written: Sequence[Written], gap: tuple[float, float], axis: int, most: int) -> Grey:
    """Digits along an axis, with gaps between these bounds, in parts of their height."""
    at, strokes = 0.0, []
    for k in random.integers(len(written), size=random.integers(2, most + 1)):
        digit = written[k].as_high_as(HIGH * random.uniform(0.85, 1.1))
        place = np.zeros(2)
        place[axis], place[1 - axis] = at, random.normal(0, 4)
        strokes += [stroke + place for stroke in digit]
        at += float(np.concatenate(digit)[:, axis].max()) + HIGH * random.uniform(*gap)
    points = np.concatenate(strokes)
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    pen = int(random.integers(6, 14))
    shape = int(size[1] + 4 * pen), int(size[0] + 4 * pen)
    return draw([stroke - low + 2 * pen for stroke in strokes], pen, shape)


def row(random: Random, written: Sequence[Written]) -> Grey:
    """Two to five digits beside one another, apart."""
    return _some(random, written, (0.18, 0.5), 0, 5)


def touching(random: Random, written: Sequence[Written]) -> Grey:
    """Two or three digits beside one another that touch or all but touch."""
    return _some(random, written, (-0.12, 0.08), 0, 3)


def stack(random: Random, written: Sequence[Written]) -> Grey:
    """Two or three digits above one another."""
    return _some(random, written, (0.1, 0.4), 1, 3)


def heap(random: Random, written: Sequence[Written]) -> Grey:
    """Three digits across one another."""
    digits = [written[k].as_high_as(200) for k in random.integers(len(written), size=3)]
    strokes = [stroke + random.normal(40, 12, 2) for digit in digits for stroke in digit]
    return draw(strokes, int(random.integers(8, 16)))


def dots(random: Random, written: Sequence[Written]) -> Grey:
    """One to five dots."""
    places = random.uniform(60, SIDE - 60, (int(random.integers(1, 6)), 1, 2))
    return draw(list(places), int(random.integers(12, 30)))


def line(random: Random, written: Sequence[Written]) -> Grey:
    """A line that lies."""
    turn = np.radians(random.uniform(-30, 30))
    half = np.array([np.cos(turn), np.sin(turn)]) * random.uniform(50, 110)
    return draw([np.array([SIDE / 2 - half, SIDE / 2 + half])], int(random.integers(6, 20)))


KINDS: dict[str, Kind] = {
    kind.__name__: kind for kind in (letter, sign, heap, dots, line, row, touching, stack)
}
