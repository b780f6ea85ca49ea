import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.models import charts
from workbench.models.published_evaluation import CalibrationBin

SVG = "{http://www.w3.org/2000/svg}"


def titles(drawing: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(drawing).iter(f"{SVG}title")]


def test_a_confusion_matrix_says_what_was_taken_for_what() -> None:
    drawing = charts.confusion(np.array([[9, 1], [0, 4]]), ("seven", "one"))
    assert titles(drawing) == [
        "seven taken for seven: 9 of 10",
        "seven taken for one: 1 of 10",
        "one taken for one: 4 of 4",
    ]


def test_labels_are_text_and_no_markup() -> None:
    drawing = charts.confusion(np.eye(2, dtype=int), ("<script>", "& more than fits into the edge"))
    assert "<script>" not in drawing
    assert "<script> taken for <script>: 1 of 1" in titles(drawing)


def test_of_very_many_classes_those_with_mistakes_are_drawn() -> None:
    matrix = np.eye(200, dtype=int)
    matrix[150, 199] = 3
    found = titles(charts.confusion(matrix, [f"c{k}" for k in range(200)]))
    assert len(found) == charts.MOST_CLASSES + 1
    assert "c150 taken for c199: 3 of 4" in found


def test_calibration_has_a_dot_for_each_bin() -> None:
    bins = [
        CalibrationBin(0.5, 0.6, count=3, confidence=0.55, accuracy=0.333),
        CalibrationBin(0.9, 1.0, count=97, confidence=0.98, accuracy=0.99),
    ]
    assert titles(charts.calibration(bins)) == [
        "3 examples: 55% sure, 33% right",
        "97 examples: 98% sure, 99% right",
    ]


@given(st.lists(st.floats(width=32), min_size=1, max_size=30))
def test_a_scatter_is_drawn_of_any_numbers(values: list[float]) -> None:
    truth = np.array(values, np.float32)[:, None]
    with np.errstate(all="ignore"):
        drawing = charts.scatter(truth, truth[::-1])
    finite = np.isfinite(truth) & np.isfinite(truth[::-1])
    assert len(titles(drawing)) == finite.sum()


def test_a_scatter_of_a_million_is_thinned() -> None:
    truth = np.arange(1e6)[:, None]
    assert len(titles(charts.scatter(truth, truth))) == charts.MOST_POINTS


@pytest.mark.parametrize("value", [0.0, 3.5])
def test_a_truth_that_never_varies_is_drawn(value: float) -> None:
    ET.fromstring(charts.scatter(np.full((4, 1), value), np.full((4, 1), value)))


@pytest.mark.parametrize(("span", "high"), [((0, 255), 255), ((0.0, 1.0), 1.0), ((-1.0, 1.0), 1.0)])
def test_mistakes_are_drawn_from_black_to_white_whatever_the_pictures_numbers_are(
    span: tuple[float, float], high: float
) -> None:
    """Divided by 255, as most tutorials have them, all were black."""
    picture = np.full((2, 2, 1), span[0])
    picture[0, 0] = high
    sheet = charts.contact_sheet([picture], columns=1, scale=1, span=span)
    assert sheet[1:-1, 1:-1].tolist() == [[255, 0], [0, 0]]
