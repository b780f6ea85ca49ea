"""Pictures of the front end's pages in every state: the drawing page, collecting, a page that is not there."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
from playwright.sync_api import Browser, Page

from tests.backend import making
from tests.browser.drawing import SEVEN, THREE, Line, draw, settled, visit
from tests.browser.files import give
from tests.screenshots.gallery import Gallery, named, own_ports
from tests.services import stand_in_backend as stand_in
from tests.services.real_apache import running
from workbench.pictures import ink
from workbench.settings import PROJECT, from_environment

FORTY_TWO = (
    [(70, 80), (48, 146), (120, 148)],
    [(104, 96), (102, 208)],
    [(158, 104), (186, 84), (214, 104), (200, 144), (158, 204), (226, 206)],
)
"""A 4 and a 2 on one paper."""


def as_seen(lines: Sequence[Line], width: int = 15) -> str:
    """A drawing as the back end would say that its model saw it."""
    paper = np.zeros((280, 280), np.uint8)
    for line in lines:
        cv2.polylines(paper, [np.array(line, np.int32)], False, 255, width, cv2.LINE_AA)
    fitted = ink.fit(paper)
    assert fitted is not None
    return making.data_url(making.png(fitted)).decode()


def shown(page: Page, mood: str) -> None:
    page.wait_for_selector(f"#answer[data-mood={mood}]")
    page.mouse.move(4, 4)


def empty(page: Page, backend: stand_in.Backend) -> None:
    shown(page, "empty")


def answer(page: Page, backend: stand_in.Backend) -> None:
    draw(page, SEVEN)
    shown(page, "answer")


def unsure(page: Page, backend: stand_in.Backend) -> None:
    backend.says["/predict"] = stand_in.answer(3, sure=0.46, second=8, seen=as_seen(THREE, 32))
    page.fill("#width", "32")
    draw(page, THREE)
    shown(page, "answer")
    settled(page)  # an answer that comes later takes back what was said of one before
    page.click("#wrong")


def corrected(page: Page, backend: stand_in.Backend) -> None:
    unsure(page, backend)
    page.click("#digits button:text('9')")
    page.wait_for_selector("#thanks:has-text('Thank you')")


def waiting(page: Page, backend: stand_in.Backend) -> None:
    draw(page, SEVEN)
    shown(page, "waiting")


def away(page: Page, backend: stand_in.Backend) -> None:
    draw(page, SEVEN[:1])
    shown(page, "answer")
    backend.stop()
    draw(page, SEVEN[1:])
    shown(page, "away")


def nothing(page: Page, backend: stand_in.Backend) -> None:
    backend.says["/predict"] = stand_in.NOTHING
    draw(page, [[(140, 140)]])
    shown(page, "nothing")


def problem(page: Page, backend: stand_in.Backend) -> None:
    backend.says["/predict"] = stand_in.error(400, "bad_picture", "The PNG's part 'IDAT' is damaged.")
    draw(page, SEVEN)
    shown(page, "problem")


def limited(page: Page, backend: stand_in.Backend) -> None:
    backend.says["/predict"] = stand_in.error(429, "too_many", "too many requests")
    backend.headers["Retry-After"] = "30"
    draw(page, SEVEN)
    shown(page, "limited")


def no_digit(page: Page, backend: stand_in.Backend) -> None:
    backend.says["/predict"] = stand_in.answer(
        4, sure=0.62, doubt={"kind": "no_digit", "score": 0.93}, seen=as_seen(THREE)
    )
    draw(page, THREE)
    shown(page, "answer")


def several(page: Page, backend: stand_in.Backend) -> None:
    parts = [{"digit": digit, "probabilities": [0.1] * 10} for digit in (4, 2)]
    doubt = {"kind": "several", "score": 0.9}
    backend.says["/predict"] = stand_in.answer(
        9, sure=0.57, doubt=doubt, parts=parts, seen=as_seen(FORTY_TWO)
    )
    draw(page, FORTY_TWO)
    shown(page, "answer")
    settled(page)


def several_read(page: Page, backend: stand_in.Backend) -> None:
    several(page, backend)
    page.click("#take")


def without_place(page: Page, backend: stand_in.Backend) -> None:
    """The correction is not kept: the back end's disk is full."""
    unsure(page, backend)
    backend.says["/corrections"] = stand_in.error(
        507, "disk_full", "there is no room left for corrections; nothing was stored"
    )
    page.click("#digits button:text('9')")
    page.get_by_text("Not noted").wait_for()


def long_name(page: Page, backend: stand_in.Backend) -> None:
    """A model of ten words that a class has given."""
    name = "handwriting-of-class-7b-with-corrections-and-augmentation-try-2"
    backend.says["/models"] = 200, {"predict": name, "models": [{"name": name, "version": 128}]}
    status, said = stand_in.answer(7, sure=0.982, second=1, seen=as_seen(SEVEN))
    backend.says["/predict"] = status, {**said, "model": name, "version": 128}
    answer(page, backend)


