"""The film of learning in a real browser, of a network whose numbers are told by hand."""

import base64
import re

import numpy as np
from playwright.sync_api import Browser, Page, expect

from tests.browser import axe
from tests.browser.chromium import open_page
from tests.browser.conftest import Front
from tests.browser.drawing import SEVEN, draw, visit
from tests.services import stand_in_backend as stand_in
from workbench import drawing_page
from workbench.ui import film

FORM = {
    "format": 1,
    "input": {"shape": [28, 28, 1], "range": [0, 255]},
    "steps": [
        {"op": "affine", "of": "small", "takes": [0], "gives": 1, "shapes": [[1], [1]]},
        {
            "op": "convolution", "of": "look", "takes": [1], "gives": 2, "shapes": [[2, 2, 1, 2]],
            "strides": [2, 2], "padding": "valid", "dilation": [1, 1],
        },
        {"op": "relu", "of": "look", "takes": [2], "gives": 3, "below": 0, "from": 0, "most": None},
        {"op": "reshape", "of": "flat", "takes": [3], "gives": 4, "shape": [392]},
        {"op": "dense", "of": "answer", "takes": [4], "gives": 5, "shapes": [[392, 3], [3]]},
        {"op": "activation", "of": "answer", "takes": [5], "gives": 6, "kind": "softmax"},
    ],
}  # fmt: skip


def numbers(best: int) -> list[int]:
    """The bytes of a frame that says ``best`` to everything."""
    bias = np.eye(3)[best] * 3
    flat = np.concatenate([[1 / 255], [0], np.full(8, 0.25), np.zeros(392 * 3), bias])
    return list(flat.astype("<f2").tobytes())


def open_film(page: Page) -> None:
    script = drawing_page.bundle(film.MODULES)
    page.set_content(
        f"<html lang=en><title>Film</title><style>body {{ background: light-dark(#fff, #1b1e24); color-scheme: light dark; }} {film.Film._css}</style><body><main id=here></main></body></html>"
    )
    page.evaluate(
        f"""() => {{
            {script}
            const heard = [];
            window.sent = [];
            const model = {{
                on: (name, f) => heard.push(f), off() {{}}, send: (message) => window.sent.push(message),
            }};
            window.tell = (message, bytes) =>
                heard.forEach((f) => f(message, bytes ? [new DataView(Uint8Array.from(bytes).buffer)] : []));
            modules.widget.render({{ model, el: document.getElementById("here") }});
        }}"""
    )


def test_the_newest_frame_is_shown_until_another_is_chosen(browser: Browser) -> None:
    complaints: list[str] = []
    with open_page(browser) as page:
        page.on("pageerror", lambda error: complaints.append(str(error)))
        open_film(page)
        assert page.evaluate("window.sent") == [{"kind": "ready"}]
        expect(page.locator(".wb-film")).to_be_hidden()
        page.evaluate("(form) => window.tell({kind: 'form', form})", FORM)
        tell = "([step, bytes]) => window.tell({kind: 'frame', step}, bytes)"
        page.evaluate(tell, [0, numbers(0)])
        expect(page.locator(".wb-film-when")).to_have_text("before the first step: random numbers")
        page.evaluate(tell, [5, numbers(1)])
        expect(page.locator(".wb-film-when")).to_have_text("after 5 steps")
        expect(page.locator(".wb-film-bars .top")).to_contain_text("1")
        expect(page.locator(".wb-film-maps canvas")).to_have_count(2)
        page.locator(".wb-film input").focus()
        page.keyboard.press("Home")
        expect(page.locator(".wb-film-bars .top")).to_contain_text(re.compile(r"9[01]\.\d %"))
        page.evaluate(tell, [10, numbers(2)])
        expect(page.locator(".wb-film-when")).to_have_text("before the first step: random numbers")
        page.keyboard.press("End")
        expect(page.locator(".wb-film-when")).to_have_text("after 10 steps")
        page.get_by_role("button", name="Clear").click()
        expect(page.locator(".wb-film-maps canvas")).to_have_count(0)
        page.evaluate("window.tell({kind: 'clear'})")
        expect(page.locator(".wb-film")).to_be_hidden()
        assert complaints == []


def test_where_there_is_no_film_the_reason_stands_until_there_is_one(browser: Browser) -> None:
    with open_page(browser) as page:
        open_film(page)
        expect(page.locator(".wb-no-film")).to_be_hidden()
        why = "memory is a layer of the kind <b>LSTM</b>"
        page.evaluate("(form) => window.tell({kind: 'form', form})", {"format": 1, "missing": why})
        expect(page.locator(".wb-no-film")).to_contain_text(f"There is no film of this network: {why}.")
        expect(page.locator(".wb-film")).to_be_hidden()
        page.evaluate("(form) => window.tell({kind: 'form', form})", FORM)
        page.evaluate("(bytes) => window.tell({kind: 'frame', step: 0}, bytes)", numbers(0))
        expect(page.locator(".wb-film")).to_be_visible()
        expect(page.locator(".wb-no-film")).to_be_hidden()


