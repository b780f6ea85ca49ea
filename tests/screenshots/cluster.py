"""Pictures of the cluster's page in every state; ``screenshots`` calls this."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, FilePayload, Page

from tests.browser.made_jobs import RECIPE, make_jobs
from tests.chain import make_settings
from tests.dashboard.serving import serving
from tests.recipes.importing.notebooks import PICTURES, notebook
from tests.screenshots.gallery import LOOKS, Gallery, named, own_ports
from tests.sweeps.fake_queue import make_sweep
from workbench.jobs import Store
from workbench.settings import PROJECT, Settings

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


def without_account(page: Page, made: dict[str, int]) -> None:
    """Machines of AWS are asked for where nobody has given credentials."""
    say_who(page)
    page.get_by_label("Machines", exact=True).select_option(label="Amazon Web Services")
    page.locator(".wb-hints .wb-bad").wait_for()


def estimated(page: Page, made: dict[str, int]) -> None:
    say_who(page)
    page.get_by_label("Begin with").select_option(label="mnist-mlp")
    page.get_by_role("button", name="Check", exact=True).click()
    # Its dry run tells what a step takes in each layout.
    page.get_by_text("The code works").wait_for(timeout=180_000)
    page.get_by_role("button", name="Estimate", exact=True).click()
    page.locator(".wb-layouts").wait_for()


def cloned(page: Page, made: dict[str, int]) -> None:
    say_who(page)
    open_job(page, made["completed"])
    page.get_by_role("button", name="Clone", exact=True).click()


def as_code(page: Page, made: dict[str, int]) -> None:
    say_who(page)
    open_job(page, made["completed"])
    for fold in page.locator(".wb-as-code summary").all():
        if fold.is_visible():
            fold.click()


def searched(page: Page, made: dict[str, int]) -> None:
    page.get_by_role("searchbox").fill("wilhelmina")
    page.locator("tr.wb-row").first.wait_for()


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


def swept(page: Page, made: dict[str, int]) -> None:
    say_who(page)
    page.get_by_text("Sweep: try other values of its settings").click()
    page.get_by_label("BATCH_SIZE", exact=True).fill("128,256,512")
    page.get_by_label("BATCH_SIZE", exact=True).press("Tab")
    page.locator(".wb-sweeps tr.wb-row").first.click()
    page.get_by_text("Parallel coordinates").wait_for()


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
    "without-account": without_account,
    "estimated": estimated,
    "cloned": cloned,
    "as-code": as_code,
    **{f"job-{name}": opened(name) for name in JOBS},
}


CROWD: dict[str, Callable[[Page, dict[str, int]], None]] = {"thousand": arrive, "searched": searched}
LONG = "handwriting-of-class-7b-with-corrections-and-augmentation-try-2"


def make_crowd(settings: Settings) -> dict[str, int]:
    """A thousand jobs, some with long names, of requesters with long names."""
    made = make_jobs(settings)
    with Store(settings.database_url) as store:
        for n in range(1_000):
            requester = (
                "Wilhelmina Featherstonehaugh-Vanderbilt" if n % 7 == 0 else ("ann", "bob", "carol")[n % 3]
            )
            id = store.submit(
                name=LONG if n % 5 == 0 else "fashion-cnn",
                requester=requester,
                recipe=RECIPE,
                ps=n % 4,
                workers=1 + n % 9,
            )
            if n < 960:
                store.ask_terminate(id)
    return made


SWEPT: dict[str, Callable[[Page, dict[str, int]], None]] = {"swept": swept}


def make_swept(settings: Settings) -> dict[str, int]:
    """A home with a sweep beside other jobs."""
    make_sweep(settings)  # before the jobs that run: its own would wait for them
    return make_jobs(settings)


def take(browser: Browser, gallery: Gallery) -> None:
    """One picture a state and look, and of a home without jobs."""
    homes: tuple[
        tuple[Callable[[Settings], dict[str, int]], dict[str, Callable[[Page, dict[str, int]], None]]], ...
    ]
    homes = (
        (lambda settings: {}, {"empty": arrive}),
        (make_jobs, STATES),
        (make_crowd, CROWD),
        (make_swept, SWEPT),
    )
    for fill, states in homes:
        lacking = gallery.lacking("cluster", states, LOOKS)
        if not lacking:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            settings = make_settings(Path(temporary) / "home", **own_ports())
            made = fill(settings)
            notebooks = Path(shutil.copytree(PROJECT / "notebooks", Path(temporary) / "notebooks"))
            with serving(settings, notebooks) as running:
                address = f"{running.origin}/voila/render/deploy_cluster.ipynb?token={settings.token}"
                for state, look in lacking:
                    with gallery.taking(browser, named("cluster", state, look), LOOKS[look]) as page:
                        page.goto(address, wait_until="commit")
                        page.get_by_role("button", name="Train", exact=True).wait_for()
                        page.locator(".wb-table-count, .wb-table-note").first.wait_for(state="attached")
                        page.wait_for_timeout(1_000)  # the fonts, the editors and the drawing come to rest
                        states[state](page, made)
                        page.wait_for_timeout(1_200)
