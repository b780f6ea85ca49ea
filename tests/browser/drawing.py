"""What a visitor does on the drawing page, and what one sees there."""

import base64
import contextlib
import itertools
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.chromium import open_context
from tests.browser.conftest import Front
from tests.services.stand_in_backend import VISIT

Line = Sequence[tuple[float, float]]
"""Points on the paper, in 280ths of its side."""

SEVEN: tuple[Line, ...] = (
    [(72, 70), (150, 66), (212, 68), (196, 112), (168, 160), (140, 222)],
    [(108, 148), (150, 145), (196, 146)],
)
THREE: tuple[Line, ...] = (
    [(88, 70), (140, 52), (186, 72), (180, 110), (130, 134), (184, 156), (194, 196), (146, 228), (86, 208)],
)


class Seen:
    """What happened besides: errors, violations of the policy, requests and where they went."""

    def __init__(self, page: Page) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("console", self._console)
        page.on("request", lambda request: self.requests.append(request.url))

    def _console(self, message: Any) -> None:
        """Chromium itself writes a line for every answer of 400 and above: that is no fault of the page."""
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.complaints.append(f"{message.type}: {message.text}")


@contextlib.contextmanager
def visit(browser: Browser, url: str, *, wait: bool = True, **how: Any) -> Iterator[tuple[Page, Seen]]:
    """The page in a context of its own; ``how`` is Playwright's ``new_context``."""
    usual = {"viewport": {"width": 1120, "height": 860}, "extra_http_headers": {VISIT: uuid.uuid4().hex}}
    context = open_context(browser, **{**usual, **how})
    try:
        page = context.new_page()
        seen = Seen(page)
        page.goto(url)
        if wait:
            expect(page.locator("#model")).not_to_be_empty()
        yield page, seen
    finally:
        context.close()


def spots(page: Page, line: Line) -> list[tuple[float, float]]:
    """The points of a line on the screen."""
    box = page.locator("canvas").bounding_box()
    assert box is not None
    return [(box["x"] + x * box["width"] / 280, box["y"] + y * box["height"] / 280) for x, y in line]


def draw(page: Page, lines: Sequence[Line], *, lift: bool = True) -> None:
    """Draw with the mouse; without ``lift`` the button stays down."""
    for line in lines:
        first, *rest = spots(page, line)
        page.mouse.move(*first)
        page.mouse.down()
        for x, y in rest:
            page.mouse.move(x, y, steps=2)
        if lift:
            page.mouse.up()


def draw_beside_others(canvas: Locator, lines: Sequence[Line], side: float = 280) -> None:
    """Draw with the mouse where the page may still move the canvas: each point is looked for anew."""
    page = canvas.page

    def go(x: float, y: float) -> None:
        box = canvas.bounding_box()
        assert box is not None
        canvas.hover(position={"x": x * box["width"] / side, "y": y * box["height"] / side})

    for line in lines:
        go(*line[0])
        page.mouse.down()
        for (x0, y0), (x, y) in itertools.pairwise(line):
            go((x0 + x) / 2, (y0 + y) / 2)
            go(x, y)
        page.mouse.up()


def touch(page: Page, lines: Sequence[Line]) -> None:
    """Draw with a finger, as the browser's own input events."""
    session = page.context.new_cdp_session(page)
    for line in lines:
        for i, (x, y) in enumerate(spots(page, line)):
            kind = "touchMove" if i else "touchStart"
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def ink(page: Page) -> int:
    """How many pixels of the canvas have ink, after the next frame is painted."""
    return int(
        page.evaluate(
            """() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => {
                const canvas = document.querySelector("canvas");
                const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
                copy.drawImage(canvas, 0, 0);
                const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
                resolve(data.filter((value, i) => i % 4 === 3 && value > 127).length);
            })))"""
        )
    )


def content(seen: Seen, front: Front) -> None:
    assert seen.complaints == []
    assert {url for url in seen.requests if not url.startswith((front.url, "data:", "blob:"))} == set()


def mood(page: Page, wanted: str) -> None:
    expect(page.locator("#answer")).to_have_attribute("data-mood", wanted)


def settled(page: Page) -> None:
    """The drawing as it is has been asked about and nothing is under way."""
    expect(page.locator("#answer")).to_have_attribute("aria-busy", "false")


def resize(page: Page, width: int, height: int) -> None:
    """Give the window another size, and wait until the page has laid itself out in it."""
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate(
        """(wanted) => new Promise((resolve) => {
            const look = () => requestAnimationFrame(() => (innerWidth === wanted ? requestAnimationFrame(resolve) : look()));
            look();
        })""",
        width,
    )


def listen(page: Page) -> None:
    """Keep all that a screen reader is told from now on: what is said may stand for a moment only."""
    page.evaluate(
        """() => {
            const spoken = document.getElementById("spoken");
            globalThis.told = [];
            new MutationObserver(() => told.push(spoken.textContent))
                .observe(spoken, { childList: true, characterData: true, subtree: true });
        }"""
    )


def heard(page: Page, words: str) -> None:
    """Wait until these words were among what a screen reader was told."""
    page.wait_for_function("(words) => told.some((text) => text.includes(words))", arg=words)


def sent(body: dict[str, Any]) -> np.ndarray:
    data = base64.b64decode(body["image"].partition(",")[2])
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    return decoded
