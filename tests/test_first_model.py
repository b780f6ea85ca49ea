"""The model that ``up`` trains: the same answer wherever, however large and with whatever pen; and what it doubts."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from backend.deployments.loading import load
from backend.deployments.values import Deployment
from backend.predict.doubt import find_doubt
from tests import drawings
from tests.chain import Chain
from workbench.doubt.values import Doubt
from workbench.models import registry
from workbench.pictures import ink

SIDE = 280
SIZES = 60, 100, 140, 180, 220
"""Pixels of a digit's height."""
PENS = 0.06, 0.09, 0.12, 0.15, 0.18
"""Of the digit's height."""
PLACES = 5
LETTERS = "AEFHKMNRTWXYhkmnruwxy"
FACES = cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX

Canvas = NDArray[np.uint8]


@pytest.fixture
def serving(chain: Chain) -> Deployment:
    """The version that the chain's first model became."""
    version = registry.find("mnist-cnn:1", chain.settings)
    return Deployment(version.name, 1, "", None, load(version.folder, version.manifest))


def moved(digit: int) -> Iterator[Canvas]:
    """One digit of one hand in all sizes, with all pens, at all places."""
    strokes, _ = drawings.strokes(digit, np.random.default_rng(7), 100.0)
    low = np.concatenate(strokes).min(axis=0)
    for size in SIZES:
        scaled = [(stroke - low) * (size / 100) for stroke in strokes]
        extent = np.concatenate(scaled).max(axis=0)
        for part in PENS:
            pen = max(1, round(part * size))
            for place in np.ndindex(PLACES, PLACES):
                at = pen / 2 + (SIDE - extent - pen) * np.array(place) / (PLACES - 1)
                canvas = np.zeros((SIDE, SIDE), np.uint8)
                lines = [np.round((stroke + at) * 16).astype(np.int32) for stroke in scaled]
                cv2.polylines(canvas, lines, False, 255, pen, cv2.LINE_AA, 4)
                yield canvas


def see(canvas: Canvas) -> Canvas:
    fitted = ink.fit(canvas)
    assert fitted is not None
    return np.asarray(fitted, np.uint8)


def letter(sign: str, face: int, pen: int) -> Canvas:
    (width, height), _ = cv2.getTextSize(sign, face, 5, pen)
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    cv2.putText(canvas, sign, ((SIDE - width) // 2, (SIDE + height) // 2), face, 5, 255, pen, cv2.LINE_AA)
    return canvas


def doubted(serving: Deployment, canvas: Canvas) -> Doubt | None:
    return find_doubt(see(canvas), serving, lambda: canvas)


def test_a_digit_is_the_same_anywhere_in_any_size_and_with_any_pen(serving: Deployment) -> None:
    for digit in range(10):
        seen = np.stack([see(canvas) for canvas in moved(digit)])
        answers = serving.classify(seen[..., None].astype(np.float32)).argmax(axis=1)
        assert (answers == digit).mean() > 0.995, digit
        assert serving.detector is not None
        assert (serving.detector.scores(seen) > serving.detector.limit).mean() < 0.01, digit


def test_letters_are_told_and_digits_are_not_doubted(serving: Deployment) -> None:
    told = [
        doubted(serving, letter(sign, face, pen)) is not None
        for sign in LETTERS
        for face in FACES
        for pen in (8, 16)
    ]
    assert np.mean(told) > 0.9
    random = np.random.default_rng(2)
    assert sum(doubted(serving, drawings.drawing(k % 10, random)) is not None for k in range(300)) <= 3


def test_several_digits_are_read_one_by_one(serving: Deployment) -> None:
    random, right = np.random.default_rng(3), 0
    for k in range(20):
        digits = [int(digit) for digit in random.integers(10, size=2 + k % 3)]
        cuts = []
        for digit in digits:
            strokes, _ = drawings.strokes(digit, random, 120.0)
            low, high = (getattr(np.concatenate(strokes), part)(axis=0) for part in ("min", "max"))
            tile = np.zeros((160, int(high[0] - low[0]) + 34), np.uint8)
            lines = [np.round((stroke - low + (17, 20)) * 16).astype(np.int32) for stroke in strokes]
            cv2.polylines(tile, lines, False, 255, 11, cv2.LINE_AA, 4)
            cuts.append(tile)
        found = doubted(serving, np.pad(np.hstack(cuts), 20))
        right += found is not None and [part.digit for part in found.parts] == digits
    assert right >= 16
