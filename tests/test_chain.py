"""From ``workbench up`` in an empty home to a digit recognised, and to everything ended."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.chain import Chain, answers, end_chain, start_chain, wait_until
from tests.drawings import data_url, drawing, scan
from workbench import datasets
from workbench.settings import PROJECT
from workbench.system import processes


def ask_as_in_2020(url: str, body: str) -> str:
    """What the tutorial's page does: the data URL as the body, whatever jQuery calls it, from another origin."""
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "Origin": "http://elsewhere.example",
    }
    with urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers), timeout=120) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] in ("*", "http://elsewhere.example")
        return str(answer.read().decode())


def marked(chain: Chain) -> list[psutil.Process]:
    return list(processes.marked(chain.settings.home))


def under_way(chain: Chain) -> str:
    """The state of the first model as the drawing page is told; ``status`` would take half a core when asked again and again."""
    try:
        return str(json.loads((chain.settings.backend / "under_way.json").read_text())["state"])
    except FileNotFoundError:
        return ""


def first_model(chain: Chain) -> dict[str, Any]:
    """What the commands say of it; other tests may have published more."""
    models = json.loads(chain.workbench("models", "--json").stdout)
    (found,) = [m for m in models if (m["name"], m["version"]) == ("mnist-cnn", 1)]
    return dict(found)


def test_the_first_model_is_trained_published_and_deployed(chain: Chain) -> None:
    print(f"\nfrom `workbench up` to a model that answers: {chain.first_digit_s:.1f} s")
    model = first_model(chain)
    assert model["missing"] == {}
    assert model["metrics"]["accuracy"] > 0.985, "trainings differ: about 0.991"
    with urllib.request.urlopen(f"{chain.backend}/models") as answer:
        said = json.load(answer)
    assert said["predict"] == "mnist-cnn"
    assert {m["name"]: m["version"] for m in said["models"]}["mnist-cnn"] == 1


def test_the_page_of_2020_gets_the_bare_digit_from_another_origin(chain: Chain) -> None:
    random = np.random.default_rng(7)
    for digit in range(10):
        for path in ("/predict/", "/predict"):
            assert ask_as_in_2020(chain.backend + path, data_url(drawing(digit, random))) == str(digit)


def test_of_200_drawings_of_any_size_and_place_99_in_100_are_right(chain: Chain) -> None:
    random = np.random.default_rng(11)
    looks = [
        ((255, 255, 255), (0, 0, 0)),
        ((0, 0, 0), (255, 255, 255)),
        ((0, 0, 0), None),
        ((255, 255, 255), None),
    ]
    wrong = []
    for k in range(200):
        ink, paper = looks[k % len(looks)]
        said = ask_as_in_2020(f"{chain.backend}/predict", data_url(drawing(k % 10, random), ink, paper))
        if said != str(k % 10):
            wrong.append((k % 10, said, paper))
    assert len(wrong) <= 2, wrong


def test_of_200_coarse_scans_95_in_100_are_right(chain: Chain) -> None:
    random = np.random.default_rng(13)
    _, (x, y) = datasets.load("mnist", chain.settings)
    chosen = random.choice(len(x), 200, replace=False)
    said = [ask_as_in_2020(f"{chain.backend}/predict", data_url(scan(x[i], random))) for i in chosen]
    wrong = [(int(y[i]), s) for i, s in zip(chosen, said, strict=True) if s != str(y[i])]
    assert len(wrong) <= 10, wrong


def test_a_picture_file_is_recognised_by_the_command(chain: Chain) -> None:
    said = json.loads(chain.workbench("predict", "notebooks/9.png", "--json").stdout)
    assert said["digit"] == 9
    assert sum(said["probabilities"]) == pytest.approx(1, abs=1e-3)
    assert chain.workbench("predict", "no-such.png", check=False).returncode == 3


