"""Pictures of the serving page in its states; ``screenshots`` calls this."""

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.backend import making, making_several, real_server
from tests.backend.real_server import Server
from tests.browser import made_models
from tests.browser.files import give
from tests.browser.made_jobs import make_jobs
from tests.chain import make_settings
from tests.dashboard.serving import serving
from tests.screenshots.gallery import LOOKS, Gallery, named, own_ports
from workbench.backends.http import HttpBackEnd
from workbench.settings import PROJECT, Settings


def arrive(page: Page) -> None:
    """As it is opened."""


def version(page: Page) -> None:
    page.locator("tr.wb-row").first.click()
    page.locator(".wb-version h3").wait_for()


def compared(page: Page) -> None:
    for box in page.locator("tr.wb-row input").all()[:2]:
        box.click()
    page.get_by_text("On visitors' drawings").wait_for()


def asked(page: Page) -> None:
    page.get_by_role("button", name="Upload it").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a picture").click()
    chooser.value.set_files(PROJECT / "notebooks" / "9.png")
    page.locator(".wb-predict .wb-headline").wait_for()


def dropped(page: Page) -> None:
    give(
        page, ".wb-predict", "drop", [("9.png", "image/png", (PROJECT / "notebooks" / "9.png").read_bytes())]
    )
    page.locator(".wb-predict .wb-headline").wait_for()


def values(page: Page) -> None:
    page.get_by_label("Name and version").select_option(label="several:1")
    page.get_by_role("button", name="Another example").click()
    page.locator(".wb-predict .wb-headline").wait_for()
    page.get_by_label("rank", exact=True).fill("5.5")
    page.get_by_label("rank", exact=True).press("Enter")
    page.locator(".wb-predict .wb-problem").wait_for()


def refused(page: Page) -> None:
    page.get_by_role("button", name="Give its URL").first.click()
    page.get_by_label("Picture URL").fill("http://127.0.0.1:1/seven.png")
    page.get_by_label("Picture URL").press("Tab")
    page.locator(".wb-predict").get_by_role("button", name="Ask", exact=True).click()
    page.locator(".wb-predict").get_by_role("alert").wait_for()


def brought(page: Page) -> None:
    page.get_by_role("button", name="By its URL").click()
    page.get_by_label("Model URL").fill("https://models.example/digits.onnx")
    page.get_by_text("What the model does not say").click()
    page.get_by_label("Signature").wait_for()


def retraining(page: Page) -> None:
    page.locator(".wb-correction").first.focus()
    page.keyboard.press("a")
    page.get_by_role("button", name="Send into a retraining").click()


STATES: dict[str, Callable[[Page], None]] = {
    "arrive": arrive,
    "version": version,
    "compared": compared,
    "asked": asked,
    "dropped": dropped,
    "values": values,
    "refused": refused,
    "brought": brought,
    "retraining": retraining,
}
AWAY: dict[str, Callable[[Page], None]] = {"away": version}
EMPTY: dict[str, Callable[[Page], None]] = {"empty": arrive}


def take(browser: Browser, gallery: Gallery) -> None:
    """One picture a state and look; and of a home without anything, and without a back end."""
    full = gallery.lacking("serving", STATES, LOOKS)
    away = gallery.lacking("serving", AWAY, LOOKS)
    empty = gallery.lacking("serving", EMPTY, LOOKS)
    with tempfile.TemporaryDirectory() as temporary:
        ports = own_ports()
        settings = make_settings(Path(temporary) / "full", **ports)
        if full or away:
            server = real_server.start(settings.home, settings.backend_port)
            try:
                real_server.wait_for(lambda: server.ask("GET", "/healthz").status == 200, server)
                fill(settings, server)
                _take(browser, settings, full, gallery)
            finally:
                real_server.stop(server)
        _take(browser, settings, away, gallery)
        _take(browser, make_settings(Path(temporary) / "empty", **own_ports()), empty, gallery)


def fill(settings: Settings, server: Server) -> None:
    """Publish, deploy and correct what the pictures show."""
    token = settings.home / "deploy_token"
    token.write_text(making.TOKEN)
    token.chmod(0o600)
    told = {"before": {"right": 2, "of": 14}, "after": {"right": 12, "of": 14}}
    corrected = {"version": 1, "used": ["a"] * 14, "evaluation": told}
    made = [made_models.publish(settings, answer, right=right) for answer, right in ((1, 0.95), (9, 0.98))]
    made.append(made_models.publish(settings, 7, right=0.99, corrections=corrected))
    making.publish(making_several.version(settings.home.parent / "several", 1), settings)
    make_jobs(settings)
    for one, reason in zip(made, ("the first", "surer of sevens", ""), strict=True):
        canary = None if reason else 10.0
        HttpBackEnd(server.url, making.TOKEN).deploy(
            one, who="ann", reason=reason or "a try", canary=canary, anyway=True
        )
    for number, digit in enumerate((1, 2, 1, 4, 9, 1, 3)):
        picture = making.data_url(making.png(making.seven(280 - 8 * number))).decode()
        body = json.dumps({"image": picture, "predicted": 7, "digit": digit}).encode()
        server.ask("POST", "/corrections", body, Content_Type="application/json")


def _take(browser: Browser, settings: Settings, lacking: Sequence[tuple[str, str]], gallery: Gallery) -> None:
    if not lacking:
        return
    with (
        tempfile.TemporaryDirectory() as temporary,
        serving(settings, Path(shutil.copytree(PROJECT / "notebooks", Path(temporary) / "n"))) as running,
    ):
        address = f"{running.origin}/voila/render/serve_and_predict.ipynb?token={settings.token}"
        for state, look in lacking:
            with gallery.taking(browser, named("serving", state, look), LOOKS[look]) as page:
                page.goto(address, wait_until="commit")
                page.locator(".wb-corrections").wait_for()
                page.locator(".wb-table-count").first.wait_for(state="attached")
                field = page.locator(".wb-requester input")
                field.fill("ann")
                field.press("Enter")
                page.wait_for_timeout(1_000)  # the poll's first answers
                {**STATES, **AWAY, **EMPTY}[state](page)
                page.wait_for_timeout(1_000)
