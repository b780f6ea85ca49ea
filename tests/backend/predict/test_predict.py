"""``/predict``: every form of a drawing in, every form of an answer out."""

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.backend import making
from tests.backend.client import Client
from workbench.settings import Settings

CANVAS = making.png(making.seven(ink=(255, 255, 255, 255), paper=(0, 0, 0, 255)), 2)
URL = making.data_url(CANVAS)
BLANK = making.data_url(making.png(np.zeros((280, 280, 4), np.uint8), 2))
FORM = "application/x-www-form-urlencoded; charset=UTF-8"
JSON = {"Accept": "application/json"}


def test_the_call_of_the_2020_page_is_answered_with_the_bare_digit(shared_seven: Client) -> None:
    answer = shared_seven.post("/predict/", data=URL, content_type=FORM, headers={"Accept": "*/*"})
    assert (answer.status_code, answer.data, answer.mimetype) == (200, b"7", "text/plain")


@pytest.mark.parametrize("path", ["/predict", "/predict/"])
@pytest.mark.parametrize(
    "kind",
    [
        FORM,
        "text/plain",
        "application/json",
        "image/png",
        "multipart/form-data",
        "application/x-strange",
        None,
    ],
)
def test_a_data_url_is_a_drawing_whatever_its_content_type(
    shared_seven: Client, path: str, kind: str
) -> None:
    answer = shared_seven.post(path, data=URL, content_type=kind)
    assert (answer.status_code, answer.data) == (200, b"7")


def test_plus_signs_in_the_base64_are_kept_though_the_type_says_form(shared_seven: Client) -> None:
    rng = np.random.default_rng(0)
    noisy = np.clip(making.seven() + rng.normal(0, 6, (280, 280)), 0, 255).astype(np.uint8)
    url = making.data_url(making.png(noisy))
    assert b"+" in url
    assert shared_seven.post("/predict/", data=url, content_type=FORM).data == b"7"


FORMS: dict[str, Callable[[], dict[str, Any]]] = {
    "JSON": lambda: {"json": {"image": URL.decode()}},
    "a form's file": lambda: {"data": {"image": (io.BytesIO(CANVAS), "canvas.png")}},
    "a form's text": lambda: {"data": {"image": URL.decode()}, "content_type": "multipart/form-data"},
    "a picture": lambda: {"data": CANVAS, "content_type": "image/png"},
    "some picture": lambda: {"data": CANVAS, "content_type": "image/*"},
    "bytes": lambda: {"data": CANVAS, "content_type": "application/octet-stream"},
    "curl -d @file": lambda: {"data": CANVAS, "content_type": FORM},
    "a data URL": lambda: {"data": URL, "headers": JSON},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_can_be_answered_with_everything_that_is_known(shared_seven: Client, form: str) -> None:
    answer = shared_seven.post("/predict", **FORMS[form]()).json
    assert (answer["digit"], answer["label"], answer["model"], answer["version"]) == (7, "7", "mnist-cnn", 7)
    assert len(answer["probabilities"]) == 10
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-4)
    assert answer["latency_ms"] > 0


