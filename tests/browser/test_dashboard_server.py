"""The dashboard in a browser: login, landing page, prepared pages, what the browser keeps, and kernels that end."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser import page_scripts
from tests.browser.chromium import open_context
from tests.chain import make_settings, wait_until
from tests.dashboard.serving import Dashboard, serving, write_notebook
from workbench.jobs import Store
from workbench.recipes import Recipe

NAMES = """\
import ipywidgets
from workbench import ui
requester = ui.Requester("login")
requester"""
DRAFT = """\
browser = ui.Browser("draft")
draft, looked = ipywidgets.Textarea(description="Draft"), ipywidgets.Label("nobody looks")
browser.observe_value("draft", lambda text: setattr(draft, "value", text or ""))
draft.observe(lambda change: browser.__setitem__("draft", change["new"]), "value")
browser.observe(lambda change: setattr(looked, "value", f"seen: {change['new']}"), "visible")
ipywidgets.VBox([draft, looked])"""
FORMULAS = """\
import ipywidgets
from IPython.display import Markdown, display
display(Markdown("$e^{i\\\\pi}$ and\\n```python\\ndef f(): return 1\\n```"))
ipywidgets.HTML("costs $5")"""
BUTTON = """\
import ipywidgets
ipywidgets.Button(description="Here")"""


@pytest.fixture(scope="module")
def dashboard(
    tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]
) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("dashboard")
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    write_notebook(notebooks / "deploy_cluster.ipynb", "Names", NAMES, DRAFT)
    write_notebook(notebooks / "serve_and_predict.ipynb", "Button", BUTTON)
    write_notebook(notebooks / "formulas.ipynb", r"The power $x^2$", FORMULAS)
    ports = [f"WORKBENCH_{name}_PORT" for name in ("DASHBOARD", "FRONTEND", "BACKEND")]
    numbers = map(str, free_ports(3))
    settings = make_settings(folder / "home", **dict(zip(ports, numbers, strict=True)))
    sizes = {"deploy_cluster.ipynb": 1, "serve_and_predict.ipynb": 2}
    with serving(
        settings,
        notebooks,
        PageKernels__pool_sizes=sizes,
        PageKernels__fill_after_s=0.0,
        PageKernels__pool_check_s=1.0,
        PageKernels__pool_pause_s=0.5,
    ) as running:
        yield running


class Watch:
    """Keeps what no page of ours may do: errors, violations of the policy, requests to other hosts."""

    def __init__(self, context: BrowserContext, dashboard: Dashboard) -> None:
        self.complaints: list[str] = []
        self.noise: list[str] = []
        """What a page leaves in the console besides, warnings and errors."""
        self._origin = dashboard.origin
        context.on("page", self._follow)

    def _follow(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("console", lambda m: self._console(m.text))
        page.on("console", lambda m: self.noise.append(m.text) if m.type in ("warning", "error") else None)
        page.on("request", lambda request: self._requested(request.url))

    def _console(self, text: str) -> None:
        if "Content Security" in text or "Content-Security" in text:
            self.complaints.append(text)

    def _requested(self, url: str) -> None:
        if not url.startswith((self._origin, "data:", "blob:")):
            self.complaints.append(f"request to {url}")


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = open_context(browser, viewport={"width": 1100, "height": 800}, color_scheme="light")
    yield context
    context.close()


def log_in(context: BrowserContext, dashboard: Dashboard) -> Page:
    """A page of a browser that has the token's cookie, on the landing page."""
    page = context.new_page()
    page.goto(f"{dashboard.origin}/?token={dashboard.settings.token}")
    page.goto(f"{dashboard.origin}/workbench?token={dashboard.settings.token}")
    return page


