"""The cluster's page in a browser, on real jobs: a newcomer from the login to the drawing page, and somebody careless."""

import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import JOB_MS
from tests.browser.cluster_screen import Screen, Visitor
from tests.browser.drawing import SEVEN, draw, visit
from tests.chain import Chain, make_settings, wait_until
from tests.dashboard.serving import serving
from workbench import runner
from workbench.settings import PROJECT, Settings
from workbench.verbs.workbench import open_store

STRANGE = (
    "# 'single' \"double\" \\n \\\\ `tick` ${x} ü 漢 🎉\u2028\r\nx = '''\t'''\n"
    "import time\nimport tensorflow as tf\n\ndef augment(x):\n"
    "    with tf.control_dependencies([tf.py_function(lambda: time.sleep(0.1), [], [])]):\n"
    "        return tf.identity(x)\n"
)
"""Its training waits more than it works: what it computes is nothing to anybody here."""


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
