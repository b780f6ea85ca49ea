"""The tutorial in a browser: as a Voilà page and in JupyterLab, from our Jupyter server."""

import json
import re
import shutil
import stat
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from benchmarks import classroom
from tests.apart import run_apart
from tests.browser.chromium import JOB_MS, open_context
from tests.chain import answers, make_settings, wait_until
from workbench.doubt.values import Doubt, Part
from workbench.models import registry
from workbench.services import Service, dashboard
from workbench.settings import PROJECT, Settings
from workbench.ui.widgets import theme
from workbench.ui.widgets.drawing.answer import doubted
from workbench.ui.widgets.drawing.canvas import Canvas

SEVEN = [(0.3, 0.25), (0.5, 0.22), (0.72, 0.25), (0.6, 0.5), (0.48, 0.85)]


@dataclass
class Running:
    """Our Jupyter server on copies of the notebooks, with little data and few epochs."""

    settings: Settings
    service: Service
    process: psutil.Process
    notebooks: Path

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.settings.dashboard_port}"

    @property
    def page(self) -> str:
        return f"{self.origin}/voila/render/00-mnist-cnn.ipynb?token={self.settings.token}"

    def kernels(self) -> set[str]:
        headers = {"Authorization": f"token {self.settings.token}"}
        with urllib.request.urlopen(
            urllib.request.Request(f"{self.origin}/api/kernels", headers=headers)
        ) as answer:
            return {kernel["id"] for kernel in json.load(answer)}


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, data: Path, free_ports: Callable[[int], list[int]]
) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("dashboard") / "home"
    home.mkdir()
    (home / "data").symlink_to(data)
    settings = make_settings(
        home, WORKBENCH_DASHBOARD_PORT=str(free_ports(1)[0]), WORKBENCH_PREPARED_KERNELS="0"
    )
    service = dashboard.prepare(settings)
    # JupyterLab saves what it runs, so it gets copies.
    notebooks = Path(shutil.copytree(PROJECT / "notebooks", home / "notebooks"))
    with Path(service.command[-1].removeprefix("--config=")).open("a") as config:
        config.write(f"c.ServerApp.root_dir = {str(notebooks)!r}\nc.PageKernels.pool_sizes = {{}}\n")
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            service.command,
            env={**service.environment, "WORKBENCH_SMALL": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    running = Running(settings, service, psutil.Process(process.pid), notebooks)
    try:
        wait_until(lambda: answers(service.health), 60, f"the Jupyter server, see {home / 'log'}")
        yield running
    finally:
        family = [running.process, *running.process.children(recursive=True)]
        process.terminate()
        process.wait(100)
        for left in psutil.wait_procs(family, 10)[1]:
            left.kill()


class Watch:
    """Keeps what a page should not do: errors, and requests to other hosts."""

    def __init__(self, page: Page, origin: str) -> None:
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._console)
        page.on("request", lambda r: self._requested(r.url, origin))

    def _console(self, message: ConsoleMessage) -> None:
        if "Content Security" in message.text:
            self.errors.append(message.text)

    def _requested(self, url: str, origin: str) -> None:
        if not url.startswith((origin, "data:", "blob:")):
            self.elsewhere.append(url)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = open_context(browser, viewport={"width": 1100, "height": 900}, color_scheme="light")
    yield context.new_page()
    context.close()