def test_who_has_no_token_is_told_where_it_is_and_gets_where_they_wanted(
    context: BrowserContext, dashboard: Dashboard
) -> None:
    watch = Watch(context, dashboard)
    page = context.new_page()
    page.goto(f"{dashboard.origin}/voila/render/serve_and_predict.ipynb")
    expect(page.get_by_text("workbench status")).to_be_visible()
    page.get_by_label("Token").fill("guessed")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("That is not this workbench’s token")
    page.get_by_label("Token").fill(dashboard.settings.token)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Here")).to_be_visible()
    expect(page.get_by_role("link", name="Models and serving")).to_have_attribute("aria-current", "page")
    assert dashboard.settings.token not in page.content()
    assert watch.complaints == []


def test_the_landing_page_leads_everywhere_and_follows_the_jobs(
    context: BrowserContext, dashboard: Dashboard
) -> None:
    watch = Watch(context, dashboard)
    page = log_in(context, dashboard)
    assert page.url == f"{dashboard.origin}/workbench"
    tiles = page.locator(".wb-tiles b")
    expect(tiles).to_have_text(
        ["Train on a cluster", "Models and serving", "Collect handwriting", "JupyterLab"]
    )
    expect(page.get_by_text("No job runs or waits.")).to_be_visible()
    with Store(dashboard.settings.database_url) as store:
        store.submit(name="mnist", requester="ada", recipe=Recipe("a", "b", "c"))
    expect(page.get_by_text("1 job waits for its turn.")).to_be_visible()
    drawing = f"http://127.0.0.1:{dashboard.settings.frontend_port}/"
    expect(page.locator("#going a")).to_have_text(["Job 1, mnist"])
    expect(page.locator("#going a")).to_have_attribute("href", "/voila/render/deploy_cluster.ipynb?job=1")
    expect(page.locator("#path [aria-current]")).to_contain_text("Draw")
    picture = "iVBORw0KGgo="
    cookie = f"workbench_drawing=7.0.998.1700000000.{picture}; path=/workbench"
    page.evaluate("cookie => { document.cookie = cookie; }", cookie)
    expect(page.locator("#last")).to_contain_text("Your last drawing: 7, 99.8 % sure")
    expect(page.locator("#last img")).to_have_attribute("src", f"data:image/png;base64,{picture}")
    expect(page.locator("#path [aria-current]")).to_contain_text("See why")
    led = context.request.get(f"{dashboard.origin}/workbench/draw", max_redirects=0)
    back = f"{drawing}?dashboard={dashboard.settings.dashboard_port}"
    assert (led.status, led.headers["location"]) == (302, back)
    expect(page.get_by_role("link", name="Collect handwriting")).to_have_attribute(
        "href", f"{drawing}collect.html"
    )

    page.set_viewport_size({"width": 380, "height": 800})
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 380
    expect(page.get_by_role("navigation")).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("navigation").get_by_role("link", name="JupyterLab").click()
    expect(page.locator("#jp-main-dock-panel")).to_be_visible()
    expect(page.get_by_text("receive official Jupyter news")).to_have_count(0)
    page.goto(f"{dashboard.origin}/voila/tree")
    assert page.url == f"{dashboard.origin}/workbench"
    page.goto(f"{dashboard.origin}/voila/render/no-such.ipynb")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    assert watch.complaints == []
    assert dashboard.settings.token not in dashboard.log.read_text()
    page.goto(f"{dashboard.origin}/workbench")
    page.route("**/workbench/overview", lambda route: route.abort())
    expect(page.get_by_text("The dashboard does not answer")).to_be_visible()
    expect(page.locator("#going a, #services li")).to_have_count(0)


MOODS = """async (states) => {
    const { mood } = await import("/workbench/static/landing.js");
    return states.map((state) => mood({ state, well: false }));
}"""
STATED = """async (services) => {
    const { stated } = await import("/workbench/static/landing.js");
    return services.map(([state, message]) => stated({ state, message }));
}"""
ON_THE_WAY = ["starting", "restarting", "preparing", "training", "evaluating", "exporting", "deploying"]


