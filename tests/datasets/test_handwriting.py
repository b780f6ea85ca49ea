"""Digits as many hands write them: strokes first, then what a pen makes of them."""

import cv2
import numpy as np
import pytest

from workbench.datasets.handwriting import curves, draw, draw_all, hand, write

FORMS = [(digit, form) for digit, forms in enumerate(hand.FORMS) for _, form in forms]


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(5)


def pieces(picture: np.ndarray) -> int:
    return cv2.connectedComponents((picture > 60).astype(np.uint8))[0] - 1


@pytest.mark.parametrize(("digit", "form"), FORMS)
def test_each_form_is_about_one_unit_high_for_every_writer(
    digit: int, form: curves.Form, random: np.random.Generator
) -> None:
    strokes = form(lambda least, most: random.uniform(least, most, 300))
    assert all(stroke.shape[0] in (1, 300) and stroke.shape[2] == 2 for stroke in strokes)
    every = np.concatenate([np.broadcast_to(s, (300, *s.shape[1:])) for s in strokes], axis=1)
    height = np.ptp(every[..., 1], axis=1)
    assert (height > 0.7).all()
    assert (height < 1.6).all()
    assert (np.ptp(every[..., 0], axis=1) < 1.6).all()


@pytest.mark.parametrize("digit", range(10))
def test_no_two_hands_write_the_same(digit: int, random: np.random.Generator) -> None:
    drawings = write(random, digit, 50)
    assert len(drawings) == 50
    assert len({np.concatenate(drawing).tobytes() for drawing in drawings}) == 50
    assert all(np.isfinite(stroke).all() and len(stroke) > 1 for drawing in drawings for stroke in drawing)


def test_no_hands_write_nothing(random: np.random.Generator) -> None:
    assert write(random, 4, 0) == []


@pytest.mark.parametrize("digit", range(10))
def test_a_digit_is_written_in_each_of_its_forms_as_often_as_its_share_says(digit: int) -> None:
    asked: list[int] = []
    shares = np.array([share for share, _ in hand.FORMS[digit]])
    for seed in range(40):
        asked.append(len({len(np.concatenate(d)) for d in write(np.random.default_rng(seed), digit, 300)}))
    assert min(asked) >= 2
    assert shares.sum() == pytest.approx(1)


def test_a_curve_goes_through_its_points() -> None:
    points = [(0.0, 0.0), (0.5, 0.2), (0.3, 0.9), (1.0, 1.0)]
    through = curves.curve(*points)[0]
    assert through[:: curves.STEPS].tolist() == [list(point) for point in points]
    assert len(through) == 3 * curves.STEPS + 1


def test_an_arc_goes_from_right_to_below_in_a_quarter() -> None:
    quarter = curves.arc(1.0, 2.0, 3.0, 4.0, 0, 90)[0]
    assert quarter[0] == pytest.approx([4, 2])
    assert quarter[-1] == pytest.approx([1, 6])


@pytest.mark.parametrize("pen", [0.06, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("digit", range(10))
def test_the_pen_is_as_wide_as_it_was_said(digit: int, pen: float, random: np.random.Generator) -> None:
    for drawing in write(random, digit, 20):
        ink = draw(drawing, pen)
        assert np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]]).max() < 128
        _, _, width, height = cv2.boundingRect((ink > 60).astype(np.uint8))
        assert 62 <= max(width, height) <= 71
        widest = 2 * cv2.distanceTransform((ink > 128).astype(np.uint8), cv2.DIST_L2, 5).max()
        assert widest > pen / (1 + pen) * 66 - 2


def test_pictures_are_fitted_each_digit_as_often_in_no_order_and_again_the_same() -> None:
    pictures, digits = draw_all(500, seed=3)
    assert pictures.shape == (500, 28, 28)
    assert (str(pictures.dtype), str(digits.dtype)) == ("uint8", "int64")
    assert np.bincount(digits).tolist() == [50] * 10
    assert len(set(digits[:60].tolist())) == 10
    rows, columns = pictures.any(axis=2), pictures.any(axis=1)
    assert (np.maximum(rows.sum(axis=1), columns.sum(axis=1)) <= 20).all()
    assert (pictures.max(axis=(1, 2)) == 255).all()
    again, same = draw_all(500, seed=3)
    assert (again == pictures).all()
    assert (same == digits).all()
    assert (draw_all(500, seed=4)[0] != pictures).any()


def test_most_digits_are_of_one_piece(random: np.random.Generator) -> None:
    """A 5 or an 8 of two strokes may have a gap, as hands leave them."""
    for digit in (0, 2, 3, 6, 9):
        whole = [pieces(draw(drawing, 0.1)) == 1 for drawing in write(random, digit, 100)]
        assert np.mean(whole) > 0.9
