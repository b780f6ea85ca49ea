"""Corrections on the serving page: reviewed, seen beside training pictures, sent into a retraining."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.backend import making
from tests.browser import made_models
from tests.chain import make_settings, wait_until
from tests.ui.serving.stand import Account, Stand
from workbench.backends.correction_values import Correction, Counts
from workbench.backends.http import HttpBackEnd
from workbench.errors import Unavailable
from workbench.models import registry
from workbench.pictures import ink
from workbench.settings import Settings
from workbench.ui.draft import DRAFT
from workbench.ui.serving import ServingPage
from workbench.ui.serving.corrections import givers
from workbench.ui.serving.corrections.alike import AlikeTraining
from workbench.ui.serving.corrections.panel import CorrectionsPanel
from workbench.verbs.workbench import Workbench, open_store


def test_corrections_are_accepted_rejected_and_taken_back_and_sent_into_a_retraining(stand: Stand) -> None:
    panel = stand.page.corrections
    for number, digit in enumerate((1, 1, 1, 4)):
        stand.correct(number, digit)
    stand.page.poll.turn()
    wait_until(lambda: len(panel.grid.items) == 4, 60, "the corrections")
    first = panel.grid.items[0]
    assert (first["predicted"], first["digit"]) == ("7", "1")
    assert panel.retraining.retrain.button.disabled
    panel.grid._told({"kind": "review", "ids": [first["id"]], "verdict": "reject"})
    wait_until(lambda: len(panel.grid.items) == 3, 60, "what is left")
    panel.grid._told({"kind": "undo"})
    wait_until(lambda: len(panel.grid.items) == 4, 60, "the one that came back")
    panel.digit.value = "1"
    assert len(panel.grid.items) == 3
    stand.press(panel.accept_all)
    assert digits(panel) == ["4"]
    assert panel._counts == Counts(waiting=1, accepted=3)
    assert "Accepted (3)" in [text for text, _ in panel.state.options]
    stand.press(panel.retraining.retrain)
    assert "Version 1 of the corrections has 3 drawings" in panel.message.html
    draft = stand.page.browser[DRAFT]
    assert draft["name"] == "mnist-cnn"
    assert "datasets.corrections()" in draft["preprocessing"]
    assert 'continue_from("mnist-cnn:2"' in draft["training"], "version 2 serves, 3 is the newest"


def digits(panel: CorrectionsPanel) -> list[str]:
    return [item["digit"] for item in panel.grid.items]


def look_until_shown(stand: Stand, digit: str) -> None:
    """Look again and again, as the page does."""

    def shown() -> bool:
        stand.page.poll.turn()
        return digit in digits(stand.page.corrections)

    wait_until(shown, 60, "the correction")


def test_corrections_that_could_not_be_read_are_read_at_the_next_look(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = stand.page.corrections
    with monkeypatch.context() as patched:

        def fail(*_: Any, **__: Any) -> Any:
            raise Unavailable("the back end is slow")

        patched.setattr(HttpBackEnd, "corrections", fail)
        stand.correct(8, 3)
        stand.page.poll.turn()
        wait_until(lambda: "is slow" in panel.message.html, 60, "the word that it failed")
    look_until_shown(stand, "3")
    wait_until(lambda: panel.message.html == "", 60, "the end of that word")


def test_what_was_read_before_a_verdict_is_not_shown_after_it(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = stand.page.corrections
    stand.correct(9, 2)
    look_until_shown(stand, "2")
    rejected = panel._choice.backend.counts().rejected
    has_read, goes_on = threading.Event(), threading.Event()
    ask = HttpBackEnd.corrections

    def slow_once(backend: HttpBackEnd, *asked: Any, **how: Any) -> Any:
        found = ask(backend, *asked, **how)
        if not has_read.is_set():
            has_read.set()
            assert goes_on.wait(60)
        return found

    monkeypatch.setattr(HttpBackEnd, "corrections", slow_once)
    panel._loading.ask()
    assert has_read.wait(60)
    mine = next(item["id"] for item in panel.grid.items if item["digit"] == "2")
    panel.grid._told({"kind": "review", "ids": [mine], "verdict": "reject"})
    wait_until(lambda: panel._choice.backend.counts().rejected > rejected, 60, "the verdict")
    goes_on.set()
    wait_until(lambda: not panel.grid.busy and not panel._loading._working, 60, "the end of both")
    assert "2" not in digits(panel)


def given(**more: Any) -> Correction:
    """A digit that Anna was asked for."""
    told: dict[str, Any] = {"id": "1" * 64, "predicted": 7, "digit": 7, "model": "mnist-cnn", "version": 1}
    told |= {"kind": "collected", "writer": "Anna", "session": "a1b2c3"}
    return Correction(t="2026-11-22T10:00:00Z", state="waiting", **(told | more))


def odds(digit: int, sure: float) -> tuple[float, ...]:
    return tuple(sure if k == digit else (1 - sure) / 9 for k in range(10))


@pytest.mark.parametrize(
    ("more", "absurd"),
    [
        ({}, ""),
        ({"probabilities": odds(7, 0.999)}, ""),
        ({"probabilities": odds(4, 0.98)}, ""),
        ({"probabilities": odds(4, 0.998)}, "the model is 99.8 % sure that it is a 4"),
        ({"probabilities": odds(4, 1.0)}, "the model is 99.9 % sure that it is a 4"),
        ({"doubt": "no_digit", "probabilities": odds(7, 0.6)}, "the model sees no digit in it"),
        ({"doubt": "several"}, "the model sees several digits in it"),
    ],
)
def test_what_the_model_contradicts_with_certainty_is_absurd(more: dict[str, Any], absurd: str) -> None:
    assert given(**more).absurd == absurd
    assert Correction.from_json(given(**more).as_json()) == given(**more)


def test_a_reviewer_chooses_whose_drawings_to_see() -> None:
    anna, anna2 = given(), given(session="ffff00")
    nobody, visitor = given(writer="", session="0000"), given(kind="correction", writer="", session="")
    every = [anna, anna2, nobody, visitor, anna]
    options = givers.options(every)
    assert [text for text, _ in options] == [
        *("everybody", "visitors who corrected (1)", "all writers (4)"),
        *("Anna · a1b2 (2)", "Anna · ffff (1)", "no name · 0000 (1)"),
    ]
    found = [[c for c in every if givers.is_by(c, value)] for _, value in options]
    assert found == [every, [visitor], [anna, anna2, nobody, anna], [anna, anna], [anna2], [nobody]]
    assert givers.options([visitor]) == [givers.EVERYBODY]


def test_the_reviewer_sees_the_training_pictures_most_like_a_drawing(tmp_path: Path) -> None:
    settings = make_settings(tmp_path / "home")
    seen = ink.fit(making.seven())
    assert seen is not None
    made_models.publish(settings, 1)
    chance = np.random.default_rng(0)
    x = chance.integers(0, 256, (40, 28, 28, 1)).astype(np.uint8)
    x[17, :, :, 0], x[21, :, :, 0] = seen, np.roll(seen, 1, axis=1)
    folder = registry.find("mnist-cnn:1", settings).folder
    np.savez_compressed(folder / "alike.npz", x=x, y=np.arange(40) % 10)
    finder = AlikeTraining(settings)
    picture = making.data_url(making.png(making.seven())).decode()
    here = given(id="2" * 64, picture=picture)
    elsewhere = given(id="3" * 64, picture=picture, version=9)
    found = finder.find([here, elsewhere])
    assert [one["label"] for one in found[here.id]][:2] == ["7", "1"]
    assert len(found[here.id]) == 5
    assert all(one["picture"].startswith("data:image/png;base64,") for one in found[here.id])
    assert found[elsewhere.id] == []
    assert finder.find([here]) == {here.id: found[here.id]}


def test_versions_trained_with_corrections_show_what_they_gained(settings: Settings) -> None:
    told = {"before": {"right": 2, "of": 10}, "after": {"right": 9, "of": 10}}
    aside = {"before": {"right": 20, "of": 30}, "after": {"right": 29, "of": 30}}
    others = {"before": {"right": 11, "of": 12}, "after": {"right": 12, "of": 12}}
    writers = {"learned": 3, "drawings": 90, "same": aside, "others": others}
    made_models.publish(settings, 1)
    made_models.publish(
        settings,
        2,
        corrections={"version": 1, "used": ["a"] * 10, "evaluation": told, "writers": writers},
        parent={"name": "mnist-cnn", "version": 1, "start": "weights"},
    )
    with open_store(settings) as store:
        page = ServingPage(Workbench(settings, store), application=Account())
        page.poll.turn()
        html = page.corrections.retraining.versions.html
        for text in (
            "2 of 10 → 9 of 10",
            "20 of 30 → 29 of 30",
            "11 of 12 → 12 of 12",
            "goes on from mnist-cnn:1",
        ):
            assert text in html
