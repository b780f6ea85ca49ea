"""The grid in which a reviewer judges drawings, alone in Chromium: keys, who said what, and the second word."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.backend import making
from tests.browser.chromium import open_context
from workbench.backends.correction_values import Correction
from workbench.ui.serving.corrections.review_grid import item
from workbench.ui.widgets import theme
from workbench.ui.widgets.drawing.inline_pictures import data_url

MODEL = """async ([source, items]) => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const widget = (await import(url)).default;
    const values = { items, state: "waiting", busy: false };
    window.sent = [];
    window.heard = {};
    window.become = (name, value) => { values[name] = value; window.heard[`change:${name}`](); };
    widget.render({
        model: { get: (name) => values[name], on(name, act) { window.heard[name] = act; }, off() {}, send: (message) => window.sent.push(message) },
        el: document.getElementById("grid"),
    });
}"""


def correction(id_: str, digit: int, **more: Any) -> Correction:
    picture = making.data_url(making.png(making.seven(280 - 3 * digit))).decode()
    told: dict[str, Any] = {"predicted": 7, "model": "mnist-cnn", "version": 3, "picture": picture}
    return Correction(id=id_, t="2026-11-22T10:00:00Z", state="waiting", digit=digit, **(told | more))


def certain(digit: int) -> tuple[float, ...]:
    return tuple(0.991 if k == digit else 0.001 for k in range(10))


ALIKE = [{"picture": data_url(np.full((28, 28), 25 * n, np.uint8)), "label": str(n)} for n in (7, 1, 7, 9, 4)]
SHOWN = [
    item(correction("a", 1, probabilities=(0.03,) * 7 + (0.79,) + (0.03,) * 2), ALIKE),
    item(correction("b", 4, probabilities=certain(7)), ALIKE),
    item(correction("c", 7, kind="collected", writer="Anna", session="a1b2c3", probabilities=certain(7))),
    item(correction("d", 2, kind="collected", session="ff00", doubt="no_digit"), ALIKE),
]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = open_context(browser, viewport={"width": 900, "height": 520})
    page = context.new_page()
    page.set_content(f"<style>{theme.css('review')}</style><body class='wb'><div id='grid'></div></body>")
    page.evaluate(MODEL, [theme.esm("words") + theme.esm("review"), SHOWN])
    yield page
    context.close()


def sent(page: Page) -> list[Any]:
    found: list[Any] = page.evaluate("window.sent")
    return found


def test_each_card_tells_who_said_what_how_sure_and_what_is_most_alike(page: Page) -> None:
    cards = page.locator(".wb-correction")
    expect(cards.nth(0)).to_contain_text("1 said the visitor")
    expect(cards.nth(0)).to_contain_text("7 said mnist-cnn:3, 79.0 % sure")
    expect(cards.nth(1)).to_contain_text("The model is 99.1 % sure that it is a 7")
    expect(cards.nth(2)).to_contain_text("7 asked of Anna · a1b2")
    expect(cards.nth(3)).to_contain_text("2 asked of no name · ff00")
    expect(cards.nth(3)).to_contain_text("The model sees no digit in it")
    expect(cards.nth(0).locator(".wb-alike span")).to_have_text(["7", "1", "7", "9", "4"])
    expect(cards.nth(0).locator(".wb-alike .wb-same")).to_have_text("1")
    expect(cards.nth(2).locator(".wb-alike")).to_have_count(0)
    expect(page.locator("[data-absurd]")).to_have_count(2)


def test_accepting_what_the_model_contradicts_takes_a_second_word(page: Page) -> None:
    page.locator(".wb-correction").nth(0).focus()
    page.keyboard.press("a")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("a")
    question = page.locator(".wb-correction").nth(1).locator(".wb-doubted")
    expect(question).to_contain_text("Accept it all the same?")
    said = "But the model is 99.1 % sure that it is a 7. Accept it all the same?"
    expect(page.get_by_role("status")).to_contain_text(said)
    assert [message["ids"] for message in sent(page)] == [["a"]]
    page.keyboard.press("Escape")
    expect(question).to_have_count(0)
    page.keyboard.press("a")
    page.keyboard.press("ArrowRight")
    expect(question).to_have_count(0)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("a")
    assert len(sent(page)) == 1, "it is asked anew after one has looked at another"
    page.keyboard.press("a")
    assert sent(page)[-1] == {"kind": "review", "ids": ["b"], "verdict": "accept"}


def test_rejecting_it_takes_one_word_and_by_mouse_it_is_the_same(page: Page) -> None:
    card = page.locator(".wb-correction").nth(3)
    card.get_by_role("button", name="Accept").click()
    assert sent(page) == []
    card.get_by_role("button", name="Accept").click()
    page.locator(".wb-correction").nth(1).get_by_role("button", name="Reject").click()
    assert [(m["ids"], m["verdict"]) for m in sent(page)] == [(["d"], "accept"), (["b"], "reject")]


def test_what_is_said_while_something_else_is_done_is_not_lost_and_nothing_is_said_twice(page: Page) -> None:
    page.locator(".wb-correction").nth(0).focus()
    page.evaluate("become('busy', true)")
    page.keyboard.press("r")
    page.keyboard.press("r")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("a")
    expect(page.locator(".wb-doubted")).to_contain_text("Accept it all the same?")
    assert [(m["ids"], m["verdict"]) for m in sent(page)] == [(["a"], "reject")]
    page.evaluate("become('busy', false)")  # nothing has changed: it failed
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("r")
    assert [m["ids"] for m in sent(page)] == [["a"], ["a"]]