def test_a_first_model_on_its_way_is_not_shown_as_ill(context: BrowserContext, dashboard: Dashboard) -> None:
    page = log_in(context, dashboard)
    assert page.evaluate(MOODS, ON_THE_WAY) == ["wb-busy"] * len(ON_THE_WAY)
    assert page.evaluate(MOODS, ["failed", "stopped"]) == ["wb-ill"] * 2
    assert page.evaluate(
        STATED, [["starting", "starting TensorFlow"], ["failed", "no disk"], ["ready", ""]]
    ) == [
        "starting TensorFlow",
        "failed: no disk",
        "ready",
    ]


FIRST_PATH = """async ([cookies, serving, versions]) => {
    const m = await import("/workbench/static/landing.js");
    const ticks = m.done(m.visit(cookies), { serving, versions });
    return [Object.keys(ticks).filter((step) => ticks[step]), m.current(ticks)];
}"""


def test_the_first_path_ticks_what_was_done_and_believes_no_odd_cookie(
    context: BrowserContext, dashboard: Dashboard
) -> None:
    page = log_in(context, dashboard)

    def path(cookies: str, version: int = 0, versions: int = 0) -> Any:
        serving = {"version": version, "since": "2023-11-14T22:13:20Z"} if version else None
        return page.evaluate(FIRST_PATH, [cookies, serving, versions])

    early, late = (f"workbench_drawing=3.0.5.{t}.AAAA" for t in (1_699_999_000, 1_700_000_999))
    assert path("") == [[], "draw"]
    assert path(early, 1, 1) == [["draw"], "inside"]
    assert path(f"a=b; {early}; workbench_inside=5", 1, 2) == [["draw", "inside", "train"], "deploy"]
    assert path(f"{early}; workbench_inside=5", 2, 2)[1] == "again"
    assert path(f"{late}; workbench_inside=5", 2, 2) == [
        ["draw", "inside", "train", "deploy", "again"],
        "again",
    ]
    for odd in ("workbench_drawing", "workbench_drawing=x.0.5.1.AAAA", 'workbench_drawing=3.0.5.1."><b>'):
        assert path(f"{odd}; workbench_inside=%%") == [[], "draw"]


def test_a_prepared_page_knows_the_visitor_only_when_it_is_shown(
    context: BrowserContext, dashboard: Dashboard
) -> None:
    prepared = dashboard.wait_ready()
    watch = Watch(context, dashboard)
    url = f"{dashboard.origin}/voila/render/deploy_cluster.ipynb"
    page = log_in(context, dashboard)
    page.goto(url)
    expect(page.get_by_label("Who are you?")).to_have_value("login")
    expect(page.get_by_text("seen: True")).to_be_visible()
    assert watch.noise == []
    assert dashboard.kernels() >= prepared, "another kernel than the prepared one serves the page"

    page.get_by_label("Who are you?").fill(" ")
    page.get_by_role("button", name="That’s me").click()
    expect(page.get_by_role("alert")).to_have_text("Enter a name of 1 to 255 characters.")
    page.get_by_label("Who are you?").fill("Ada <b>")
    page.keyboard.press("Enter")
    corner = page.locator("#wb-corner")
    expect(corner).to_contain_text("Ada <b>")
    expect(page.get_by_label("Who are you?")).to_be_hidden()
    page.get_by_label("Draft").fill("x = '\"ü'")
    page.wait_for_function("localStorage.getItem('workbench:draft') !== null")

    other = context.new_page()
    other.goto(url)
    expect(other.locator("#wb-corner")).to_contain_text("Ada <b>")
    expect(other.get_by_label("Draft")).to_have_value("x = '\"ü'")
    other.get_by_role("button", name="Change your name").click()
    other.get_by_label("Who are you?").fill("Eve")
    other.get_by_role("button", name="That’s me").click()
    expect(other.locator("#wb-corner")).to_contain_text("Eve")
    expect(corner).to_contain_text("Eve")
    assert watch.complaints == []


