"""``/inside``: what is shown is what the model computes, of any layers, bounded in size and number."""

import base64
import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from backend.app import create_app
from backend.inside.place import MOST_WAITING, PER_SECOND, Place, Visitors
from tests.backend import making
from tests.backend.client import Client
from tests.backend.inside import making as kinds
from tests.backend.real_server import BEARER
from workbench import film
from workbench.errors import TooMany, Unavailable
from workbench.pictures.inputs import prepare
from workbench.settings import Settings

SEVEN = making.png(making.seven())
Deploy = Callable[..., Path]


@pytest.fixture(autouse=True)
def in_no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loaded machine may take longer than a visitor would wait; what is asked here is what is shown."""
    monkeypatch.setattr("backend.inside.place.WAIT_S", 60)


@pytest.fixture
def deploy(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Deploys a model of a kind; gives its folder."""
    monkeypatch.setattr(Visitors, "admit", lambda self, visitor: None)  # these tests are quick, not many

    def send(kind: str, **more: Any) -> Path:
        folder = kinds.version(tmp_path / kind, 1, kind, **more)
        body = making.zipped(folder, tmp_path / f"{kind}.zip")
        pushed = client.put("/models/mnist-cnn/versions/1", data=body, headers=BEARER)
        assert pushed.status_code == 201, pushed.json
        assert (
            client.post("/models/mnist-cnn:activate", json={"version": 1}, headers=BEARER).status_code == 200
        )
        return folder

    return send


def look(client: Client, picture: bytes = SEVEN) -> Any:
    answer = client.post("/inside", data=making.data_url(picture), headers={"Accept": "application/json"})
    assert answer.status_code == 200, answer.json
    return answer.json


def pixels(url: str) -> Any:
    return cv2.imdecode(
        np.frombuffer(base64.b64decode(url.partition(",")[2]), np.uint8), cv2.IMREAD_UNCHANGED
    )


def numbers(layer: Any) -> Any:
    """A layer's maps as the numbers that they stand for, ``(maps, h, w)``, and half a step of their greys."""
    low, high = layer["range"]
    grey = np.stack([pixels(url) for url in layer["maps"]]).astype(np.float64)
    return grey / 255 * (high - low) + low, (high - low) / 255 * 0.51 + 1e-4 * max(abs(low), abs(high))


@pytest.mark.parametrize(
    ("kind", "tensors"),
    [
        ("conv", {"look": "r1", "pool": "p", "answer": "output"}),
        ("dense", {"hidden": "h", "answer": "output"}),
        ("views", {"look": "r1", "pool": "p", "answer": "output"}),
        ("residual", {"look": "r1", "again": "c2", "both": "r2", "pool": "p", "answer": "output"}),
    ],
)
def test_the_maps_are_what_another_computer_of_the_model_computes(
    deploy: Deploy, client: Client, kind: str, tensors: dict[str, str]
) -> None:
    folder = deploy(kind)
    told = look(client)
    x, _ = prepare(SEVEN, kinds.manifest_of(folder))
    assert x is not None
    wanted = dict(zip(tensors, kinds.run(folder / "model.onnx", x, list(tensors.values())), strict=True))
    layers = {layer["name"]: layer for layer in told["layers"]}
    assert tensors.keys() <= layers.keys()
    if kind == "views":
        kinds_told = [layer["kind"] for layer in told["layers"]]
        assert kinds_told == ["convolution", "pooling", "pooling", "dense"], "how often it looks is no layer"
    for name, tensor in wanted.items():
        layer = layers[name]
        if tensor.ndim == 4:
            assert layer["shape"] == [*tensor.shape[2:], tensor.shape[1]]
            assert len(layer["maps"]) == min(16, tensor.shape[1])
            assert layer.get("left_out", 0) == max(0, tensor.shape[1] - 16)
            found, step = numbers(layer)
            assert np.abs(found - tensor[0, :16]).max() <= step
        else:
            assert layer["shape"] == [tensor.shape[1]]
            assert np.allclose(layer["values"], tensor[0, :128], rtol=1e-3, atol=1e-5)
    assert layers["answer"]["after"] == "softmax"
    assert np.allclose(told["probabilities"], wanted["answer"][0], atol=1e-5)


def test_the_answer_is_the_one_that_predict_gives(deploy: Deploy, client: Client) -> None:
    deploy("conv")
    said = client.post("/predict", json={"image": making.data_url(SEVEN).decode()}).json
    told = client.post("/inside", json={"image": making.data_url(SEVEN).decode()}).json
    assert {key: told[key] for key in ("digit", "probabilities", "seen", "model", "version")} == {
        key: said[key] for key in ("digit", "probabilities", "seen", "model", "version")
    }


