"""Pictures of the pages in every state, to be looked at: ``python -m tests.screenshots FOLDER``."""

import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import chromium
from tests.browser.drawing import SEVEN, THREE, draw, settled, visit
from tests.screenshots import application, cluster, dashboard, pages, serving
from tests.services import stand_in_backend as stand_in
from tests.services.real_apache import running
from workbench.settings import from_environment


def shown(page: Page, mood: str) -> None:
    page.wait_for_selector(f"#answer[data-mood={mood}]")
    page.mouse.move(4, 4)


def empty(page: Page, backend: stand_in.Backend) -> None:
    shown(page, "empty")


def answer(page: Page, backend: stand_in.Backend) -> None:
    draw(page, SEVEN)
    shown(page, "answer")


def unsure(page: Page, backend: stand_in.Backend) -> None:
    backend.says["/predict"] = stand_in.answer(3, sure=0.46, second=8)
    page.fill("#width", "32")
    draw(page, THREE)
    shown(page, "answer")
    settled(page, backend)  # an answer that comes later takes back what was said of one before
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
    backend.says["/predict"] = stand_in.answer(4, sure=0.62, doubt={"kind": "no_digit", "score": 0.93})
    draw(page, THREE)
    shown(page, "answer")


def several(page: Page, backend: stand_in.Backend) -> None:
    parts = [{"digit": digit, "probabilities": [0.1] * 10} for digit in (4, 2)]
    doubt = {"kind": "several", "score": 0.9}
    backend.says["/predict"] = stand_in.answer(9, sure=0.57, doubt=doubt, parts=parts)
    draw(page, SEVEN)
    shown(page, "answer")
    settled(page, backend)


def several_read(page: Page, backend: stand_in.Backend) -> None:
    several(page, backend)
    page.click("#take")


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
        consent,
        collecting,
        collected,
        keys,
        help_opened,
        error_page,
    )
}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "narrow": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}, "device_scale_factor": 2},
    "contrast": {"forced_colors": "active"},
    "narrow-dark": {
        "color_scheme": "dark",
        "viewport": {"width": 360, "height": 740},
        "device_scale_factor": 2,
    },
}


@contextmanager
def reached(browser: Browser, url: str, backend: stand_in.Backend, name: str, **how: Any) -> Iterator[Page]:
    """The drawing page in one of its states."""
    backend.start()
    backend.headers.clear()
    backend.says["/predict"] = stand_in.answer(7, sure=0.982, second=1)
    backend.says["/readyz"] = stand_in.training(210) if name == "waiting" else stand_in.READY
    with visit(browser, url, wait=name != "waiting", **how) as (page, _):
        STATES[name](page, backend)
        yield page


def take(browser: Browser, url: str, backend: stand_in.Backend, folder: Path) -> None:
    """One picture a state and look."""
    folder.mkdir(parents=True, exist_ok=True)
    for look, how in LOOKS.items():
        for name in STATES:
            with reached(browser, url, backend, name, **how) as page:
                page.wait_for_timeout(250)  # the bars come to rest
                page.screenshot(path=folder / f"{name}-{look}.png", full_page=True)


def main(folder: Path) -> None:
    program = chromium.find()
    if program is None:
        sys.exit(f"no Chromium: none of {', '.join(chromium.PROGRAMS)} is installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    backend = stand_in.Backend()
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        settings = from_environment(
            {
                "WORKBENCH_HOME": home,
                "WORKBENCH_FRONTEND_PORT": str(port),
                "WORKBENCH_BACKEND_PORT": str(backend.port),
            }
        )
        with running(settings) as service:
            browser = chromium.launch(playwright, program)
            take(browser, service.url, backend, folder)
            cluster.take(browser, folder)
            application.take(browser, folder)
            serving.take(browser, folder)
            dashboard.take(browser, LOOKS, folder)
            pages.take(browser, folder)
            browser.close()
    backend.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