def draw(page: Page, points: list[tuple[float, float]]) -> None:
    canvas = page.locator(".wb-pad canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()


def answers_a_stranger(url: str) -> bool:
    """Whether one gets there without the token, and not to the login or an error."""
    try:
        with urllib.request.urlopen(url) as answer:
            return "/login?" not in answer.url
    except urllib.error.HTTPError as error:
        with error:
            return False


def test_the_token_is_in_a_private_file_and_opens_everything(server: Running) -> None:
    token = server.settings.token
    assert token not in " ".join(server.process.cmdline())
    assert token not in " ".join(server.process.environ().values())
    config = Path(server.service.command[-1].removeprefix("--config="))
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    for path in ("lab", "voila/tree", "voila/render/00-mnist-cnn.ipynb", "files/9.png"):
        assert not answers_a_stranger(f"{server.origin}/{path}")
        assert answers(f"{server.origin}/{path}?token={token}")
    assert not answers_a_stranger(f"{server.origin}/voila/files/9.png")


def test_the_page_waits_for_the_button_then_fills_in(server: Running, page: Page) -> None:
    watch = Watch(page, server.origin)
    page.goto(server.page, wait_until="commit")
    train = page.get_by_role("button", name="Train", exact=True)
    expect(train).to_be_enabled()
    expect(page).to_have_title("Teach a computer to read digits")
    expect(page.get_by_text("Not trained yet.")).to_be_visible()
    expect(page.get_by_text("This fills in when the training above is done.")).to_have_count(4)
    expect(page.get_by_text("This fills in when you have pressed Publish above.")).to_be_visible()
    assert not registry.versions(server.settings)

    train.click()
    expect(page.get_by_role("button", name="Stop")).to_be_enabled()
    expect(page.get_by_text(re.compile("Epoch [1-3] of 3"))).to_be_visible(timeout=JOB_MS)
    expect(page.get_by_role("progressbar", name="Training")).to_have_attribute(
        "aria-valuenow", "100", timeout=JOB_MS
    )
    expect(page.get_by_text("95 % interval")).to_be_visible(timeout=JOB_MS)
    expect(page.get_by_role("region", name="Confusion matrix").locator("tbody tr")).to_have_count(10)
    expect(page.get_by_text(re.compile(r"The (\d+ )?worst mistakes?|No mistakes"))).to_be_visible()
    expect(page.get_by_role("img", name="Accuracy: training from")).to_be_visible()
    assert not registry.versions(server.settings), "published without being asked"

    draw(page, SEVEN)
    expect(page.locator(".wb-answer-digit")).to_have_text("7")
    expect(page.locator(".wb-bars .wb-top b")).to_have_text("7")
    expect(page.get_by_alt_text("What the model saw, 28 × 28 pixels")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".wb-answer-words")).to_have_text("Draw a digit.")

    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Published as mnist-cnn:1")).to_be_visible(timeout=JOB_MS)
    (version,) = registry.versions(server.settings)
    assert version.manifest.metrics["accuracy"] > 0.9

    page.set_viewport_size({"width": 390, "height": 800})
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390
    card = page.locator(".wb-card").first
    assert max(card.evaluate("e => getComputedStyle(e).backgroundColor.match(/\\d+/g).map(Number)")) < 80
    assert watch.errors == []
    assert watch.elsewhere == []


def test_a_kernel_ends_with_its_page(server: Running, page: Page) -> None:
    known = server.kernels()

    def newest() -> str:
        wait_until(lambda: server.kernels() - known, 60, "a kernel for the page")
        (kernel,) = server.kernels() - known
        known.add(kernel)
        return kernel

    def ends(kernel: str) -> None:
        wait_until(lambda: kernel not in server.kernels(), 40, "the kernel's end")

    page.goto(server.page, wait_until="commit")
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_enabled()
    first = newest()
    page.reload()
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_enabled()
    ends(first)
    second = newest()
    page.goto("about:blank")
    ends(second)
    page.goto(server.page, wait_until="commit")
    page.locator("h1").wait_for()
    third = newest()
    page.goto("about:blank")  # long before the page was ready
    ends(third)


def test_in_jupyterlab_all_cells_run_and_stop_works_on_the_way(server: Running, page: Page) -> None:
    watch = Watch(page, server.origin)
    page.set_viewport_size({"width": 1200, "height": 3000})  # JupyterLab draws only what is in the window
    page.goto(f"{server.origin}/lab/tree/00-mnist-cnn.ipynb?token={server.settings.token}&reset")
    expect(page.get_by_text("| Idle")).to_be_visible()
    leads = page.locator("#workbench-links a")
    expect(leads).to_have_text(["Workbench", "Drawing page"])
    assert [link.get_attribute("href") for link in leads.all()] == ["/workbench", "/workbench/draw"]
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    expect(page.get_by_text(re.compile("Epoch [1-3] of 3"))).to_be_visible(timeout=JOB_MS)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator(".wb-progress[data-state=stopped]")).to_be_visible()
    expect(page.get_by_text("it is published only if you want that")).to_be_visible(timeout=JOB_MS)
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_text("Published as mnist-cnn")).to_be_visible(timeout=JOB_MS)
    draw(page, SEVEN)
    expect(page.locator(".wb-answer-digit")).not_to_have_text("–")
    expect(page.locator("[data-mime-type='application/vnd.jupyter.error']")).to_have_count(0)
    expect(page.locator("[data-mime-type='application/vnd.jupyter.stderr']")).to_have_count(0)
    expect(page.get_by_text("receive official Jupyter news")).to_have_count(0)
    page.emulate_media(reduced_motion="reduce")
    moves = "getComputedStyle(document.querySelector('.lm-DockPanel-overlay')).transitionDuration"
    assert page.evaluate(moves) == "0s"
    page.get_by_role("link", name="Train this on a cluster").click()
    page.wait_for_function(
        "JSON.parse(localStorage.getItem('workbench:handed') ?? '{}').recipe === '00-mnist-cnn'"
    )
    assert watch.elsewhere == []