def test_a_window_times_its_weights_is_the_value_of_the_map(deploy: Deploy, client: Client) -> None:
    deploy("conv")
    (first, *_) = look(client)["layers"]
    (named, *_) = client.get("/inside").json["layers"]
    kernel = named["kernel"]
    weights = np.array(kernel["weights"]).reshape(kernel["shape"])
    (given,), _ = numbers(first["takes"])
    above, left, _, _ = kernel["pads"]
    padded = np.pad(given, ((above, 9), (left, 9)))
    shown, step = numbers(first)
    for f, row, column in ((0, 5, 5), (3, 9, 6), (15, 0, 0), (7, 13, 13)):
        y, x = row * kernel["strides"][0], column * kernel["strides"][1]
        window = padded[y : y + 5, x : x + 5]
        value = (window * weights[f, 0]).sum() + kernel["bias"][f]
        assert abs(max(0, value) - shown[f, row, column]) <= step + 2e-3


def test_the_layers_are_named_without_a_drawing(deploy: Deploy, client: Client) -> None:
    deploy("residual")
    told = client.get("/inside").json
    assert (told["model"], told["version"]) == ("mnist-cnn", 1)
    assert [(layer["name"], layer["kind"], layer["shape"]) for layer in told["layers"]] == [
        (layer["name"], layer["kind"], layer["shape"]) for layer in look(client)["layers"]
    ]
    assert [layer["kind"] for layer in told["layers"]][:3] == ["convolution", "convolution", "addition"]


def test_what_cannot_be_drawn_is_named(deploy: Deploy, client: Client) -> None:
    deploy("strange", sample=0)
    told = look(client)
    kinds_found = [layer["kind"] for layer in told["layers"]]
    assert kinds_found[-1] == "dense"
    assert all(layer["maps"] or layer["missing"] for layer in told["layers"])
    assert "no examples" in told["missing"]["alike"]
    assert "alike" not in told


def test_what_spoke_for_the_answer_is_found_by_wiping_it_away(deploy: Deploy, client: Client) -> None:
    folder = deploy("dense")
    told = look(client)["for_and_against"]
    assert told["method"] == "occlusion"
    grid, digit = told["grid"], told["classes"][0]
    x, seen = prepare(SEVEN, kinds.manifest_of(folder))
    assert x is not None
    assert seen is not None
    edges = np.linspace(0, 28, grid + 1).round().astype(int)

    def odds(p: Any) -> Any:
        return np.log(p / (1 - p))

    changes = np.array(told["changes"][0]).reshape(grid, grid)
    (before,) = kinds.run(folder / "model.onnx", x, ["output"])
    for i in range(grid):
        for j in range(grid):
            wiped = x.copy()
            wiped[:, max(0, edges[i] - 4) : edges[i + 1] + 4, max(0, edges[j] - 4) : edges[j + 1] + 4] = 0
            (after,) = kinds.run(folder / "model.onnx", wiped, ["output"])
            fall = odds(before[0, digit]) - odds(after[0, digit])
            inked = seen[edges[i] : edges[i + 1], edges[j] : edges[j + 1]].max() >= 32
            assert abs(changes[i, j] - (fall if inked else 0)) <= 0.011


@pytest.mark.parametrize(("kind", "tensor"), [("dense", "h"), ("views", "f")])
def test_a_drawing_out_of_the_sample_is_most_like_itself(
    deploy: Deploy, client: Client, kind: str, tensor: str
) -> None:
    folder = deploy(kind)
    with np.load(folder / "alike.npz") as archive:
        given = archive["x"].astype(np.float32)
        features = kinds.run(folder / "model.onnx", given, [tensor])[0].reshape(len(given), -1)
        labels = archive["y"]
        x, _ = prepare(SEVEN, kinds.manifest_of(folder))
        assert x is not None
        mine = kinds.run(folder / "model.onnx", x, [tensor])[0].reshape(-1)
        lengths = np.linalg.norm(features, axis=1) * np.linalg.norm(mine)
        order = np.argsort(-(features @ mine) / lengths)[:5]
        told = look(client)["alike"]
        assert [one["label"] for one in told] == [str(label) for label in labels[order]]
        assert (pixels(told[0]["picture"]) == archive["x"][order[0], :, :, 0]).all()
    likeness = [one["likeness"] for one in told]
    assert likeness == sorted(likeness, reverse=True)


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_an_answer_is_bounded_in_size(deploy: Deploy, client: Client, kind: str) -> None:
    deploy(kind)
    assert len(json.dumps(look(client))) < 200_000
    assert len(json.dumps(client.get("/inside").json)) < 200_000


