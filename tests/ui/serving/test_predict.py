"""What is asked on the serving page: drawings, pictures, values by name, models of one's own."""

import base64
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.backend import bright, making, making_several
from tests.chain import wait_until
from tests.ui.serving.stand import Stand
from tests.ui.test_widgets import Wire, connect
from workbench.models import registry
from workbench.pictures.decoders import MAX_BYTES
from workbench.ui.serving.models import views as version_views
from workbench.ui.serving.predict.model_source import BY_URL, PUBLISHED, ZIP
from workbench.ui.serving.predict.picture_source import DRAWING, UPLOAD, URL

WHEN = datetime(2026, 11, 22, tzinfo=UTC)
NAMES = map("model-{}".format, itertools.count(1))
"""Of models that are published for one test: the back end, which outlives it, keeps what it was once sent."""


def test_a_drawing_is_asked_about_while_it_grows(stand: Stand) -> None:
    predict = stand.page.predict
    assert predict.model.published.value == "mnist-cnn:2"
    assert (predict.model.width.value, predict.model.height.value, predict.model.channels.value) == (
        "28",
        "28",
        "1",
    )
    wire = connect(predict.picture.canvas)
    draw(wire, making.seven(140))
    wait_until(lambda: "wb-headline" in predict.answer.html, 60, "the answer")
    assert '<span class="wb-headline">2</span>' in predict.answer.html
    assert "mnist-cnn:2" in predict.answer.html
    assert " ms" in predict.answer.html
    assert "What the model saw" in predict.answer.html
    predict.model.published.value = "mnist-cnn:3"  # it was never sent there
    wait_until(
        lambda: '<span class="wb-headline">3</span>' in predict.answer.html, 20, "the other version's answer"
    )


def test_what_serves_is_chosen_until_a_visitor_chooses(stand: Stand) -> None:
    model = stand.page.predict.model
    (deployed,) = stand.page.predict._served
    for active, wanted in ((3, "mnist-cnn:3"), (2, "mnist-cnn:2")):
        assert model.show((replace(deployed, version=active, previous=None),))
        assert model.published.value == wanted
    model.published.value = "mnist-cnn:3"
    assert model.show((replace(deployed, version=1, previous=None),))
    assert model.published.value == "mnist-cnn:3", "the visitor's"


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
    predict.picture.kind.value = UPLOAD
    stand.press(predict.ask)
    assert "Choose a picture first" in predict.message.html
    upload(predict.picture.file, "seven.png", making.png(making.seven()))
    wait_until(lambda: "wb-headline" in predict.answer.html, 60, "the answer")
    wait_until(lambda: not predict.ask.busy, 60, "the end")
    predict.model.kind.value = ZIP
    model = bright.model(tmp_path / "bright.onnx", "softmax", 3, high=1)
    upload(predict.model.file, "bright.onnx", model.read_bytes())
    upload(predict.picture.file, "white.png", bright.picture(235))
    predict.model.layout.value, predict.model.output.value, predict.model.range.value = (
        "NHWC",
        "output",
        "0,1",
    )
    stand.press(predict.ask)
    assert '<span class="wb-headline">2</span>' in predict.answer.html, predict.message.html
    predict.model.output.value = "scores"
    stand.press(predict.ask)
    assert "scores" in predict.message.html
    assert "it has: output" in predict.message.html
    assert predict.answer.html == "", "an answer to another question stands below the error"
    assert 'src="data:image/png;base64,' in predict.picture.shown.html
    predict.model.kind.value = PUBLISHED
    assert "Choose a picture" in predict.answer.html
    assert predict.message.html == ""
    upload(predict.picture.file, "seven.png", making.png(making.seven()))
    wait_until(lambda: not predict.ask.busy, 60, "the end")
    predict.model.width.value = "32"  # as no page can: see below
    stand.press(predict.ask)
    assert "imageSize is 32x28x1, but the model takes 28x28x1" in predict.message.html


