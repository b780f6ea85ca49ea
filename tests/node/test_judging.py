"""Doubt of a drawing that a network sees which is not published yet."""

from pathlib import Path

import numpy as np

from tests.chain import make_settings
from workbench import doubt
from workbench.doubt import Detector, Layer
from workbench.node.companions import doubting
from workbench.node.companions.judging import doubt_of
from workbench.pictures import ink
from workbench.system import files

INK = np.full((28, 28), 200, np.uint8)


def says_three(pictures: np.ndarray) -> np.ndarray:
    return np.eye(10, dtype=np.float32)[[3] * len(pictures)]


def sees(answer: int) -> Detector:
    """A detector that sees the same in everything."""
    sizes = (25, 1), (9, 1), (25, 1), (1, doubt.ANSWERS)
    layers = [Layer(np.zeros(size, np.float32), np.zeros(size[1], np.float32)) for size in sizes]
    layers[3].bias[answer] = 8
    first, second, third, last = layers
    return Detector((first, second, third, last), 0.5)


def test_the_detector_of_this_home_says_what_it_doubts(tmp_path: Path) -> None:
    for number, (answer, kind) in enumerate(
        [(7, None), (doubt.OTHER, "no_digit"), (doubt.SEVERAL, "several")]
    ):
        settings = make_settings(tmp_path / str(number))
        settings.data.mkdir(parents=True)
        assert doubt_of(INK, INK, says_three, settings) is None, "there is none yet"
        files.write_json(doubting.kept_at(settings), sees(answer).as_json())
        found = doubt_of(INK, INK, says_three, settings)
        assert (found and found.kind) == kind


def test_two_digits_that_stand_apart_are_read_one_by_one_without_a_detector_too(tmp_path: Path) -> None:
    drawing = np.zeros((112, 112), np.uint8)
    drawing[40:80, 20:26] = drawing[40:80, 80:86] = 255
    picture = ink.fit(drawing)
    assert picture is not None
    found = doubt_of(drawing, picture, says_three, make_settings(tmp_path))
    assert found is not None
    assert (found.kind, [part.digit for part in found.parts]) == ("several", [3, 3])


def test_a_damaged_one_doubts_nothing(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    settings.data.mkdir(parents=True)
    doubting.kept_at(settings).write_text("{}")
    assert doubt_of(INK, INK, says_three, settings) is None
