"""*Collect*, the page that asks a writer for digits, in Chromium: what is sent, kept and taken back."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Front
from tests.browser.drawing import SEVEN, content, draw, ink, resize, touch, visit
from tests.chain import wait_until
from tests.services import stand_in_backend as stand_in


@pytest.fixture
def page(browser: Browser, front: Front) -> Iterator[Page]:
    keep_apart(front.backend)
    with visit(browser, f"{front.url}collect.html", wait=False) as (page, seen):
        expect(page.get_by_role("button", name="Begin")).to_be_visible()
        yield page
        content(seen, front)


def keep_apart(backend: stand_in.Backend) -> None:
    """Answer each drawing with a secret that no other one has."""
    numbers = itertools.count(1)
    told = {"id": "1", "state": "waiting", "new": True}
    backend.says_anew["/corrections"] = lambda: (201, {**told, "secret": f"secret {next(numbers)}"})


def begin(page: Page, *, name: str = "", each: int = 1) -> None:
    page.get_by_label("Your name").fill(name)
    page.get_by_label("How many of each digit").select_option(str(each))
    page.get_by_label("I agree").check()
    page.get_by_role("button", name="Begin").click()
    expect(page.locator("#count")).to_have_text(f"1 of {10 * each}")


def asked_for(page: Page) -> int:
    return int(page.locator("#wanted").inner_text())


def give(page: Page, x: float = 0) -> int:
    """Draw what is asked for, in a way of its own, and go on; which digit that was."""
    digit = asked_for(page)
    draw(page, [[(60 + x, 60), (200, 200 - x)]])
    page.locator("#next").click()
    return digit


def collected(backend: stand_in.Backend) -> list[dict[str, Any]]:
    return [body for body in backend.bodies("/corrections") if "digit" in body]


def taken_back(backend: stand_in.Backend) -> list[str]:
    return [s for body in backend.bodies("/corrections") for s in body.get("take_back", ())]


def test_without_consent_nothing_begins(page: Page, front: Front) -> None:
    page.get_by_role("button", name="Begin").click()
    expect(page.locator("#consent")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "agreed"
    assert front.backend.count("/corrections") == 0


def test_a_writer_gives_each_digit_in_mixed_order_with_name_and_session(page: Page, front: Front) -> None:
    begin(page, name="  Anna ", each=2)
    asked = [give(page, n) for n in range(20)]
    expect(page.get_by_role("heading", name="Thank you, Anna")).to_be_visible()
    expect(page.locator("#became")).to_contain_text("20 kept. They wait to be looked at")
    bodies = collected(front.backend)
    assert Counter(body["digit"] for body in bodies) == Counter(asked)  # each picture is packed by itself
    assert Counter(asked) == dict.fromkeys(range(10), 2)
    assert asked != sorted(asked)
    assert all(a != b for a, b in itertools.pairwise(asked))
    assert {body["kind"] for body in bodies} == {"collected"}
    assert {body["writer"] for body in bodies} == {"Anna"}
    (session,) = {body["session"] for body in bodies}
    assert re.fullmatch("[0-9a-f]{32}", session)
    assert len({body["image"] for body in bodies}) == 20
    expect(page.locator("#wall img")).to_have_count(20)


def test_the_next_writer_is_somebody_else_and_is_asked_for_consent_again(page: Page, front: Front) -> None:
    begin(page, name="Anna")
    for n in range(10):
        give(page, n)
    page.get_by_role("button", name="Another writer").click()
    expect(page.get_by_label("Your name")).to_have_value("")
    expect(page.get_by_label("I agree")).not_to_be_checked()
    begin(page)
    give(page)
    wait_until(lambda: len(collected(front.backend)) == 11, 20, "the eleventh drawing")
    first, *_, last = collected(front.backend)
    assert first["session"] != last["session"]
    assert last["writer"] == ""


def test_back_takes_the_last_one_back_and_asks_for_it_again(page: Page, front: Front) -> None:
    begin(page)
    first = give(page)
    expect(page.locator("#kept")).to_have_text("1 kept.")
    page.get_by_role("button", name="Back").click()
    expect(page.locator("#count")).to_have_text("1 of 10")
    assert asked_for(page) == first
    wait_until(lambda: taken_back(front.backend) == ["secret 1"], 20, "the drawing to be taken back")
    give(page, 20)
    expect(page.locator("#count")).to_have_text("2 of 10")
    wait_until(lambda: len(collected(front.backend)) == 2, 20, "the new drawing")
    assert [body["digit"] for body in collected(front.backend)] == [first, first]


def test_in_the_end_one_takes_back_one_or_all_of_them(page: Page, front: Front) -> None:
    begin(page)
    for n in range(10):
        give(page, n)
    expect(page.locator("#became")).to_contain_text("10 kept")
    page.locator("#wall button").nth(3).click()
    expect(page.locator("#wall img")).to_have_count(9)
    wait_until(lambda: len(taken_back(front.backend)) == 1, 20, "one to be taken back")
    page.get_by_role("button", name="Take all of them back").click()
    expect(page.get_by_role("heading", name="Nothing of yours is kept")).to_be_visible()
    wait_until(lambda: len(set(taken_back(front.backend))) == 10, 20, "all to be taken back")
    expect(page.locator("#became")).to_have_text("All your drawings were taken back.")


def test_while_the_back_end_is_away_drawings_wait_and_are_sent_when_it_is_back_after_a_reload_too(
    page: Page, front: Front
) -> None:
    begin(page)
    front.backend.stop()
    asked = [give(page, n) for n in range(3)]
    expect(page.locator("#kept")).to_contain_text("3 to be sent. The back end is away")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.locator("#count")).to_have_text("4 of 10")
    front.backend.start()
    expect(page.locator("#kept")).to_have_text("3 kept.")
    assert [body["digit"] for body in collected(front.backend)] == asked


def test_what_is_refused_is_told_and_can_be_drawn_again(page: Page, front: Front) -> None:
    begin(page)
    front.backend.says_anew.clear()
    front.backend.says["/corrections"] = stand_in.error(400, "bad_request", "the picture is damaged")
    digit = give(page)
    expect(page.locator("#kept")).to_have_text("Not taken: The picture is damaged.")
    keep_apart(front.backend)
    page.get_by_role("button", name="Back").click()
    assert give(page, 10) == digit
    expect(page.locator("#kept")).to_have_text("1 kept.")


def test_an_empty_paper_is_not_given(page: Page, front: Front) -> None:
    begin(page)
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#spoken")).to_contain_text("Nothing is drawn yet")
    expect(page.locator("#count")).to_have_text("1 of 10")
    assert front.backend.count("/corrections") == 0


def test_the_keyboard_alone_is_enough(page: Page, front: Front) -> None:
    page.get_by_label("Your name").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("canvas")).to_be_focused()
    first = asked_for(page)
    for key in ["Space", *["ArrowRight"] * 6, "Space"]:
        page.keyboard.press(key)
    assert ink(page) > 0
    page.keyboard.press("Enter")
    expect(page.locator("#count")).to_have_text("2 of 30")
    assert ink(page) == 0
    page.keyboard.press("Backspace")
    expect(page.locator("#count")).to_have_text("1 of 30")
    assert asked_for(page) == first
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    assert ink(page) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_all_that_one_needs_is_on_the_screen_and_a_finger_draws(
    browser: Browser, front: Front, scheme: Any
) -> None:
    keep_apart(front.backend)
    phone = {"viewport": {"width": 380, "height": 740}, "has_touch": True, "is_mobile": True}
    with visit(browser, f"{front.url}collect.html", wait=False, **phone, color_scheme=scheme) as (page, _):
        begin(page)
        touch(page, SEVEN)
        box = page.locator("#next").bounding_box()
        assert box
        assert box["y"] + box["height"] <= 740
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
        page.locator("#next").click()
        expect(page.locator("#kept")).to_have_text("1 kept.")


def test_the_two_pages_lead_to_each_other(page: Page, front: Front) -> None:
    page.get_by_role("link", name="Draw a digit").click()
    expect(page.locator("#predict")).to_be_visible()
    page.get_by_role("link", name="Give it your handwriting").click()
    expect(page.get_by_role("button", name="Begin")).to_be_visible()


def test_on_a_phone_on_its_side_paper_and_buttons_stand_beside_each_other(page: Page) -> None:
    resize(page, 740, 360)
    begin(page)
    give(page)
    sheet, *buttons = (page.locator(name).bounding_box() for name in ("#paper", "#back", "#next"))
    assert sheet
    assert sheet["y"] + sheet["height"] <= 360
    for button in buttons:
        assert button
        assert button["x"] >= sheet["x"] + sheet["width"]
        assert button["y"] + button["height"] <= 360