def test_a_model_that_is_brought_along_is_asked_by_its_own_names(stand: Stand, tmp_path: Path) -> None:
    predict = stand.page.predict
    predict.model.kind.value = ZIP
    model = bright.model(tmp_path / "bright.onnx", "softmax", 3, high=1)
    upload(predict.model.file, "bright.onnx", model.read_bytes())
    stand.press(predict.ask)
    assert "Draw something first" in predict.message.html
    light = f"data:image/png;base64,{base64.b64encode(bright.picture(235)).decode()}"
    predict.model.range.value, predict.model.inputs.value = "0,1", json.dumps({"input": light})
    stand.press(predict.ask)
    assert '<span class="wb-headline">2</span>' in predict.answer.html, predict.message.html
    predict.model.inputs.value = '{"picture": 1}'
    stand.press(predict.ask)
    assert "inputs must have exactly input" in predict.message.html.lower()


def test_a_picture_is_dropped_where_one_draws_and_shown_beside_its_answer(stand: Stand) -> None:
    predict = stand.page.predict
    assert predict.picture.kind.value == DRAWING
    assert (predict.picture.file.zone, predict.picture.file.most) == (".wb-predict", MAX_BYTES)
    upload(predict.picture.file, "seven.png", making.png(making.seven()))
    wait_until(lambda: "wb-headline" in predict.answer.html, 60, "the answer")
    assert predict.picture.kind.value == UPLOAD
    assert 'alt="The picture that you chose"' in predict.picture.shown.html
    predict.picture.file._heard({"kind": "refused", "why": "a.txt is no picture."}, [])
    assert "a.txt is no picture." in predict.message.html
    assert predict.answer.html == "", "an answer to another picture stands below the refusal"


def test_the_size_of_a_published_model_is_shown_and_only_that_of_another_can_be_said(stand: Stand) -> None:
    predict = stand.page.predict
    sizes = (predict.model.width, predict.model.height, predict.model.channels)
    for source, fixed in ((PUBLISHED, True), (ZIP, False), (BY_URL, False), (PUBLISHED, True)):
        predict.model.kind.value = source
        assert [field.disabled for field in sizes] == [fixed] * 3
    assert [field.value for field in sizes] == ["28", "28", "1"]


def test_a_picture_by_url_is_fetched_by_the_back_end_or_refused_in_its_words(stand: Stand) -> None:
    predict = stand.page.predict
    predict.picture.kind.value = URL
    predict.picture.url.value = f"{stand.server.url}/healthz"
    stand.press(predict.ask)
    assert "wb-error" in predict.message.html
    assert "127.0.0.1" in predict.message.html


def test_a_model_of_ones_own_is_uploaded_as_a_zip_and_named_by_a_label_set(
    stand: Stand, tmp_path: Path
) -> None:
    predict = stand.page.predict
    version = making.version(tmp_path / "own", 1, answer=4)
    predict.model.kind.value, predict.picture.kind.value = ZIP, UPLOAD
    upload(predict.picture.file, "seven.png", making.png(making.seven()))
    upload(predict.model.file, "own.zip", making.zipped(version, tmp_path / "own.zip"))
    predict.model.labels.value = "FashionMnist"
    stand.press(predict.ask)
    assert predict.message.html == ""
    assert '<span class="wb-headline">Coat</span>' in predict.answer.html
    assert "a model of your own" in predict.answer.html
    assert "T-shirt/top" in predict.answer.html
    predict.model.kind.value = PUBLISHED


def upload(widget: Any, name: str, content: bytes) -> None:
    widget.value = (
        {"name": name, "type": "", "size": len(content), "content": content, "last_modified": WHEN},
    )


@pytest.fixture
def publish(stand: Stand) -> Iterator[Callable[[Path], registry.Version]]:
    """Publishes a version that lies in a folder, for one test."""
    published: list[registry.Version] = []

    def add(made: Path) -> registry.Version:
        published.append(making.publish(made, stand.page.workbench.settings))
        return published[-1]

    yield add
    for version in published:
        shutil.rmtree(version.folder.parent)


