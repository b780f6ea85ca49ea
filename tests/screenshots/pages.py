"""Pictures of the other pages: data sets, the tutorial before a training, JupyterLab; ``screenshots`` calls this."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, FilePayload, Page

from tests.chain import make_settings
from tests.dashboard.serving import serving
from tests.screenshots.gallery import LOOKS, WAIT_MS, Gallery, named, own_ports
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


def refused(page: Page) -> None:
    """A file that is not there."""
    page.get_by_label("or a URL", exact=True).fill("/nowhere/digits-of-class-7b.csv")
    page.get_by_label("Name", exact=True).fill("digits")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("alert").wait_for()


def uploaded(page: Page) -> None:
    payload = FilePayload(
        name="Measurements of the greenhouse, week 47 (second try).csv",
        mimeType="text/csv",
        buffer=("Höhe;Temperatur;Sorte\n" + "1,5;20,25;Tomate\n2,5;18,5;Gurke\n" * 60).encode(),
    )
    page.locator(".wb-upload input").set_input_files(payload)
    page.get_by_text("is here").wait_for()


def recipe_made(page: Page) -> None:
    page.get_by_role("button", name="Make a recipe").click()
    page.get_by_role("link", name="Train circle").wait_for()


def unfolded(page: Page) -> None:
    for fold in page.locator("details.wb-code summary").all():
        fold.click()


STATES: dict[str, tuple[str, Callable[[Page], None]]] = {
    "datasets-full": ("voila/render/datasets.ipynb", arrive),
    "datasets-as-code": ("voila/render/datasets.ipynb", as_code),
    "datasets-asked": ("voila/render/datasets.ipynb", asked_to_remove),
    "datasets-refused": ("voila/render/datasets.ipynb", refused),
    "datasets-uploaded": ("voila/render/datasets.ipynb", uploaded),
    "datasets-recipe": ("voila/render/datasets.ipynb", recipe_made),
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


def take(browser: Browser, gallery: Gallery) -> None:
    """One picture a state and look; the tutorial's data are fetched if they are not there."""
    for states in (STATES, EMPTY):
        lacking = gallery.lacking("page", states, LOOKS)
        if not lacking:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            notebooks = Path(shutil.copytree(PROJECT / "notebooks", Path(temporary) / "notebooks"))
            settings = make_settings(Path(temporary) / "home", **own_ports())
            settings.home.mkdir()
            if states is STATES:
                fill(settings)
            with serving(settings, notebooks) as running:
                for state, look in lacking:
                    path, reach = states[state]
                    with gallery.taking(browser, named("page", state, look), LOOKS[look]) as page:
                        page.set_default_timeout(4 * WAIT_MS)
                        begin = "&" if "?" in path else "?"
                        page.goto(
                            f"{running.origin}/{path}{begin}token={settings.token}", wait_until="commit"
                        )
                        if path.startswith("lab"):
                            page.locator("#workbench-links a").first.wait_for()
                        else:
                            page.locator("#loading").wait_for(state="attached")
                            page.locator("#loading").wait_for(state="detached")
                        page.wait_for_timeout(1_500)  # the fonts and the first poll
                        reach(page)
                        page.wait_for_timeout(1_000)
