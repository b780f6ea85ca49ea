"""A digit is the same on any paper: framed, ruled, underlined, shaded, on a table, between bars."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests import drawings
from tests.backend import making
from tests.pictures import papers
from workbench.pictures import ink as images
from workbench.pictures.paper import _has_lines, find_ink

Picture = NDArray[np.uint8]
DIGITS = range(30)
LIKE = {"table": 0.55, "thin_on_squares": 0.7, "crossed_frame": 0.75}
"""Likeness, at least, where a digit is turned or drawn with another pen, or lost a bit where a line crossed it."""


def fitted(picture: Picture) -> Picture | None:
    return images.fit(images.decode(making.png(picture)))


def likeness(a: Picture, b: Picture) -> float:
    """Correlation of two fitted pictures, a little blurred: 1 is the same."""
    blurred = [np.asarray(cv2.GaussianBlur(p, (0, 0), 1.2), np.float64).ravel() for p in (a, b)]
    return float(np.corrcoef(blurred[0], blurred[1])[0, 1])


@pytest.mark.parametrize("kind", papers.KINDS.values(), ids=papers.KINDS.keys())
@pytest.mark.parametrize("seed", [11])
def test_a_digit_on_any_paper_is_the_digit_that_was_drawn(kind: papers.Paper, seed: int) -> None:
    random = np.random.default_rng([seed, len(kind.__name__)])
    alike = 0
    for k in DIGITS:
        drawn = drawings.drawing(k % 10, random, 320)
        found = fitted(kind(drawn / 255, random))
        wanted = fitted(drawn)
        assert wanted is not None
        alike += found is not None and likeness(found, wanted) > LIKE.get(kind.__name__, 0.8)
    assert alike >= 27


@pytest.mark.parametrize("seed", range(40))
def test_ink_is_looked_for_in_any_picture_whatever_is_on_it(seed: int) -> None:
    random = np.random.default_rng(seed)
    height, width = random.integers(1, 120, 2)
    picture = random.integers(0, 256, (height, width, int(random.choice([1, 3]))))
    if seed % 2:
        picture = np.where(random.random(picture.shape[:2])[..., None] < 0.1, picture, random.integers(256))
    ink = find_ink(
        images.read_planes(
            making.png(
                picture.astype(np.uint8).squeeze(2) if picture.shape[2] == 1 else picture.astype(np.uint8)
            )
        )
    )
    assert ink.dtype == np.uint8
    assert images.fit(ink) is None or ink.any()


def test_drawings_on_a_canvas_are_not_touched() -> None:
    random = np.random.default_rng(5)
    for k in range(100):
        canvas = drawings.drawing(k % 10, random)
        assert (find_ink(images.read_planes(making.png(canvas))) > 127).sum() > 0.97 * (canvas > 127).sum()


def test_a_one_with_a_base_and_a_long_two_keep_their_lines() -> None:
    for points in (
        [(90, 60), (140, 30), (140, 250), (95, 250), (185, 250)],
        [(60, 60), (220, 60), (60, 250), (230, 250)],
    ):
        canvas = np.zeros((280, 280), np.uint8)
        cv2.polylines(canvas, [np.array(points)], False, 255, 15, cv2.LINE_AA)
        assert (find_ink(images.read_planes(making.png(canvas))) == canvas).all()


def on_canvas(*strokes: list[tuple[int, int]], pen: int = 15) -> Picture:
    canvas = np.zeros((280, 280), np.uint8)
    for points in strokes:
        cv2.polylines(canvas, [np.array(points)], False, 255, pen, cv2.LINE_AA)
    return canvas


@pytest.mark.parametrize("pen", [8, 15, 25])
@pytest.mark.parametrize(
    "stroke",
    [
        [(64, 50), (204, 44), (120, 240)],  # a seven
        [(60, 60), (210, 60), (150, 130), (130, 250)],
        [(70, 44), (200, 56), (170, 240)],
        [(200, 40), (90, 44), (80, 130), (160, 120), (200, 180), (140, 240), (64, 216)],  # a five
    ],
)
def test_the_bar_of_a_seven_or_a_five_is_not_looked_at_as_a_line(
    stroke: list[tuple[int, int]], pen: int
) -> None:
    canvas = on_canvas(stroke, pen=pen)
    assert not _has_lines(canvas)
    assert (find_ink(images.read_planes(making.png(canvas))) == canvas).all()


@pytest.mark.parametrize(
    "digit",
    [[(140, 90), (140, 250)], [(120, 80), (110, 160), (170, 160), (150, 90), (150, 250)]],
)
@pytest.mark.parametrize("lean", [-1, 0, 1])
def test_a_line_above_a_digit_is_taken_away(digit: list[tuple[int, int]], lean: int) -> None:
    found = find_ink(
        images.read_planes(making.png(on_canvas([(50, 40 + lean), (230, 40 - lean)], digit, pen=9)))
    )
    assert not found[:60].any()
    assert found[100:].any()


def test_a_frame_with_nothing_in_it_is_still_a_drawing() -> None:
    canvas = np.full((200, 200), 255, np.uint8)
    cv2.rectangle(canvas, (40, 40), (160, 160), 0, 6)
    assert fitted(canvas) is not None


@pytest.mark.parametrize("margin", [0.06, 0.12])
@pytest.mark.parametrize("soft", [1, 9])
def test_a_digit_that_fills_most_of_the_picture_is_ink_and_no_sheet(margin: float, soft: int) -> None:
    """A 1 cut close, as wide as a bar, and a thick 0, dark on white, sharp or blurred, with grain in the ink."""
    random = np.random.default_rng(4)
    for digit, width in ((1, 90), (1, 140), (0, 100)):
        ink = np.zeros((300, 260), np.float32)
        if digit:
            cv2.line(ink, (110, 60), (140, 240), 255, width)
        else:
            cv2.ellipse(ink, (130, 150), (60, 80), 0, 0, 360, 255, width)
        grainy = ink * cv2.resize(random.uniform(0.75, 1, (20, 16)).astype(np.float32), (260, 300))
        blurred = cv2.GaussianBlur(grainy, (soft, soft), 0).astype(np.uint8)
        x, y, wide, high = cv2.boundingRect(blurred)
        edge = round(margin * min(wide, high))
        dark = np.pad(blurred[y : y + high, x : x + wide], edge)
        found = find_ink(images.read_planes(making.png(255 - dark)))
        assert (found > 127).mean() == pytest.approx((dark > 127).mean(), abs=0.05)


def test_a_box_without_a_digit_and_digits_with_long_straight_sides_are_kept() -> None:
    """A box is a drawing where nothing else is; an 8 of two boxes, a square 0 and a 4 have sides like a frame's."""
    drawings_of_lines = (
        [[(60, 60), (200, 60), (200, 200), (60, 200), (60, 60)]],
        [[(80, 40), (180, 40), (180, 240), (80, 240), (80, 40)], [(80, 140), (180, 140)]],
        [[(180, 240), (180, 40), (70, 160), (220, 160)]],
        [[(200, 140), (90, 140), (200, 140), (200, 40), (70, 40), (200, 40), (200, 240), (70, 240)]],
    )
    for strokes in drawings_of_lines:
        for pen in (6, 14) if len(strokes) == 1 else (6,):
            canvas = np.zeros((280, 280), np.uint8)
            for stroke in strokes:
                cv2.polylines(canvas, [np.array(stroke)], False, 255, pen, cv2.LINE_AA)
            found = find_ink(images.read_planes(making.png(canvas)))
            assert (found > 127).sum() > 0.9 * (canvas > 127).sum()


