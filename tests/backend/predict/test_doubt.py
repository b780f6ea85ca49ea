"""Several digits in one drawing, and what is no digit, are told as such; one digit of several strokes is not."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from backend.predict.doubt import find_doubt
from tests import drawings
from tests.backend import making
from tests.backend.client import Client
from workbench import doubt
from workbench.doubt.apart import read_apart
from workbench.pictures import ink

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
def test_several_digits_side_by_side_are_told_with_their_parts(
    shared_seven: Client, digits: list[int]
) -> None:
    answer = shared_seven.post("/predict", data=making.data_url(making.png(row(digits))), headers=JSON).json
    assert answer["digit"] == 7
    assert answer["doubt"]["kind"] == "several"
    assert 0 < answer["doubt"]["score"] <= 1
    assert [part["digit"] for part in answer["parts"]] == [7] * len(digits)
    assert all(len(part["probabilities"]) == 10 for part in answer["parts"])


@pytest.mark.parametrize("digit", range(10))
def test_one_digit_is_not_doubted(shared_seven: Client, digit: int) -> None:
    for seed in range(6):
        canvas = drawings.drawing(digit, np.random.default_rng(seed))
        answer = shared_seven.post("/predict", data=making.data_url(making.png(canvas)), headers=JSON).json
        assert answer["doubt"] is None


def test_the_bare_answer_stays_one_digit(shared_seven: Client) -> None:
    assert shared_seven.post("/predict/", data=making.data_url(making.png(row([4, 2])))).data == b"7"


Told = Callable[[int], Client]


@pytest.fixture
def telling(push: Callable[..., Any], activate: Callable[..., Any], client: Client) -> Told:
    """Gives a back end whose version 7 says 7, and whose detector gives one answer, whatever is drawn."""

    def tell(answer: int) -> Client:
        assert push(7, detector=answer).status_code == 201
        assert activate(7).status_code == 200
        return client

    return tell


def ask(client: Client, picture: NDArray[np.uint8]) -> Any:
    return client.post("/predict", data=making.data_url(making.png(picture)), headers=JSON).json


def test_what_the_detector_takes_for_no_digit_is_doubted_and_the_guess_stays(telling: Told) -> None:
    client = telling(doubt.OTHER)
    answer = ask(client, making.seven())
    assert answer["digit"] == 7
    assert answer["doubt"]["kind"] == "no_digit"
    assert 0.9 < answer["doubt"]["score"] <= 1
    assert "parts" not in answer
    assert client.post("/predict/", data=making.data_url(making.png(making.seven()))).data == b"7"


def test_several_digits_that_cannot_be_told_apart_are_doubted_without_parts(telling: Told) -> None:
    answer = ask(telling(doubt.SEVERAL), making.seven())
    assert answer["doubt"]["kind"] == "several"
    assert "parts" not in answer


@pytest.mark.parametrize("digits", [[4, 2], [1, 2, 3, 4, 5]])
def test_a_detector_that_sees_one_digit_is_believed(telling: Told, digits: list[int]) -> None:
    assert ask(telling(3), row(digits))["doubt"] is None


def test_digits_far_apart_are_read_although_together_they_look_like_no_digit() -> None:
    detector: Any = SimpleNamespace(
        limit=0.5,
        judge=lambda seen: doubt.Judgement("no_digit", 0.9),
        scores=lambda seen: np.zeros(len(seen), np.float32),
    )
    manifest = SimpleNamespace(
        preprocessing="mnist", labels=doubt.DIGITS, takes=SimpleNamespace(range=(0, 255), shape=(28, 28, 1))
    )
    sure = np.eye(10, dtype=np.float32)
    deployment: Any = SimpleNamespace(
        detector=detector, manifest=manifest, classify=lambda x: sure[np.full(len(x), 3)]
    )

    def kind(canvas: NDArray[np.uint8]) -> tuple[str, int]:
        fitted = ink.fit(canvas)
        assert fitted is not None
        found = find_doubt(np.asarray(fitted, np.uint8), deployment, lambda: canvas)
        assert found is not None
        return found.kind, len(found.parts)

    assert kind(row([4, 2], gap=160)) == ("several", 2)
    assert kind(drawings.drawing(7, np.random.default_rng(1))) == ("no_digit", 0)


def test_nothing_drawn_is_no_doubt(telling: Told) -> None:
    answer = ask(telling(doubt.OTHER), np.zeros((280, 280), np.uint8))
    assert (answer["digit"], answer["doubt"]) == (None, None)


def test_models_of_other_things_are_not_doubted(
    push: Callable[..., Any], activate: Callable[..., Any], client: Client
) -> None:
    push(7, detector=doubt.OTHER, labels=list("abcdefghij"))
    activate(7)
    assert ask(client, making.seven())["doubt"] is None


@pytest.mark.parametrize("named", ["other.json", "../doubt.json", ""])
def test_a_version_whose_detector_is_not_where_it_must_be_is_refused(
    push: Callable[..., Any], named: str
) -> None:
    answer = push(7, detector=doubt.OTHER, doubt=named)
    assert answer.status_code == 422
    assert "doubt.json" in answer.json["error"]["message"]


def test_a_version_that_names_a_detector_and_has_none_is_refused(push: Callable[..., Any]) -> None:
    answer = push(7, doubt=doubt.FILE)
    assert answer.status_code == 422
    assert "doubt.json cannot be read" in answer.json["error"]["message"]


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("turned", [False, True])
def test_digits_beside_or_above_one_another_are_cut_apart(
    shared_seven: Client, count: int, turned: bool
) -> None:
    picture = row(list(range(count)), gap=40)
    if turned:
        picture = np.ascontiguousarray(picture.T)
    answer = ask(shared_seven, picture)
    assert answer["doubt"]["kind"] == "several"
    assert len(answer["parts"]) == count


def test_touching_digits_are_cut_where_the_least_ink_is() -> None:
    """Two rounds that a stroke joins, read by a model that knows a round alone."""
    canvas = np.zeros((140, 260), np.uint8)
    for x in (70, 190):
        cv2.ellipse(canvas, (x, 70), (36, 52), 0, 0, 360, 255, 12)
    cv2.line(canvas, (100, 70), (160, 70), 255, 8)

    def predict(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Say 0 where a picture is taller than wide, and nothing surely where it is not."""
        answers = np.full((len(pictures), 10), 0.1, np.float32)
        for k, picture in enumerate(pictures):
            _, _, width, height = cv2.boundingRect((picture > 60).astype(np.uint8))
            if height > width:
                answers[k] = [0.91, *([0.01] * 9)]
        return answers

    parts = read_apart(canvas, predict, None)
    assert [part.digit for part in parts] == [0, 0]
    assert all(part.probability > 0.9 for part in parts)
    assert read_apart(np.zeros_like(canvas), predict, None) == ()
