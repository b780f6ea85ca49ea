"""Several digits in one drawing are told as such; one digit of several strokes is not."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests import drawings
from tests.backend import making
from tests.backend.client import Client

JSON = {"Accept": "application/json"}


def row(digits: list[int], gap: int = 40, seed: int = 3) -> NDArray[np.uint8]:
    """Digits beside one another, white on black, of one height."""
    random = np.random.default_rng(seed)
    cuts = []
    for digit in digits:
        canvas = drawings.drawing(digit, random)
        x, y, width, height = cv2.boundingRect(canvas)
        cuts.append(cv2.resize(canvas[y : y + height, x : x + width], (max(12, 120 * width // height), 120)))
    apart = [np.pad(cut, ((80, 80), (gap // 2, gap // 2))) for cut in cuts]
    return np.asarray(np.pad(np.hstack(apart), ((0, 0), (30, 30))), np.uint8)


@pytest.mark.parametrize("digits", [[4, 2], [7, 0, 3]])
def test_several_digits_side_by_side_are_told_with_their_parts(seven: Client, digits: list[int]) -> None:
    answer = seven.post("/predict", data=making.data_url(making.png(row(digits))), headers=JSON).json
    assert answer["digit"] == 7
    assert answer["doubt"]["kind"] == "several"
    assert 0 < answer["doubt"]["score"] <= 1
    assert [part["digit"] for part in answer["parts"]] == [7] * len(digits)
    assert all(len(part["probabilities"]) == 10 for part in answer["parts"])


@pytest.mark.parametrize("digit", range(10))
def test_one_digit_is_not_doubted(seven: Client, digit: int) -> None:
    for seed in range(6):
        canvas = drawings.drawing(digit, np.random.default_rng(seed))
        answer = seven.post("/predict", data=making.data_url(making.png(canvas)), headers=JSON).json
        assert answer["doubt"] is None


def test_the_bare_answer_stays_one_digit(seven: Client) -> None:
    assert seven.post("/predict/", data=making.data_url(making.png(row([4, 2])))).data == b"7"