ANSWER = """async ([source, answer]) => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const heard = [];
    (await import(url)).default.render({
        model: {
            get: (name) => ({ labels: [..."0123456789"], hint: "Draw here", pen: 20 })[name],
            on: (name, told) => heard.push(told), off() {}, set() {}, save_changes() {},
            send: (asked) => heard.forEach((told) => told({ kind: "answer", id: asked.id, ...answer })),
        },
        el: document.body,
    });
}"""


@pytest.mark.parametrize(
    ("doubt", "text"),
    [
        (None, "62.0 % sure; else 2 (8.0 %)"),
        (Doubt("no_digit", 0.9), "I don't see a digitIf it is one: 62.0 % sure; else 2 (8.0 %)"),
        (Doubt("several", 0.8), "Several digits?As one digit: 62.0 % sure; else 2 (8.0 %)"),
        (
            Doubt("several", 0.8, (Part(4, (0.1,)), Part(2, (0.1,)))),
            "Two digits? 4 and 2As one digit: 62.0 % sure; else 2 (8.0 %)",
        ),
    ],
)
def test_the_drawing_box_says_doubt_in_the_words_of_the_drawing_page(
    browser: Browser, doubt: Doubt | None, text: str
) -> None:
    context = open_context(browser)
    page = context.new_page()
    page.set_content(f"<style>{theme.css('canvas')}</style><body></body>")
    probabilities = [0.0375] * 10
    probabilities[4], probabilities[2] = 0.62, 0.08
    told = {
        "probabilities": probabilities,
        "seen": None,
        "text": "",
        **(doubt.as_json() if doubt else {"doubt": None}),
    }
    page.evaluate(ANSWER, [Canvas._esm, told])
    page.mouse.move(60, 60)
    page.mouse.down()
    page.mouse.move(120, 120)
    page.mouse.up()
    expect(page.locator(".wb-answer-words")).to_have_text(text)
    expect(page.locator(".wb-answer-digit")).to_have_text("4")
    expect(page.locator(".wb-bars .wb-top")).to_have_count(0 if doubt else 1)
    if doubt:
        assert text.startswith(doubted(doubt)), "what the kernel says itself is the same"
    take = page.get_by_role("button", name="Read 42")
    expect(take).to_have_count(1 if doubt and doubt.parts else 0)
    if doubt and doubt.parts:
        take.click()
        expect(page.locator(".wb-answer-digit")).to_have_text("42")
        expect(page.locator(".wb-answer-words")).to_have_text("80.0 % sure")
        page.get_by_role("button", name="Read 4", exact=True).click()
        expect(page.locator(".wb-answer-digit")).to_have_text("4")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".wb-answer-digit")).to_have_text("–")
    page.get_by_role("button", name="Redo").click()
    expect(page.locator(".wb-answer-digit")).to_have_text("4")
    context.close()


def test_a_class_gets_its_page_each_in_a_kernel_of_its_own_and_leaves_none(server: Running) -> None:
    """``python -m benchmarks classroom`` does that with a hundred, which train, draw and publish besides."""
    before, seen = server.kernels(), set[str]()

    def kernels() -> dict[int, float]:
        seen.update(server.kernels())
        return {}

    lesson = classroom.Lesson(epochs=0)
    course = run_apart(classroom.teach(server.origin, server.settings.token, 3, 0.1, lesson, kernels=kernels))
    assert course.failed == []
    assert len(course.opened) == 3
    assert len(seen - before) == 3
    wait_until(lambda: server.kernels() <= before, 60, "the kernels' end")
