"""Pictures of the first path as a whole, walked through the product itself: docs/first_five_minutes.md, step by step.

Each walk begins with a home of its own, so that its first model trains and its first training is its second version.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.browser.drawing import Line, draw, visit
from tests.chain import Chain, answers, end_chain, start_chain, wait_until
from tests.screenshots.gallery import Gallery, free_ports, named

LONG_MS = 15 * 60_000
FLAGGED_ONE: tuple[Line, ...] = ([(60, 80), (109, 69), (158, 58), (156, 120), (153, 180), (150, 226)],)
"""A 1 as it is written in much of Europe, with a flag so long and level that it is taken for a 7."""
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "narrow": {
        "color_scheme": "light",
        "viewport": {"width": 380, "height": 780},
        "device_scale_factor": 2,
        "reduced_motion": "reduce",
    },
}


def arrive(page: Page, chain: Chain) -> None:
    page.goto(f"{chain.dashboard}/workbench?token={chain.settings.token}")
    page.locator("#services li").first.wait_for()


def first_film(page: Page, chain: Chain) -> None:
    """The drawing page while the first model learns."""
    page.goto(chain.page)
    draw(page, FLAGGED_ONE)
    page.locator("#film").wait_for()
    expect(page.locator("#bars .top")).to_have_count(1)


def drawn(page: Page, chain: Chain) -> None:
    page.wait_for_selector("#answer[data-mood=answer]")


def inside(page: Page, chain: Chain) -> None:
    page.click("#look")
    page.locator(".inside-alike li").nth(4).wait_for()


def pixel(page: Page, chain: Chain) -> None:
    page.locator(".inside-map").nth(3).hover()
    page.locator(".inside-window").nth(1).wait_for()


def ticked(page: Page, chain: Chain) -> None:
    page.goto(f"{chain.dashboard}/workbench")
    page.locator("#path li.wb-done").nth(1).wait_for()


def training(page: Page, chain: Chain) -> None:
    page.locator("#path li[data-step=train] a").click()
    page.get_by_role("button", name="Train", exact=True).click()
    page.locator(".wb-film").first.wait_for()
    expect(page.locator(".wb-film-when").first).to_contain_text("after")


def trained(page: Page, chain: Chain) -> None:
    page.get_by_text("95 % interval").wait_for()
    draw_at(page.locator(".wb-pad canvas"), FLAGGED_ONE)


def deployed(page: Page, chain: Chain) -> None:
    page.get_by_role("button", name="Publish").click()
    page.get_by_text("Published as").wait_for()
    page.get_by_role("button", name="Deploy", exact=True).click()
    page.get_by_role("link", name="Draw at it").last.wait_for()


def again(page: Page, chain: Chain) -> None:
    page.goto(chain.page)
    page.keyboard.press("Escape")
    draw(page, FLAGGED_ONE)
    expect(page.locator("#model")).to_contain_text("version 2")
    page.wait_for_selector("#answer[data-mood=answer]")


def done(page: Page, chain: Chain) -> None:
    page.goto(f"{chain.dashboard}/workbench")
    page.locator("#path li.wb-done").nth(4).wait_for()


def version(page: Page, chain: Chain) -> None:
    page.goto(f"{chain.dashboard}/voila/render/serve_and_predict.ipynb?model=mnist-cnn:2")
    page.locator(".wb-film").wait_for()


def at_home(page: Page, chain: Chain) -> None:
    file = chain.settings.home.parent / "home.html"
    chain.workbench("download", "mnist-cnn:2", "--html", str(file))
    page.goto(file.as_uri())
    draw(page, FLAGGED_ONE)


def draw_at(canvas: Any, lines: tuple[Line, ...]) -> None:
    canvas.scroll_into_view_if_needed()
    box, mouse = canvas.bounding_box(), canvas.page.mouse
    for line in lines:
        first, *rest = [
            (box["x"] + x * box["width"] / 280, box["y"] + y * box["height"] / 280) for x, y in line
        ]
        mouse.move(*first)
        mouse.down()
        for place in rest:
            mouse.move(*place, steps=3)
        mouse.up()


STEPS: tuple[Callable[[Page, Chain], None], ...] = (
    *(arrive, first_film, drawn, inside, pixel, ticked),
    *(training, trained, deployed, again, done, version, at_home),
)


def take(browser: Browser, gallery: Gallery) -> None:
    """One picture a step and look; a walk of which one is lacking is walked whole."""
    names = [step.__name__ for step in STEPS]
    for look in dict.fromkeys(look for _, look in gallery.lacking("journey", names, LOOKS)):
        with fresh() as chain, visit(browser, chain.dashboard, wait=False, **LOOKS[look]) as (page, seen):
            page.set_default_timeout(LONG_MS)
            expect.set_options(timeout=LONG_MS)
            with gallery.attempt(f"journey (the steps left) {look}"):
                for step in STEPS:
                    step(page, chain)
                    page.wait_for_timeout(1_000)  # what moves comes to rest
                    gallery.keep(page, named("journey", step.__name__, look), seen.complaints)
                    seen.complaints.clear()


@contextmanager
def fresh() -> Iterator[Chain]:
    """``workbench up`` in a home that was not there before."""
    with tempfile.TemporaryDirectory() as temporary:
        chain = start_chain(Path(temporary) / "home", free_ports(3))
        try:
            wait_until(lambda: answers(chain.page), 60, "the drawing page", chain)
            wait_until(lambda: answers(f"{chain.dashboard}/login"), 60, "the dashboard", chain)
            yield chain
        finally:
            end_chain(chain)
