"""The page of data sets, in a browser: a file goes up in pieces, becomes a data set, is looked at, made a recipe of, removed."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import axe
from tests.browser.chromium import open_context
from tests.chain import make_settings
from tests.dashboard.serving import serving
from tests.datasets import bringing
from workbench.settings import PROJECT, Settings

pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def here(
    tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]
) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("datasets-page")
    names = [f"WORKBENCH_{name}_PORT" for name in ("DASHBOARD", "FRONTEND", "BACKEND")]
    settings = make_settings(folder / "home", **dict(zip(names, map(str, free_ports(3)), strict=True)))
    with serving(settings, Path(shutil.copytree(PROJECT / "notebooks", folder / "notebooks"))):
        yield settings


def opened(browser: Browser, settings: Settings, width: int = 1280) -> Page:
    context = open_context(browser, viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(
        f"http://127.0.0.1:{settings.dashboard_port}/voila/render/datasets.ipynb?token={settings.token}"
    )
    expect(page.locator(".wb-upload input")).to_be_visible()
    return page


def test_photos_and_a_table_go_in_by_the_page_alone(here: Settings, browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, here)
    fold = page.get_by_role("button", name="More that need not be guessed")
    for key, is_open in (("Enter", "true"), ("Space", "false")):
        fold.press(key)
        expect(fold).to_have_attribute("aria-expanded", is_open)
        expect(page.get_by_label("It is", exact=True)).to_be_visible(visible=is_open == "true")
    photos = bringing.zipped(bringing.photos(tmp_path / "photos"), tmp_path / "my photos.zip")
    with photos.open("ab") as file:  # what lies behind its end is not read
        file.write(b"\0" * 60_000)
    page.locator(".wb-upload input").set_input_files(str(photos))
    expect(page.get_by_text("is here")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("my-photos")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("my-photos:1 is added")).to_be_visible()
    expect(page.locator(".wb-examples img")).to_have_count(12)
    expect(page.locator(".wb-balance tbody tr")).to_have_count(3)
    page.get_by_role("button", name="Make a recipe").click()
    expect(page.get_by_role("link", name="Train my-photos on a cluster")).to_be_visible()
    assert (here.home / "recipes" / "my-photos" / "training.py").is_file()
    page.get_by_label("or a URL", exact=True).fill(str(bringing.garden(tmp_path / "garden.csv")))
    page.get_by_label("Name", exact=True).fill("garden")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("garden:1 is added")).to_be_visible()
    expect(page.locator(".wb-columns tbody tr")).to_have_count(7)
    page.set_viewport_size({"width": 380, "height": 900})  # the columns are wider and reached by keys
    assert axe.serious(page) == []
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_role("button", name="Yes, remove").click()
    expect(page.get_by_text("garden:1 is removed")).to_be_visible()
    narrow = opened(browser, here, 380)
    expect(narrow.locator(".wb-examples img")).to_have_count(12)
    assert narrow.evaluate("document.scrollingElement.scrollWidth") <= 380
