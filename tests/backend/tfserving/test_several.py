"""A version of several inputs and outputs on the back end: by name, in rows and in columns; drawings are refused with words."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.backend import making, making_several
from tests.backend.client import Client
from tests.backend.real_server import BEARER
from workbench.backends.values import Classified
from workbench.ui.serving.predict.outputs import show_outputs

SIZES, RANK = [[1.0, 2.0, 3.0], [4.0, 0.0, 0.0]], [5, 7]
ROWS = [{"sizes": sizes, "rank": rank} for sizes, rank in zip(SIZES, RANK, strict=True)]
REFUSED: list[tuple[Any, str]] = [
    ({"instances": SIZES}, "each instance must name the inputs sizes, rank"),
    ({"instances": [{"sizes": SIZES[0]}]}, "exactly the inputs sizes, rank"),
    ({"instances": [{**ROWS[0], "age": 5}]}, "exactly the inputs sizes, rank"),
    ({"inputs": SIZES}, "'inputs' must name sizes, rank"),
    ({"inputs": {"sizes": SIZES}}, "must have exactly sizes, rank. Received: sizes"),
    (
        {"inputs": {"sizes": SIZES, "rank": RANK[:1]}},
        "as many examples as the others. Received: sizes 2, rank 1",
    ),
    ({"inputs": {"sizes": [], "rank": []}}, "sizes must have the shape"),
    ({"instances": [{"sizes": [1, 2], "rank": 5}]}, r"sizes must have the shape (n, 3)"),
    ({"instances": [{"sizes": SIZES[0], "rank": 5.5}]}, "rank must be whole numbers"),
    ({"instances": [{"sizes": SIZES[0], "rank": "five"}]}, "expected numbers"),
]
SAYS = making_several.answers(SIZES, RANK)


@pytest.fixture(scope="module")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("several")
    return making.zipped(making_several.version(folder / "it", 1), folder / "it.zip")


@pytest.fixture
def several(client: Client, zipped: bytes) -> Client:
    return deployed(client, zipped)


def deployed(client: Client, body: bytes) -> Client:
    said = client.put("/models/several/versions/1", data=body, headers=BEARER)
    assert said.status_code == 201, said.text
    assert client.post("/models/several:activate", json={"version": 1}, headers=BEARER).status_code == 200
    return client


def predict(client: Client, value: Any) -> Any:
    return client.post("/v1/models/several:predict", json=value)


def test_inputs_and_outputs_go_by_name_in_rows_and_in_columns(several: Client) -> None:
    told = several.get("/v1/models/several/metadata").json["metadata"]["signature_def"]["signature_def"]
    signature = told["serving_default"]
    assert [*signature["inputs"]] == ["sizes", "rank"]
    assert [*signature["outputs"]] == ["income", "grade"]
    assert signature["inputs"]["rank"]["dtype"] == "DT_INT64"
    rows = predict(several, {"instances": ROWS}).json["predictions"]
    assert [[*row] for row in rows] == [["income", "grade"]] * 2
    columns = predict(several, {"inputs": {"sizes": SIZES, "rank": RANK}}).json["outputs"]
    for name, expected in SAYS.items():
        assert np.allclose(columns[name], expected)
        assert np.allclose([row[name] for row in rows], expected)


def test_inputs_that_do_not_fit_are_named(several: Client) -> None:
    for value, said in REFUSED:
        answer = predict(several, value)
        assert answer.status_code == 400, value
        assert said in answer.json["error"]


def test_a_drawing_is_refused_with_words(several: Client) -> None:
    drawing = making.png(making.seven())
    said = several.post("/serve", data={"modelName": "several", "image": (io.BytesIO(drawing), "7.png")})
    assert said.status_code == 422
    assert "several takes several inputs (sizes, rank), not one picture" in said.json["error"]["message"]
    both = {"modelName": "several", "image": (io.BytesIO(drawing), "7.png"), "inputs": json.dumps(ROWS[0])}
    assert (
        "the picture is for one input, and none of several takes it" in several.post("/serve", data=both).text
    )
    assert several.post("/predict/", data=drawing, content_type="image/png").status_code == 503


def test_serve_takes_one_example_by_name_and_tells_each_output(several: Client) -> None:
    asked = {"modelName": "several", "inputs": ROWS[0]}
    for given in ({"json": asked}, {"data": {**asked, "inputs": json.dumps(ROWS[0])}}):
        told = several.post("/serve", **given).json
        assert (told["class"], told["label"], told["kind"], told["output"]) == (
            1,
            "high",
            "probabilities",
            "grade",
        )
        assert told["scores"] == pytest.approx([np.exp(-3) / (1 + np.exp(-3)), 1 / (1 + np.exp(-3))])
        assert (told["model"], told["labels"], told["seen"]) == ("several:1", ["low", "high"], None)
        assert told["outputs"]["income"] == {"class": None, "scores": [11.0], "kind": "values"}
        assert told["outputs"]["grade"]["scores"] == told["scores"]
    one = several.post("/serve", json={**asked, "output": "income"}).json
    assert (one["class"], one["label"], one["scores"], one["labels"]) == (None, None, [11.0], [])
    for inputs, said in (
        ("{", "inputs is no JSON"),
        ([1, 2], "inputs is an object with one example"),
        ({"sizes": SIZES[0]}, "must have exactly sizes, rank. Received: sizes"),
        ({**ROWS[0], "sizes": [1, 2]}, "sizes must have the shape (n, 3)"),
        ({**ROWS[0], "rank": None}, "rank must be"),
    ):
        answer = several.post("/serve", json={**asked, "inputs": inputs})
        assert answer.status_code == 400, answer.text
        assert said in answer.json["error"]["message"]


def test_serve_tells_what_the_classes_of_each_output_are_called(client: Client, tmp_path: Path) -> None:
    outputs = [
        {"name": "income", "kind": "values", "shape": [1]},
        {"name": "grade", "kind": "logits", "shape": [2], "labels": ["junior", "senior"]},
    ]
    changed: dict[str, Any] = {"output": outputs[0], "outputs": outputs, "labels": []}
    folder = making_several.version(tmp_path / "it", 1, **changed)
    deployed(client, making.zipped(folder, tmp_path / "it.zip"))
    told = client.post("/serve", json={"modelName": "several", "inputs": ROWS[0]}).json
    assert (told["output"], told["label"], told["labels"]) == ("income", None, [])
    assert told["outputs"]["grade"]["label"] == "senior"
    assert "label" not in told["outputs"]["income"]
    said = Classified.from_json(told)
    assert re.search(r"<b>grade</b> senior, \S+ % sure", show_outputs(said))
    assert said.as_json()["outputs"] == told["outputs"]
    named = client.post("/serve", json={"modelName": "several", "inputs": ROWS[0], "output": "grade"}).json
    assert (named["label"], named["labels"]) == ("senior", ["junior", "senior"])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"inputs": [{"name": "sizes", "shape": [3]}]}, "must hold sizes|must have"),
        (
            {
                "outputs": [
                    {"name": "other", "kind": "values", "shape": [1]},
                    {"name": "grade", "kind": "values", "shape": [2]},
                ]
            },
            "must have the inputs sizes, rank of numbers and the outputs other, grade",
        ),
        (
            {"inputs": [{"name": "sizes", "shape": [4]}, {"name": "rank", "shape": []}]},
            "must hold inputs of 4, one value",
        ),
    ],
)
def test_a_version_whose_manifest_says_otherwise_is_refused(
    client: Client, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    body = making.zipped(making_several.version(tmp_path / "it", 1, **changed), tmp_path / "it.zip")
    answer = client.put("/models/several/versions/1", data=body, headers=BEARER)
    assert answer.status_code == 422
    assert any(part in answer.json["error"]["message"] for part in said.split("|")), answer.text


@pytest.mark.parametrize(("value", "status"), [("NaN", 400), ("3e38", 422), ("1", 200)])
def test_an_answer_that_is_no_number_is_refused_with_its_cause(
    several: Client, value: str, status: int
) -> None:
    inputs = f'{{"sizes": [{value}, {value}, {value}], "rank": 1}}'
    said = several.post("/serve", json={"modelName": "several", "inputs": inputs})
    assert said.status_code == status, said.text
    if status == 400:
        assert "sizes holds NaN, a missing value, and several:1 cannot do without" in said.text
    if status == 422:
        assert "several:1 answers this with values that are no numbers" in said.text
