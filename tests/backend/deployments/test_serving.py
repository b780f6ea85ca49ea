"""Pushing, activating and rolling back versions."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from backend.app import create_app
from backend.deployments.store import Deployments
from tests.backend import making
from tests.backend.client import Answer, Client
from workbench import artifact
from workbench.manifest import write_listing as rewrite
from workbench.settings import Settings

BEARER = {"Authorization": f"Bearer {making.TOKEN}"}
URL = making.data_url(making.png(making.seven()))


def says(client: Client) -> str:
    return client.post("/predict/", data=URL).text


def put(client: Client, body: bytes, path: str = "/models/mnist-cnn/versions/8") -> Answer:
    return client.put(path, data=body, headers=BEARER)


def test_a_pushed_version_answers_only_once_it_is_activated(
    seven: Client, push: Callable[..., Any], activate: Callable[..., Any]
) -> None:
    assert push(8).status_code == 201
    assert says(seven) == "7"
    answer = activate(8, reason="better on sevens")
    assert (answer.json["version"], answer.json["previous"]) == (8, 7)
    assert says(seven) == "8"


def test_the_list_says_what_serves_since_when(
    seven: Client, push: Callable[..., Any], activate: Callable[..., Any]
) -> None:
    push(8)
    activate(8)
    listed = seven.get("/models").json
    assert listed["predict"] == "mnist-cnn"
    (model,) = listed["models"]
    assert model["since"].endswith("Z")
    del model["since"]
    assert model == {
        "name": "mnist-cnn",
        "version": 8,
        "previous": 7,
        "canary": None,
        "labels": [str(digit) for digit in range(10)],
        "preprocessing": "mnist",
        "metrics": {"accuracy": 0.1},
    }


def test_a_rollback_brings_the_version_before_back_and_a_second_one_undoes_it(
    seven: Client, push: Callable[..., Any], activate: Callable[..., Any]
) -> None:
    push(8)
    activate(8)
    assert seven.post("/models/mnist-cnn:rollback", headers=BEARER).json["version"] == 7
    assert says(seven) == "7"
    assert (
        seven.post("/models/mnist-cnn:rollback", json={"reason": "oops"}, headers=BEARER).json["version"] == 8
    )
    assert says(seven) == "8"


def test_there_is_nothing_to_roll_back_to_after_the_first_version(seven: Client) -> None:
    answer = seven.post("/models/mnist-cnn:rollback", headers=BEARER)
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "conflict")
    assert seven.post("/models/none:rollback", headers=BEARER).status_code == 404
    assert says(seven) == "7"


def test_activating_what_is_active_changes_nothing(
    seven: Client, push: Callable[..., Any], activate: Callable[..., Any], here: Settings
) -> None:
    push(8)
    activate(8)
    before = (here.backend / "deployments.json").read_bytes()
    assert activate(8).json["previous"] == 7
    assert (here.backend / "deployments.json").read_bytes() == before


def test_the_history_says_what_was_done_when_and_why(
    seven: Client, push: Callable[..., Any], activate: Callable[..., Any], here: Settings
) -> None:
    push(8)
    activate(8, reason="better on sevens")
    seven.post("/models/mnist-cnn:rollback", json={"reason": "worse on ones"}, headers=BEARER)
    history = json.loads((here.backend / "deployments.json").read_text())["models"]["mnist-cnn"]["history"]
    assert [(line["action"], line["version"], line["reason"]) for line in history] == [
        ("activate", 7, ""),
        ("activate", 8, "better on sevens"),
        ("rollback", 7, "worse on ones"),
    ]


@pytest.mark.parametrize("version", [9, 0, -1, "8", 8.0, True, None, [8], 10**30])
def test_a_version_that_was_not_pushed_cannot_be_activated(
    seven: Client, activate: Callable[..., Any], version: Any
) -> None:
    answer = activate(version)
    assert answer.status_code in (400, 404)
    assert says(seven) == "7"


def test_the_same_version_may_come_twice_but_another_of_its_number_may_not(
    seven: Client, push: Callable[..., Any], tmp_path: Path
) -> None:
    folder = making.version(tmp_path / "again", 7)
    same = making.zipped(folder, tmp_path / "same.zip")
    assert put(seven, same, "/models/mnist-cnn/versions/7").status_code == 200
    other = making.zipped(making.version(tmp_path / "other", 7, answer=3), tmp_path / "other.zip")
    answer = put(seven, other, "/models/mnist-cnn/versions/7")
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "conflict")
    assert says(seven) == "7"


def damaged(folder: Path, how: str) -> Path:
    """A version made wrong in one way; the path of what to send."""
    manifest = json.loads((folder / "manifest.json").read_text())

    def change(**changes: object) -> None:
        manifest.update(changes)
        rewrite(folder, manifest)

    if how == "a changed byte":
        (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:-1] + b"!")
    elif how == "a file more":
        (folder / "more.txt").write_text("not listed")
    elif how == "no manifest":
        (folder / "manifest.json").unlink()
    elif how == "another name":
        change(name="another")
    elif how == "another number":
        change(version=80)
    elif how == "other answers":
        x = np.zeros((3, 28, 28, 1), np.uint8)
        np.savez(folder / "examples.npz", x=x, y=np.full((3, 10), 0.1, np.float32))
        change()
    elif how == "answers that are no numbers":
        x = np.zeros((3, 28, 28, 1), np.uint8)
        np.savez(folder / "examples.npz", x=x, y=np.full((3, 10), np.nan, np.float32))
        change()
    elif how == "no examples":
        (folder / "examples.npz").unlink()
        change()
    elif how == "pickled examples":
        np.savez(folder / "examples.npz", x=np.array([{}], object), y=np.array([1]))
        change()
    elif how == "no model at all":
        (folder / "model.onnx").write_bytes(b"not a model")
        change()
    elif how == "two inputs":
        model = onnx.load(folder / "model.onnx")
        extra = onnx.helper.make_tensor_value_info("second", onnx.TensorProto.FLOAT, [1])
        model.graph.input.append(extra)
        onnx.save(model, folder / "model.onnx")
        change()
    elif how == "a wrong shape":
        change(input={"kind": "image", "shape": [14, 14, 1], "range": [0, 255]}, preprocessing="resize")
    elif how == "no labels":
        change(labels=None)
    elif how == "a range of one":
        change(input={**manifest["input"], "range": [1]})
    elif how == "an unknown preprocessing":
        change(preprocessing="rot13")
    return folder


@pytest.mark.parametrize(
    "how",
    [
        "a changed byte",
        "a file more",
        "no manifest",
        "another name",
        "another number",
        "other answers",
        "answers that are no numbers",
        "no examples",
        "pickled examples",
        "no model at all",
        "two inputs",
        "a wrong shape",
        "no labels",
        "a range of one",
        "an unknown preprocessing",
    ],
)
def test_a_version_with_a_fault_is_refused_and_the_old_one_keeps_serving(
    shared_seven: Client, tmp_path: Path, shared_here: Settings, how: str
) -> None:
    folder = damaged(making.version(tmp_path / "bad", 8), how)
    answer = put(shared_seven, making.zipped(folder, tmp_path / "bad.zip"))
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "model_refused"), answer.text
    assert not (shared_here.backend / "models" / "mnist-cnn" / "8").exists()
    assert not list((shared_here.backend / "incoming").iterdir())
    assert says(shared_seven) == "7"


def hostile(kind: str, good: bytes) -> bytes:
    if kind == "not a zip":
        return b"PK but no zip"
    if kind == "cut off":
        return good[: len(good) // 2]
    if kind == "empty":
        return b""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        if kind == "slip":
            archive.writestr("../../escaped", "x")
        elif kind == "link":
            info = zipfile.ZipInfo("model.onnx")
            info.external_attr = 0o120777 << 16
            archive.writestr(info, "/etc/passwd")
        elif kind == "bomb":
            archive.writestr("model.onnx", bytes(40_000_000))
    return file.getvalue()


@pytest.mark.parametrize("kind", ["not a zip", "cut off", "empty", "slip", "link", "bomb"])
def test_a_hostile_zip_is_refused_and_leaves_nothing(
    shared_seven: Client, tmp_path: Path, shared_here: Settings, kind: str
) -> None:
    good = making.zipped(making.version(tmp_path / "good", 8), tmp_path / "good.zip")
    answer = put(shared_seven, hostile(kind, good))
    assert answer.status_code == 422, answer.text
    assert not list((shared_here.backend / "incoming").iterdir())
    assert not list(tmp_path.rglob("escaped"))
    assert says(shared_seven) == "7"


def test_a_version_without_an_onnx_form_is_refused_with_the_reason(
    shared_seven: Client, tmp_path: Path
) -> None:
    folder = making.version(tmp_path / "keras", 8, missing={"model.onnx": "it has a Lambda layer"})
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "model.onnx").unlink()
    rewrite(folder, manifest)
    answer = put(shared_seven, making.zipped(folder, tmp_path / "keras.zip"))
    assert (answer.status_code, answer.json["error"]["code"]) == (501, "needs_tensorflow")
    assert "it has a Lambda layer" in answer.json["error"]["message"]


@pytest.mark.parametrize("name", ["Upper", "a..b", "-a", "%2e%2e", "a%2fb", "x" * 70])
def test_a_name_that_is_no_name_is_refused(shared_seven: Client, tmp_path: Path, name: str) -> None:
    body = making.zipped(making.version(tmp_path / "v", 1), tmp_path / "v.zip")
    assert put(shared_seven, body, f"/models/{name}/versions/1").status_code in (400, 404)


def test_a_version_can_be_fetched_again_as_it_was_pushed(seven: Client, tmp_path: Path) -> None:
    with seven.get("/models/mnist-cnn/versions/7.zip", headers=BEARER) as answer:
        assert answer.mimetype == "application/zip"
        artifact.unpack(io.BytesIO(answer.data), tmp_path / "fetched")
    assert artifact.verify(tmp_path / "fetched").version == 7
    assert seven.get("/models/mnist-cnn/versions/70.zip", headers=BEARER).status_code == 404


def test_another_worker_takes_a_change_up_at_its_next_request(
    seven: Client, push: Callable[..., Any], activate: Callable[..., Any], here: Settings
) -> None:
    other = Client(create_app(here))
    assert says(other) == "7"
    push(8)
    activate(8)
    assert says(other) == "8"
    other.post("/models/mnist-cnn:rollback", headers=BEARER)
    assert says(seven) == "7"


def test_a_version_that_fails_to_load_in_one_worker_leaves_the_one_before_answering_there(
    seven: Client, push: Callable[..., Any], activate: Callable[..., Any], here: Settings
) -> None:
    other = Client(create_app(here))
    assert says(other) == "7"
    push(8)
    activate(8)
    (here.backend / "models" / "mnist-cnn" / "8" / "model.onnx").write_bytes(b"rotten")
    assert says(other) == "7"
    assert other.get("/readyz").json["version"] == 7


def test_a_deployed_version_that_is_gone_makes_it_not_ready_and_says_why(
    seven: Client, here: Settings
) -> None:
    shutil.rmtree(here.backend / "models" / "mnist-cnn")
    other = Client(create_app(here))
    answer = other.get("/readyz")
    assert (answer.status_code, answer.json["state"]) == (503, "failed")
    assert "mnist-cnn:7" in answer.json["message"]
    assert other.post("/predict/", data=URL).status_code == 503


def test_a_damaged_list_of_deployments_is_survived_and_mended_by_the_next_activation(
    seven: Client, here: Settings, activate: Callable[..., Any]
) -> None:
    assert says(seven) == "7"
    (here.backend / "deployments.json").write_text("{")
    assert says(seven) == "7"
    fresh = Client(create_app(here))
    assert fresh.post("/predict/", data=URL).status_code == 503
    assert activate(7).status_code == 200
    assert says(seven) == says(fresh) == "7"


def test_what_a_killed_push_left_is_swept_away_after_an_hour(
    seven: Client, push: Callable[..., Any], here: Settings
) -> None:
    left = here.backend / "incoming" / "left"
    left.mkdir(parents=True)
    (left / "version.zip").write_bytes(b"half")
    os.utime(left, (0, 0))
    push(8)
    assert not left.exists()


def test_what_a_killed_push_left_goes_when_the_server_starts(here: Settings) -> None:
    script = (
        "import os, sys; from pathlib import Path; from workbench.system.files import folder_aside\n"
        "with folder_aside(Path(sys.argv[1]), stale_s=3600) as folder:\n"
        "    (folder / 'version.zip').write_bytes(b'half'); print(folder, flush=True); sys.stdin.read()"
    )
    for parent in (here.backend / "incoming", here.backend / "strangers" / ".incoming"):
        command = [sys.executable, "-c", script, str(parent)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            left = Path(process.stdout.readline().strip())
            create_app(here)
            assert (left / "version.zip").exists()  # its process is at work
            process.kill()
        create_app(here)
        assert not left.exists()


def test_two_processes_that_change_different_models_at_once_lose_nothing(
    here: Settings, tmp_path: Path
) -> None:
    here.backend.mkdir(parents=True)
    for name in ("one", "two"):
        for number in (1, 2):
            making.version(here.backend / "models" / name / str(number), number, name=name)
    workers = {name: Deployments(here.backend) for name in ("one", "two")}

    def switch(name: str) -> None:
        for turn in range(10):
            workers[name].activate(name, turn % 2 + 1)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(switch, workers))  # raises what went wrong
    serving = Deployments(here.backend).now()
    assert {d.name: d.version for d in serving.deployments.values()} == {"one": 2, "two": 2}
