"""The serving page in the kernel, before a real back end: what it shows and what its buttons do."""

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.backend import bright, making, making_several, real_server
from tests.backend.real_server import Server
from tests.browser import made_models
from tests.browser.made_jobs import make_jobs
from tests.chain import make_settings, threads_end, wait_until
from tests.ui.test_widgets import Wire, connect
from workbench.application.stack import App
from workbench.backends.correction_values import Correction, Counts
from workbench.backends.http import HttpBackEnd
from workbench.errors import Unavailable
from workbench.manifest import FILE, Manifest, read
from workbench.models import registry
from workbench.pictures import ink
from workbench.settings import Settings
from workbench.ui.draft import DRAFT
from workbench.ui.serving import ServingPage, givers, version_views
from workbench.ui.serving.alike import AlikeTraining
from workbench.ui.serving.predict import BY_URL, PUBLISHED, UPLOAD, URL, ZIP
from workbench.ui.widgets.actions import Action
from workbench.verbs.workbench import Workbench, open_store

WHEN = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]
) -> Iterator[Server]:
    """A back end with versions 1 and 2 of a model, of which the second serves."""
    home = tmp_path_factory.mktemp("serving") / "home"
    server = real_server.start(home, free_ports(1)[0])
    (home / "deploy_token").write_text(making.TOKEN)
    (home / "deploy_token").chmod(0o600)
    settings = settings_of(server)
    for answer, right in ((1, 0.95), (2, 0.985), (3, 0.99)):
        made_models.publish(settings, answer, right=right)
    real_server.wait_for(lambda: server.ask("GET", "/healthz").status == 200, server)
    try:
        yield server
    finally:
        real_server.stop(server)


def settings_of(server: Server, port: int | None = None) -> Settings:
    return make_settings(
        server.settings.home,
        WORKBENCH_BACKEND_PORT=str(port or server.settings.backend_port),
    )


@dataclass
class Account:
    """An account on AWS, with the application or without."""

    state: str = "absent"

    def look(self) -> App:
        if self.state == "refused":
            raise Unavailable("there are no AWS credentials here")
        return App("workbench", self.state, "123456789012", "eu-central-1", "ab12")


@dataclass
class Stand:
    """The page of somebody who has said a name, and its back end."""

    page: ServingPage
    server: Server

    def deploy(self, version: int) -> None:
        found = registry.find(f"mnist-cnn:{version}", self.page.workbench.settings)
        HttpBackEnd(self.server.url, making.TOKEN).deploy(found, reason="to begin with", who="ann")

    def open(self, reference: str) -> None:
        self.page.poll.turn()
        self.page.models.table.opened = reference
        wait_until(lambda: reference in self.page.models.version.head.html, 60, "the version")

    def press(self, action: Action) -> None:
        """Click, say yes, and wait for the end of what that does."""
        wait_until(lambda: not action.button.disabled, 60, "a button that can be pressed")
        action.button.click()
        if action._confirm is not None:
            action.yes.click()
        wait_until(lambda: not action.busy, 60, "the action's end")
        self.page.poll.turn()

    def correct(self, number: int, digit: int) -> None:
        picture = making.data_url(making.png(making.seven(280 - 3 * number))).decode()
        body = f'{{"image": "{picture}", "predicted": 7, "digit": {digit}}}'.encode()
        assert self.server.ask("POST", "/corrections", body, Content_Type="application/json").status == 201


@pytest.fixture
def stand(server: Server) -> Iterator[Stand]:
    with open_store(settings_of(server)) as store, threads_end():
        page = ServingPage(
            Workbench(settings_of(server), store, start=lambda *_: None), application=Account()
        )
        stand = Stand(page, server)
        stand.deploy(1)
        stand.deploy(2)
        page.requester.name = "bea"
        page.poll.turn()
        yield stand
        page.poll.close()


# Models


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
    wait_until(lambda: models.beside.layout.display == "none", 5, "the end of the comparison")


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
    wait_until(lambda: "mnist-cnn:1" in stand.page.models.version.head.html, 5, "the version")
    assert "/workbench/models/mnist-cnn/1.zip" in stand.page.models.version.links.html
    stand.page.address._told({"kind": "here", "values": {"model": "nobody:9"}})
    wait_until(lambda: "no model is called" in stand.page.models.failed.html, 5, "the error")


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


def test_an_empty_home_says_how_to_get_a_first_model(settings: Settings) -> None:
    with open_store(settings) as store:
        page = ServingPage(Workbench(settings, store), application=Account())
        page.poll.turn()
        assert page.models.table.page["total"] == 0
        assert "deploy_cluster.ipynb" in page.models.table.empty
        assert "Nothing trains here now" in page.live.status.html


