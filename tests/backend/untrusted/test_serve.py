"""``/serve``: the first seed's flow by its form fields, with models made by TensorFlow alone, on a real server."""

import contextlib
import io
import json
import shutil
import struct
import subprocess
import sys
import textwrap
import threading
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from tests.backend import making
from tests.backend.real_server import BEARER, Answer, Server, start, stop, wait_for
from tests.test_fetching import Site
from workbench import manifest
from workbench.backends.how import How
from workbench.backends.http import HttpBackEnd
from workbench.manifest import write_listing as rewrite
from workbench.settings import PROJECT, Settings

SIZES = {"mnist": "28x28x1", "cifar": "32x32x3", "fashion": "28x28x1"}
SETS = {"mnist": ("Mnist", "4"), "cifar": ("Cifar10", "deer"), "fashion": ("FashionMnist", "Coat")}


def picture(band: int = 4, side: int = 200) -> bytes:
    """White in one of ten bands, on black."""
    grey = np.zeros((side, side, 3), np.uint8)
    grey[side * band // 10 : side * (band + 1) // 10] = 255
    return cv2.imencode(".png", grey)[1].tobytes()


@pytest.fixture(scope="module")
def site(strange: Path) -> Iterator[Site]:
    """Where the pictures and models are, as strangers' URLs."""
    site = Site()
    for name in SIZES:
        site.pages[f"/{name}.zip"] = (200, {"ETag": f'"{name}"'}, (strange / f"{name}.zip").read_bytes())
    site.pages["/four.png"] = (200, {}, picture())
    site.pages["/hostile.zip"] = (200, {}, (strange / "hostile.zip").read_bytes())
    threading.Thread(target=site.serve_forever, args=(0.02,), daemon=True).start()
    yield site
    site.shutdown()
    site.server_close()


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]], site: Site
) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("serve")
    server = start(home / "home", free_ports(1)[0], WORKBENCH_ALLOWED_HOSTS=site.host)
    try:
        wait_for(lambda: server.ask("GET", "/healthz").status == 200, server)
        body = making.zipped(making.version(home / "3", 3), home / "3.zip")
        assert server.guarded("PUT", "/models/mnist-cnn/versions/3", body).status == 201
        assert server.guarded("POST", "/models/mnist-cnn:activate", b'{"version": 3}').status == 200
        yield server
    finally:
        stop(server)


