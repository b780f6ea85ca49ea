"""A picture that is dropped on the paper or pasted, in place of a drawing."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.drawing import SEVEN, draw, ink, mood, sent, settled
from tests.browser.files import give
from tests.services import stand_in_backend as stand_in


def png(height: int, width: int) -> bytes:
    return cv2.imencode(".png", np.full((height, width), 200, np.uint8))[1].tobytes()


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_a_picture_lies_on_the_paper_until_something_is_drawn(
    opened: tuple[Page, stand_in.Backend], how: str
) -> None:
    page, backend = opened
    give(page, "#sheet", how, [("nine.png", "image/png", png(600, 1200))])
    expect(page.locator("#given-picture")).to_be_visible()
    expect(page.locator("#hint")).to_be_hidden()
    mood(page, "answer")
    assert sent(backend.bodies()[-1]).shape[:2] == (280, 560), "it is made small before it is sent"
    assert ink(page) == 0
    draw(page, SEVEN)
    expect(page.locator("#given-picture")).to_be_hidden()
    settled(page)
    assert sent(backend.bodies()[-1]).shape == (112, 112)
    page.keyboard.press("Escape")
    give(page, "#sheet", how, [("nine.png", "image/png", png(20, 20))])
    expect(page.locator("#given-picture")).to_be_visible()
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.locator("#given-picture")).to_be_hidden()
    mood(page, "empty")
    draw(page, SEVEN)
    give(page, "#sheet", how, [("nine.png", "image/png", png(20, 20))])
    expect(page.locator("#given-picture")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#given-picture")).to_be_hidden()
    mood(page, "answer")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([("notes.txt", "text/plain", b"7")], "notes.txt is no picture."),
        ([("a.png", "image/png", b"no")], "a.png is no picture that this browser can read."),
        ([("a.png", "image/png", png(9, 9))] * 2, "One picture at a time, please: these are 2 files."),
        ([("empty.png", "image/png", b"")], "empty.png is empty."),
    ],
)
def test_what_is_no_single_picture_is_refused_in_words(
    opened: tuple[Page, stand_in.Backend], files: Sequence[tuple[str, str, bytes]], said: str
) -> None:
    page, backend = opened
    give(page, "#sheet", "drop", files)
    expect(page.get_by_role("alert")).to_have_text(said)
    assert backend.count("/predict") == 0
    draw(page, SEVEN)
    expect(page.locator("#not-taken")).to_be_hidden()
