"""The few pictures that the README and the docs show, anew: ``python -m tests.screenshots.chosen docs/pictures``.

They are taken of the same pages and states as all others, so they are as old as the last ``make screenshots``.
"""

import io
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tests.backend import real_server
from tests.browser import chromium
from tests.browser.drawing import SEVEN, draw, visit
from tests.chain import make_settings
from tests.dashboard.serving import serving
from tests.screenshots.drawing import as_seen
from tests.screenshots.gallery import WAIT_MS, own_ports
from tests.screenshots.serving import fill
from tests.services import stand_in_backend as stand_in
from tests.services.real_apache import running
from workbench.settings import PROJECT, from_environment

WIDE: ViewportSize = {"width": 1280, "height": 800}
SIDE = 960
"""Pixels to which the pictures are brought."""


def keep(page: Page, path: Path) -> None:
    """Keep what is in the window, small enough for a page of text."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.thumbnail((SIDE, 2 * SIDE), Image.Resampling.LANCZOS)
    picture.save(path, "WEBP", quality=82, method=6)


def drawing_page(browser: Browser, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    backend = stand_in.Backend()
    backend.start()
    backend.says["/predict"] = stand_in.answer(7, sure=0.982, second=1, seen=as_seen(SEVEN))
    ports = {"WORKBENCH_FRONTEND_PORT": str(port), "WORKBENCH_BACKEND_PORT": str(backend.port)}
    try:
        with tempfile.TemporaryDirectory() as home:
            settings = from_environment({"WORKBENCH_HOME": home, **ports})
            with (
                running(settings) as service,
                visit(browser, service.url, viewport=WIDE, color_scheme="light") as (page, _),
            ):
                draw(page, SEVEN)
                page.wait_for_selector("#answer[data-mood=answer]")
                page.mouse.move(4, 4)
                page.wait_for_timeout(400)  # the bars come to rest
                keep(page, folder / "drawing-page.webp")
    finally:
        backend.stop()


def dashboard_pages(browser: Browser, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        settings = make_settings(Path(temporary) / "home", **own_ports())
        server = real_server.start(settings.home, settings.backend_port)
        try:
            real_server.wait_for(lambda: server.ask("GET", "/healthz").status == 200, server)
            fill(settings, server)
            notebooks = Path(shutil.copytree(PROJECT / "notebooks", Path(temporary) / "notebooks"))
            with serving(settings, notebooks) as running_dashboard:
                context = browser.new_context(viewport=WIDE, color_scheme="light")
                context.set_default_timeout(WAIT_MS)
                page = context.new_page()
                page.goto(f"{running_dashboard.origin}/workbench?token={settings.token}")
                page.locator("#going a").first.wait_for()
                keep(page, folder / "landing-page.webp")
                for name, notebook, reach, part in PAGES:
                    page.goto(f"{running_dashboard.origin}/voila/render/{notebook}.ipynb")
                    page.locator(".wb-part-of-page .wb-wide").first.wait_for()
                    page.locator("#loading").wait_for(state="detached")
                    page.wait_for_timeout(1_500)  # the editors and the first poll
                    reach(page)
                    page.wait_for_timeout(1_500)
                    page.locator(part).first.evaluate("part => part.scrollIntoView()")
                    page.wait_for_timeout(300)
                    keep(page, folder / f"{name}.webp")
                context.close()
        finally:
            real_server.stop(server)


def open_job(page: Page) -> None:
    page.locator("tr.wb-row[data-key='1']").click()
    page.locator(".wb-job h3").wait_for()
    page.locator(".wb-job .wb-as-code summary").click()


def look_at_form(page: Page) -> None:
    field = page.locator(".wb-requester input")
    field.fill("ann")
    field.press("Enter")


def open_version(page: Page) -> None:
    page.locator("tr.wb-row[data-key='mnist-cnn:2']").click()
    page.locator(".wb-version h3").wait_for()


PAGES: tuple[tuple[str, str, Callable[[Page], None], str], ...] = (
    ("cluster-page", "deploy_cluster", look_at_form, "h1"),
    ("job", "deploy_cluster", open_job, ".wb-job"),
    ("models", "serve_and_predict", open_version, ".wb-serving"),
)


def main(folder: Path) -> None:
    program = chromium.find()
    if program is None:
        sys.exit(f"no Chromium: none of {', '.join(chromium.PROGRAMS)} is installed")
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright, program)
        drawing_page(browser, folder)
        dashboard_pages(browser, folder)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
