"""The serving page in a browser, before the whole chain: deploy, roll back, ask, draw while it trains, review."""

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from tests.backend import making, real_server
from tests.browser import axe, made_models
from tests.browser.chromium import JOB_MS, open_context
from tests.browser.drawing import SEVEN, THREE, Line, draw_beside_others, settled, visit
from tests.browser.drawing import draw as draw_on_page
from tests.browser.test_film import FORM, numbers
from tests.chain import Chain, make_settings
from tests.dashboard.serving import serving
from tests.test_fetching import Site
from workbench import film
from workbench.backends.http import HttpBackEnd
from workbench.manifest import FILE, Manifest
from workbench.models import registry
from workbench.models.registry import Version
from workbench.settings import PROJECT, Settings


class Screen:
    """The serving page as one sees it."""

    def __init__(self, browser: Browser, settings: Settings, query: str = "", **how: Any) -> None:
        self.context = open_context(browser, **{"viewport": {"width": 1280, "height": 900}, **how})
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._console)
        origin = f"http://127.0.0.1:{settings.dashboard_port}"
        address = f"{origin}/voila/render/serve_and_predict.ipynb?token={settings.token}{query}"
        self.page.goto(address, wait_until="commit")
        expect(self.part("wb-serving")).to_be_visible()

    def _console(self, message: ConsoleMessage) -> None:
        if "Content Security" in message.text:
            self.errors.append(message.text)

    def part(self, name: str) -> Locator:
        return self.page.locator(f".{name}").first

    def button(self, name: str, part: str) -> Locator:
        return self.part(part).get_by_role("button", name=name, exact=True)

    def say_who(self, name: str) -> None:
        field = self.page.locator(".wb-requester input")
        field.fill(name)
        field.press("Enter")
        expect(self.page.get_by_role("button", name="Change your name")).to_be_visible()

    def open(self, version: str) -> None:
        self.page.locator(f"tr.wb-row[data-key='{version}']").click()
        expect(self.part("wb-version").locator("h3")).to_have_text(version)

    def draw(self, part: str, lines: tuple[Line, ...]) -> None:
        draw_beside_others(self.part(part).locator("canvas"), lines)


def publish_again(settings: Settings) -> Version:
    """The newest version once more, as the next one."""
    newest = registry.versions(settings, "mnist-cnn")[-1]

    def write(aside: Path) -> Manifest:
        shutil.copytree(newest.folder, aside, dirs_exist_ok=True)
        (aside / FILE).unlink()
        for path in aside.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return newest.manifest

    return registry.add("mnist-cnn", write, settings)


