"""Pictures of the other pages: data sets, the tutorial before a training, JupyterLab; ``screenshots`` calls this."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.chain import make_settings
from tests.dashboard.serving import serving
from tests.screenshots.cluster import LOOKS, WAIT_MS, own_ports
from workbench.settings import PROJECT, Settings
from workbench.verbs import datasets

ROWS = "\n".join(
    f"{n / 50:.2f},{(n * 7 % 50) / 50:.2f},{'inside' if n % 3 else 'outside'}" for n in range(400)
)


def arrive(page: Page) -> None:
    """As it is opened."""


def as_code(page: Page) -> None:
    for fold in page.locator(".wb-as-code summary").all():
        fold.click()


def asked_to_remove(page: Page) -> None:
    page.get_by_role("button", name="Remove", exact=True).click()


def unfolded(page: Page) -> None:
    for fold in page.locator("details.wb-code summary").all():
        fold.click()


STATES: dict[str, tuple[str, Callable[[Page], None]]] = {
    "datasets-full": ("voila/render/datasets.ipynb", arrive),
    "datasets-as-code": ("voila/render/datasets.ipynb", as_code),
    "datasets-asked": ("voila/render/datasets.ipynb", asked_to_remove),
    "tutorial-unfolded": ("voila/render/00-mnist-cnn.ipynb", unfolded),
    "jupyterlab": ("lab?reset", arrive),
}
EMPTY: dict[str, tuple[str, Callable[[Page], None]]] = {
    "datasets-empty": ("voila/render/datasets.ipynb", arrive)
}


def fill(settings: Settings) -> None:
    """Add a data set."""
    table = settings.home / "circle.csv"
    table.write_text("x,y,label\n" + ROWS)
    datasets.add("circle", str(table), datasets.how(target="label"), settings)


def take(browser: Browser, folder: Path) -> None:
    """One picture a state and look; the tutorial's data are fetched if they are not there."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        notebooks = Path(shutil.copytree(PROJECT / "notebooks", Path(temporary) / "notebooks"))
        for name, states in (("full", STATES), ("empty", EMPTY)):
            settings = make_settings(Path(temporary) / name, **own_ports())
            settings.home.mkdir()
            if states is STATES:
                fill(settings)
            with serving(settings, notebooks) as running:
                _take(browser, running.origin, settings.token, states, folder)


def _take(
    browser: Browser,
    origin: str,
    token: str,
    states: dict[str, tuple[str, Callable[[Page], None]]],
    folder: Path,
) -> None:
    for look, how in LOOKS.items():
        for name, (path, reach) in states.items():
            context = browser.new_context(**how)
            context.set_default_timeout(4 * WAIT_MS)
            page = context.new_page()
            page.goto(f"{origin}/{path}{'&' if '?' in path else '?'}token={token}", wait_until="commit")
            if path.startswith("lab"):
                page.locator("#workbench-links a").first.wait_for()
            else:
                page.locator("#loading").wait_for(state="attached")
                page.locator("#loading").wait_for(state="detached")
            page.wait_for_timeout(1_500)  # the fonts and the first poll
            reach(page)
            page.wait_for_timeout(1_000)
            page.screenshot(path=folder / f"{name}-{look}.png", full_page=True)
            context.close()
