"""The workbench's own pages in Chromium: a visit and a reload each, their kernels ready.

Every visit is by a browser context of its own, so with an empty cache; a reload finds the scripts in it. Between them both the
server and the browser come to rest, and the kernels that were taken are there again.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.dashboard import NO_OTHER_HOST, PATIENCE_MS, answers, kernels
from benchmarks.measuring import Row
from benchmarks.serving import Server, free_port, serve
from tests.browser import chromium
from workbench import datasets
from workbench.dashboard.catalogue import PAGES, NotebookPage
from workbench.errors import Unavailable
from workbench.services import dashboard
from workbench.settings import Settings, from_environment
from workbench.system.waiting import wait_until

ROUNDS = 5
REST_S = 2.0
GOAL_TUTORIAL_S, GOAL_PAGE_S, GOAL_RELOAD_S = 2.0, 1.5, 1.0
WIDGET = ".jupyter-widgets:visible"
_SETS = ("mnist", "pen-strokes")


def run() -> list[Row]:
    """Measure; needs Chromium."""
    program = chromium.find()
    if program is None:
        raise Unavailable(f"no Chromium: none of {', '.join(chromium.PROGRAMS)} is installed")
    visits: dict[NotebookPage, list[float]] = {page: [] for page in PAGES}
    reloads: dict[NotebookPage, list[float]] = {page: [] for page in PAGES}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server, settings = stack.enter_context(served(folder))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=program, args=[*chromium.FLAGS, NO_OTHER_HOST])
        stack.callback(browser.close)
        origin, ready = f"http://127.0.0.1:{server.port}", len(kernels(server))

        def timed(page: Page, go: Callable[[], object]) -> float:
            wait_until(lambda: len(kernels(server)) >= ready, 120, 0.5, lambda: "a kernel is not ready again")
            time.sleep(REST_S)
            began = time.monotonic()
            go()
            page.locator(WIDGET).first.wait_for(timeout=PATIENCE_MS)
            return time.monotonic() - began

        def visit(one: NotebookPage) -> tuple[float, float]:
            with browser.new_context(viewport={"width": 1100, "height": 800}) as context:
                page = context.new_page()
                page.goto(f"{origin}/workbench?token={settings.token}")
                first = timed(page, lambda: page.goto(f"{origin}/{one.path}", wait_until="commit"))
                again = timed(page, lambda: page.reload(wait_until="commit"))
                page.goto("about:blank")
            return first, again

        for turn in range(ROUNDS + 1):
            for one in PAGES:
                first, again = visit(one)
                if turn:  # the first visits warm the disk's cache
                    visits[one].append(first)
                    reloads[one].append(again)
    goals = {page: GOAL_PAGE_S if page.light else GOAL_TUTORIAL_S for page in PAGES}
    return [
        *(_row(f"{one.title}, first widget", took, goals[one]) for one, took in visits.items()),
        *(_row(f"{one.title}, a reload", took, GOAL_RELOAD_S) for one, took in reloads.items()),
    ]


def _row(what: str, took: list[float], goal: float) -> Row:
    spread = f"{min(took):.2f} to {max(took):.2f} s"
    return Row(f"pages: {what}", statistics.median(took), "s", goal=goal, note=spread)


@contextmanager
def served(folder: Path) -> Iterator[tuple[Server, Settings]]:
    """Serve the workbench's pages in a home of their own below ``folder``, all kernels that are kept ready there."""
    own, port = from_environment(), free_port()
    for name in _SETS:
        datasets.load(name, own)
    (folder / "home").mkdir()
    (folder / "home" / "data").symlink_to(own.data)
    there = {"WORKBENCH_HOME": str(folder / "home"), "WORKBENCH_DASHBOARD_PORT": str(port)}
    settings = from_environment(there)
    service = dashboard.prepare(settings)
    small = {name: os.environ[name] for name in ("WORKBENCH_SMALL",) if name in os.environ}
    with serve(
        service.command, port, {**service.environment, **small}, answers("/api"), folder / "log"
    ) as server:
        wanted = settings.prepared_kernels * len(PAGES)

        def late() -> str:
            return f"no kernels are ready:\n{(folder / 'log').read_text()[-2000:]}"

        wait_until(lambda: len(kernels(server)) == wanted, 600, 1.0, late)
        yield server, settings