def post(
    server: Server,
    more: Mapping[str, str] | None = None,
    *,
    token: bool = True,
    files: Mapping[str, bytes] | None = None,
    **fields: str,
) -> Answer:
    """A form, as the seed's page sent it."""
    fields |= more or {}
    headers = dict(BEARER) if token else {}
    if not files:
        body = urllib.parse.urlencode(fields).encode()
        return server.ask("POST", "/serve", body, Content_Type="application/x-www-form-urlencoded", **headers)
    sent = io.BytesIO()
    for name, value in fields.items():
        sent.write(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    for name, data in files.items():
        head = f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="it"\r\n\r\n'
        sent.write(head.encode() + data + b"\r\n")
    sent.write(b"--b--\r\n")
    return server.ask(
        "POST", "/serve", sent.getvalue(), Content_Type="multipart/form-data; boundary=b", **headers
    )


def model_servers(server: Server) -> set[int]:
    """The processes that watch a model server each, one and the same while it serves."""
    workers = psutil.Process(server.process.pid).children()
    found = set()
    for child in (child for worker in workers for child in worker.children()):
        with contextlib.suppress(psutil.Error):  # it has just ended
            if "backend.untrusted.confined" in child.cmdline():
                found.add(child.pid)
    return found


@pytest.mark.parametrize("name", SIZES)
def test_the_seeds_flow_by_its_form_fields(server: Server, site: Site, name: str) -> None:
    fields = {
        "imageUrl": f"http://{site.host}/four.png",
        "modelUrl": f"http://{site.host}/{name}.zip",
        "modelName": SETS[name][0],
        "imageSize": SIZES[name],
    }
    answer = post(server, fields)
    assert answer.status == 200, answer.body
    assert (answer.json["class"], answer.json["label"]) == (4, SETS[name][1])
    assert len(answer.json["scores"]) == 10
    assert answer.json["model"].startswith("sha256:")
    running = model_servers(server)
    for _ in range(3):
        assert post(server, fields).json["class"] == 4
    assert running
    assert model_servers(server) <= running, "it was opened again"


def test_a_model_and_a_picture_may_be_sent_as_files_and_are_known_again(
    server: Server, strange: Path
) -> None:
    files = {"image": picture(7), "model": (strange / "bands.keras").read_bytes()}
    first = post(server, files=files, imageSize="28x28x1")
    assert (first.status, first.json["class"], first.json["label"]) == (200, 7, "7"), first.body
    running = model_servers(server)
    for _ in range(3):
        assert post(server, files=files).json == first.json
    assert running
    assert model_servers(server) <= running, "it was opened again"


def test_a_model_of_several_inputs_is_asked_by_its_own_names(server: Server, strange: Path) -> None:
    files = {"image": picture(7), "model": (strange / "two.keras").read_bytes()}
    asked = post(server, files=files, inputs='{"age": 30, "word": "so"}')
    assert (asked.status, asked.json["class"], asked.json["output"]) == (200, 7, "band"), asked.body
    assert asked.json["outputs"]["price"] == {"class": None, "scores": [31.0], "kind": "values"}
    price = post(server, files=files, inputs='{"age": [30], "word": ["so"]}', output="price")
    assert (price.json["class"], price.json["scores"]) == (None, [31.0])
    refused = post(server, files=files)
    assert refused.status == 400
    assert "takes 3 inputs" in refused.json["error"]["message"]
    assert all(name in refused.json["error"]["message"] for name in ("age", "word", "image"))


def test_an_onnx_file_needs_no_tensorflow(server: Server, tmp_path: Path) -> None:
    onnx = (making.version(tmp_path / "6", 6) / "model.onnx").read_bytes()
    answer = post(server, files={"image": picture(), "model": onnx})
    assert (answer.status, answer.json["class"]) == (200, 6), answer.body


def test_an_artifact_of_ours_brings_its_labels_and_preprocessing(server: Server, tmp_path: Path) -> None:
    labels = [f"digit {n}" for n in range(10)]
    body = making.zipped(making.version(tmp_path / "8", 8, labels=labels), tmp_path / "8.zip")
    answer = post(server, files={"image": making.png(making.seven()), "model": body})
    assert (answer.status, answer.json["label"]) == (200, "digit 8"), answer.body


def test_a_published_model_is_asked_by_name_without_a_token(server: Server) -> None:
    files = {"image": making.png(making.seven())}
    answer = post(server, token=False, files=files, modelName="mnist-cnn", imageSize="28x28x1")
    assert answer.status == 200
    assert (answer.json["class"], answer.json["label"], answer.json["model"]) == (3, "3", "mnist-cnn:3")
    assert post(server, token=False, files=files, modelName="mnist-cnn:3").status == 200
    assert post(server, token=False, files=files, modelName="mnist-cnn:4").status == 404
    assert post(server, token=False, files=files, modelName="none").status == 404
    blank = post(server, files={"image": making.png(np.zeros((50, 50), np.uint8))}, modelName="mnist-cnn")
    assert (blank.status, blank.json["class"], blank.json["reason"]) == (200, None, "nothing drawn")


def test_a_size_that_does_not_fit_is_refused_with_both_sizes(server: Server, site: Site) -> None:
    for fields in (
        {"modelUrl": f"http://{site.host}/cifar.zip", "imageSize": "28x28x1"},
        {"modelName": "mnist-cnn", "imageSize": "64x64x3"},
    ):
        answer = post(server, fields, imageUrl=f"http://{site.host}/four.png")
        assert answer.status == 400
        message = answer.json["error"]["message"]
        assert fields["imageSize"] in message
        assert ("32x32x3" if "modelUrl" in fields else "28x28x1") in message


def test_a_strangers_model_needs_the_token(server: Server, site: Site, strange: Path) -> None:
    url = f"http://{site.host}/mnist.zip"
    asked = len(site.asked)
    for answer in (
        post(server, token=False, imageUrl=url, modelUrl=url),
        post(server, token=False, files={"image": picture(), "model": (strange / "mnist.zip").read_bytes()}),
    ):
        assert (answer.status, answer.json["error"]["code"]) == (401, "token")
    assert len(site.asked) == asked


def test_a_signed_link_of_ours_is_read_in_place_without_a_token(server: Server) -> None:
    link = server.guarded("POST", "/models/mnist-cnn/versions/3:link", b'{"expires_s": 60}').json["url"]
    files = {"image": making.png(making.seven())}
    answer = post(server, token=False, files=files, modelUrl=server.url + link)
    assert (answer.status, answer.json["model"]) == (200, "mnist-cnn:3"), answer.body
    assert post(server, token=False, files=files, modelUrl=server.url + link[:-3] + "000").status == 401


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 400),
        ({"modelName": "mnist-cnn"}, 400),
        ({"modelName": "mnist-cnn", "imageUrl": "http://127.0.0.1:9/x.png"}, 400),
        ({"modelName": "mnist-cnn", "imageUrl": "file:///etc/passwd"}, 400),
        ({"modelName": "mnist-cnn", "imageUrl": "http://[::1"}, 400),
        ({"modelUrl": "http://[::1", "imageUrl": "http://{site}/four.png"}, 400),
        ({"modelUrl": "http://例え.invalid/m.zip", "imageUrl": "http://{site}/four.png"}, 422),
        ({"modelName": "mnist-cnn", "imageUrl": "http://{site}/none.png"}, 422),
        ({"modelName": "mnist-cnn", "imageUrl": "http://{site}/mnist.zip"}, 415),
        ({"modelName": "mnist-cnn", "imageUrl": "http://{site}/four.png", "imageSize": "28"}, 400),
        ({"modelName": "mnist-cnn", "imageUrl": "http://{site}/four.png", "imageSize": "28x28x7"}, 400),
        ({"modelName": "Flowers", "imageUrl": "http://{site}/four.png", "modelUrl": "http://{site}/m"}, 400),
        ({"modelUrl": "http://169.254.169.254/latest/meta-data", "imageUrl": "http://{site}/four.png"}, 400),
        ({"modelUrl": "http://{site}/four.png", "imageUrl": "http://{site}/four.png"}, 422),
        (
            {"modelUrl": "http://{site}/mnist.zip", "imageUrl": "http://{site}/four.png", "inputRange": "1"},
            400,
        ),
    ],
)
def test_what_cannot_be_served_is_refused_in_words(
    server: Server, site: Site, fields: dict[str, str], status: int
) -> None:
    answer = post(server, {k: v.format(site=site.host) for k, v in fields.items()})
    assert answer.status == status, answer.body
    assert answer.json["error"]["message"]


