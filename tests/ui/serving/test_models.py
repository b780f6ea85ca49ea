"""The models on the serving page: deployed, rolled back, compared, taken home."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chain import wait_until
from tests.ui.serving.stand import Account, Stand, settings_of
from workbench.backends.http import HttpBackEnd
from workbench.models import registry
from workbench.ui.serving import ServingPage
from workbench.verbs.workbench import Workbench, open_store


def test_the_table_has_all_versions_with_their_figures_and_says_which_one_serves(stand: Stand) -> None:
    page = stand.page.models.table.page
    assert page["total"] == 3
    rows = {row["key"]: row for row in page["rows"]}
    assert rows["mnist-cnn:2"]["deployment"] == "deployed"
    assert rows["mnist-cnn:1"]["deployment"] == "previous"
    assert rows["mnist-cnn:3"]["deployment"] == ""
    assert rows["mnist-cnn:2"]["accuracy"] == pytest.approx(0.985, abs=0.01)
    assert " to " in rows["mnist-cnn:2"]["interval"]
    assert "mnist-cnn:2" in stand.page.models.served.html


def test_a_version_is_deployed_with_a_reason_which_the_history_keeps(stand: Stand) -> None:
    models = stand.page.models
    stand.open("mnist-cnn:3")
    assert models.version.deploy.button.disabled
    assert "Say why" in models.version.missing.html
    models.version.reason.value = "surer <of> sevens"
    assert models.version.missing.html == ""
    stand.press(models.version.deploy)
    assert "mnist-cnn:3 answers on the drawing page now" in models.version.message.html
    assert "deployed" in models.version.head.html
    assert "surer &lt;of&gt; sevens" in models.version.history.html
    assert "bea" in models.version.history.html
    assert HttpBackEnd(stand.server.url).models()[0].version == 3


def test_roll_back_asks_first_and_lets_the_version_before_answer(stand: Stand) -> None:
    models = stand.page.models
    stand.open("mnist-cnn:2")
    models.version.rollback.button.click()
    assert HttpBackEnd(stand.server.url).models()[0].version == 2
    models.version.rollback.no.click()
    stand.press(models.version.rollback)
    assert HttpBackEnd(stand.server.url).models()[0].version == 1
    assert "mnist-cnn:1 answers on the drawing page again" in models.version.message.html


def test_a_canary_answers_a_share_and_what_is_no_share_is_refused_in_words(stand: Stand) -> None:
    models = stand.page.models
    stand.open("mnist-cnn:3")
    models.version.reason.value, models.version.canary.value = "a try", "lots"
    stand.press(models.version.deploy)
    assert "a number from 0 to 100" in models.version.message.html
    models.version.canary.value = "10 %"
    stand.press(models.version.deploy)
    assert "canary 10 %" in models.version.head.html
    assert "for 10 % of the drawings" in models.served.html
    assert models.version.canary.placeholder == "100; 0 ends the canary"
    models.version.reason.value, models.version.canary.value = "enough", "0"
    stand.press(models.version.deploy)
    assert "canary" not in models.version.head.html


def test_nobody_deploys_without_saying_who(stand: Stand) -> None:
    stand.page.requester.name = ""
    stand.open("mnist-cnn:3")
    deploy = stand.page.models.version.deploy.button
    wait_until(lambda: "who you are" in deploy.tooltip, 60, "the reason")
    assert deploy.disabled


def test_versions_are_compared_by_accuracy_class_confusion_size_and_drawings(stand: Stand) -> None:
    models = stand.page.models
    models.table.selected = ["mnist-cnn:1", "mnist-cnn:2"]
    wait_until(lambda: "On visitors" in models.on_drawings.html, 60, "the comparison")
    shown = models.compared.html
    for words in ("95 % interval", "ONNX, size", "Keras, size", "By class", "wb-behind", "hardly chance"):
        assert words in shown, words
    assert shown.count("wb-heat") == 2
    models.table.selected = ["mnist-cnn:1"]
    wait_until(lambda: models.beside.layout.display == "none", 60, "the end of the comparison")


def test_a_version_can_be_taken_home_or_says_before_why_not(stand: Stand) -> None:
    settings = stand.page.workbench.settings
    why = "rnn is a layer of the kind LSTM, which no step computes"
    one, two = (registry.find(f"mnist-cnn:{number}", settings).folder / "browser.json" for number in (1, 2))
    try:
        one.write_text('{"format": 1}')
        two.write_text(json.dumps({"missing": why}))
        stand.open("mnist-cnn:1")
        page = stand.page.models.version
        assert 'href="/workbench/models/mnist-cnn/1.html" download="mnist-cnn-1.html"' in page.links.html
        assert "taken home" not in page.facts.html
        stand.open("mnist-cnn:2")
        assert "Take it home" not in page.links.html
        assert f"mnist-cnn:2 cannot be taken home as a page: {why}" in page.facts.html
    finally:  # the versions are the module's
        one.unlink()
        two.unlink()


def test_a_link_to_a_model_opens_it_and_one_to_none_says_so(stand: Stand) -> None:
    stand.page.address._told({"kind": "here", "values": {"model": "mnist-cnn:1"}})
    wait_until(lambda: "mnist-cnn:1" in stand.page.models.version.head.html, 60, "the version")
    links = stand.page.models.version.links
    wait_until(lambda: "/workbench/models/mnist-cnn/1.zip" in links.html, 60, "its links")
    stand.page.address._told({"kind": "here", "values": {"model": "nobody:9"}})
    wait_until(lambda: "No model is called" in stand.page.models.failed.html, 60, "the error")


def test_without_a_back_end_the_page_says_so_and_finds_it_again(
    stand: Stand, free_ports: Callable[[int], list[int]]
) -> None:
    away = settings_of(stand.server, free_ports(1)[0])
    with open_store(away) as store:
        page = ServingPage(Workbench(away, store), application=Account())
        page.poll.turn()
        assert "The back end of this computer does not answer" in page.models.served.html
        assert "workbench up" in page.models.served.html
        assert page.models.again.widget.layout.display == ""
        assert page.models.table.page["total"] == 3
        assert "cannot be read" in page.corrections.note.html
        assert page.problem.html == ""


def test_a_downloaded_version_is_a_zip(stand: Stand, tmp_path: Path) -> None:
    path = registry.download(
        registry.find("mnist-cnn:1", stand.page.workbench.settings), tmp_path / "version.zip"
    )
    assert "model.onnx" in zipfile.ZipFile(path).namelist()
