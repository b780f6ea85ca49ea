"""On a phone a row of a table is a card: each figure with the name of its column, and nothing cut off."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import open_page
from workbench.ui.cluster.jobs import panel as jobs
from workbench.ui.serving.models import panel as models
from workbench.ui.widgets import theme
from workbench.ui.widgets.table import Column, Query

LONG = "handwriting-of-class-7b-with-corrections-and-augmentation-try-2"
VERSIONS = (
    {"model": "digits", "version": 1, "deployment": "deployed", "accuracy": 0.99, "created": 1.0}
    | {"key": "a", "interval": "98.84 % to 99.22 %"},
    {"key": "b", "model": "digits", "version": 2, "deployment": "", "accuracy": None, "interval": ""}
    | {"created": 1.0},
    {"key": "c", "model": LONG, "version": 128, "deployment": "canary 10 %", "accuracy": 0.99}
    | {"interval": "98.84 % to 99.22 %", "created": 1.0},
)
JOBS = (
    {"key": 7, "id": 7, "name": "digits:1", "requester": "ann", "state": "completed", "progress": [1.0, ""]}
    | {"accuracy": 0.982, "execution_s": 72.0},
    {"key": 8, "id": 8, "name": "digits", "requester": "bob", "state": "queued"}
    | {"progress": [None, "1st in the queue"], "accuracy": None, "execution_s": None},
    {"key": 9, "id": 1989, "name": LONG, "requester": "Wilhelmina Featherstonehaugh-Vanderbilt"}
    | {"state": "terminated", "progress": [0.33, ""], "accuracy": 0.91, "execution_s": 37_225.0},
)
LABELS = """row => Object.fromEntries([...row.querySelectorAll("td[data-column]")]
    .filter((cell) => cell.getClientRects().length)
    .map((cell) => [cell.dataset.column, getComputedStyle(cell, "::before").content.replaceAll('"', "").trim()]))"""


def shown(page: Page, columns: tuple[Column, ...], rows: tuple[dict[str, Any], ...]) -> None:
    """A table of the kernel's without a kernel, as wide as a page leaves it on a phone of 380 pixels."""
    traits = {
        **{"label": "Rows", "empty": "", "problem": "", "selectable": True, "openable": True},
        **{"opened": None, "selected": [], "offered": [], "query": asdict(Query(sort=columns[0].key))},
        "columns": [asdict(column) for column in columns],
        "page": {"first": 0, "rows": list(rows), "total": len(rows), "facets": {}},
    }
    module = json.dumps(theme.esm("words") + theme.esm("table"))
    page.set_content(
        f'<style>{theme.css("table")}</style><body class="wb" style="margin: 0 22px; font-family: sans-serif"><div id="here" class="wb"></div><script type="module">'
        f'const url = URL.createObjectURL(new Blob([{module}], {{ type: "text/javascript" }}));'
        f"const {{ default: table }} = await import(url), traits = {json.dumps(traits)};"
        "const model = { get: (k) => traits[k], set() {}, save_changes() {}, on() {}, off() {} };"
        'table.render({ model, el: document.getElementById("here") });</script>'
    )
    expect(page.locator('[data-narrow="true"] .wb-row')).to_have_count(len(rows))


@pytest.mark.parametrize(
    ("columns", "rows", "named", "unnamed"),
    [
        (models.COLUMNS, VERSIONS, {"interval": "95 % interval", "created": "Published"}, {"model"}),
        (
            jobs.COLUMNS,
            JOBS,
            {"requester": "Requester", "execution_s": "Time"},
            {"name", "state", "progress"},
        ),
    ],
    ids=["versions", "jobs"],
)
def test_each_figure_of_a_card_has_the_name_of_its_column(
    browser: Browser,
    columns: tuple[Column, ...],
    rows: tuple[dict[str, Any], ...],
    named: dict[str, str],
    unnamed: set[str],
) -> None:
    with open_page(browser, viewport={"width": 380, "height": 600}) as page:
        shown(page, columns, rows)
        cards = page.locator(".wb-row")
        labels = cards.nth(0).evaluate(LABELS)
        for key, words in {**named, "accuracy": "Accuracy"}.items():
            assert labels[key] == words
        assert {labels[key] for key in unnamed} == {"none"}, "a name, a badge and a bar speak for themselves"
        for n in range(len(rows)):
            assert cards.nth(n).evaluate("row => row.scrollHeight <= row.clientHeight"), (
                "something is cut off"
            )
        if columns is models.COLUMNS:
            other = cards.nth(1).evaluate(LABELS)
            assert other["deployment"] == "Deployed", "a dash alone says nothing"
            assert other.get("interval", "none") == "none", "what is not there has no name"
