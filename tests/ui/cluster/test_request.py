"""The form of the cluster's page: what it offers, refuses, keeps, estimates and sends."""

import os
import time

import pytest

from tests.browser.made_jobs import make_jobs
from tests.chain import wait_until
from tests.ui.cluster.stand import Stand, job
from tests.ui.pressing import press
from workbench import recipes
from workbench.machines import Layout
from workbench.settings import Settings
from workbench.ui.draft import DRAFT, HANDED
from workbench.verbs import recipes as verbs_recipes


def hints(stand: Stand, words: str) -> None:
    wait_until(lambda: words in stand.page.request.hints.html, 60, f"{words!r} among the hints")


def test_the_form_begins_with_the_tutorials_recipe_and_starts_nothing(stand: Stand) -> None:
    assert stand.page.request.recipe == recipes.read(recipes.DEFAULT)
    assert stand.page.request.fields.name.value == "mnist-cnn"
    hints(stand, "Will become <b>mnist-cnn:1</b>")
    assert stand.page.workbench.store.page().total == 0


def test_train_wants_to_know_who_asks(stand: Stand) -> None:
    form = stand.page.request
    wait_until(lambda: form.train.button.disabled, 60, "a button that cannot be pressed")
    assert "who you are" in form.train.button.tooltip
    stand.page.requester.name = "ann"
    wait_until(lambda: not form.train.button.disabled, 60, "the button")


def test_train_queues_what_stands_in_the_form_and_opens_its_page(stand: Stand) -> None:
    form, page = stand.page.request, stand.page
    page.requester.name = "ann"
    code = "# 'ü' \"\\n\" 🎉\r\nx = 1\n"
    form.code.editor.values = {**form.code.editor.values, "helpers": code}
    form.fields.name.value, form.fields.ps.value, form.fields.workers.value, form.fields.epochs.value = (
        "mine",
        "1",
        "2",
        "3",
    )
    hints(stand, "1 chief, 1 parameter server, 2 workers")
    press(form.train)
    asked = job(stand)
    assert (asked.name, asked.requester, asked.ps, asked.workers, asked.epochs) == ("mine", "ann", 1, 2, 3)
    assert asked.recipe is not None
    assert asked.recipe.helpers == code
    assert stand.started == [asked.id]
    wait_until(lambda: page.jobs.page.id == asked.id, 60, "the job's page")
    assert page.address.values == {"job": str(asked.id)}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("workers", "0", "Workers: a whole number from 1. Received: 0"),
        ("workers", "", "Received: nothing"),
        ("ps", "-1", "Parameter servers: a whole number from 0"),
        ("epochs", "many", "Epochs: a whole number from 1"),
        ("workers", "1001", "at most 1000 machines"),
        ("name", "My Model", "A model name is"),
        ("name", "", "Give the model a name"),
        ("provider", "aws", "There is no provider"),
    ],
)
def test_what_cannot_be_is_said_in_words_and_not_sent(
    stand: Stand, name: str, value: str, words: str
) -> None:
    stand.page.requester.name = "ann"
    wait_until(lambda: not stand.page.request.train.button.disabled, 60, "a button that can be pressed")
    getattr(stand.page.request.fields, name).value = value
    hints(stand, words)
    wait_until(lambda: stand.page.request.train.button.disabled, 60, "a button that cannot be pressed")
    stand.page.request.train.press()
    assert stand.page.workbench.store.page().total == 0


def test_an_instance_type_is_asked_for_only_where_there_are_types(stand: Stand) -> None:
    form = stand.page.request
    assert form.fields.type.layout.display == "none"
    form.fields.provider.value = "aws"
    assert form.fields.type.layout.display == ""
    form.fields.type.value = "c5.xlarge"
    assert form.wanted() == ("aws", Layout(0, 1, "c5.xlarge"))
    form.fields.provider.value = "local"
    assert form.wanted() == ("local", Layout(0, 1))


def test_an_estimate_says_how_it_knows_and_that_it_does_not(stand: Stand) -> None:
    form = stand.page.request
    stand.page.requester.name = "ann"
    press(form.estimate)
    assert "Time unknown; costs nothing" in stand.said
    press(form.check)
    press(form.estimate)
    assert "About 22 s" in stand.said
    assert "A guess: 100 steps of 100 ms" in stand.said


def test_an_estimate_is_a_chart_over_layouts_of_which_one_click_takes_another(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    form = stand.page.request
    stand.page.requester.name = "ann"
    press(form.check)
    form.fields.ps.value, form.fields.workers.value = "1", "3"
    press(form.estimate)
    rows = {(row["ps"], row["workers"]): row for row in form.layouts.choices}
    assert list(rows) == [(0, 1), (0, 2), (1, 2), (1, 3)]
    assert [place for place, row in rows.items() if row["chosen"]] == [(1, 3)]
    assert rows[1, 3]["name"] == "1 ps + 3 workers"
    assert rows[0, 1]["said"] == "22 s, free"
    other = (0, 2)
    form.layouts._pressed({"ps": 9, "workers": 9})  # what is not offered
    assert form.fields.ps.value == "1"
    form.layouts._pressed({"ps": 0, "workers": 2})
    wait_until(
        lambda: [(r["ps"], r["workers"]) for r in form.layouts.choices if r["chosen"]] == [other],
        60,
        "the estimate of the layout that was taken",
    )
    assert form.wanted() == ("local", Layout(*other))
    wait_until(lambda: not form.estimate.busy, 60, "the estimate")
    form.fields.epochs.value = "7"
    assert form.layouts.choices == [], "what was said of another request is taken back"
    assert stand.said == ""


def test_a_name_that_is_taken_becomes_the_next_version(stand: Stand, settings: Settings) -> None:
    make_jobs(settings)
    stand.page.request.fields.name.value = "mnist-mlp"
    hints(stand, "mnist-mlp:3")


def test_a_draft_survives_a_reload_and_a_link_to_a_recipe_wins(stand: Stand) -> None:
    form = stand.page.request
    draft = {"name": "mine", "ps": "2", "workers": "3", "epochs": "", "helpers": "h = 1", "training": "t"}
    stand.arrive(draft=draft)
    assert (form.fields.name.value, form.fields.ps.value, form.recipe.helpers, form.recipe.training) == (
        "mine",
        "2",
        "h = 1",
        "t",
    )
    form.fields.name.value = "other"
    assert stand.page.browser[DRAFT]["name"] == "other"
    stand.page.address._told({"kind": "here", "values": {"recipe": "tabular"}})
    assert form.recipe == recipes.read(verbs_recipes.SHIPPED / "tabular")
    assert "recipe" not in stand.page.address.values


@pytest.mark.parametrize(("minutes", "taken"), [(1, True), (60, False), (None, False)])
def test_a_link_in_jupyterlab_hands_its_recipe_over_once_and_soon(
    stand: Stand, minutes: float | None, taken: bool
) -> None:
    draft = {"name": "mine", "ps": "2", "workers": "3", "training": "t"}
    stand.arrive(handed={"recipe": "tabular", "t": minutes and time.time() - 60 * minutes}, draft=draft)
    form = stand.page.request
    tabular = recipes.read(verbs_recipes.SHIPPED / "tabular").training
    assert (form.fields.name.value, form.recipe.training) == (
        ("tabular", tabular) if taken else ("mine", "t")
    )
    assert stand.page.browser[HANDED] is None
