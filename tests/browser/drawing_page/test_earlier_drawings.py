"""One's earlier drawings: kept in the browser with their answers, and brought back onto the paper."""

from playwright.sync_api import Browser, Page, expect

from tests.browser import axe
from tests.browser.conftest import Front
from tests.browser.drawing import SEVEN, THREE, content, draw, ink, mood, resize, settled, visit
from tests.services import stand_in_backend as stand_in

STRIP = "#strip button"


def clear(page: Page) -> None:
    page.get_by_role("button", name="Clear", exact=True).click()


def test_a_drawing_that_was_cleared_is_kept_and_comes_back_by_one_click_or_by_keys(
    opened: tuple[Page, stand_in.Backend],
) -> None:
    page, backend = opened
    expect(page.locator("#earlier")).to_be_hidden()
    draw(page, SEVEN)
    mood(page, "answer")
    settled(page)
    seven = ink(page)
    clear(page)
    expect(page.locator(STRIP)).to_have_count(1)
    backend.says["/predict"] = stand_in.answer(3, sure=0.81)
    draw(page, THREE)
    expect(page.locator("#digit")).to_have_text("3")
    settled(page)
    page.get_by_role("button", name="7, 97.0 %: put it back onto the paper").press("Enter")
    assert ink(page) == seven
    expect(page.locator("#paper")).to_be_focused()
    expect(page.locator(STRIP)).to_have_text(["3", "7"])
    page.keyboard.press("Control+z")
    assert 0 < ink(page) != seven, "what was there before comes back like after any other change"
    assert axe.serious(page) == []


def test_earlier_drawings_stay_in_this_browser_until_they_are_forgotten(
    browser: Browser, front: Front
) -> None:
    with visit(browser, front.url) as (page, seen):
        draw(page, SEVEN)
        mood(page, "answer")
        page.goto("about:blank")  # left, and not cleared
        page.goto(front.url)
        expect(page.locator(STRIP)).to_have_count(1)
        resize(page, 380, 800)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 380
        page.reload()
        expect(page.locator(STRIP)).to_have_count(1)
        page.get_by_role("button", name="Forget them").click()
        expect(page.locator("#earlier")).to_be_hidden()
        assert page.evaluate("localStorage.getItem('workbench-earlier')") is None
        content(seen, front)
