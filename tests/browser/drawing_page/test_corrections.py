"""Corrections of wrong answers on the drawing page, and taking them back."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.drawing import SEVEN, THREE, draw, ink, settled
from tests.services import stand_in_backend as stand_in


def test_a_wrong_answer_is_corrected(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    draw(page, SEVEN)
    settled(page)
    page.get_by_role("button", name="No, it's a …").click()
    chooser = page.get_by_role("group", name="Which digit is it?")
    expect(chooser.get_by_role("button")).to_have_count(10)
    expect(chooser.get_by_role("button", name="7")).to_be_disabled()
    chooser.get_by_role("button", name="1").click()
    expect(page.get_by_text("Thank you. Noted: a 1, to be reviewed.")).to_be_visible()
    expect(chooser).to_be_hidden()
    (correction,) = backend.bodies("/corrections")
    assert correction == {"image": backend.bodies()[-1]["image"], "predicted": 7, "digit": 1}
    draw(page, THREE)
    expect(page.get_by_role("button", name="No, it's a …")).to_be_visible()


def test_a_correction_by_keyboard_and_escape_closes_the_chooser_alone(
    opened: tuple[Page, stand_in.Backend],
) -> None:
    page, backend = opened
    draw(page, SEVEN)
    settled(page)
    wrong = page.get_by_role("button", name="No, it's a …")
    wrong.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#digits button").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#digits")).to_be_hidden()
    expect(wrong).to_be_focused()
    assert ink(page) > 0
    page.keyboard.press("Enter")
    page.keyboard.press("4")
    expect(page.locator("#thanks")).to_contain_text("Noted: a 4")
    expect(page.locator("#thanks")).to_be_focused()
    assert [body["digit"] for body in backend.bodies("/corrections")] == [4]


@pytest.mark.parametrize(
    ("says", "told", "again"),
    [
        (stand_in.error(501, "not_implemented", "not yet"), "does not collect corrections yet", False),
        (stand_in.error(400, "bad", "that is no digit"), "Not noted. That is no digit.", True),
        (stand_in.error(429, "too_many", "slowly"), "busy", True),
        (stand_in.error(507, "disk_full", "no room is left"), "Not noted. No room is left.", True),
        (stand_in.error(503, "away", "away"), "the back end is away", True),
    ],
)
def test_a_correction_that_is_not_taken_is_told_kindly(
    opened: tuple[Page, stand_in.Backend], says: stand_in.Answer, told: str, again: bool
) -> None:
    page, backend = opened
    backend.says["/corrections"] = says
    draw(page, SEVEN)
    settled(page)
    page.click("#wrong")
    page.click("#digits button:text('1')")
    expect(page.locator("#thanks")).to_contain_text(told)
    expect(page.locator("#wrong")).to_be_visible(visible=again)


def kept(secret: str) -> stand_in.Answer:
    return 201, {"id": "1", "state": "waiting", "new": True, "secret": secret}


def correct(page: Page, digit: int) -> None:
    page.get_by_role("button", name="No, it's a …").click()
    page.locator("#digits button", has_text=str(digit)).click()
    expect(page.locator("#thanks")).to_contain_text(f"Noted: a {digit}")


def test_a_correction_is_taken_back_by_the_secret_that_came_with_it(
    opened: tuple[Page, stand_in.Backend],
) -> None:
    page, backend = opened
    backend.says["/corrections"] = kept("one")
    draw(page, SEVEN)
    settled(page)
    expect(page.locator("#given")).to_be_hidden()
    correct(page, 1)
    backend.says["/corrections"] = (200, {"taken_back": 1, "reviewed": 0, "unknown": 0})
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_text("Taken back: the 1 is not kept.")).to_be_visible()
    expect(page.locator("#thanks")).to_be_focused()
    assert backend.bodies("/corrections")[-1] == {"take_back": ["one"]}
    expect(page.locator("#given")).to_be_hidden()
    backend.says["/corrections"] = kept("two")
    correct(page, 4)


def test_corrections_can_be_taken_back_later_and_after_a_reload_the_latest_first(
    opened: tuple[Page, stand_in.Backend],
) -> None:
    page, backend = opened
    for digit, lines in ((1, SEVEN), (4, THREE)):
        backend.says["/corrections"] = kept(f"secret {digit}")
        page.keyboard.press("Escape")
        draw(page, lines)
        settled(page)
        correct(page, digit)
    page.reload()
    expect(page.locator("#given")).to_contain_text("You noted 2 digits, the last one a 4.")
    backend.says["/corrections"] = stand_in.error(503, "busy", "busy")
    back = page.get_by_role("button", name="Take it back")
    back.click()
    expect(page.get_by_text("Not taken back yet")).to_be_visible()
    backend.says["/corrections"] = stand_in.error(409, "conflict", "reviewed")
    back.click()
    expect(page.get_by_text("The 4 was reviewed already, so it stays.")).to_be_visible()
    backend.says["/corrections"] = stand_in.error(404, "not_found", "gone")
    expect(page.locator("#given")).to_contain_text("You noted a 1.")
    back.click()
    expect(page.get_by_text("Taken back: the 1 is not kept.")).to_be_visible()
    expect(page.locator("#given")).to_be_hidden()
    asked = [body["take_back"] for body in backend.bodies("/corrections") if "take_back" in body]
    assert asked == [["secret 4"], ["secret 4"], ["secret 1"]]
