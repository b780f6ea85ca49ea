"""Undo, redo and clear on the drawing page, and all that can be done there by the keyboard."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.drawing import SEVEN, draw, heard, ink, listen, mood, settled
from tests.chain import wait_until
from tests.services import stand_in_backend as stand_in


def test_undo_redo_and_clear_by_button(opened: tuple[Page, stand_in.Backend]) -> None:
    page, _ = opened
    undo, redo, clear = (
        page.get_by_role("button", name=name, exact=True) for name in ("Undo", "Redo", "Clear")
    )
    for button in (undo, redo, clear):
        expect(button).to_be_disabled()
    draw(page, SEVEN)
    whole = ink(page)
    undo.click()
    part = ink(page)
    assert 0 < part < whole
    redo.click()
    assert ink(page) == whole
    clear.click()
    assert ink(page) == 0
    mood(page, "empty")
    expect(clear).to_be_disabled()
    undo.click()
    assert ink(page) == whole
    mood(page, "answer")


@pytest.mark.parametrize("modifier", ["Control", "Meta"])
def test_undo_redo_and_clear_by_key(opened: tuple[Page, stand_in.Backend], modifier: str) -> None:
    page, _ = opened
    draw(page, SEVEN)
    whole = ink(page)
    page.keyboard.press(f"{modifier}+z")
    assert 0 < ink(page) < whole
    page.keyboard.press(f"{modifier}+Shift+z")
    assert ink(page) == whole
    page.keyboard.press("Escape")
    assert ink(page) == 0
    page.keyboard.press(f"{modifier}+z")
    assert ink(page) == whole


def test_clearing_in_the_middle_of_a_stroke_ends_the_stroke(opened: tuple[Page, stand_in.Backend]) -> None:
    page, _ = opened
    draw(page, SEVEN[:1], lift=False)
    page.keyboard.press("Escape")
    assert ink(page) == 0
    page.mouse.move(500, 500)
    page.mouse.up()
    assert ink(page) == 0
    settled(page)
    mood(page, "empty")


def test_one_can_draw_with_the_keyboard_alone(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    listen(page)
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "CANVAS":
            break
    expect(page.locator("canvas")).to_be_focused()
    expect(page.locator("#ring")).to_be_visible()
    page.keyboard.press("ArrowUp")
    assert ink(page) == 0
    page.keyboard.press("Space")
    heard(page, "Pen down.")
    for key in ["ArrowRight"] * 8 + ["End"] * 8:
        page.keyboard.press(key)
    page.keyboard.press("Space")
    heard(page, "Pen up.")
    drawn = ink(page)
    assert drawn > 1000
    page.keyboard.press("ArrowLeft")
    assert ink(page) == drawn
    settled(page)
    before = backend.count("/predict")
    page.keyboard.press("Enter")
    wait_until(lambda: backend.count("/predict") > before, 60, "a prediction by Enter")
    page.keyboard.press("Control+z")
    assert ink(page) == 0


def test_every_control_can_be_reached_by_tab_and_shows_its_focus(
    opened: tuple[Page, stand_in.Backend],
) -> None:
    page, _ = opened
    draw(page, SEVEN)
    page.keyboard.press("Control+z")
    settled(page)
    page.focus("#theme")
    reached = []
    for _ in range(9):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", reached[-1]
    assert reached == [
        "paper", "width", "undo", "redo", "clear", "predict", "wrong", "look", "SUMMARY",
    ]  # fmt: skip
