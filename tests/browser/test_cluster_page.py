"""The cluster's page in a browser, on real jobs: a newcomer from the login to the drawing page, and somebody careless."""

import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from tests.browser.chromium import JOB_MS, open_context
from tests.browser.drawing import SEVEN, draw, visit
from tests.browser.made_jobs import make_jobs
from tests.chain import Chain, make_settings, wait_until
from tests.dashboard.serving import serving
from tests.jobs.test_listing import fill
from workbench import runner
from workbench.settings import PROJECT, Settings
from workbench.ui.widgets import theme
from workbench.verbs.workbench import open_store

STRANGE = (
    "# 'single' \"double\" \\n \\\\ `tick` ${x} ü 漢 🎉\u2028\r\nx = '''\t'''\n"
    "import time\nimport tensorflow as tf\n\ndef augment(x):\n"
    "    with tf.control_dependencies([tf.py_function(lambda: time.sleep(0.1), [], [])]):\n"
    "        return tf.identity(x)\n"
)
"""Its training waits more than it works: what it computes is nothing to anybody here."""


TABLES = """() => [...new Set([...document.querySelectorAll("table")].map((one) => getComputedStyle(one).display))]"""


class Visitor:
    """Somebody before a browser."""

    def __init__(self, browser: Browser, origin: str, token: str, **how: Any) -> None:
        self.context: BrowserContext = open_context(
            browser, **{"viewport": {"width": 1280, "height": 900}, **how}
        )
        self.origin, self.token = origin, token
        self.errors: list[str] = []

    def open(self, query: str = "") -> "Screen":
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._console)
        page.on("request", lambda r: self._requested(r.url))
        page.goto(
            f"{self.origin}/voila/render/deploy_cluster.ipynb?token={self.token}{query}", wait_until="commit"
        )
        return Screen(page)

    def _console(self, message: ConsoleMessage) -> None:
        if "Content Security" in message.text:
            self.errors.append(message.text)

    def _requested(self, url: str) -> None:
        if not url.startswith((self.origin, "data:", "blob:")):
            self.errors.append(f"request to {url}")


