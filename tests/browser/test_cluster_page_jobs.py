"""The cluster's page in a browser, on jobs of every state and ten thousand more that nobody runs."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.cluster_screen import Screen, Visitor
from tests.browser.made_jobs import make_jobs
from tests.chain import make_settings
from tests.dashboard.serving import serving
from tests.jobs.test_listing import fill
from workbench.settings import PROJECT, Settings

TABLES = """() => [...new Set([...document.querySelectorAll("table")].map((one) => getComputedStyle(one).display))]"""


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