def test_what_the_model_saw_is_sent_along(shared_seven: Client) -> None:
    seen = shared_seven.post("/predict", data=URL, headers=JSON).json["seen"]
    png = np.frombuffer(base64.b64decode(seen.partition(",")[2]), np.uint8)
    picture = cv2.imdecode(png, cv2.IMREAD_UNCHANGED)
    assert picture is not None
    assert picture.shape == (28, 28)
    assert picture.max() == 255


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/plain", "text/plain"),
        ("application/json", "application/json"),
        ("application/json, text/javascript, */*; q=0.01", "application/json"),
        ("text/plain;q=0.5, application/json;q=0.4", "text/plain"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", None),
        ("image/png", None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_accept_decides_and_else_the_form_of_the_request(
    shared_seven: Client, accept: str, kind: str
) -> None:
    headers = {"Accept": accept}
    assert shared_seven.post("/predict", data=URL, headers=headers).mimetype == (kind or "text/plain")
    by_json = shared_seven.post("/predict", json={"image": URL.decode()}, headers=headers)
    assert by_json.mimetype == (kind or "application/json")


def test_nothing_drawn_is_an_answer(shared_seven: Client) -> None:
    text = shared_seven.post("/predict/", data=BLANK)
    assert (text.status_code, text.data) == (200, b"nothing drawn")
    full = shared_seven.post("/predict", data=BLANK, headers=JSON)
    assert full.status_code == 200
    assert full.json["digit"] is None
    assert full.json["reason"] == "nothing drawn"
    assert full.json["probabilities"] is None


def test_another_model_can_be_named_and_the_last_activated_is_asked_by_default(
    seven: Client, push: Callable[..., Any], activate: Callable[..., Any]
) -> None:
    push(4, name="other")
    assert seven.post("/predict", data=URL).data == b"7"
    assert seven.post("/predict?model=other", data=URL).status_code == 404
    activate(4, name="other")
    assert seven.post("/predict", data=URL).data == b"4"
    assert seven.post("/predict?model=mnist-cnn", data=URL).data == b"7"
    named = seven.post("/predict", json={"image": URL.decode(), "model": "mnist-cnn"})
    assert (named.json["digit"], named.json["model"]) == (7, "mnist-cnn")


def test_a_model_whose_input_is_no_picture_is_not_the_default(
    seven: Client, push: Callable[..., Any], activate: Callable[..., Any]
) -> None:
    rows = {"kind": "array", "shape": [4], "dtype": "float32"}
    assert push(1, name="rows", input=rows, preprocessing="none").status_code == 201
    assert activate(1, name="rows").status_code == 200
    assert seven.post("/predict", data=URL).data == b"7"
    refused = seven.post("/predict?model=rows", data=URL)
    assert (refused.status_code, refused.json["error"]["code"]) == (422, "no_picture")


def test_a_model_with_colours_gets_a_plain_resize(
    seven: Client, push: Callable[..., Any], activate: Callable[..., Any]
) -> None:
    colours = {"kind": "image", "shape": [32, 32, 3], "dtype": "float32", "range": [0, 255]}
    push(2, name="cifar", input=colours, preprocessing="resize")
    activate(2, name="cifar")
    answer = seven.post("/predict?model=cifar", data=URL, headers=JSON)
    assert answer.json["digit"] == 2
    seen = np.frombuffer(base64.b64decode(answer.json["seen"].partition(",")[2]), np.uint8)
    picture = cv2.imdecode(seen, cv2.IMREAD_UNCHANGED)
    assert picture is not None
    assert picture.shape == (32, 32, 3)


def test_the_range_of_the_manifest_is_respected(
    seven: Client, push: Callable[..., Any], activate: Callable[..., Any]
) -> None:
    unit = {"kind": "image", "shape": [28, 28, 1], "dtype": "float32", "range": [0, 1]}
    push(1, name="unit", input=unit)
    activate(1, name="unit")
    by_unit = seven.post("/predict?model=unit", data=URL, headers=JSON).json["probabilities"]
    by_255 = seven.post("/predict?model=mnist-cnn", data=URL, headers=JSON).json["probabilities"]
    assert by_unit[1] > by_255[7]  # brighter pictures make the fixture less sure


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"data": b""}, 400),
        ({"data": b"hello", "content_type": "text/plain"}, 415),
        ({"data": b"hello", "content_type": "image/png"}, 415),
        ({"data": CANVAS[:500], "content_type": "image/png"}, 400),
        ({"data": b"data:text/plain;base64,aGk="}, 415),
        ({"data": b"data:image/png;base64,aGk="}, 415),
        ({"data": b"data:image/png;base64,%%%"}, 415),
        ({"data": b"{", "content_type": "application/json"}, 400),
        ({"data": b"[" * 100_000, "content_type": "application/json"}, 400),
        ({"data": b"9" * 10_000, "content_type": "application/json"}, 400),
        ({"data": b'{"image": 3}', "content_type": "application/json"}, 400),
        ({"data": b'{"image": "\\ud800"}', "content_type": "application/json"}, 400),
        ({"data": b"\xff\xfe", "content_type": "application/json"}, 400),
        ({"json": {"image": URL.decode(), "model": ["a"]}}, 400),
        ({"json": {"image": URL.decode(), "model": "no-such"}}, 404),
        ({"data": {"picture": "x"}, "content_type": "multipart/form-data"}, 400),
        ({"data": b"x", "content_type": "multipart/form-data"}, 400),
        ({"data": b"x" * (15 * 1024 * 1024)}, 413),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(shared_seven: Client, sent: Any, status: int) -> None:
    answer = shared_seven.post("/predict", **sent)
    assert answer.status_code == status
    assert set(answer.json) == {"error"}
    assert set(answer.json["error"]) == {"code", "message"}
    assert "Traceback" not in answer.text


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    body=st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=50).map(making.data_url),
        st.text(max_size=50).map(lambda t: ("data:" + t).encode("utf-8", "replace")),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["image", "model", "x"]), inner)
            ),
            max_leaves=6,
        ).map(lambda value: json.dumps(value).encode()),
        st.integers(0, len(CANVAS)).map(lambda n: CANVAS[:n]),
    ),
    kind=st.sampled_from(
        [
            FORM,
            "text/plain",
            "application/json",
            "multipart/form-data; boundary=x",
            "image/png",
            "",
            "é",
            "a/b;c=d",
        ]
    ),
    accept=st.sampled_from(["*/*", "application/json", "text/plain;q=x", ""]),
)
def test_no_request_whatever_brings_a_server_error(
    shared_seven: Client, body: bytes, kind: str, accept: str
) -> None:
    answer = shared_seven.post("/predict", data=body, content_type=kind, headers={"Accept": accept})
    assert answer.status_code < 500, answer.text


def test_without_a_model_it_says_what_is_under_way(client: Client, here: Settings) -> None:
    answer = client.post("/predict/", data=URL)
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "no_model")
    assert answer.headers["Retry-After"] == "2"
    here.backend.mkdir(parents=True, exist_ok=True)
    said = {
        "state": "training",
        "message": "training the first model, step 210 of 630",
        "step": 210,
        "of": 630,
    }
    (here.backend / "under_way.json").write_text(json.dumps({**said, "since": "2026-11-22T10:00:00Z"}))
    assert "step 210 of 630" in client.post("/predict/", data=URL).json["error"]["message"]
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json) == (503, said)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": 1}', "null", "\0"])
def test_a_half_written_word_of_what_is_under_way_is_no_error(
    client: Client, here: Settings, text: str
) -> None:
    here.backend.mkdir(parents=True, exist_ok=True)
    (here.backend / "under_way.json").write_text(text)
    assert (client.get("/readyz").status_code, client.get("/readyz").json["state"]) == (503, "waiting")
    quiet = client.get("/readyz?waiting=200")
    assert (quiet.status_code, quiet.json["state"]) == (200, "waiting")
    assert client.get("/readyz?waiting=204").status_code == 503


def test_ready_names_what_answers(shared_seven: Client) -> None:
    answer = shared_seven.get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"state": "ready", "model": "mnist-cnn", "version": 7})