@pytest.mark.timeout(1800)
def test_versions_are_deployed_asked_drawn_at_and_corrected(
    chain: Chain, browser: Browser, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    settings = chain.settings
    serves = HttpBackEnd(chain.backend).models()[-1].version
    again = publish_again(settings)
    id = int(chain.workbench("submit", "mnist-mlp", "--name", "live", "--epochs", "500").stdout.strip())
    request.addfinalizer(partial(chain.end_job, id))
    screen = Screen(browser, settings)
    screen.say_who("ann")
    _deploy_and_roll_back(screen, str(again), f"mnist-cnn:{serves}")
    _ask(screen, tmp_path)
    _draw_while_it_trains(screen, id)
    _correct(screen, browser, chain)
    assert screen.errors == []
    screen.context.close()
    assert HttpBackEnd(chain.backend).models()[-1].version == serves


def _deploy_and_roll_back(screen: Screen, version: str, before: str) -> None:
    screen.open(version)
    screen.page.get_by_label("Why", exact=True).fill("a test")
    screen.page.get_by_label("Why", exact=True).press("Tab")
    screen.button("Deploy", "wb-version").click()
    expect(screen.part("wb-version")).to_contain_text(f"{version} answers on the drawing page now")
    expect(screen.part("wb-served")).to_contain_text(version)
    expect(screen.part("wb-version").get_by_role("region", name="History")).to_contain_text("a test")
    screen.button("Roll back", "wb-version").click()
    expect(screen.part("wb-version")).to_contain_text(f"Let {before} answer again instead of {version}?")
    screen.button("Yes, roll back", "wb-version").click()
    expect(screen.part("wb-version")).to_contain_text(f"{before} answers on the drawing page again")
    screen.page.reload()
    expect(screen.part("wb-version").locator("h3")).to_have_text(version)  # the address says which was open
    expect(screen.part("wb-version").get_by_role("region", name="History")).to_contain_text("rolled back to")


def _ask(screen: Screen, folder: Path) -> None:
    part = screen.part("wb-predict")
    screen.draw("wb-predict", SEVEN)
    expect(part.locator(".wb-headline")).to_have_text("7")
    expect(part.get_by_alt_text("What the model saw", exact=True)).to_be_visible()
    screen.button("Upload it", "wb-predict").click()
    (folder / "nine.png").write_bytes((PROJECT / "notebooks" / "9.png").read_bytes())
    with screen.page.expect_file_chooser() as chooser:
        part.get_by_role("button", name="Choose a picture").click()
    chooser.value.set_files(folder / "nine.png")
    expect(part.locator(".wb-headline")).to_have_text("9")
    expect(part.get_by_label("Width", exact=True)).to_be_disabled()  # a published model has a size of its own
    expect(part.get_by_label("Width", exact=True)).to_have_value("28")
    screen.button("Give its URL", "wb-predict").click()
    part.get_by_label("Picture URL", exact=True).fill("http://127.0.0.1:1/seven.png")
    part.get_by_label("Picture URL", exact=True).press("Tab")
    screen.button("Ask", "wb-predict").click()
    expect(part.get_by_role("alert")).to_contain_text("127.0.0.1")


def _draw_while_it_trains(screen: Screen, id: int) -> None:
    part = screen.part("wb-live")
    expect(part.get_by_label("Job", exact=True)).to_contain_text(f"{id} live, training", timeout=JOB_MS)
    screen.button("Draw at it", "wb-live").click()
    expect(part.locator("canvas")).to_be_visible()
    expect(part).to_contain_text("from step")
    screen.draw("wb-live", THREE)
    expect(part.locator(".wb-answer-digit")).to_have_text(re.compile(r"^\d$"))
    step = part.locator(".wb-from b").inner_text()
    expect(part.locator(".wb-from b")).not_to_have_text(step)  # a newer checkpoint came by itself
    screen.button("Stop drawing", "wb-live").click()
    expect(part.locator("canvas")).to_have_count(0)


def _accept(screen: Screen) -> None:
    """Accept the one drawing that waits; the model, which is sure of its seven, contradicts it."""
    card = screen.part("wb-corrections").locator(".wb-correction")
    expect(card.locator(".wb-alike li")).to_have_count(5)
    card.focus()
    screen.page.keyboard.press("a")
    if card.and_(screen.page.locator("[data-absurd]")).count():
        expect(card).to_contain_text("Accept it all the same?")
        screen.page.keyboard.press("a")


def _correct(screen: Screen, browser: Browser, chain: Chain) -> None:
    with visit(browser, chain.page) as (page, _):
        draw_on_page(page, SEVEN)
        settled(page)
        page.click("#wrong")
        page.click("#digits button:text('1')")
        page.wait_for_selector("#thanks:has-text('Thank you')")
    part = screen.part("wb-corrections")
    screen.page.bring_to_front()
    expect(part.locator(".wb-correction")).to_have_count(1)
    _accept(screen)
    expect(part).to_contain_text("Accepted (1)")
    expect(part.locator(".wb-correction")).to_have_count(0)
    screen.button("Undo", "wb-corrections").click()
    expect(part.locator(".wb-correction")).to_have_count(1)
    _accept(screen)
    expect(part).to_contain_text("Accepted (1)")
    screen.button("Send into a retraining", "wb-corrections").click()
    screen.button("Yes, send into a retraining", "wb-corrections").click()
    expect(part).to_contain_text("Version 1 of the corrections has 1 drawing")
    part.get_by_role("link", name="Open the request").click()
    code = screen.page.get_by_role("textbox", name="Data preprocessing")
    expect(code).to_contain_text("load_without_corrections")


@pytest.fixture(scope="module")
def away(
    tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]
) -> Iterator[Settings]:
    """A dashboard with published versions, whose back end does not run."""
    folder = tmp_path_factory.mktemp("away")
    names = [f"WORKBENCH_{name}_PORT" for name in ("DASHBOARD", "FRONTEND", "BACKEND")]
    settings = make_settings(folder / "home", **dict(zip(names, map(str, free_ports(3)), strict=True)))
    for answer in (1, 2):
        version = made_models.publish(settings, answer)
        frames = tuple(film.Frame(step, bytes(numbers(answer))) for step in (0, 9))
        film.write(film.Film(FORM, frames), version.folder)
    notebooks = Path(shutil.copytree(PROJECT / "notebooks", folder / "notebooks"))
    with serving(settings, notebooks):
        yield settings