EIGHT = [
    (150, 140),
    (120, 110),
    (150, 80),
    (180, 110),
    (150, 140),
    (110, 180),
    (150, 220),
    (190, 180),
    (150, 140),
]


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("over", [174, 186])
def test_a_frame_is_taken_away_whose_side_the_digit_covers(turns: int, over: int) -> None:
    """On one side no straight bar is left, for strokes run along it; which side does not matter."""
    sheet = np.full((280, 280), 255, np.uint8)
    cv2.polylines(sheet, [np.array(EIGHT)], False, 0, 16, cv2.LINE_AA)
    digit = np.rot90(sheet, turns)
    framed = sheet.copy()
    cv2.rectangle(framed, (60, 60), (over, 240), 0, 3)
    found = find_ink(images.read_planes(making.png(np.ascontiguousarray(np.rot90(framed, turns)))))
    left, top, wide, high = cv2.boundingRect((found > 127).astype(np.uint8))
    x, y, width, height = cv2.boundingRect((digit < 127).astype(np.uint8))
    assert abs(left - x) + abs(top - y) + abs(wide - width) + abs(high - height) <= 16


@pytest.mark.parametrize("grain", [2.0, 6.0])
def test_a_sheet_is_found_on_a_plain_table_in_a_grainy_photo(grain: float) -> None:
    random = np.random.default_rng(6)
    table = np.full((400, 400), 50.0)
    cv2.fillPoly(table, [np.array([(150, 110), (300, 140), (270, 290), (120, 260)])], 240)
    cv2.polylines(table, [np.array(EIGHT) // 3 + (160, 150)], False, 20, 6, cv2.LINE_AA)
    grainy = (table + random.normal(0, grain, table.shape)).clip(0, 255).astype(np.uint8)
    photo = cv2.imencode(".jpg", grainy, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    found = images.decode(photo) > 127
    assert 0.01 < found.mean() < 0.12


def test_a_thin_frame_is_taken_away_that_a_jpeg_has_broken() -> None:
    sheet = np.full((320, 320), 250.0)
    cv2.rectangle(sheet, (4, 4), (315, 315), 60, 5)
    cv2.polylines(sheet, [np.array(EIGHT)], False, 40, 10, cv2.LINE_AA)
    for k in range(24, 296, 2):  # a thin line, stronger and weaker by turns
        shade = 180 if k // 12 % 2 else 214
        for x, y in ((k, 24), (k, 295), (24, k), (295, k)):
            sheet[y : y + 2, x : x + 2] = shade
    found = images.decode(making.png(sheet.astype(np.uint8))) > 60
    left, top, wide, high = cv2.boundingRect(found.astype(np.uint8))
    assert left > 80
    assert top > 50
    assert wide < 120
    assert high < 190