class Screen:
    """The cluster's page as one sees it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        expect(self.button("Train")).to_be_visible()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def field(self, name: str) -> Locator:
        return self.page.get_by_label(name, exact=True)

    @property
    def job(self) -> Locator:
        return self.page.locator(".wb-job")

    @property
    def hints(self) -> Locator:
        return self.page.locator(".wb-hints")

    @property
    def state(self) -> Locator:
        return self.job.locator(".wb-job-head .wb-badge")

    @property
    def jobs_count(self) -> Locator:
        """How many jobs the table has; sweeps have one of their own."""
        return self.page.locator(".wb-jobs .wb-table-count")

    def row(self, id: int) -> Locator:
        return self.page.locator(f"tr.wb-row[data-key='{id}']")

    def say_who(self, name: str) -> None:
        field = self.page.locator(".wb-requester input")
        expect(field).to_be_visible()
        field.fill(name)
        field.press("Enter")
        expect(self.button("Train")).to_be_enabled()

    def ask(self, recipe: str = "", **fields: str) -> None:
        """Fill the form."""
        if recipe:
            self.field("Begin with").select_option(label=recipe)
            expect(self.field("Model name")).to_have_value(recipe)
        for name, value in fields.items():
            self.field({"ps": "Parameter servers", "name": "Model name"}.get(name, name.capitalize())).fill(
                value
            )

    def code(self, tab: str) -> Locator:
        self.page.get_by_role("tab", name=tab).click()
        return self.page.get_by_role("textbox", name=tab)

    def train(self) -> int:
        """Press the button; the job's number."""
        self.button("Train").click()
        said = self.page.get_by_text(re.compile(r"Job \d+ is in the queue"))
        expect(said).to_be_visible(timeout=JOB_MS)  # the code is checked first, with TensorFlow
        id = int(re.findall(r"\d+", said.inner_text())[0])
        expect(self.job.locator(".wb-muted").first).to_contain_text(f"job {id} ")
        return id

    def terminate(self) -> None:
        self.button("Terminate").click()
        expect(self.job.get_by_text("and its machines?")).to_be_visible()
        self.button("Yes, terminate").click()

    def curve(self) -> tuple[str, int]:
        """Where the loss began, in words, and how many points the curve has."""
        svg = self.job.locator(".wb-curves svg").first
        said = svg.get_attribute("aria-label") or ""
        points = svg.locator("polyline").first.get_attribute("points") or ""
        return (re.findall(r"training from (\S+)", said) or [""])[0], len(points.split())


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Gives visitors, each with a browser of its own."""
    visitors: list[Visitor] = []

    def give(settings: Settings, **how: object) -> Visitor:
        origin = f"http://127.0.0.1:{settings.dashboard_port}"
        visitors.append(Visitor(browser, origin, settings.token, **how))
        return visitors[-1]

    yield give
    errors = [error for one in visitors for error in one.errors]
    for one in visitors:
        one.context.close()
    assert errors == []


# The newcomer


@pytest.mark.timeout(1800)
def test_a_newcomer_trains_on_a_cluster_and_draws_at_the_model(
    chain: Chain,
    browser: Browser,
    visitor: Callable[..., Visitor],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    settings = chain.settings
    first = visitor(settings)
    landing = first.context.new_page()
    landing.goto(chain.dashboard)
    landing.get_by_label(re.compile("token", re.IGNORECASE)).first.fill(settings.token)
    landing.keyboard.press("Enter")
    landing.get_by_role("link", name="Train on a cluster").first.click()
    screen = Screen(landing)
    screen.say_who("newcomer")
    screen.ask("mnist-mlp", ps="1", workers="2", epochs="2")
    expect(screen.hints).to_contain_text("1 chief, 1 parameter server, 2 workers")
    id = screen.train()
    request.addfinalizer(partial(chain.end_job, id))
    expect(screen.state).to_have_text(re.compile("training|exporting|completed"), timeout=JOB_MS)
    wait_until(lambda: screen.curve()[1] > 2, 120, "a curve")
    began = screen.curve()
    expect(screen.job.locator(".wb-list tbody tr")).to_have_count(4)

    landing.reload()  # the address says which job was open
    screen = Screen(landing)
    expect(screen.job.locator("h3")).to_contain_text("mnist-mlp")
    wait_until(lambda: screen.curve()[1] >= began[1], 120, "the same curve")
    assert screen.curve()[0] == began[0]
    screen.button("Clone").click()
    expect(screen.page.get_by_text("A new request stands in the form above")).to_be_visible()
    screen.ask(epochs="500")  # it is not to end before it is terminated
    second = screen.train()
    screen.terminate()
    expect(screen.state).to_have_text("terminated")
    expect(screen.row(second)).to_contain_text("terminated")
    landing.close()

    again = visitor(settings, color_scheme="dark")
    screen = again.open(f"&job={id}")
    expect(screen.state).to_have_text("completed", timeout=JOB_MS)
    wait_until(lambda: screen.curve()[1] >= began[1], 120, "the same curve")
    assert screen.curve()[0] == began[0], "the curve begins where it began"
    expect(screen.job.get_by_text("95 % interval")).to_be_visible()
    expect(screen.button("Deploy")).to_be_disabled()  # another browser knows nobody yet
    screen.say_who("newcomer")
    with screen.page.expect_download() as started:
        screen.page.get_by_role("link", name="Download").click()
    path = tmp_path / "model.zip"
    started.value.save_as(path)
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert (manifest["job"], archive.testzip()) == (id, None)
    try:
        screen.button("Deploy").click()
        expect(screen.page.get_by_text("answers on the drawing page now")).to_be_visible()
        with visit(browser, chain.page) as (drawing, _):
            draw(drawing, SEVEN)
            expect(drawing.locator("#answer")).to_have_attribute("data-mood", "answer")
            expect(drawing.locator("body")).to_contain_text("mnist-mlp")
    finally:
        chain.workbench("deploy", "mnist-cnn:1")


# The careless


@pytest.fixture(scope="module")
def home(
    tmp_path_factory: pytest.TempPathFactory, data: Path, free_ports: Callable[[int], list[int]]
) -> Iterator[tuple[Settings, Path]]:
    """A home with the real notebooks and nothing else; whatever was started in it ends with the tests."""
    folder = tmp_path_factory.mktemp("careless")
    (folder / "home").mkdir()
    (folder / "home" / "data").symlink_to(data)
    names = [f"WORKBENCH_{name}_PORT" for name in ("DASHBOARD", "FRONTEND", "BACKEND")]
    ports = dict(zip(names, map(str, free_ports(3)), strict=True))
    settings = make_settings(folder / "home", **ports)
    notebooks = Path(shutil.copytree(PROJECT / "notebooks", folder / "notebooks"))
    try:
        yield settings, notebooks
    finally:
        runner.stop_all(settings)


@pytest.mark.timeout(1800)
def test_who_is_careless_is_told_and_harms_nothing(
    home: tuple[Settings, Path], visitor: Callable[..., Visitor]
) -> None:
    settings, notebooks = home
    with serving(settings, notebooks):
        screen = visitor(settings).open()
        _send_what_cannot_be(screen)
        id = _send_strange_code(screen, settings)
        tab = Screen(_another_tab(screen, f"&job={id}"))
        expect(tab.job.locator("h3")).to_contain_text("careless")
        expect(tab.state).to_have_text(re.compile("initializing|training"), timeout=JOB_MS)
    with open_store(settings) as store:  # the server is gone, the job is not
        wait_until(lambda: store.job(id).state == "training", 120, "the training")
    with serving(settings, notebooks):
        one = visitor(settings).open(f"&job={id}")
        two = Screen(_another_tab(one, f"&job={id}"))
        one.say_who("careless")
        expect(one.state).to_have_text("training")
        expect(two.button("Terminate")).to_be_enabled()
        for each in (one, two):
            each.button("Terminate").click()
            expect(each.job.get_by_text("and its machines?")).to_be_visible()
        for each in (one, two):
            # Where the other one was first, it is hidden soon.
            each.job.locator("button", has_text="Yes, terminate").dispatch_event("click")
        for each in (one, two):
            expect(each.state).to_have_text("terminated")
            expect(each.page.get_by_role("alert")).to_have_count(0)
            expect(each.button("Retry")).to_be_enabled()
        _check_what_fails(one)


def _check_what_fails(screen: Screen) -> None:
    """An error that only running shows is at its line too, and nothing hangs."""
    screen.code("Additional helpers").click()
    screen.page.keyboard.press("Control+Home")
    screen.page.keyboard.type("raise ValueError('mine')\n")
    screen.button("Check").click()
    expect(screen.page.get_by_role("alert").first).to_contain_text(
        "Helpers, line 1: ValueError: mine", timeout=JOB_MS
    )
    expect(screen.page.locator(".cm-lint-marker-error")).to_have_count(1)
    expect(screen.button("Check")).to_be_enabled()


def _another_tab(screen: Screen, query: str) -> Page:
    page = screen.page.context.new_page()
    page.goto(re.sub(r"\?.*", "", screen.page.url) + "?" + query.lstrip("&"), wait_until="commit")
    return page


def _send_what_cannot_be(screen: Screen) -> None:
    expect(screen.button("Train")).to_be_disabled()  # nobody said who asks
    screen.say_who("careless")
    screen.ask("mnist-mlp", workers="0")
    expect(screen.hints).to_contain_text("Workers: a whole number from 1. Received: 0")
    expect(screen.button("Train")).to_be_disabled()
    screen.ask(workers="1", name="Not A Name")
    expect(screen.hints).to_contain_text("A model name is 1 to 64")
    screen.ask(name="careless")
    expect(screen.hints).to_contain_text("careless:1")
    code = screen.code("Additional helpers")
    code.click()
    screen.page.keyboard.press("Control+Home")
    screen.page.keyboard.type("def broken(:\n")
    screen.page.get_by_role("tab", name="Data preprocessing").click()
    screen.button("Train").click()
    expect(screen.page.get_by_role("alert").first).to_contain_text("Helpers, line 1")
    expect(screen.page.get_by_role("tab", name="Additional helpers")).to_have_attribute(
        "aria-selected", "true"
    )
    expect(screen.page.locator(".cm-lint-marker-error")).to_have_count(1)
    expect(screen.page.locator("tr.wb-row")).to_have_count(0)


def _send_strange_code(screen: Screen, settings: Settings) -> int:
    """Put code with quotes and Unicode in, reload before it is sent, and see it arrive byte for byte."""
    code = screen.code("Additional helpers")
    code.click()
    screen.page.keyboard.press("Control+a")
    code.evaluate(
        """(node, text) => {
            const data = new DataTransfer();
            data.setData("text/plain", text);
            node.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        }""",
        STRANGE,
    )
    screen.ask(epochs="500")
    kept = "JSON.parse(localStorage.getItem('workbench:draft') ?? '{}')"
    screen.page.wait_for_function(f"text => {kept}.helpers === text && {kept}.epochs === '500'", arg=STRANGE)
    screen.page.reload()
    screen = Screen(screen.page)
    expect(screen.field("Model name")).to_have_value("careless")
    expect(screen.button("Train")).to_be_enabled()
    id = screen.train()
    with open_store(settings) as store:
        recipe = store.job(id).recipe
    assert recipe is not None
    assert recipe.helpers == STRANGE
    return id


# Jobs of every state, and ten thousand of them


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]
) -> Iterator[tuple[Settings, dict[str, int]]]:
    """A dashboard on a home in which jobs are that nobody runs."""
    folder = tmp_path_factory.mktemp("made")
    names = [f"WORKBENCH_{name}_PORT" for name in ("DASHBOARD", "FRONTEND", "BACKEND")]
    settings = make_settings(folder / "home", **dict(zip(names, map(str, free_ports(3)), strict=True)))
    jobs = make_jobs(settings)
    fill(settings.home / "workbench.db", 10_000)
    notebooks = Path(shutil.copytree(PROJECT / "notebooks", folder / "notebooks"))
    with serving(settings, notebooks):
        yield settings, jobs


def test_ten_thousand_jobs_are_scrolled_sorted_filtered_and_opened_by_keys(
    made: tuple[Settings, dict[str, int]], visitor: Callable[..., Visitor]
) -> None:
    settings, jobs = made
    screen = visitor(settings).open()
    page, rows = screen.page, screen.page.locator("tr.wb-row")
    expect(screen.jobs_count).to_have_text("10,007 in all")
    expect(rows.first).to_be_visible()
    assert rows.count() < 80, "only what is in sight is here"
    page.locator(".wb-jobs .wb-table-scroll").evaluate("e => { e.scrollTop = e.scrollHeight; }")
    expect(screen.row(1)).to_be_visible()
    page.get_by_role("columnheader", name="Job").get_by_role("button").click()
    expect(rows.first).to_have_attribute("data-key", "1")
    page.get_by_role("searchbox").fill("mnist-broken")
    expect(rows).to_have_count(1)
    page.get_by_role("searchbox").fill("")
    expect(screen.jobs_count).to_have_text("10,007 in all")
    page.get_by_role("button", name=re.compile("^completed")).click()
    expect(rows).to_have_count(2)
    rows.first.focus()
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    expect(page.get_by_text("Compared")).to_be_visible()
    page.wait_for_function(f"({TABLES})().join() === 'table'")  # its heads stand over their columns
    page.keyboard.press("Enter")
    expect(screen.job.locator("h3")).to_have_text("mnist-mlp:1")
    expect(rows.first).to_be_focused()
    expect(page).to_have_url(re.compile(rf"job={jobs['completed']}\b"))
    screen.button("Close").click()
    expect(screen.job).to_be_hidden()
    page.get_by_role("searchbox").fill("no such job")
    page.get_by_role("button", name="Show all").click()
    expect(screen.jobs_count).to_have_text("10,007 in all")


def test_on_a_phone_nothing_is_wider_than_the_page(
    made: tuple[Settings, dict[str, int]], visitor: Callable[..., Visitor]
) -> None:
    settings, jobs = made
    screen = visitor(settings, viewport={"width": 380, "height": 800}).open(f"&job={jobs['completed']}")
    expect(screen.job.get_by_text("95 % interval")).to_be_visible()
    assert screen.page.evaluate("document.scrollingElement.scrollWidth") <= 380
    assert screen.page.locator(".wb-bar").evaluate("bar => bar.clientWidth") == 380
    expect(screen.page.locator("tr.wb-row").first).to_have_css("display", "flex")


def test_what_a_machine_wrote_is_shown_as_text(
    made: tuple[Settings, dict[str, int]], visitor: Callable[..., Visitor]
) -> None:
    settings, jobs = made
    screen = visitor(settings).open(f"&job={jobs['training']}")
    screen.job.get_by_text("Logs", exact=True).click()
    log = screen.job.get_by_role("log")
    expect(log).to_contain_text("<script>alert('no')</script> is text")
    screen.field("Machine").select_option(label="worker 1, stdout")
    expect(log).to_contain_text("worker-1 is ready")


def test_tab_indents_and_after_escape_leaves_the_editor(
    made: tuple[Settings, dict[str, int]], visitor: Callable[..., Visitor]
) -> None:
    screen = visitor(made[0]).open("&recipe=tabular")
    expect(screen.field("Begin with")).to_have_value(re.compile(".+"))
    code = screen.code("Training algorithm")
    expect(code).to_contain_text("SOILS")
    code.click()
    screen.page.keyboard.press("Control+Home")
    screen.page.keyboard.press("Tab")
    expect(code.locator(".cm-line").first).to_have_text(re.compile('^    """'))
    expect(code).to_be_focused()
    screen.page.keyboard.press("Control+z")
    expect(code.locator(".cm-line").first).to_have_text(re.compile('^"""'))
    # A fault of syntax is told while one types, at its line, and the cursor stays where it is.
    screen.page.keyboard.press("Control+End")
    screen.page.keyboard.type("bad = (1,")
    slip = screen.page.locator(".wb-slip")
    expect(slip).to_have_text(re.compile(r"^Line \d+: '\(' was never closed$"))
    tab = screen.page.get_by_role("tab", name="Training algorithm")
    expect(tab).to_have_class("wb-marked")
    screen.page.keyboard.type(")")
    expect(slip).to_be_empty()
    expect(code.locator(".cm-line").last).to_have_text("bad = (1,)")
    expect(tab).not_to_have_class("wb-marked")
    screen.page.keyboard.press("Escape")
    screen.page.keyboard.press("Tab")
    expect(code).not_to_be_focused()


