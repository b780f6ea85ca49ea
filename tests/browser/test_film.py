"""The film of learning in a real browser, of a network whose numbers are told by hand."""

import numpy as np
from playwright.sync_api import Browser, Page, expect

from workbench.models import at_home
from workbench.ui import film
from workbench.ui.widgets import theme

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
    script = at_home.bundle(film.MODULES)
    page.set_content(f"<style>{theme.css('film')}</style><body><div id=here></div></body>")
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
            modules.film.render({{ model, el: document.getElementById("here") }});
        }}"""
    )


def test_the_newest_frame_is_shown_until_another_is_chosen(browser: Browser) -> None:
    page = browser.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
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
        expect(page.locator(".wb-film-bars .top")).to_contain_text("91%")
        page.evaluate(tell, [10, numbers(2)])
        expect(page.locator(".wb-film-when")).to_have_text("before the first step: random numbers")
        page.keyboard.press("End")
        expect(page.locator(".wb-film-when")).to_have_text("after 10 steps")
        page.get_by_role("button", name="Clear").click()
        expect(page.locator(".wb-film-maps canvas")).to_have_count(0)
        page.evaluate("window.tell({kind: 'clear'})")
        expect(page.locator(".wb-film")).to_be_hidden()
        assert complaints == []
    finally:
        page.close()