def test_a_model_of_a_tables_rows_has_a_field_for_each_column(
    stand: Stand, publish: Callable[[Path], registry.Version], tmp_path: Path
) -> None:
    columns = [
        {"name": "age", "mean": 40.5},
        {"name": "plan", "kind": "category", "categories": ["basic", "pro"]},
        {"name": "since", "kind": "date"},
    ]
    row = {"kind": "array", "shape": [4], "columns": columns}
    version = publish(making.version(tmp_path / "it", 3, name=next(NAMES), input=row, preprocessing="none"))
    stand.page.poll.turn()
    predict = stand.page.predict
    predict.model.published.value = str(version)
    age, plan, since = (field.children[0] for field in predict.inputs._form.children)
    assert [field.description for field in (age, plan, since)] == ["age", "plan", "since"]
    wrong = [field.children[-1] for field in predict.inputs._form.children]
    assert (float(age.value) >= 0, plan.value, since.value[:3]) == (True, "basic", "197")
    for value, given, day, said in (
        ("31", "pro", "2024-02-29", '<span class="wb-headline">3</span>'),
        ("", "", "", '<span class="wb-headline">3</span>'),
        ("old", "pro", "", "Age takes a number, or null where it is missing. Received: &#x27;old&#x27;"),
        ("31", "pro", "soon", "Since takes a date such as"),
    ):
        age.value, plan.value, since.value = value, given, day
        wait_until(
            lambda said=said: said in predict.answer.html + "".join(one.html for one in wrong),  # type: ignore[misc]
            60,
            f"{said!r}",
        )


@pytest.fixture
def several(publish: Callable[[Path], registry.Version], tmp_path: Path) -> registry.Version:
    """A version of two inputs and two outputs."""
    return publish(making_several.version(tmp_path / "several", 1, name=next(NAMES)))


def test_a_model_of_several_inputs_has_a_field_for_each_filled_with_an_example(
    stand: Stand, several: registry.Version
) -> None:
    stand.page.poll.turn()
    predict = stand.page.predict
    predict.model.published.value = str(several)
    sizes, rank = (field.children[0] for field in predict.inputs._form.children)
    wrong = predict.inputs._form.children[0].children[-1]
    assert [(field.description, field.value) for field in (sizes, rank)] == [
        ("sizes", "0, 1, 2"),
        ("rank", "0"),
    ]
    assert "Press Ask" in predict.answer.html
    assert predict._left.children == (predict.inputs.widget,)
    predict.inputs.another.click()
    assert (sizes.value, rank.value) == ("3, 4, 5", "1")
    sizes.value, rank.value = "1, 2 3", "5"
    predict.as_code._told({"kind": "open", "open": True})
    (line,) = predict.as_code.lines
    assert f'--model {several} --inputs \'{{"sizes": [1, 2, 3], "rank": 5}}\'' in line["shell"]
    stand.press(predict.ask)
    assert '<span class="wb-headline">high</span>' in predict.answer.html, predict.message.html
    assert "<b>income</b> 11" in predict.answer.html
    for text, said in (
        ("1, 2", "Sizes takes 3 numbers, separated by commas. Received: 2"),
        ("one", "Received: &#x27;one&#x27;"),
        ("NaN, 1, 1", f"Sizes holds NaN, a missing value, and {several} cannot do without"),
    ):
        sizes.value = text
        wait_until(lambda said=said: said in wrong.html, 60, f"{said!r}")  # type: ignore[misc]
        wait_until(lambda: "red at sizes" in predict.answer.html, 60, "no answer to other values")
        assert predict.message.html == "", "said once"
    sizes.value, rank.value = "1, 2, 3", "5.5"
    refused = predict.inputs._form.children[1].children[-1]
    wait_until(lambda: ">Rank must be whole numbers" in refused.html, 60, "the refusal, without whose it is")
    wait_until(lambda: "red at rank" in predict.answer.html, 60, "the way to it")
    assert wrong.html == ""
    rank.value = "6"
    wait_until(lambda: "<b>income</b> 12" in predict.answer.html, 60, "an answer that follows the values")
    assert predict.message.html == ""
    shown = version_views.facts(several)
    assert "<dt>Input sizes</dt><dd>array 3</dd>" in shown
    assert "<dt>Output income</dt><dd>off by 0.1 in the mean</dd>" in shown
    predict.model.published.value = "mnist-cnn:2"
    assert predict._left.children == (predict.picture.widget,)
    assert "Draw something" in predict.answer.html