def test_a_link_from_a_job_leads_to_drawing_at_it_and_back(settings: Settings) -> None:
    made = make_jobs(settings)
    with open_store(settings) as store, threads_end():
        page = ServingPage(Workbench(settings, store), application=Account())

        def arrive(**values: object) -> None:
            page.address._told({"kind": "here", "values": values})

        arrive(job=made["training"])
        page.poll.turn()
        assert page.live.job.value == made["training"], "and not the newest one"
        assert page.live.status.called == 1
        arrive(job=made["completed"])
        assert f"Job {made['completed']} trains no more: completed" in page.live.status.html
        assert f'href="deploy_cluster.ipynb?job={made["completed"]}"' in page.live.status.html
        arrive(job=999)
        assert "999" in page.live.message.html
        arrive(model="mnist-mlp:1")
        page.poll.turn()
        assert page.predict.published.value == "mnist-mlp:1"
        arrive(model="mnist-mlp:2")
        assert page.predict.published.value == "mnist-mlp:2"
        wait_until(lambda: "mnist-mlp:2" in page.models.version.head.html, 60, "the version")
        assert "mnist-mlp:2 cannot be taken home as a page: the manifest" in page.models.version.facts.html
        page.poll.close()


def test_a_poll_without_news_sends_nothing(stand: Stand) -> None:
    stand.open("mnist-cnn:2")
    stand.page.poll.turn()
    sent: list[Any] = []
    page = stand.page
    for widget in (
        page.models.table,
        page.models.version.head,
        page.models.version.history,
        page.predict.published,
        page.live.status,
    ):
        widget.observe(sent.append)
    for _ in range(3):
        page.poll.turn()
    assert sent == []


# Predict


def test_a_drawing_is_asked_about_while_it_grows(stand: Stand) -> None:
    predict = stand.page.predict
    assert predict.published.value == "mnist-cnn:2"
    assert (predict.width.value, predict.height.value, predict.channels.value) == ("28", "28", "1")
    wire = connect(predict.canvas)
    draw(wire, making.seven(140))
    wait_until(lambda: "wb-headline" in predict.answer.html, 60, "the answer")
    assert '<span class="wb-headline">2</span>' in predict.answer.html
    assert "mnist-cnn:2" in predict.answer.html
    assert " ms" in predict.answer.html
    assert "What the model saw" in predict.answer.html
    predict.published.value = "mnist-cnn:3"  # it was never sent there
    wait_until(
        lambda: '<span class="wb-headline">3</span>' in predict.answer.html, 20, "the other version's answer"
    )


def draw(wire: Wire, ink: np.ndarray) -> None:
    """Send a drawing, and wait until the canvas may send the next."""
    before = len(wire.messages)
    height, width = ink.shape
    content = {"kind": "ink", "id": 1, "width": width, "height": height}
    wire.receive(
        {
            "content": {"data": {"method": "custom", "content": content}},
            "buffers": [memoryview(ink.tobytes())],
        }
    )
    wait_until(lambda: len(wire.messages) > before, 60, "the canvas")


def test_an_uploaded_picture_is_answered_and_a_wrong_size_refused_in_the_back_ends_words(
    stand: Stand, tmp_path: Path
) -> None:
    predict = stand.page.predict
    predict.picture.value = UPLOAD
    stand.press(predict.ask)
    assert "choose a picture first" in predict.message.html
    upload(predict.file, "seven.png", making.png(making.seven()))
    wait_until(lambda: "wb-headline" in predict.answer.html, 60, "the answer")
    wait_until(lambda: not predict.ask.busy, 60, "the end")
    predict.source.value = ZIP
    model = bright.model(tmp_path / "bright.onnx", "softmax", 3, high=1)
    upload(predict.model_file, "bright.onnx", model.read_bytes())
    upload(predict.file, "white.png", bright.picture(235))
    predict.layout.value, predict.output.value, predict.range.value = "NHWC", "output", "0,1"
    stand.press(predict.ask)
    assert '<span class="wb-headline">2</span>' in predict.answer.html, predict.message.html
    predict.output.value = "scores"
    stand.press(predict.ask)
    assert "scores" in predict.message.html
    assert "it has: output" in predict.message.html
    assert predict.answer.html == "", "an answer to another question stands below the error"
    assert 'src="data:image/png;base64,' in predict.uploaded.html
    predict.source.value = PUBLISHED
    assert "Choose a picture" in predict.answer.html
    assert predict.message.html == ""
    upload(predict.file, "seven.png", making.png(making.seven()))
    wait_until(lambda: not predict.ask.busy, 60, "the end")
    predict.width.value = "32"  # as no page can: see below
    stand.press(predict.ask)
    assert "imageSize is 32x28x1, but the model takes 28x28x1" in predict.message.html


