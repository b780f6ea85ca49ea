"""What the pages send to ``/predict`` is answered past the framework, and nobody can tell."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from backend.app import create_app
from backend.predict.fast_path import MOST_BYTES
from tests.backend import making
from tests.backend.client import Answer, Client
from workbench.settings import Settings, from_environment

URL = making.data_url(making.png(making.seven(ink=(255, 255, 255, 255), paper=(0, 0, 0, 255)), 2))
DAMAGED = URL[:-400]
FORM = "application/x-www-form-urlencoded; charset=UTF-8"
OF_THE_2020_PAGE = {"data": URL, "content_type": FORM, "headers": {"Accept": "*/*"}}
OF_OUR_PAGE = {"json": {"image": URL.decode()}, "headers": {"Accept": "application/json"}}
LONG_WAY = "/predict?any=thing"


def told(answer: Answer) -> tuple[int, dict[str, str], Any]:
    """All of an answer but what differs from request to request."""
    headers = {
        name: value for name, value in answer.headers if name not in ("X-Request-Id", "Content-Length")
    }
    body: Any = answer.json if answer.is_json else answer.text
    if answer.is_json:
        body.pop("latency_ms", None)
    return answer.status_code, headers, body


def waited(client: Client) -> int:
    found = re.search(r"^workbench_queue_seconds_count (\d+)$", client.get("/metrics").text, re.MULTILINE)
    assert found
    return int(found[1])


@pytest.mark.parametrize("asked", [OF_THE_2020_PAGE, OF_OUR_PAGE], ids=["2020", "ours"])
@pytest.mark.parametrize("origin", [None, "http://page.example:8080", "null"])
@pytest.mark.parametrize("path", ["/predict", "/predict/"])
def test_both_ways_give_the_same_answer(
    shared_seven: Client, asked: dict[str, Any], origin: str | None, path: str
) -> None:
    headers = asked["headers"] | ({"Origin": origin} if origin else {})
    short, long = (shared_seven.post(p, **{**asked, "headers": headers}) for p in (path, LONG_WAY))
    assert told(short) == told(long)
    assert int(short.headers["Content-Length"]) == len(short.data)
    assert len(short.headers["X-Request-Id"]) == 16


@pytest.mark.parametrize(
    "asked",
    [
        {"data": DAMAGED},
        {"data": b"data:text/html;base64,AAAA"},
        {"data": b"data:"},
        {"json": {"image": DAMAGED.decode()}},
        {"json": {"image": 7}},
        {"json": {"image": URL.decode(), "model": "nobody"}},
        {"json": [URL.decode()]},
        {"data": b"{" * 5000, "content_type": "application/json"},
        {"data": b""},
        {"data": b"data:image/png;base64," + b"A" * MOST_BYTES},
    ],
    ids=range(10),
)
def test_both_ways_refuse_alike(shared_seven: Client, asked: dict[str, Any]) -> None:
    short, long = (shared_seven.post(path, **asked) for path in ("/predict", LONG_WAY))
    assert short.status_code >= 400
    assert told(short) == told(long)


def test_a_request_keeps_its_id_and_is_counted_whichever_way_it_takes(seven: Client) -> None:
    before = waited(seven)
    for path in ("/predict/", "/predict", LONG_WAY):
        answer = seven.post(path, data=URL, headers={"X-Request-Id": "of-the-caller-1"})
        assert answer.headers["X-Request-Id"] == "of-the-caller-1"
    counts = seven.get("/metrics").text
    assert 'workbench_requests_total{route="/predict",method="POST",status="200"} 3' in counts
    assert 'workbench_request_seconds_count{route="/predict"} 3' in counts
    assert 'class="7"} 3' in counts
    assert waited(seven) == before + 5  # each look at the counts is a request as well


def test_a_refusal_is_counted_once(seven: Client) -> None:
    seven.post("/predict", data=DAMAGED)
    counts = seven.get("/metrics").text
    assert 'workbench_requests_total{route="/predict",method="POST",status="400"} 1' in counts
    assert 'workbench_requests_total{route="/predict",method="POST",status="200"}' not in counts


def test_without_a_model_both_ways_say_so(client: Client) -> None:
    short, long = (client.post(path, data=URL) for path in ("/predict", LONG_WAY))
    assert (short.status_code, short.json["error"]["code"]) == (503, "no_model")
    assert told(short) == told(long)


def test_only_allowed_origins_are_named_in_an_answer(here: Settings, seven: Client) -> None:
    settings = from_environment(
        {"WORKBENCH_HOME": str(here.home), "WORKBENCH_ALLOWED_ORIGINS": "http://good.example"}
    )
    client = Client(create_app(settings))
    for origin, allowed in (("http://good.example", "http://good.example"), ("http://bad.example", None)):
        answer = client.post("/predict", data=URL, headers={"Origin": origin})
        assert answer.data == b"7"
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed
    assert "Access-Control-Allow-Origin" not in client.post("/predict", data=URL).headers


def test_what_was_drawn_is_found_in_json_of_any_order_of_spaces(shared_seven: Client) -> None:
    spaced = json.dumps({"image": URL.decode()}, indent=4)
    assert shared_seven.post("/predict", data=spaced, content_type="application/json").json["digit"] == 7


def test_usual_drawings_are_quick_and_nothing_that_may_take_longer_is(shared_seven: Client) -> None:
    is_quick = shared_seven.application.extensions["is_quick"]
    for body in (URL, b'{"image":"' + URL + b'"}', json.dumps({"image": URL.decode()}).encode()):
        assert is_quick("POST", b"/predict/", body)
        assert is_quick("POST", b"/predict", body)
    large = making.data_url(making.png(making.seven(600)))
    jpeg = making.data_url(making.saved(making.seven(), "JPEG"), "image/jpeg")
    padded = URL + b"A" * MOST_BYTES
    for body in (large, jpeg, padded, b"data:image/png;base64,AAAA", b"A" * 44, b""):
        assert not is_quick("POST", b"/predict/", body)
    for method, target in (
        ("POST", b"/serve"),
        ("POST", b"/predict?model=x"),
        ("GET", b"/predict"),
        ("", b""),
    ):
        assert not is_quick(method, target, URL)


def test_no_drawing_is_quick_without_a_model(client: Client) -> None:
    assert not client.application.extensions["is_quick"]("POST", b"/predict", URL)


def test_no_drawing_is_quick_while_a_version_is_to_be_loaded_or_two_are_asked(
    here: Settings, seven: Client, push: Callable[..., Any]
) -> None:
    is_quick = seven.application.extensions["is_quick"]
    push(8)
    elsewhere = create_app(here).extensions["deployments"]
    elsewhere.activate("mnist-cnn", 8)
    assert not is_quick("POST", b"/predict", URL)
    assert seven.post("/predict", data=URL).data == b"8"
    assert is_quick("POST", b"/predict", URL)
    elsewhere.start_canary("mnist-cnn", 7, 50)
    assert seven.post("/predict", data=URL).data in (b"7", b"8")
    assert not is_quick("POST", b"/predict", URL)
