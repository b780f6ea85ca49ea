"""Model servers: the embedded one and TensorFlow's own keep one contract; untrusted models stay in their sandbox."""

import contextlib
import json
import os
import shutil
import socket
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import psutil
import pytest
from numpy.typing import NDArray

from backend.tfserving.channel import NAME
from backend.tfserving.grpc_client import IDLE_MS
from backend.untrusted.model_files import ModelFiles
from backend.untrusted.model_servers import ModelServer, ModelServers
from tests.backend import making
from tests.backend.untrusted import stand_in_model_server
from tests.chain import PATIENCE, wait_until
from workbench.errors import ModelRefused

real = shutil.which("tensorflow_model_server") or os.environ.get("TF_MODEL_SERVER")


class Shelf:
    def __init__(self, home: Path, binary: str) -> None:
        self.home, self._servers = home, {}
        for kind in ("embedded", "tensorflow_model_server"):
            files = ModelFiles(home / kind)
            self._servers[kind] = (
                files,
                ModelServers(
                    files,
                    tf_model_server=binary if kind != "embedded" else None,
                    start_s=300,
                    predict_s=60,
                    memory_mb=1200,
                ),
            )

    def open(self, path: Path, kind: str = "embedded") -> ModelServer:
        files, servers = self._servers[kind]
        with files.receiving() as aside:
            shutil.copy(path, aside)
            file = files.keep(aside)
        return servers.open(file)

    def protection(self, server: ModelServer) -> Mapping[str, bool]:
        return self._servers[server.name][1].protection(server.file)

    def close(self) -> None:
        for _, servers in self._servers.values():
            servers.close()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Keeps models of this module, and starts servers of either kind for them."""
    home = tmp_path_factory.mktemp("shelf")
    binary = real or str(stand_in_model_server.write(home / "a_tensorflow_model_server"))
    shelf = Shelf(home, binary)
    try:
        yield shelf
    finally:
        shelf.close()


def bright(band: int, shape: tuple[int, ...] = (28, 28, 1)) -> NDArray[np.float32]:
    """A picture whose class is the band."""
    x = np.zeros((1, *shape), np.float32)
    height = shape[0]
    x[:, [row for row in range(height) if row * 10 // height == band]] = 255
    return x


def descendants_using(folder: Path) -> list[psutil.Process]:
    """The processes that hold a model, and all that they started."""
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        try:
            if str(folder) in " ".join(process.cmdline()):
                found |= {p.pid: p for p in (process, *process.children(recursive=True))}
        except psutil.Error:
            continue
    return list(found.values())


# ── the contract of both kinds ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["embedded", "tensorflow_model_server"])
def test_both_kinds_of_server_keep_one_contract(shelf: Shelf, strange: Path, kind: str) -> None:
    """Status, metadata, both formats and the errors; a stand-in executable where there is no real one."""
    server = shelf.open(strange / "mnist.zip", kind)
    assert server.name == kind
    told = server.rest.ask("GET", f"/v1/models/{NAME}")
    assert told[0] == 200
    assert isinstance(told[1], dict)
    assert told[1]["model_version_status"][0]["state"] == "AVAILABLE"
    assert told[1]["model_version_status"][0]["version"] == "1"
    ((name, tensor),) = server.signatures["serving_default"].inputs.items()
    assert (name, tensor.dtype, tensor.shape) == ("image", "DT_FLOAT", (-1, 28, 28, 1))
    x = np.concatenate([bright(2), bright(7)])
    np.testing.assert_array_equal(server.predict({"image": x})["scores"].argmax(1), [2, 7])

    def post(asked: object, path: str = f"/v1/models/{NAME}:predict") -> tuple[int, Any]:
        return server.rest.ask("POST", path, json.dumps(asked).encode())

    rows = post({"instances": x.tolist()})[1]["predictions"]
    named = post({"instances": [{"image": one} for one in x.tolist()]})[1]["predictions"]
    columns = post({"inputs": x.tolist(), "signature_name": "serving_default"})[1]["outputs"]
    assert rows == named == columns
    for bad in (
        {"instances": [[1, 2], [3]]},
        {"instances": x[:, :5].tolist()},
        {"instances": x.tolist(), "signature_name": "none"},
        {"nothing": 1},
        {"inputs": {"other": x.tolist()}},
    ):
        status, told = post(bad)
        assert (status, list(told)) == (400, ["error"]), bad
    assert post({"instances": x.tolist()}, "/v1/models/other:predict")[0] == 404
    assert server.rest.ask("GET", "/v1/models/other")[0] == 404


@pytest.mark.parametrize("way", ["REST", "gRPC"])
@pytest.mark.parametrize("kind", ["embedded", "tensorflow_model_server"])
def test_rest_and_grpc_keep_one_contract(shelf: Shelf, strange: Path, kind: str, way: str) -> None:
    server = shelf.open(strange / "mnist.zip", kind)
    channel = {c.name: c for c in (server.rest, server.fast) if c}[way]
    signature = server.signatures["serving_default"]

    def ask(
        inputs: dict[str, NDArray[Any]], signature_name: str = "serving_default", timeout_s: float = 60.0
    ) -> Mapping[str, NDArray[Any]]:
        return channel.predict(inputs, signature_name, signature, timeout_s)

    scores = ask({"image": np.concatenate([bright(2), bright(7)])})["scores"]
    assert (scores.shape, scores.dtype, scores.argmax(1).tolist()) == ((2, 10), np.dtype(np.float32), [2, 7])
    np.testing.assert_allclose(
        scores, server.predict({"image": np.concatenate([bright(2), bright(7)])})["scores"]
    )
    with pytest.raises(ModelRefused, match=r"the model failed: .*shape"):
        ask({"image": bright(2)[:, :5]})
    with pytest.raises(ModelRefused, match=r"the model failed: .*signature"):
        ask({"image": bright(2)}, "none")
    with pytest.raises(TimeoutError):
        ask({"image": np.repeat(bright(2), 1000, axis=0)}, timeout_s=1e-6)  # gRPC counts milliseconds
    assert ask({"image": bright(3)})["scores"].argmax() == 3


@pytest.mark.parametrize("way", ["REST", "gRPC"])
def test_texts_are_bytes_by_either_way(shelf: Shelf, strange: Path, way: str) -> None:
    server = shelf.open(strange / "hostile.zip")
    channel = {c.name: c for c in (server.rest, server.fast) if c}[way]
    inputs = {"text": np.array([b"/nothing/of/the/sort\xff*"], object)}
    answer = channel.predict(inputs, "lists", server.signatures["lists"], 60.0)
    assert {name: (array.dtype, array.tolist()) for name, array in answer.items()} == {
        "scores": (np.dtype(object), [b""])
    }


def test_a_server_that_is_spoken_to_by_grpc_is_idle_when_nobody_asks(shelf: Shelf, tmp_path: Path) -> None:
    """A connection that stayed open would keep a model in memory for ever."""
    folder = making.version(tmp_path / "version", 2)
    server = shelf.open(folder / "model.onnx")
    assert server.fast is not None
    assert server.predict({"input": bright(1)})["output"].argmax() == 2
    shut_in = psutil.Process(next(p.pid for p in descendants_using(server.file.folder) if _passes(p)))
    give_up = time.monotonic() + IDLE_MS / 1000 + 60
    while len(shut_in.threads()) > 2:  # its own, the one that waits for connections, and one for each of them
        assert time.monotonic() < give_up
        time.sleep(0.1)
    assert server.predict({"input": bright(1)})["output"].argmax() == 2


def test_a_keras_file_and_an_onnx_file_are_served_alike(shelf: Shelf, strange: Path, tmp_path: Path) -> None:
    x = bright(4)
    server = shelf.open(strange / "bands.keras")
    ((name, _),) = server.signatures["serving_default"].inputs.items()
    assert server.predict({name: x})["output_0"].argmax() == 4
    folder = making.version(tmp_path / "version", 6)
    server = shelf.open(folder / "model.onnx")
    assert server.predict({"input": x})["output"].argmax() == 6


def _passes(process: psutil.Process) -> bool:
    """Whether it is the one between the watcher and the server."""
    command, parent = process.cmdline(), process.parent()
    return (
        "backend.untrusted.confined" in command
        and parent is not None
        and "backend.untrusted.confined" in parent.cmdline()
    )


def test_a_model_is_started_once_for_all_who_ask(shelf: Shelf, strange: Path, tmp_path: Path) -> None:
    folder = making.version(tmp_path / "version", 3)
    servers, threads = [], []
    for _ in range(4):
        thread = threading.Thread(target=lambda: servers.append(shelf.open(folder / "model.onnx")))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join(60)
    assert len(servers) == 4
    watchers = [
        p for p in descendants_using(servers[0].file.folder) if "backend.untrusted.confined" in p.cmdline()
    ]
    assert len([p for p in watchers if p.ppid() == os.getpid()]) == 1


def test_a_server_ends_when_its_socket_goes_and_comes_back_when_asked(shelf: Shelf, tmp_path: Path) -> None:
    folder = making.version(tmp_path / "version", 5)
    server = shelf.open(folder / "model.onnx")
    before = descendants_using(server.file.folder)
    assert before
    server.stop()
    psutil.wait_procs(before, 60)
    assert not descendants_using(server.file.folder)
    assert shelf.open(folder / "model.onnx").predict({"input": bright(1)})["output"].argmax() == 5


# ── hostile models ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def hostile(shelf: Shelf, strange: Path) -> ModelServer:
    server = shelf.open(strange / "hostile.zip")
    if not shelf.protection(server)["files"]:
        pytest.skip("this system allows no namespaces, so that files and network are not kept from models")
    return server


def try_(server: ModelServer, signature: str, text: bytes | str) -> Mapping[str, NDArray[Any]]:
    return server.predict({"text": np.array([text], dtype=object)}, signature)


def test_a_model_that_behaves_is_answered_by_the_same_server(hostile: ModelServer) -> None:
    assert hostile.predict({"image": bright(1)})["scores"].shape == (1, 10)


@pytest.mark.parametrize("where", ["/etc/written", "/model/served/1/written", "/written", "/dev/shm/written"])
def test_a_savedmodel_that_writes_files_writes_none_here(hostile: ModelServer, where: str) -> None:
    with pytest.raises(ModelRefused):
        try_(hostile, "writes", where)
    assert not Path(where).exists()
    assert not (hostile.file.folder / where.lstrip("/")).exists()


def test_a_savedmodel_writes_only_to_a_small_folder_of_its_own(hostile: ModelServer, tmp_path: Path) -> None:
    for path in (Path("/tmp/written-by-a-model"), tmp_path / "written"):
        with contextlib.suppress(ModelRefused):  # its own /tmp it may fill, 64 MB of it
            try_(hostile, "writes", str(path))
        assert not path.exists()


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/etc/shadow", "/proc/1/environ", "{token}", "/old/etc/passwd"]
)
def test_a_savedmodel_that_reads_files_reads_none_of_ours(
    hostile: ModelServer, tmp_path: Path, path: str
) -> None:
    token = tmp_path / "deploy_token"
    token.write_text("the-token")
    token.chmod(0o644)
    try:
        said = try_(hostile, "reads", path.format(token=token))
    except ModelRefused:
        return
    assert path == "/proc/1/environ"
    assert "TOKEN" not in str(said)


def test_a_savedmodel_sees_nothing_but_its_model_and_python(hostile: ModelServer) -> None:
    seen = try_(hostile, "lists", "/*")["scores"][0].decode()
    assert "/model" in seen
    assert not [name for name in ("/etc", "/home", "/root/.ssh", "/var", "/srv") if f"{name} " in f"{seen} "]
    assert try_(hostile, "lists", "/home/*")["scores"].tolist() == [b""]


def test_a_savedmodel_that_opens_sockets_reaches_nobody(hostile: ModelServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        with pytest.raises(ModelRefused):
            try_(hostile, "calls", f"127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(TimeoutError):
            listener.accept()


def test_a_savedmodel_that_loops_for_ever_is_stopped_and_nothing_stays_running(
    shelf: Shelf, strange: Path
) -> None:
    server = shelf.open(strange / "hostile.zip")
    running = descendants_using(server.file.folder)
    hasty = ModelServer(server.file, server.name, 4.0)
    wait_until(hasty.is_available, 60, "the server answers")
    began = time.monotonic()
    with pytest.raises(ModelRefused, match="within 4 s and was stopped"):
        hasty.predict({"image": bright(1)}, "loops")
    assert time.monotonic() - began < 30 * PATIENCE
    assert len(running) >= 3
    assert not psutil.wait_procs(running, 60)[1]
    assert not descendants_using(server.file.folder)


def test_a_savedmodel_that_eats_memory_is_ended(shelf: Shelf, strange: Path) -> None:
    server = shelf.open(strange / "hostile.zip")
    with pytest.raises(ModelRefused):
        server.predict({"image": bright(1)}, "eats")


def test_a_keras_file_with_code_in_it_is_refused_in_safe_mode(shelf: Shelf, strange: Path) -> None:
    with pytest.raises(ModelRefused, match="Lambda"):
        shelf.open(strange / "lambda.keras")
    assert not (strange / "lambda-ran").exists()


def test_a_keras_file_of_an_absurd_shape_is_refused_and_remembered(
    shelf: Shelf, strange: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelRefused, match="cannot be served"):
        shelf.open(strange / "absurd.keras")
    monkeypatch.setattr(ModelServers, "_start", lambda *_: pytest.fail("it was started again"))
    with pytest.raises(ModelRefused, match="cannot be served"):
        shelf.open(strange / "absurd.keras")


def test_an_onnx_file_of_an_absurd_shape_is_refused_or_ended(shelf: Shelf, tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [
            helper.make_node("ConstantOfShape", ["sides"], ["huge"]),
            helper.make_node("ReduceSum", ["huge"], ["sum"], keepdims=0),
            helper.make_node("Add", ["input", "sum"], ["output"]),
        ],
        "absurd",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 28, 28, 1])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", 28, 28, 1])],
        [numpy_helper.from_array(np.array([200_000, 200_000], np.int64), "sides")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "absurd.onnx")
    with pytest.raises(ModelRefused):
        shelf.open(tmp_path / "absurd.onnx").predict({"input": bright(1)})


def _zip(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def _link(name: str, target: str) -> tuple[zipfile.ZipInfo, str]:
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info, target


HOSTILE_ZIPS: dict[str, list[tuple[str | zipfile.ZipInfo, bytes | str]]] = {
    "zip slip": [("../../slipped", b"x"), ("saved_model.pb", b"x")],
    "absolute path": [("/tmp/slipped", b"x")],
    "link": [_link("variables", "/etc"), ("saved_model.pb", b"x")],
    "bomb": [("saved_model.pb", bytes(300_000_000))],
    "many members": [(f"f{n}", b"") for n in range(1500)],
    "nothing in it": [("readme.txt", b"hello")],
    "two models": [("a/saved_model.pb", b"x"), ("b/saved_model.pb", b"x")],
    "a keras bomb": [
        ("config.json", b"{}"),
        ("metadata.json", b"{}"),
        ("model.weights.h5", bytes(300_000_000)),
    ],
    "no model but the name": [("saved_model.pb", b"this is no protocol buffer")],
}


@pytest.mark.parametrize("case", HOSTILE_ZIPS)
def test_a_hostile_zip_is_refused_and_leaves_nothing(shelf: Shelf, tmp_path: Path, case: str) -> None:
    path = _zip(tmp_path / "it.zip", *HOSTILE_ZIPS[case])
    before = set(tmp_path.parent.rglob("slipped"))
    with pytest.raises(ModelRefused):
        shelf.open(path)
    assert set(tmp_path.parent.rglob("slipped")) == before
    assert not Path("/tmp/slipped").exists()
    incoming = shelf.home / "embedded" / "strangers" / ".incoming"
    assert list(incoming.iterdir()) == []


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\x89HDF\r\n\x1a\n rest", b"\x08\x09 no onnx at all", b"PK\x03\x04cut"]
)
def test_what_is_no_model_is_refused_in_words(shelf: Shelf, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "it").write_bytes(data)
    with pytest.raises(ModelRefused):
        shelf.open(tmp_path / "it")