def test_the_size_of_a_published_model_is_shown_and_only_that_of_another_can_be_said(stand: Stand) -> None:
    predict = stand.page.predict
    sizes = (predict.width, predict.height, predict.channels)
    for source, fixed in ((PUBLISHED, True), (ZIP, False), (BY_URL, False), (PUBLISHED, True)):
        predict.source.value = source
        assert [field.disabled for field in sizes] == [fixed] * 3
    assert [field.value for field in sizes] == ["28", "28", "1"]


def test_a_picture_by_url_is_fetched_by_the_back_end_or_refused_in_its_words(stand: Stand) -> None:
    predict = stand.page.predict
    predict.picture.value = URL
    predict.url.value = f"{stand.server.url}/healthz"
    stand.press(predict.ask)
    assert "wb-error" in predict.message.html
    assert "127.0.0.1" in predict.message.html


def test_a_model_of_ones_own_is_uploaded_as_a_zip_and_named_by_a_label_set(
    stand: Stand, tmp_path: Path
) -> None:
    predict = stand.page.predict
    version = making.version(tmp_path / "own", 1, answer=4)
    predict.source.value, predict.picture.value = ZIP, UPLOAD
    upload(predict.file, "seven.png", making.png(making.seven()))
    upload(predict.model_file, "own.zip", making.zipped(version, tmp_path / "own.zip"))
    predict.labels.value = "FashionMnist"
    stand.press(predict.ask)
    assert predict.message.html == ""
    assert '<span class="wb-headline">Coat</span>' in predict.answer.html
    assert "a model of your own" in predict.answer.html
    assert "T-shirt/top" in predict.answer.html
    predict.source.value = PUBLISHED


def upload(widget: Any, name: str, content: bytes) -> None:
    widget.value = (
        {"name": name, "type": "", "size": len(content), "content": content, "last_modified": WHEN},
    )


# Corrections


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
    wait_until(lambda: [i["digit"] for i in panel.grid.items] == ["4"] or panel.digit.value, 60, "the rest")
    assert panel._counts == Counts(waiting=1, accepted=3)
    assert "Accepted (3)" in [text for text, _ in panel.state.options]
    stand.press(panel.retraining.retrain)
    assert "Version 1 of the corrections has 3 drawings" in panel.message.html
    draft = stand.page.browser[DRAFT]
    assert draft["name"] == "mnist-cnn"
    assert "datasets.corrections()" in draft["preprocessing"]
    assert 'continue_from("mnist-cnn:2"' in draft["training"], "version 2 serves, 3 is the newest"


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


def test_a_downloaded_version_is_a_zip(stand: Stand, tmp_path: Path) -> None:
    path = registry.download(
        registry.find("mnist-cnn:1", stand.page.workbench.settings), tmp_path / "version.zip"
    )
    assert "model.onnx" in zipfile.ZipFile(path).namelist()


@pytest.fixture
def several(stand: Stand, tmp_path: Path) -> Iterator[registry.Version]:
    """A version of two inputs and two outputs, published for one test."""

    def write(aside: Path) -> Manifest:
        made = making_several.version(tmp_path / "several", 1)
        for path in made.iterdir():
            if path.name != FILE:
                shutil.copy(path, aside)
        return read(made)

    version = registry.add("several", write, stand.page.workbench.settings)
    yield version
    shutil.rmtree(version.folder.parent)


def test_a_model_of_several_inputs_has_a_field_for_each_filled_with_an_example(
    stand: Stand, several: registry.Version
) -> None:
    stand.page.poll.turn()
    predict = stand.page.predict
    predict.published.value = str(several)
    sizes, rank = predict.inputs._form.children
    assert [(field.description, field.value) for field in (sizes, rank)] == [
        ("sizes", "0, 1, 2"),
        ("rank", "0"),
    ]
    assert "Press Ask" in predict.answer.html
    assert predict._left.children == (predict.inputs.widget,)
    predict.inputs.another.click()
    assert (sizes.value, rank.value) == ("3, 4, 5", "1")
    sizes.value, rank.value = "1, 2 3", "5"
    stand.press(predict.ask)
    assert '<span class="wb-headline">high</span>' in predict.answer.html, predict.message.html
    assert "<b>income</b> 11" in predict.answer.html
    for text, said in (
        ("1, 2", "sizes takes 3 numbers, separated by commas. Received: 2"),
        ("one", "Received: &#x27;one&#x27;"),
    ):
        sizes.value = text
        stand.press(predict.ask)
        assert said in predict.message.html
    sizes.value, rank.value = "1, 2, 3", "5.5"
    stand.press(predict.ask)
    assert "rank must be whole numbers" in predict.message.html
    shown = version_views.facts(several)
    assert "<dt>Input sizes</dt><dd>array 3</dd>" in shown
    assert "<dt>Output income</dt><dd>off by 0.1 in the mean</dd>" in shown
    predict.published.value = "mnist-cnn:2"
    assert predict.picture in predict._left.children
    assert "Draw something" in predict.answer.html
