"""A visitor draws digits on the Apache-served page and the model that `workbench up` trained recognises them."""

import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import open_context
from tests.browser.drawing import Line, draw, touch, visit
from tests.chain import Chain
from tests.drawings import strokes
from workbench.backends.choice import open_backend


def digit(number: int) -> list[Line]:
    """One way to draw the digit, in 280ths of the paper, with as many turns of the mouse as it takes to tell it."""
    drawn, _ = strokes(number, np.random.default_rng(20 + number), height=190)
    return [[(140 + x, 140 + y) for x, y in stroke[::8]] for stroke in drawn]


def shown(page: Page) -> str:
    return page.locator("#digit").inner_text().strip()


@pytest.mark.parametrize("number", range(10))
def test_each_digit_drawn_with_the_mouse_is_recognised_through_apache(
    chain: Chain, browser: Browser, number: int
) -> None:
    with visit(browser, chain.page) as (page, seen):
        draw(page, digit(number))
        expect(page.locator("#digit")).to_have_text(str(number))
        expect(page.locator("#model")).to_have_text(re.compile("mnist-cnn.*version 1"))
        assert not seen.complaints
        assert all(url.startswith((chain.page, "data:")) for url in seen.requests)


@pytest.mark.parametrize("number", [2, 4, 7])
def test_digits_drawn_with_a_finger_on_a_phone_are_recognised(
    chain: Chain, browser: Browser, number: int
) -> None:
    phone: dict[str, Any] = {
        "viewport": {"width": 390, "height": 844},
        "has_touch": True,
        "is_mobile": True,
        "device_scale_factor": 3,
    }
    with visit(browser, chain.page, **phone) as (page, seen):
        touch(page, digit(number))
        expect(page.locator("#digit")).to_have_text(str(number))
        assert not seen.complaints


def beside(number: int, x: float) -> list[Line]:
    """The digit half as large, its middle at ``x``."""
    return [[(x + (px - 140) / 2, 140 + (py - 140) / 2) for px, py in line] for line in digit(number)]


def test_two_digits_are_told_and_read_one_by_one(chain: Chain, browser: Browser) -> None:
    with visit(browser, chain.page) as (page, seen):
        draw(page, [*beside(4, 80), *beside(2, 205)])
        expect(page.locator("#doubt")).to_have_text("Two digits? 4 and 2")
        page.get_by_role("button", name="Read 42").click()
        expect(page.locator("#digit")).to_have_text("42")
        assert not seen.complaints


def test_what_a_writer_gives_is_with_the_back_end_until_it_is_taken_back(
    chain: Chain, browser: Browser
) -> None:
    backend = open_backend(None, chain.settings)
    before = backend.counts().waiting
    context = open_context(browser)
    try:
        page = context.new_page()
        page.goto(f"{chain.page}/collect.html")
        page.get_by_label("Your name").fill("Anna")
        page.get_by_label("How many of each digit").select_option("1")
        page.get_by_label("I agree").check()
        page.get_by_role("button", name="Begin").click()
        for _ in range(10):
            draw(page, digit(int(page.locator("#wanted").inner_text())))
            page.locator("#next").click()
        expect(page.locator("#became")).to_contain_text("10 kept.")
        given = [c for c in backend.corrections("waiting").corrections if c.writer == "Anna"]
        assert sorted(c.digit for c in given) == list(range(10))
        assert len({c.session for c in given}) == 1
        right = sum(c.predicted == c.digit for c in given)
        assert right >= 7, "what the model thought is kept with each"
        page.get_by_role("button", name="Take all of them back").click()
        expect(page.locator("#became")).to_have_text("All your drawings were taken back.")
        assert backend.counts().waiting == before
    finally:
        context.close()