def closed(page: Page, backend: stand_in.Backend) -> None:
    """The model has no form that can be looked into."""
    backend.says["/inside"] = stand_in.error(
        422, "model_refused", "it has no model.onnx, and nothing else can be seen into"
    )
    draw(page, SEVEN)
    page.click("#look")
    page.locator(".inside-status").get_by_text("model.onnx").wait_for()


def earlier(page: Page, backend: stand_in.Backend) -> None:
    for digit, lines in ((7, SEVEN), (3, THREE)):
        backend.says["/predict"] = stand_in.answer(digit, seen=as_seen(lines))
        draw(page, lines)
        page.wait_for_function(f"document.getElementById('digit').textContent === '{digit}'")
        page.click("#clear")
    page.locator("#strip button").nth(1).click()
    shown(page, "answer")
    page.locator("#earlier").scroll_into_view_if_needed()


def given_picture(page: Page, backend: stand_in.Backend) -> None:
    give(page, "#sheet", "drop", [("9.png", "image/png", (PROJECT / "notebooks" / "9.png").read_bytes())])
    shown(page, "answer")


def not_taken(page: Page, backend: stand_in.Backend) -> None:
    draw(page, SEVEN)
    shown(page, "answer")
    give(page, "#sheet", "drop", [("a very long name of a film of one's holidays.mp4", "video/mp4", b"1")])
    page.locator("#not-taken").wait_for()


def consent(page: Page, backend: stand_in.Backend) -> None:
    page.goto(page.url + "collect.html")


def collecting(page: Page, backend: stand_in.Backend) -> None:
    consent(page, backend)
    page.select_option("#each", "1")
    page.fill("#name", "Anna")
    page.check("#agreed")
    page.click("#form button")
    for _ in range(3):
        draw(page, SEVEN)
        page.click("#next")
    draw(page, THREE)


def collected(page: Page, backend: stand_in.Backend) -> None:
    collecting(page, backend)
    for _ in range(6):
        page.click("#next")
        draw(page, SEVEN)
    page.click("#next")
    page.locator("#wall img").nth(9).wait_for()


def help_opened(page: Page, backend: stand_in.Backend) -> None:
    page.click("summary")


def error_page(page: Page, backend: stand_in.Backend) -> None:
    page.goto(page.url + "no-such-page")


def keys(page: Page, backend: stand_in.Backend) -> None:
    page.focus("canvas")
    page.keyboard.press("PageUp")
    page.keyboard.press("Space")
    for key in ["ArrowLeft"] * 6 + ["ArrowDown"] * 8 + ["ArrowRight"] * 7:
        page.keyboard.press(key)
    page.wait_for_selector("#answer[data-mood=answer]")


STATES: dict[str, Callable[[Page, stand_in.Backend], None]] = {
    state.__name__: state
    for state in (
        empty,
        answer,
        unsure,
        corrected,
        waiting,
        away,
        nothing,
        problem,
        limited,
        no_digit,
        several,
        several_read,
        without_place,
        long_name,
        closed,
        earlier,
        given_picture,
        not_taken,
        consent,
        collecting,
        collected,
        keys,
        help_opened,
        error_page,
    )
}
WITHOUT_MODEL = {"waiting"}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "narrow": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}, "device_scale_factor": 2},
    "contrast": {"forced_colors": "active"},
    "sideways": {
        "color_scheme": "light",
        "viewport": {"width": 740, "height": 360},
        "device_scale_factor": 2,
    },
    "narrow-dark": {
        "color_scheme": "dark",
        "viewport": {"width": 360, "height": 740},
        "device_scale_factor": 2,
    },
}


@contextmanager
def reached(
    browser: Browser, url: str, backend: stand_in.Backend, name: str, **how: Any
) -> Iterator[tuple[Page, list[str]]]:
    """The drawing page in one of its states, and what it complains of."""
    backend.start()
    backend.reset()
    backend.says["/predict"] = stand_in.answer(7, sure=0.982, second=1, seen=as_seen(SEVEN))
    if name in WITHOUT_MODEL:
        backend.says["/readyz"] = stand_in.training(210)
    with visit(browser, url, wait=name not in WITHOUT_MODEL, **how) as (page, seen):
        STATES[name](page, backend)
        yield page, seen.complaints


def take(browser: Browser, gallery: Gallery) -> None:
    """One picture a state and look."""
    lacking = gallery.lacking("drawing", STATES, LOOKS)
    if not lacking:
        return
    backend = stand_in.Backend()
    ports = {**own_ports(), "WORKBENCH_BACKEND_PORT": str(backend.port)}
    try:
        with (
            tempfile.TemporaryDirectory() as home,
            running(from_environment({"WORKBENCH_HOME": home, **ports})) as service,
        ):
            for state, look in lacking:
                name = named("drawing", state, look)
                with (
                    gallery.attempt(name),
                    reached(browser, service.url, backend, state, **LOOKS[look]) as (page, said),
                ):
                    page.wait_for_timeout(250)  # the bars come to rest
                    gallery.keep(page, name, said)
    finally:
        backend.stop()