HOSTILE_PICTURES: dict[str, Callable[[], bytes]] = {
    "20,000 square": lambda: making.png_of(
        struct.pack(">II5B", 20_000, 20_000, 8, 0, 0, 0, 0),
        zlib.compress(bytes(10**6)),
    ),
    "truncated": lambda: picture()[:-40],
    "no picture": lambda: b"MZ\x90",
}


@pytest.mark.parametrize("case", HOSTILE_PICTURES)
def test_a_hostile_picture_is_refused(server: Server, case: str) -> None:
    answer = post(server, files={"image": HOSTILE_PICTURES[case]()}, modelName="mnist-cnn")
    assert answer.status in (400, 413, 415), answer.body


def test_while_a_hostile_model_is_held_others_are_answered(server: Server, strange: Path) -> None:
    done = []
    hostile = {"image": picture(), "model": (strange / "hostile.zip").read_bytes()}
    thread = threading.Thread(target=lambda: done.append(post(server, files=hostile).status))
    thread.start()
    answered = 0
    while thread.is_alive() or answered < 20:
        answer = server.ask("POST", "/predict/", making.data_url(making.png(making.seven())))
        assert (answer.status, answer.body) == (200, b"3")
        answered += 1
    thread.join()
    assert done == [200]  # its default signature behaves; the others are test_model_servers' matter


def test_the_typed_function_serves_files_and_urls(server: Server, site: Site, tmp_path: Path) -> None:
    (tmp_path / "four.png").write_bytes(picture())
    said = HttpBackEnd(server.url, making.TOKEN).serve(
        tmp_path / "four.png",
        model=f"http://{site.host}/mnist.zip",
        model_name="Mnist",
        how=How(image_size="28x28x1", layout="nhwc", output="scores", input_range="0,255"),
    )
    assert (said.index, said.label) == (4, "4")


def test_a_version_of_ours_without_an_onnx_form_is_answered_by_a_model_server(
    server: Server, strange: Path, tmp_path: Path
) -> None:
    folder = making.version(tmp_path / "1", 1, name="bands", preprocessing="resize")
    (folder / "model.onnx").unlink()
    shutil.copytree(strange / "fashion", folder / "saved_model")
    x = np.random.default_rng(0).integers(0, 256, (4, 28, 28, 1)).astype(np.uint8)
    rows = x.mean(axis=(2, 3)) / 255
    bands = np.stack([rows[:, [r for r in range(28) if r * 10 // 28 == b]].mean(1) for b in range(10)], 1)
    odds = np.exp(bands * 10)
    np.savez(folder / "examples.npz", x=x, y=odds / odds.sum(1, keepdims=True))
    rewrite(folder, manifest.read(folder).as_json())
    pushed = server.guarded("PUT", "/models/bands/versions/1", making.zipped(folder, tmp_path / "1.zip"))
    assert pushed.status == 201, pushed.body
    assert server.guarded("POST", "/models/bands:activate", b'{"version": 1}').status == 200
    for band in (2, 9):
        answer = server.ask("POST", "/predict?model=bands", picture(band), Content_Type="image/png")
        assert (answer.status, answer.json["digit"]) == (200, band), answer.body
    assert 'engine="embedded"' in server.ask("GET", "/metrics").body.decode()


def test_without_tensorflow_the_reason_is_said(here: Settings, strange: Path) -> None:
    """A computer with the extra ``backend`` alone."""
    code = """
        import importlib.util, io, json, sys
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *more: None if name == "tensorflow" else find(name, *more)
        from backend.app import create_app
        from workbench.settings import from_environment
        app = create_app(from_environment())
        answer = app.test_client().post(
            "/serve",
            data={"model": (open(sys.argv[1], "rb"), "m.zip"), "image": (io.BytesIO(open(sys.argv[2], "rb").read()), "i")},
            headers={"Authorization": "Bearer t"})
        print(json.dumps([answer.status_code, answer.json]))
    """
    (here.home).mkdir(parents=True, exist_ok=True)
    (here.home / "i.png").write_bytes(picture())
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(strange / "mnist.zip"), str(here.home / "i.png")],
        env={"WORKBENCH_HOME": str(here.home), "WORKBENCH_DEPLOY_TOKEN": "t", "PATH": "/nowhere"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    status, body = json.loads(done.stdout)
    assert (status, body["error"]["code"]) == (501, "needs_tensorflow")
    assert "serving" in body["error"]["message"]
