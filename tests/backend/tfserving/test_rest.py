"""TensorFlow Serving's REST API on the back end itself: shapes, formats and errors as its documentation has them."""

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.backend import making
from tests.backend.client import Answer, Client
from tests.backend.real_server import BEARER

X = np.zeros((2, 28, 28, 1)).tolist()
PICTURE = {"b64": base64.b64encode(making.png(making.seven())).decode()}


@pytest.fixture(scope="module")
def tried(shared_seven: Client, zips: Callable[..., bytes]) -> Client:
    """Version 7 is active and 8 its canary; shared."""
    assert shared_seven.put("/models/mnist-cnn/versions/8", data=zips(8), headers=BEARER).status_code == 201
    canary = {"version": 8, "percent": 50}
    assert shared_seven.post("/models/mnist-cnn:canary", json=canary, headers=BEARER).status_code == 200
    return shared_seven


def predict(client: Client, value: Any, path: str = "/v1/models/mnist-cnn:predict") -> Answer:
    return client.post(path, json=value)


def test_the_status_lists_the_versions_that_answer(tried: Client) -> None:
    told = tried.get("/v1/models/mnist-cnn").json["model_version_status"]
    assert told == [
        {"version": v, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        for v in ("8", "7")
    ]
    for path, version in (("versions/7", "7"), ("labels/stable", "7"), ("labels/canary", "8")):
        (line,) = tried.get(f"/v1/models/mnist-cnn/{path}").json["model_version_status"]
        assert line["version"] == version


def test_the_metadata_describes_the_signature(tried: Client) -> None:
    told = tried.get("/v1/models/mnist-cnn/metadata").json
    assert told["model_spec"] == {"name": "mnist-cnn", "signature_name": "", "version": "7"}
    signature = told["metadata"]["signature_def"]["signature_def"]["serving_default"]
    shape = signature["inputs"]["input"]["tensor_shape"]
    assert signature["inputs"]["input"]["dtype"] == "DT_FLOAT"
    assert [side["size"] for side in shape["dim"]] == ["-1", "28", "28", "1"]
    assert signature["method_name"] == "tensorflow/serving/predict"


def test_rows_and_columns_give_the_same_answers(tried: Client) -> None:
    rows = predict(tried, {"instances": X}).json
    named = predict(tried, {"instances": [{"input": x} for x in X]}).json
    column = predict(tried, {"inputs": X}).json
    both = predict(tried, {"signature_name": "serving_default", "inputs": {"input": X}}).json
    assert rows == named
    assert column == both
    assert rows["predictions"] == column["outputs"]
    assert np.argmax(rows["predictions"], 1).tolist() == [7, 7]


def test_a_version_or_a_label_may_be_named(tried: Client) -> None:
    for path, digit in (("versions/7", 7), ("versions/8", 8), ("labels/stable", 7), ("labels/canary", 8)):
        said = predict(tried, {"instances": X}, f"/v1/models/mnist-cnn/{path}:predict").json
        assert np.argmax(said["predictions"][0]) == digit


def test_pictures_come_as_base64(tried: Client) -> None:
    rows = predict(tried, {"instances": [PICTURE, {"input": PICTURE}]}).json["predictions"]
    assert np.argmax(rows, 1).tolist() == [7, 7]
    assert np.argmax(predict(tried, {"inputs": {"input": [PICTURE]}}).json["outputs"], 1).tolist() == [7]
    scores = tried.post("/predict", data=making.png(making.seven()), content_type="image/png").json
    if scores["version"] == 7:
        np.testing.assert_allclose(rows[0], scores["probabilities"], atol=1e-5)


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        "x",
        5,
        None,
        {"instances": []},
        {"instances": 5},
        {"instances": X, "inputs": X},
        {"instances": X, "signature_name": "none"},
        {"instances": X, "signature_name": 5},
        {"instances": [[1, 2], [3]]},
        {"instances": [["a"]]},
        {"instances": [{"other": 1}]},
        {"instances": [{"b64": "%%%"}]},
        {"instances": [{"b64": "AAAA"}]},
        {"instances": [{"b64": 5}]},
        {"inputs": {"other": X}},
        {"inputs": []},
        {"inputs": np.zeros((1, 28, 28)).tolist()},
        {"inputs": np.zeros((0, 28, 28, 1)).tolist()},
        {"inputs": {"b64": "AAAA"}},
        {"instances": [[[[True]]]]},
    ],
)
def test_what_is_no_request_is_refused_in_tensorflow_servings_shape(tried: Client, value: Any) -> None:
    answer = predict(tried, value)
    assert answer.status_code in (400, 415), answer.data
    assert list(answer.json) == ["error"]
    assert isinstance(answer.json["error"], str)