def test_nothing_drawn_is_an_answer(deploy: Deploy, client: Client) -> None:
    deploy("conv")
    told = look(client, making.png(np.zeros((280, 280), np.uint8)))
    assert (told["digit"], told["reason"], told["layers"]) == (None, "nothing drawn", [])


def test_what_is_sent_is_refused_as_by_predict(deploy: Deploy, client: Client) -> None:
    deploy("conv")
    assert client.post("/inside", data=b"").status_code == 400
    assert client.post("/inside", data=b"data:image/png;base64,AAAA").status_code == 415
    assert client.get("/inside?model=nobody").status_code == 404


def test_without_a_model_it_says_what_is_under_way(client: Client) -> None:
    for answer in (client.get("/inside"), client.post("/inside", data=making.data_url(SEVEN))):
        assert (answer.status_code, answer.json["error"]["code"]) == (503, "no_model")


def test_the_film_of_the_first_models_learning_comes_a_few_frames_at_a_time(
    client: Client, here: Settings
) -> None:
    assert client.get("/inside?film=-1").status_code == 404
    assert client.get("/inside?film=all").status_code == 400
    frames = tuple(film.Frame(step, bytes([step, 0])) for step in (0, 1, 2, 5, 10, 20))
    recorder = film.Recorder(here.backend / "film")
    recorder.follow(film.Film({"format": 1}, frames))
    first = client.get("/inside?film=-1").json
    assert (first["form"], first["kept"]) == ({"format": 1}, [0, 1, 2, 5, 10, 20])
    assert [frame["step"] for frame in first["frames"]] == [0, 1, 2, 5]
    assert first["frames"][1]["weights"] == "AQA="
    rest = client.get("/inside?film=5").json
    assert "form" not in rest
    assert rest["film"] == first["film"]
    assert [frame["step"] for frame in rest["frames"]] == [10, 20]
    film.Recorder(here.backend / "film").follow(film.Film({"format": 1}, frames[:1]))
    assert client.get("/inside?film=20").json["film"] != first["film"], "another training has begun"


def test_a_version_without_an_onnx_form_says_so(deploy: Deploy, client: Client, here: Settings) -> None:
    deploy("conv")
    (here.backend / "models" / "mnist-cnn" / "1" / "model.onnx").unlink()
    for answer in (client.get("/inside"), client.post("/inside", data=making.data_url(SEVEN))):
        assert answer.status_code == 422
        assert "has no model.onnx" in answer.json["error"]["message"]


def test_a_visitor_may_look_fifteen_times_a_second() -> None:
    now = [100.2]
    visitors = Visitors(lambda: now[0])
    for _ in range(PER_SECOND):
        visitors.admit("10.0.0.1")
    with pytest.raises(TooMany):
        visitors.admit("10.0.0.1")
    visitors.admit("10.0.0.2")
    now[0] = 101.0
    visitors.admit("10.0.0.1")


def test_too_many_requests_of_a_visitor_are_told_to_wait(
    here: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.inside.routes.Visitors", lambda: Visitors(lambda: 0.0))
    client = Client(create_app(here))
    statuses = [client.get("/inside").status_code for _ in range(PER_SECOND + 1)]
    assert statuses == [503] * PER_SECOND + [429]


def test_few_wait_and_the_rest_are_sent_away() -> None:
    place, go, begun = Place(), threading.Event(), threading.Event()

    def work() -> int:
        begun.set()
        assert go.wait(60)
        return 1

    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(place.run(work))) for _ in range(MOST_WAITING)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    refused = False
    while not refused and time.monotonic() < deadline:
        try:
            assert begun.wait(60)
            if sum(t.is_alive() for t in threads) == MOST_WAITING and place._waiting == MOST_WAITING:
                place.run(work)
        except Unavailable:
            refused = True
    go.set()
    for thread in threads:
        thread.join(60)
    assert refused
    assert found == [1] * MOST_WAITING
    assert place.run(lambda: 2) == 2


class AtOnce(ThreadPoolExecutor):
    """Has done what it is given before it says so, as a thread may that is scheduled first."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = super().submit(fn, *args, **kwargs)
        wait([future])
        return future


def test_work_that_is_done_at_once_leaves_the_place_free() -> None:
    place = Place()
    place._pool, place._of = AtOnce(1), os.getpid()
    found: list[int] = []
    asking = threading.Thread(
        target=lambda: found.extend(place.run(work) for work in (int, int, int)), daemon=True
    )
    asking.start()
    asking.join(60)
    assert found == [0, 0, 0]
    assert place._waiting == 0