def test_what_is_inside_of_a_frame_is_shown_and_explained(browser: Browser) -> None:
    complaints: list[str] = []
    ink = np.zeros((2, 28, 28), np.uint8)
    ink[0, 5:25, 12:16] = ink[1, 5:9, 6:22] = ink[1, 5:25, 16:20] = 255
    examples = {"pixels": base64.b64encode(ink.tobytes()).decode(), "labels": ["1", "7"]}
    tell = "([step, bytes]) => window.tell({kind: 'frame', step, kept: [step]}, bytes)"
    with open_page(browser, viewport={"width": 900, "height": 1400}) as page:
        page.on("pageerror", lambda error: complaints.append(str(error)))
        open_film(page)
        page.evaluate("(form) => window.tell({kind: 'form', form})", {**FORM, "examples": examples})
        page.evaluate(tell, [0, numbers(0)])
        button = page.get_by_role("button", name="See inside")
        button.click()
        expect(button).to_have_attribute("aria-expanded", "true")
        layers = page.locator(".inside-layers > li")
        expect(layers).to_have_count(2)
        expect(layers.first).to_contain_text("2 maps of 14 × 14, each made by one window of 2 × 2")
        expect(layers.first).to_contain_text("what is below zero is cut off")
        expect(layers.last.locator(".inside-columns > li")).to_have_count(3)
        expect(page.locator(".inside-alike li").first).to_contain_text("7")
        expect(page.locator(".inside-why p")).to_contain_text("was wiped away")
        # The pixel, its window, and the sum that the network itself made of it.
        layers.first.locator(".inside-map").first.focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Shift+Tab")
        expect(page.locator(".inside-window")).to_have_count(2)
        # Four cells of ink, a quarter each.
        expect(page.locator(".inside-result strong")).to_have_text(re.compile(r"^(1\.0|\.9\d)$"))
        assert axe.serious(page) == []
        page.keyboard.press("ArrowLeft")
        page.evaluate(tell, [3, numbers(1)])  # the panel stays as it is, with the new numbers
        expect(page.locator(".wb-film-when")).to_have_text("after 3 steps")
        expect(page.locator(".inside-columns .top")).to_contain_text("1")
        expect(page.locator(".inside-window")).to_have_count(2)
        page.get_by_role("button", name="Clear").click()
        expect(page.locator(".inside-status")).to_contain_text("Draw something")
        button.click()
        expect(layers.first).to_be_hidden()
        assert complaints == []


def test_the_drawing_page_shows_the_first_models_film_while_it_trains(browser: Browser, front: Front) -> None:
    backend = front.backend
    backend.says |= {"/readyz": stand_in.training(5), "/predict": stand_in.error(503, "no_model", "none yet")}
    frames = [
        {"step": step, "weights": base64.b64encode(bytes(numbers(best))).decode()}
        for step, best in ((0, 0), (5, 1), (10, 2))
    ]
    backend.says["/inside"] = 200, {"film": "a", "form": FORM, "frames": frames[:2], "kept": [0, 5]}
    with visit(browser, front.url, wait=False) as (page, seen):
        when, top = page.locator("#film-when"), page.locator("#bars .top")
        expect(when).to_have_text("after 5 steps. Draw, and see how it reads you")
        draw(page, SEVEN)
        expect(when).to_have_text("after 5 steps")
        expect(top).to_contain_text("1")
        page.click("#look")
        expect(page.locator(".inside-layers > li")).to_have_count(2)
        assert axe.serious(page) == []
        page.locator("#film-steps").focus()
        page.keyboard.press("Home")
        expect(when).to_have_text("before the first step: random numbers")
        expect(top.locator(".name")).to_have_text("0")
        expect(page.locator(".inside-columns .top")).to_contain_text("0")
        page.keyboard.press("End")
        backend.says["/inside"] = 200, {"film": "a", "frames": frames[2:], "kept": [0, 10]}
        expect(when).to_have_text("after 10 steps")
        expect(top.locator(".name")).to_have_text("2")
        expect(page.locator("#film-steps")).to_have_attribute("max", "1")
        # Another training: all of its film is asked for.
        backend.says["/inside"] = 200, {"film": "b", "form": FORM, "frames": frames[:1], "kept": [0]}
        expect(when).to_have_text("before the first step: random numbers")
        serves = {"/inside": stand_in.inside(), "/predict": stand_in.answer(7), "/readyz": stand_in.READY}
        backend.says |= serves  # at one moment
        expect(page.locator("#digit")).to_have_text("7")
        expect(page.locator("#film")).to_be_hidden()
        expect(page.locator(".inside-layers > li")).to_have_count(3)
        page.locator(".inside-map").first.hover()
        expect(page.locator(".inside-window")).to_have_count(2)
        assert axe.serious(page) == []
        assert seen.complaints == []