def test_what_is_not_here_is_404_in_tensorflow_servings_words(tried: Client) -> None:
    answer = predict(tried, {"instances": X}, "/v1/models/none:predict")
    assert (answer.status_code, answer.json) == (
        404,
        {"error": "Servable not found for request: Latest(none)"},
    )
    answer = predict(tried, {"instances": X}, "/v1/models/mnist-cnn/versions/99:predict")
    assert answer.json == {"error": "Servable not found for request: Specific(mnist-cnn, 99)"}
    for path in ("/v1/models/none", "/v1/models/mnist-cnn/versions/99", "/v1/models/mnist-cnn/labels/none"):
        answer = tried.get(path)
        assert (answer.status_code, list(answer.json)) == (404, ["error"])


def test_damaged_json_is_said_to_be_so(tried: Client) -> None:
    for body in (b"{", b"\xff", b"[" * 100_000, b""):
        answer = tried.post("/v1/models/mnist-cnn:predict", data=body)
        assert answer.status_code == 400
        assert "JSON Parse error" in answer.json["error"]


def test_no_answer_holds_what_json_cannot_say() -> None:
    from backend.tfserving.rest_format import write_answer

    answer = write_answer({"a": np.array([[np.nan, np.inf, 1.0]])}, rows=True)
    assert json.loads(answer) == {"predictions": [[None, None, 1.0]]}
    both = write_answer({"a": np.array([1, 2]), "b": np.array([b"x", b"\xff"], object)}, rows=True)
    assert json.loads(both) == {"predictions": [{"a": 1, "b": "x"}, {"a": 2, "b": {"b64": "/w=="}}]}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models/mnist-cnn:predict"),
        ("GET", "/v1/models/mnist-cnn/versions/7:predict"),
        ("GET", "/v1/models/mnist-cnn/labels/stable:predict"),
        ("GET", "/v1/models/mnist-cnn:classify"),
        ("GET", "/v1/models/none:predict"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/mnist-cnn/versions/x"),
        ("POST", "/v1/models/mnist-cnn"),
        ("POST", "/v1/models/mnist-cnn/metadata"),
        ("POST", "/v1/models/mnist-cnn:explain"),
        ("PUT", "/v1/models/mnist-cnn:predict"),
        ("DELETE", "/v1/models/mnist-cnn"),
    ],
)
def test_what_is_no_request_of_the_api_is_malformed(tried: Client, method: str, path: str) -> None:
    answer = tried.open(path, method=method)
    assert (answer.status_code, answer.json) == (400, {"error": f"Malformed request: {method} {path}"})


@pytest.mark.parametrize("verb", ["classify", "regress"])
@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"instances": X}, "When method is classify, key 'examples' is expected and was not found"),
        ({"examples": {}}, "Expecting 'examples' value to be an list/array"),
        ({"examples": []}, "'examples' value is an empty array"),
        ({"examples": [{"x": 1}], "signature_name": "y"}, "No signature was found with the name: y"),
        (
            {"examples": [{"x": 1}]},
            "signature method_name to be tensorflow/serving/{verb}. Was: tensorflow/serving/predict",
        ),
        ([], "JSON Value must be an object"),
    ],
)
def test_examples_are_refused_in_tensorflow_servings_words(
    tried: Client, verb: str, sent: Any, words: str
) -> None:
    answer = predict(tried, sent, f"/v1/models/mnist-cnn:{verb}")
    assert answer.status_code == 400
    assert words.format(verb=verb) in answer.json["error"]
    assert predict(tried, sent, f"/v1/models/none:{verb}").status_code == 404


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", " x-gzip"])
def test_a_body_may_be_gzipped(tried: Client, encoding: str) -> None:
    headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
    for sent in ({"instances": X}, {"instances": [PICTURE]}):
        plain = json.dumps(sent).encode()
        answer = tried.post("/v1/models/mnist-cnn:predict", data=gzip.compress(plain), headers=headers)
        assert (answer.status_code, answer.json) == (200, predict(tried, sent).json)
        halves = gzip.compress(plain[:20]) + gzip.compress(plain[20:])
        assert tried.post("/v1/models/mnist-cnn:predict", data=halves, headers=headers).json == answer.json


@pytest.mark.parametrize(
    ("body", "encoding", "status", "words"),
    [
        (gzip.compress(b" " * 200_000_000, 1), "gzip", 413, "grows to more than 14,680,064 bytes"),
        (gzip.compress(b"{}")[:-3], "gzip", 400, "cut off"),
        (b"{}", "gzip", 400, "no gzip"),
        (gzip.compress(b"{}"), "", 400, "Content-Encoding: gzip"),
        (b"{}", "br", 400, "gzip'd or plain"),
        (gzip.compress(b"{"), "gzip", 400, "JSON Parse error"),
    ],
    ids=["bomb", "cut off", "plain", "not said", "another one", "damaged JSON"],
)
def test_a_body_that_cannot_be_unpacked_is_refused(
    tried: Client, body: bytes, encoding: str, status: int, words: str
) -> None:
    answer = tried.post("/v1/models/mnist-cnn:predict", data=body, headers={"Content-Encoding": encoding})
    assert answer.status_code == status
    assert words in answer.json["error"]
