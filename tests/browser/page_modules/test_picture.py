"""The picture that the page makes of a drawing."""

import base64
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page

from tests.browser.page_modules.running import run, stroke

pytestmark = pytest.mark.usefixtures("browser")


def picture(page: Page, drawing: list[dict[str, Any]]) -> np.ndarray:
    """The picture that would be sent."""
    url = run(page, "picture", "(m, drawing) => m.dataUrl(drawing)", drawing)
    kind, _, data = url.partition(",")
    assert kind == "data:image/png;base64"
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    assert decoded.ndim == 2  # grey
    return decoded


def test_the_picture_is_white_ink_in_the_middle_of_black(page: Page) -> None:
    seen = picture(page, [stroke((200, 200), (240, 260))])
    assert seen.shape == (112, 112)
    rows, columns = np.nonzero(seen > 127)
    assert (rows.max() - rows.min() + 1, seen.max()) == (80, 255)
    assert abs((rows.max() + rows.min()) / 2 - 55.5) <= 1
    assert abs((columns.max() + columns.min()) / 2 - 55.5) <= 1
    assert max(seen[0].max(), seen[-1].max(), seen[:, 0].max(), seen[:, -1].max()) == 0


def test_the_picture_is_the_drawing_as_another_painter_paints_it(page: Page) -> None:
    points = [(60, 60), (220, 70), (190, 120), (120, 240), (60, 200)]
    mine = picture(page, [stroke(*points, width=24)])
    scale = 80 / (240 + 12 - (60 - 12))
    large = np.zeros((1120, 1120), np.uint8)
    middle = np.array([(60 - 12 + 220 + 12) / 2, (60 - 12 + 240 + 12) / 2])
    placed = (((np.array(points) - middle) * scale + 56) * 10).round().astype(int)
    cv2.polylines(large, [placed.reshape(-1, 1, 2)], False, 255, round(24 * scale * 10))
    theirs = cv2.resize(large, (112, 112), interpolation=cv2.INTER_AREA)
    assert np.abs(mine.astype(int) - theirs).mean() < 1.5


def test_the_picture_holds_no_ink_that_is_beyond_the_paper(page: Page) -> None:
    seen = picture(page, [stroke((140, 140), (140, 900), width=20)])
    rows, columns = np.nonzero(seen > 127)
    # from 130 to the paper's end at 280: 150 high, 20 wide
    assert rows.max() - rows.min() + 1 == 80
    assert columns.max() - columns.min() + 1 == pytest.approx(80 * 20 / 150, abs=2)


def test_a_dot_has_a_picture_and_a_long_scribble_too(page: Page) -> None:
    assert 0.3 < (picture(page, [stroke((140, 140), width=50)]) > 127).mean() < 0.5
    angles = np.linspace(0, 60, 4000)
    scribble = [(140 + 100 * np.cos(a), 140 + 100 * np.sin(1.7 * a)) for a in angles]
    assert (picture(page, [stroke(*scribble, width=30)]) > 127).mean() > 0.3


def test_the_picture_is_small(page: Page) -> None:
    url = run(
        page, "picture", "(m, drawing) => m.dataUrl(drawing)", [stroke((60, 60), (220, 60), (120, 240))]
    )
    assert len(url) < 1500
