"""The panel of the drawing page that shows the inside of the model."""

from playwright.sync_api import Page, expect

from tests.browser.drawing import SEVEN, draw, heard, listen, mood, settled
from tests.chain import wait_until
from tests.services import stand_in_backend as stand_in


def test_the_layers_follow_the_pen_once_the_panel_is_open(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    draw(page, SEVEN[:1])
    mood(page, "answer")
    settled(page)
    assert backend.count("/inside") == 0
    page.click("#look")
    expect(page.locator(".inside-layers > li")).to_have_count(3)
    expect(page.locator(".inside-layers > li").nth(2)).to_contain_text("Not shown: numbers in this order")
    expect(page.locator(".inside-alike li")).to_have_count(5)
    expect(page.locator(".inside-why p")).to_contain_text("most of all at the top")
    before = len(backend.bodies("/inside"))
    draw(page, SEVEN[1:])
    settled(page)
    wait_until(
        lambda: backend.bodies("/inside")[-1] == backend.bodies()[-1], 30, "a look at the last drawing"
    )
    assert len(backend.bodies("/inside")) > before
    page.click("#look")
    expect(page.locator("#layers")).to_be_hidden()


def test_a_pixel_of_a_map_shows_its_window_and_weights(opened: tuple[Page, stand_in.Backend]) -> None:
    page, _ = opened
    listen(page)
    draw(page, SEVEN)
    settled(page)
    page.click("#look")
    first = page.locator(".inside-map").first
    first.hover()
    expect(page.locator(".inside-window")).to_have_count(2)
    expect(page.locator(".inside-result")).to_contain_text("each cell times its weight")
    page.locator(".inside-choice button").last.focus()
    page.keyboard.press("Tab")
    heard(page, "look, map 1, column 28, row 1")
    page.keyboard.press("ArrowLeft")
    heard(page, "look, map 1, column 27, row 1")
    page.keyboard.press("PageDown")
    heard(page, "look, map 2, column")


def test_a_model_that_cannot_be_looked_into_says_why(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    backend.says["/inside"] = stand_in.error(
        422, "model_refused", "it has no model.onnx, and nothing else can be seen into"
    )
    draw(page, SEVEN)
    page.click("#look")
    expect(page.locator(".inside-status")).to_have_text(
        "It has no model.onnx, and nothing else can be seen into."
    )
    mood(page, "answer")
