"""Pictures of the dashboard's own pages: login, landing page, an error, the bar and the requester."""

import os
import socket
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, Page

from tests.chain import make_settings
from tests.dashboard.serving import Dashboard, serving, write_notebook
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
    landing_away,
    no_such_page,
    who_are_you,
    known,
    menu,
    landing_busy,
)


def take(browser: Browser, looks: Mapping[str, Mapping[str, Any]], folder: Path) -> None:
    """One picture a state and look, named ``dashboard-STATE-LOOK.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        notebooks = Path(name) / "notebooks"
        notebooks.mkdir()
        for notebook in ("00-mnist-cnn", "deploy_cluster", "serve_and_predict"):
            write_notebook(notebooks / f"{notebook}.ipynb", "A page", CELL)
        settings = make_settings(Path(name) / "home", WORKBENCH_DASHBOARD_PORT=str(port))
        with serving(settings, notebooks) as dashboard:
            for reach in STATES:
                for look, how in looks.items():
                    with browser.new_context(
                        **{"viewport": {"width": 1120, "height": 800}, **how}
                    ) as context:
                        page = context.new_page()
                        reach(page, dashboard)
                        page.wait_for_timeout(250)  # what moves comes to rest
                        picture = f"dashboard-{reach.__name__.replace('_', '-')}-{look}.png"
                        page.screenshot(path=folder / picture, full_page=True)
