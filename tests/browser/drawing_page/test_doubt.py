"""Doubt on the drawing page: what is no digit, and two digits at once."""

from playwright.sync_api import Page, expect

from tests.browser.drawing import SEVEN, THREE, draw, settled
from tests.services import stand_in_backend as stand_in


def test_what_is_no_digit_is_called_so_and_the_guess_is_grey(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    draw(page, SEVEN)
    settled(page)
    blue = page.locator("#digit").evaluate("e => getComputedStyle(e).color")
    backend.says["/predict"] = stand_in.answer(4, doubt={"kind": "no_digit", "score": 0.93})
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_text("I don't see a digit", exact=True)).to_be_visible()
    expect(page.locator(".first")).to_have_text("If it is one: 97.0 %")
    expect(page.locator("#digit")).to_have_text("4")
    assert page.locator("#digit").evaluate("e => getComputedStyle(e).color") != blue
    expect(page.locator("#bars .top")).to_have_count(0)
    expect(page.locator("#take")).to_be_hidden()
    expect(page.locator("#spoken")).to_contain_text("I don't see a digit. If it is one: 4")
    expect(page.get_by_role("button", name="No, it's a …")).to_be_visible()


def test_two_digits_are_read_one_by_one_when_the_visitor_wants_it(
    opened: tuple[Page, stand_in.Backend],
) -> None:
    page, backend = opened
    parts = [{"digit": 4, "probabilities": [0.1] * 10}, {"digit": 2, "probabilities": [0.1] * 10}]
    backend.says["/predict"] = stand_in.answer(
        9, sure=0.57, doubt={"kind": "several", "score": 0.9}, parts=parts
    )
    draw(page, SEVEN)
    settled(page)
    expect(page.get_by_text("Two digits? 4 and 2", exact=True)).to_be_visible()
    expect(page.locator(".first")).to_have_text("As one digit: 57.0 %")
    page.get_by_role("button", name="Read 42").click()
    expect(page.locator("#digit")).to_have_text("42")
    expect(page.locator(".first")).to_have_text("90.0 %")
    expect(page.locator("#doubt")).to_be_hidden()
    expect(page.locator("#wrong")).to_be_hidden()
    draw(page, [[(40, 40), (44, 44)]])  # the same drawing goes on
    settled(page)
    expect(page.locator("#digit")).to_have_text("42")
    page.get_by_role("button", name="Read 9").click()
    expect(page.locator("#digit")).to_have_text("9")
    page.get_by_role("button", name="Read 42").click()
    page.keyboard.press("Escape")
    draw(page, THREE)
    settled(page)
    expect(page.locator("#digit")).to_have_text("9")
