"""Pictures of the cluster's page in every state; ``screenshots`` calls this."""

import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, FilePayload, Page

from tests.browser.made_jobs import make_jobs
from tests.chain import make_settings
from tests.dashboard.serving import serving
from tests.recipes.importing.notebooks import PICTURES, notebook
from workbench.settings import PROJECT, Settings

WAIT_MS = 60_000
# High enough for the whole page: what is below the window is not measured by the editors.
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 3600}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 3600}},
    "narrow": {
        "color_scheme": "light",
        "viewport": {"width": 380, "height": 6000},
    },
}
JOBS = ("training", "completed", "failed", "terminated", "initializing", "queued")


def arrive(page: Page, made: dict[str, int]) -> None:
    """Nobody has said who asks."""


def wrong(page: Page, made: dict[str, int]) -> None:
    say_who(page)
    page.get_by_label("Workers", exact=True).fill("0")
    page.get_by_text("Received: 0").first.wait_for()


def broken(page: Page, made: dict[str, int]) -> None:
    say_who(page)
    page.get_by_role("tab", name="Training algorithm").click()
    page.get_by_role("textbox", name="Training algorithm").click()
    page.keyboard.press("Control+Home")
    page.keyboard.type("model = = 1\n")
    page.get_by_role("tab", name="Data preprocessing").click()
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_role("alert").wait_for()


def imported(page: Page, made: dict[str, int]) -> None:
    say_who(page)
    upload(page, {"colab.ipynb": notebook(*PICTURES)})
    page.get_by_text("colab.ipynb became a recipe").wait_for()


def beside(page: Page, made: dict[str, int]) -> None:
    say_who(page)
    upload(page, {"rows.csv": b"1,2", "nets.py": b"", "requirements.txt": b"scikit-learn>=1.5\npandas\n"})
    page.get_by_text("rows.csv", exact=True).wait_for()
    page.get_by_role("tab", name="Packages").click()
    page.get_by_text("Here already").wait_for()


def upload(page: Page, files: dict[str, bytes]) -> None:
    with page.expect_file_chooser() as chooser:
        page.locator(".wb-start .jupyter-button", has_text="Upload").click()
    chooser.value.set_files(
        [FilePayload(name=name, mimeType="", buffer=content) for name, content in files.items()]
    )


def nothing_found(page: Page, made: dict[str, int]) -> None:
    page.get_by_role("searchbox").fill("no such job")
    page.get_by_text("Nothing matches.").wait_for()


def compared(page: Page, made: dict[str, int]) -> None:
    for name in ("completed", "second", "terminated"):
        page.locator(f"tr.wb-row[data-key='{made[name]}'] input").click()
    page.get_by_text("Compared").wait_for()


def asked_to_end(page: Page, made: dict[str, int]) -> None:
    say_who(page)
    open_job(page, made["training"])
    page.get_by_role("button", name="Terminate", exact=True).click()
    page.locator(".wb-job summary").filter(has_text="Logs").click()
    page.get_by_role("log").wait_for()


def say_who(page: Page) -> None:
    field = page.locator(".wb-requester input")
    field.fill("ann")
    field.press("Enter")
    page.locator("button.wb-primary:enabled", has_text="Train").wait_for()


def open_job(page: Page, id: int) -> None:
    page.locator(f"tr.wb-row[data-key='{id}']").click()
    page.locator(".wb-job h3").wait_for()


def opened(name: str) -> Callable[[Page, dict[str, int]], None]:
    def reach(page: Page, made: dict[str, int]) -> None:
        say_who(page)
        open_job(page, made[name])

    return reach


STATES: dict[str, Callable[[Page, dict[str, int]], None]] = {
    "arrive": arrive,
    "wrong": wrong,
    "broken": broken,
    "imported": imported,
    "beside": beside,
    "nothing-found": nothing_found,
    "compared": compared,
    "asked-to-end": asked_to_end,
    **{f"job-{name}": opened(name) for name in JOBS},
}


def take(browser: Browser, folder: Path) -> None:
    """One picture a state and look, and of a home without jobs."""
    with tempfile.TemporaryDirectory() as temporary:
        homes: dict[str, dict[str, Callable[[Page, dict[str, int]], None]]]
        homes = {"empty": {"empty": arrive}, "full": STATES}
        for name, states in homes.items():
            settings = make_settings(Path(temporary) / name, **own_ports())
            made = make_jobs(settings) if name == "full" else {}
            notebooks = Path(shutil.copytree(PROJECT / "notebooks", Path(temporary) / f"{name}-notebooks"))
            with serving(settings, notebooks) as running:
                _take_states(browser, running.origin, settings, states, made, folder)


def _take_states(
    browser: Browser,
    origin: str,
    settings: Settings,
    states: dict[str, Callable[[Page, dict[str, int]], None]],
    made: dict[str, int],
    folder: Path,
) -> None:
    for look, how in LOOKS.items():
        for name, reach in states.items():
            context = browser.new_context(**how)
            context.set_default_timeout(WAIT_MS)
            page = context.new_page()
            address = f"{origin}/voila/render/deploy_cluster.ipynb?token={settings.token}"
            page.goto(address, wait_until="commit")
            page.get_by_role("button", name="Train", exact=True).wait_for()
            page.locator(".wb-table-count, .wb-table-note").first.wait_for(state="attached")
            page.wait_for_timeout(1_000)  # the fonts, the editors and the drawing come to rest
            reach(page, made)
            page.wait_for_timeout(1_200)
            page.screenshot(path=folder / f"cluster-{name}-{look}.png", full_page=True)
            context.close()


def own_ports() -> dict[str, str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    names = ("DASHBOARD", "FRONTEND", "BACKEND")
    ports = {
        f"WORKBENCH_{name}_PORT": str(s.getsockname()[1]) for name, s in zip(names, sockets, strict=True)
    }
    for s in sockets:
        s.close()
    return ports
