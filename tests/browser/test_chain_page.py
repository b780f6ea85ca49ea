"""A visitor draws digits on the Apache-served page and the model that `workbench up` trained recognises them."""

import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.drawing import Line, draw, touch, visit
from tests.chain import Chain
from tests.drawings import strokes


def digit(number: int) -> list[Line]:
    """One way to draw the digit, in 280ths of the paper."""
    drawn, _ = strokes(number, np.random.default_rng(20 + number), height=190)
    return [[(140 + x, 140 + y) for x, y in stroke[::2]] for stroke in drawn]


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