def test_while_a_page_comes_its_outline_stands_where_its_widgets_will_be(
    context: BrowserContext, dashboard: Dashboard
) -> None:
    dashboard.wait_ready()
    page = log_in(context, dashboard)
    held: list[Route] = []
    page.route("**/workbench/scripts/*", lambda route: held.append(route))
    with page.expect_request("**/workbench/scripts/*"):
        page.goto(f"{dashboard.origin}/voila/render/serve_and_predict.ipynb", wait_until="commit")
    outline = page.locator(".jp-OutputArea-child").first
    expect(outline).to_be_visible()
    expect(page.locator(".wb-outline")).to_be_hidden()  # all cells are there
    before = outline.bounding_box()
    assert before
    assert before["height"] > 50
    assert before["width"] > 300
    expect(page.get_by_text("Almost there")).to_have_css("position", "absolute")  # for screen readers alone
    assert held, "the scripts did not come from the one file"
    held[0].continue_()
    expect(page.get_by_role("button", name="Here")).to_be_visible()
    expect(page.locator("#loading")).to_have_count(0)


def test_a_notebook_that_was_edited_and_a_kernel_that_died_are_prepared_anew(
    context: BrowserContext, dashboard: Dashboard
) -> None:
    page = log_in(context, dashboard)
    page.goto("about:blank")
    before = dashboard.wait_ready()
    write_notebook(dashboard.notebooks / "serve_and_predict.ipynb", "Edited", BUTTON)
    page.goto(f"{dashboard.origin}/voila/render/serve_and_predict.ipynb")
    expect(page.get_by_role("heading", name="Edited")).to_be_visible()
    expect(page.get_by_role("button", name="Here")).to_be_visible()
    page.goto("about:blank")
    wait_until(lambda: len(dashboard.kernels() - before) >= 2, 60, "kernels that know the edited notebook")
    after = dashboard.wait_ready()
    assert len(after & before) == 1, "the other page's kernel was ended as well"

    for kernel in dashboard.process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            kernel.kill()
    wait_until(lambda: not dashboard.kernels() & after, 60, "the end of the kernels that died")
    dashboard.wait_ready()
    page.goto(f"{dashboard.origin}/voila/render/serve_and_predict.ipynb")
    expect(page.get_by_role("button", name="Here")).to_be_visible()


def test_after_ten_visits_and_reloads_no_kernel_is_left_beyond_the_pool(
    context: BrowserContext, dashboard: Dashboard
) -> None:
    """More than three times as many as the pool keeps, some of which go before the page has come."""
    url = f"{dashboard.origin}/voila/render/serve_and_predict.ipynb"
    page = log_in(context, dashboard)
    for visit in range(5):
        page.goto(url, wait_until="commit")
        if visit % 2 == 0:
            expect(page.get_by_role("button", name="Here")).to_be_visible()
        page.locator("h1").wait_for()  # Chromium cannot reload what it has hardly begun to show
        page.reload(wait_until="commit")
    page.goto("about:blank")
    assert len(dashboard.wait_ready()) == 3


def test_a_page_asks_for_one_file_of_scripts_and_for_no_piece_of_them(
    browser: Browser, dashboard: Dashboard
) -> None:
    """If this fails after Voilà changed, ``python -m tests.browser.page_scripts`` writes the list anew."""
    assert page_scripts.asked_for(browser, dashboard, "serve_and_predict.ipynb") == []


def test_the_editors_colours_and_mathjax_come_to_those_pages_that_have_code_or_formulas(
    context: BrowserContext, dashboard: Dashboard
) -> None:
    page = log_in(context, dashboard)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{dashboard.origin}/voila/render/formulas.ipynb")
    formulas = page.locator("mjx-container")
    expect(formulas).to_have_count(2)  # in text, and displayed by a cell
    expect(page.get_by_text("costs $5", exact=True)).to_be_visible()
    coloured = page.locator(".jp-RenderedMarkdown pre code span[class]")
    expect(coloured.first).to_be_visible()
    assert any("4173.voila.js" in url for url in asked), "the editor is in no bundle"