def test_the_zip_answers_alike_in_a_clean_environment_with_tensorflow_alone(
    chain: Chain, tmp_path: Path
) -> None:
    uv = shutil.which("uv") or str(PROJECT / ".tools" / "bin" / "uv")
    made = subprocess.run(
        [uv, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv")], check=False
    )
    if made.returncode:
        pytest.skip("uv cannot make a virtual environment here")
    python = tmp_path / "venv" / "bin" / "python"
    installed = subprocess.run(
        [
            uv,
            "pip",
            "install",
            "--quiet",
            "--python",
            str(python),
            f"tensorflow=={_version('tensorflow')}",
            f"keras=={_version('keras')}",
        ],
        check=False,
    )
    if installed.returncode:
        pytest.skip("TensorFlow cannot be installed into another environment: no package registry")
    chain.workbench("download", "mnist-cnn:1", str(tmp_path / "model.zip"))
    code = """
import json, os, sys, zipfile
import numpy as np, keras, tensorflow as tf
zipfile.ZipFile("model.zip").extractall("model")
with np.load(sys.argv[1]) as data: x, y = data["x_test"][..., None], data["y_test"]
model = keras.saving.load_model("model/model.keras", compile=False)
served = tf.saved_model.load("model/saved_model").signatures["serving_default"]
(name,) = served.structured_input_signature[1]
batches = [x[i:i + 1000].astype("float32") for i in range(0, len(x), 1000)]
a = np.concatenate([model(b, training=False).numpy() for b in batches])
b = np.concatenate([next(iter(served(**{name: tf.constant(b)}).values())).numpy() for b in batches])
lite = tf.lite.Interpreter("model/model.tflite")
lite.resize_tensor_input(lite.get_input_details()[0]["index"], x.shape)
lite.allocate_tensors(); lite.set_tensor(lite.get_input_details()[0]["index"], x.astype("float32")); lite.invoke()
c = lite.get_tensor(lite.get_output_details()[0]["index"])
print(json.dumps({"accuracy": float((a.argmax(1) == y).mean()), "difference": float(max(abs(a - b).max(), abs(a - c).max()))}))
"""
    done = subprocess.run(
        [python, "-c", code, chain.settings.data / "mnist.npz"],
        cwd=tmp_path,
        env={"PATH": os.defpath, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["accuracy"] == pytest.approx(first_model(chain)["metrics"]["accuracy"], abs=1e-9)
    assert said["difference"] < 1e-4


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


@pytest.mark.parametrize("name", ["back end", "drawing page", "dashboard"])
def test_a_service_that_is_killed_comes_back(chain: Chain, name: str) -> None:
    before = chain.status()[name]
    url = {
        "back end": f"{chain.backend}/readyz",
        "drawing page": chain.page,
        "dashboard": f"{chain.dashboard}/login",
    }[name]
    psutil.Process(before["pid"]).kill()

    def is_back() -> bool:
        if not answers(url):  # asked first: each status is a process of its own
            return False
        now = chain.status()[name]
        return bool(now["state"] == "ready" and now["pid"] != before["pid"])

    wait_until(is_back, 60, f"the {name} after a kill", chain)
    assert chain.status()[name]["restarts"] == before["restarts"] + 1
    assert ask_as_in_2020(f"{chain.backend}/predict", data_url(drawing(3, np.random.default_rng(1)))) == "3"


def test_a_second_up_says_what_runs_and_does_no_harm(chain: Chain) -> None:
    done = chain.workbench("up")
    assert "up already" in done.stderr
    assert str(chain.settings.frontend_port) in done.stdout
    assert chain.process.poll() is None


def test_a_taken_port_is_named_with_its_owner_and_the_way_out(
    chain: Chain, tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    other = start_chain(tmp_path / "home", [chain.settings.frontend_port, *free_ports(2)])
    assert other.process.wait(120) == 2
    said = other.log.read_text()
    assert re.search(rf"port {chain.settings.frontend_port}.*taken by (apache2|httpd) \(process \d+\)", said)
    assert "WORKBENCH_FRONTEND_PORT=" in said
    assert marked(other) == []


def test_no_secret_is_in_a_log_or_on_a_command_line(chain: Chain) -> None:
    secrets = [chain.settings.token, chain.settings.deploy_token]
    lines = []
    for process in marked(chain):
        with contextlib.suppress(psutil.Error):  # it has ended since
            lines.append(" ".join(process.cmdline()))
    assert lines
    lines += [path.read_text(errors="replace") for path in chain.settings.logs.glob("*.log*")]
    assert not [line[:80] for line in lines for secret in secrets if secret in line]


def test_an_up_with_a_model_serves_at_once_and_attaches_nothing_twice(
    chain: Chain, tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    """Another home with the same deployed model: no training, and the first answer within seconds."""
    home = tmp_path / "home"
    shutil.copytree(chain.settings.backend, home / "backend")
    began = time.monotonic()
    other = start_chain(home, free_ports(3))
    try:
        wait_until(lambda: answers(f"{other.backend}/readyz"), 60, "the back end", other)
        print(f"\nfrom a second `workbench up` to an answer: {time.monotonic() - began:.1f} s")
        assert (
            ask_as_in_2020(f"{other.backend}/predict", data_url(drawing(8, np.random.default_rng(2)))) == "8"
        )
        assert "first model" not in other.status()
    finally:
        end_chain(other)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ending_in_the_middle_of_training_leaves_no_process_and_no_temporary_file(
    number: int, data: Path, tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "data").symlink_to(data)
    chain = start_chain(home, free_ports(3))
    try:
        wait_until(lambda: under_way(chain) == "training", 120, "training", chain)
        assert chain.status()["first model"]["state"] == "training"
        assert answers(f"{chain.backend}/readyz", 503)
    finally:
        end_chain(chain, number)
    assert chain.process.returncode == 0
    assert marked(chain) == []
    assert not list(chain.settings.models.glob("*/*"))
    assert not [path for path in home.rglob("*") if path.is_relative_to(home / "run") and path.is_file()]
    assert not (home / "backend" / "under_way.json").exists()


def test_after_a_kill_of_the_supervisor_down_ends_what_is_left(
    tmp_path: Path, chain: Chain, free_ports: Callable[[int], list[int]]
) -> None:
    home = tmp_path / "home"
    shutil.copytree(chain.settings.backend, home / "backend")
    other = start_chain(home, free_ports(3))
    try:
        wait_until(lambda: "dashboard ready" in other.log.read_text(), 90, "the dashboard", other)
        other.process.kill()
        other.process.wait()
        other.workbench("down")
        assert marked(other) == []
        assert not (home / "run").exists()
        assert other.workbench("down").stderr.strip() == "nothing was running"
    finally:
        end_chain(other)
