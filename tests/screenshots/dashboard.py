"""Pictures of the dashboard's own pages: login, landing page, an error, the bar and the requester."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, Page

from tests.chain import make_settings
from tests.dashboard.serving import Dashboard, serving, write_notebook
from tests.screenshots.gallery import Gallery, named, own_ports
from workbench.jobs import Store
from workbench.recipes import Recipe
from workbench.services import state

CELL = 'from workbench import ui\nrequester = ui.Requester("ada")\nrequester'
BUSY = (
    state.Row("back end", "ready"),
    state.Row("drawing page", "ready"),
    state.Row("job queue", "restarting", message="ended with exit code 1; its last words: disk full"),
    state.Row("first model", "training", message="epoch 2 of 4, about 40 s left"),
)


def login(page: Page, dashboard: Dashboard) -> None:
    page.goto(f"{dashboard.origin}/lab")


def wrong_token(page: Page, dashboard: Dashboard) -> None:
    login(page, dashboard)
    page.get_by_label("Token").fill("guessed")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()


def landing(page: Page, dashboard: Dashboard) -> None:
    page.goto(f"{dashboard.origin}/workbench?token={dashboard.settings.token}")
    page.locator("#services li").first.wait_for()


def landing_busy(page: Page, dashboard: Dashboard) -> None:
    settings = dashboard.settings
    mine = psutil.Process(os.getpid())
    state.write(settings, state.State(mine.pid, mine.create_time(), BUSY))
    with Store(settings.database_url) as store:
        store.submit(name="mnist", requester="ada", recipe=Recipe("a", "b", "c"))
    landing(page, dashboard)


def landing_full(page: Page, dashboard: Dashboard) -> None:
    """Six jobs of many, one with a long name, and a version that answers; the store's disk is full by then."""
    long = "handwriting-of-class-7b-with-corrections-and-augmentation-try-2"
    jobs = [
        {"id": 990 + n, "name": long if n == 1 else "fashion-cnn", "state": state, "share": share}
        for n, (state, share) in enumerate(
            [("training", 0.41), ("training", 0.07), ("initializing", None), *[("queued", None)] * 3]
        )
    ]
    now = {
        "services": [{"name": "back end", "state": "ready", "message": "", "well": True}],
        "jobs": {"queued": 958, "running": 3},
        "problem": "",
        "going": jobs,
        "serving": {"name": long, "version": 128, "accuracy": 0.99173, "since": "2026-01-01T00:00:00Z"},
        "versions": 128,
    }
    page.route("**/workbench/overview", lambda route: route.fulfill(json=now))
    landing(page, dashboard)
    page.get_by_text("958 wait").wait_for()


def landing_store_away(page: Page, dashboard: Dashboard) -> None:
    now = {
        "services": [
            {"name": "job queue", "state": "failed", "message": "No space left on device", "well": False}
        ],
        "jobs": None,
        "problem": "The job store does not answer: database or disk is full",
        "going": [],
        "serving": None,
        "versions": 0,
    }
    page.route("**/workbench/overview", lambda route: route.fulfill(json=now))
    landing(page, dashboard)
    page.get_by_text("Jobs cannot be counted").wait_for()


def landing_logged_out(page: Page, dashboard: Dashboard) -> None:
    landing(page, dashboard)
    page.route("**/workbench/overview", lambda route: route.fulfill(status=403, json={}))
    page.get_by_text("You are logged out").wait_for()


def landing_away(page: Page, dashboard: Dashboard) -> None:
    landing(page, dashboard)
    page.route("**/workbench/overview", lambda route: route.abort())
    page.get_by_text("The dashboard does not answer").wait_for()


def no_such_page(page: Page, dashboard: Dashboard) -> None:
    landing(page, dashboard)
    page.goto(f"{dashboard.origin}/voila/render/no-such.ipynb")


def who_are_you(page: Page, dashboard: Dashboard) -> None:
    landing(page, dashboard)
    page.goto(f"{dashboard.origin}/voila/render/deploy_cluster.ipynb")
    page.get_by_label("Who are you?").wait_for()


def known(page: Page, dashboard: Dashboard) -> None:
    who_are_you(page, dashboard)
    page.get_by_label("Who are you?").fill("Ada Lovelace")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Change your name").click()


def menu(page: Page, dashboard: Dashboard) -> None:
    landing(page, dashboard)
    if (button := page.get_by_role("button", name="Menu")).is_visible():
        button.click()


STATES: tuple[Callable[[Page, Dashboard], None], ...] = (
    login,
    wrong_token,
    landing,
    landing_full,
    landing_store_away,
    landing_logged_out,
    landing_away,
    no_such_page,
    who_are_you,
    known,
    menu,
    landing_busy,
)


LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1120, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1120, "height": 800}},
    "narrow": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}},
    "narrow-dark": {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}},
    "contrast": {"forced_colors": "active", "viewport": {"width": 1120, "height": 800}},
}


def take(browser: Browser, gallery: Gallery) -> None:
    """One picture a state and look."""
    states = {reach.__name__: reach for reach in STATES}
    lacking = gallery.lacking("dashboard", states, LOOKS)
    if not lacking:
        return
    with tempfile.TemporaryDirectory() as name:
        notebooks = Path(name) / "notebooks"
        notebooks.mkdir()
        for notebook in ("00-mnist-cnn", "deploy_cluster", "serve_and_predict"):
            write_notebook(notebooks / f"{notebook}.ipynb", "A page", CELL)
        settings = make_settings(Path(name) / "home", **own_ports())
        with serving(settings, notebooks) as dashboard:
            # A state after the other: the last ones leave what they show.
            for state, look in sorted(lacking, key=lambda pair: list(states).index(pair[0])):
                with gallery.taking(browser, named("dashboard", state, look), LOOKS[look]) as page:
                    states[state](page, dashboard)
                    page.wait_for_timeout(250)  # what moves comes to rest