def test_in_jupyterlab_the_same_cells_show_the_same_parts(
    made: tuple[Settings, dict[str, int]], visitor: Callable[..., Visitor]
) -> None:
    settings, jobs = made
    one = visitor(
        settings, viewport={"width": 1200, "height": 5000}
    )  # JupyterLab draws only what is in the window
    page = one.context.new_page()
    page.goto(f"{one.origin}/lab/tree/deploy_cluster.ipynb?token={one.token}&reset")
    expect(page.get_by_text("| Idle")).to_be_visible()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    expect(Screen(page).jobs_count).to_have_text("10,007 in all")
    page.get_by_role("button", name=re.compile("^completed")).click()
    page.locator(f"tr.wb-row[data-key='{jobs['completed']}']").click()
    expect(page.locator(".wb-job").get_by_text("95 % interval")).to_be_visible()
    expect(page.get_by_role("textbox", name="Data preprocessing")).to_contain_text("load_data")
    expect(page.locator("[data-mime-type='application/vnd.jupyter.error']")).to_have_count(0)
    expect(page.locator("[data-mime-type='application/vnd.jupyter.stderr']")).to_have_count(0)


def evaluate(page: Page, name: str, expression: str) -> object:
    """The value of an expression over what a widget's module exports."""
    page.goto("about:blank")
    return page.evaluate(
        """async ([source, expression]) => {
            const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
            return new Function("module", `return ${expression}`)(await import(url));
        }""",
        [theme.esm("words") + theme.esm(name), expression],
    )