def test_without_a_back_end_the_page_is_calm_and_fits_a_phone(away: Settings, browser: Browser) -> None:
    screen = Screen(browser, away, "&model=mnist-cnn:1", viewport={"width": 380, "height": 800})
    expect(screen.page.get_by_text("The back end of this computer does not answer").first).to_be_visible()
    expect(screen.button("Try again", "wb-serving")).to_be_visible()
    expect(screen.page.locator("tr.wb-row")).to_have_count(2)
    expect(screen.part("wb-version").locator("h3")).to_have_text("mnist-cnn:1")
    assert screen.page.evaluate("document.scrollingElement.scrollWidth") <= 380
    assert screen.page.locator(".wb-bar").evaluate("bar => bar.clientWidth") == 380
    seen = screen.part("wb-version").locator(".wb-film")
    expect(seen.locator(".wb-film-when")).to_have_text("after 9 steps")
    seen.get_by_role("button", name="See inside").click()
    expect(seen.locator(".inside-layers > li")).to_have_count(2)
    assert screen.page.evaluate("document.scrollingElement.scrollWidth") <= 380
    assert axe.serious(screen.page) == []
    assert screen.errors == []
    screen.context.close()


@pytest.fixture
def strangers() -> Iterator[Site]:
    """A site with a picture and a model."""
    site = Site()
    threading.Thread(target=site.serve_forever, args=(0.02,), daemon=True).start()
    yield site
    site.shutdown()
    site.server_close()


def test_a_model_and_a_picture_are_given_by_their_urls(
    away: Settings, browser: Browser, strangers: Site, tmp_path: Path
) -> None:
    """The back end fetches from a host of ours because it is allowed by name, and from no other one."""
    shirt = making.version(tmp_path / "6", 6)
    strangers.pages["/shirt.onnx"] = (200, {}, (shirt / "model.onnx").read_bytes())
    strangers.pages["/coat.png"] = (200, {}, (PROJECT / "notebooks" / "9.png").read_bytes())
    allowed = {"WORKBENCH_ALLOWED_HOSTS": strangers.host, "WORKBENCH_DEPLOY_TOKEN": away.deploy_token}
    server = real_server.start(away.home, away.backend_port, **allowed)
    try:
        real_server.wait_for(lambda: server.ask("GET", "/healthz").status == 200, server)
        screen = Screen(browser, away)
        part = screen.part("wb-predict")
        screen.button("Give its URL", "wb-predict").click()
        screen.button("By its URL", "wb-predict").click()
        screen.button("Ask", "wb-predict").click()
        expect(part.get_by_role("alert")).to_contain_text("Give the picture's URL")
        part.get_by_label("Labels", exact=True).select_option("FashionMnist")
        for label, address in (("Picture", "coat.png"), ("Model", "shirt.onnx")):
            part.get_by_label(f"{label} URL", exact=True).fill(f"http://{strangers.host}/{address}")
            part.get_by_label(f"{label} URL", exact=True).press("Tab")
        screen.button("Ask", "wb-predict").click()
        expect(part.locator(".wb-headline")).to_have_text("Shirt")
        expect(part).to_contain_text("a model of your own")
        expect(part.get_by_role("alert")).to_have_count(0)
        part.get_by_label("Model URL", exact=True).fill("http://127.0.0.1:1/model.zip")
        part.get_by_label("Model URL", exact=True).press("Tab")
        screen.button("Ask", "wb-predict").click()
        expect(part.get_by_role("alert")).to_contain_text("127.0.0.1")
        assert {path for path, _ in strangers.asked} == {"/coat.png", "/shirt.onnx"}
        assert screen.errors == []
        screen.context.close()
    finally:
        real_server.stop(server)