@pytest.fixture(scope="module")
def blank(browser: Browser) -> Iterator[Page]:
    context = open_context(browser)
    yield context.new_page()
    context.close()


def test_a_window_holds_what_is_seen_and_a_little_more(blank: Page) -> None:
    assert evaluate(blank, "table", "module.windowOf(0, 420, 42, 10000)") == {"first": 0, "count": 20}
    assert evaluate(blank, "table", "module.windowOf(42000, 420, 42, 10000)") == {"first": 990, "count": 30}
    assert evaluate(blank, "table", "module.windowOf(0, 420, 42, 3)") == {"first": 0, "count": 20}


def test_figures_are_written_as_people_read_them(blank: Page) -> None:
    said = "[0.5, 36, 95, 7260, 90000].map(module.duration)"
    assert evaluate(blank, "table", said) == ["under 1 s", "36 s", "1 min 35 s", "2 h 1 min", "1 d 1 h"]
    assert evaluate(blank, "table", "[2, 90, 7300].map(s => module.ago(1e9 - s, 1e9))") == [
        "just now",
        "1 min ago",
        "2 h ago",
    ]
    assert evaluate(blank, "table", "[module.money(0), module.money(0.012), module.money(3.5)]") == [
        "free",
        "$0.012",
        "$3.50",
    ]
    assert evaluate(blank, "table", "module.words(null, 'share')") == "–"


def test_the_address_carries_what_the_page_wants_and_never_the_token_away(blank: Page) -> None:
    href = "'http://h/voila/render/a.ipynb?token=t&job=3'"
    assert evaluate(blank, "address", f"module.valuesOf({href})") == {"job": "3"}
    assert evaluate(blank, "address", f"module.withValues({href}, {{ recipe: 'x' }})") == (
        "http://h/voila/render/a.ipynb?token=t&recipe=x"
    )
