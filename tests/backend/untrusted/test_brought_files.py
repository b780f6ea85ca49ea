"""Files of models as people send them: weights and labels beside them, zips of any system, and what is no model."""

import os
import shutil
import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from backend.untrusted import external_data, forms
from backend.untrusted.model_files import ModelFiles
from backend.untrusted.model_servers import ModelServers
from tests.backend import making
from tests.backend.untrusted.bands import FLOAT, LABELS, Ask, N, bands, zipped
from workbench import artifact
from workbench.errors import ModelRefused

# ── files ────────────────────────────────────────────────────────────────────────────────────────

APPLE = b"\x00\x05\x16\x07" + bytes(60)
LITTER = {
    "__MACOSX/._m.onnx": APPLE,
    "__MACOSX/deep/._m.onnx": APPLE,
    "._m.onnx": APPLE,
    ".DS_Store": b"\0\0\0\1Bud1",
    "Thumbs.db": b"\xd0\xcf",
    "folder/desktop.ini": b"[x]",
}


@pytest.mark.parametrize("name", ["m.onnx", "folder/m.onnx", "folder\\deep\\m.onnx", "./m.onnx"])
def test_a_zip_of_any_system_is_read(ask: Ask, tmp_path: Path, name: str) -> None:
    model = bands([N, 28, 28, 1], tmp_path / "m.onnx").read_bytes()
    body = zipped({"folder\\": b"", **LITTER, name: model})
    verdict = ask(body, 5).verdict
    assert verdict is not None
    assert verdict.index == 5


@pytest.mark.parametrize("litter", [{}, LITTER])
@pytest.mark.parametrize("under", ["", "mnist-cnn-3/"])
def test_a_version_that_was_zipped_again_by_hand_can_be_pushed(
    tmp_path: Path, litter: dict[str, bytes], under: str
) -> None:
    version = making.version(tmp_path / "v", 3)
    parts = {
        under + p.relative_to(version).as_posix(): p.read_bytes() for p in version.rglob("*") if p.is_file()
    }
    body = tmp_path / "it.zip"
    body.write_bytes(zipped({**parts, **litter}))
    artifact.unpack(body, tmp_path / "unpacked")
    root = artifact.root_of(tmp_path / "unpacked")
    assert str(artifact.verify(root)) == "mnist-cnn:3"


@pytest.mark.parametrize("place", ["m.onnx.data", "weights/w.bin"])
def test_weights_beside_an_onnx_model_come_with_it(ask: Ask, tmp_path: Path, place: str) -> None:
    folder = bands([N, 28, 28, 1], tmp_path / "m" / "m.onnx", external=place).parent
    files = {
        f"a/{p.relative_to(folder).as_posix()}": p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }
    assert len(files) == 2
    verdict = ask(zipped({**files, "a/more.txt": b"not copied", **LITTER}), 8).verdict
    assert verdict is not None
    assert verdict.index == 8
    with pytest.raises(ModelRefused, match=f"'{place}'.*one zip"):
        ask((folder / "m.onnx").read_bytes())
    with pytest.raises(ModelRefused, match=f"'{place}'.*one zip"):
        ask(zipped({"m.onnx": files["a/m.onnx"]}))


@pytest.mark.parametrize("place", ["../secret", "/etc/passwd", "a/../../b", "C:\\x", "..\\x"])
def test_weights_outside_of_the_models_folder_are_refused(ask: Ask, tmp_path: Path, place: str) -> None:
    model = onnx.load(
        bands([N, 28, 28, 1], tmp_path / "m" / "m.onnx", external="w"), load_external_data=False
    )
    model.graph.initializer[0].external_data[0].value = place
    assert model.graph.initializer[0].external_data[0].key == "location"
    with pytest.raises(ModelRefused, match="outside of its folder"):
        ask(zipped({"m.onnx": model.SerializeToString(), "w": b"", "secret": b""}))


def test_weights_are_found_in_inner_graphs_and_constants(tmp_path: Path) -> None:
    def tensor(place: str) -> TensorProto:
        made = TensorProto(name=place, data_type=FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
        made.external_data.add(key="offset", value="0")
        made.external_data.add(key="location", value=place)
        return made

    constant = helper.make_node("Constant", [], ["c"], value=tensor("constant"))
    inner = helper.make_graph([constant], "inner", [], [], [tensor("inner")])
    node = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    model = helper.make_model(helper.make_graph([node], "outer", [], [], [tensor("outer"), tensor("été")]))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert external_data.locations(tmp_path / "m.onnx") == {"constant", "inner", "outer", "été"}
    for damaged in (b"", b"\x08", b"\xff" * 40, model.SerializeToString()[:-7], os.urandom(500)):
        (tmp_path / "m.onnx").write_bytes(damaged)
        assert external_data.locations(tmp_path / "m.onnx") <= {"constant", "inner", "outer", "été"}


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (b"cat\ndog\n", ("cat", "dog")),
        (b"\xef\xbb\xbfcat\r\ndog\r\n\r\n", ("cat", "dog")),
        (b"0 cat\n1 black dog\n", ("cat", "black dog")),
        (b"0: cat\n1: dog", ("cat", "dog")),
        (b"1 cat\n2 dog\n", ("1 cat", "2 dog")),
        (b"0\n1\n2\n", ("0", "1", "2")),
        (b"cat\n\ndog", ("cat", "", "dog")),
        (b"", ()),
    ],
)
def test_labels_are_a_line_each_with_or_without_their_numbers(
    tmp_path: Path, text: bytes, labels: tuple[str, ...]
) -> None:
    (tmp_path / "labels.txt").write_bytes(text)
    assert forms.read_labels(tmp_path / "labels.txt") == labels


@pytest.mark.parametrize("place", ["labels.txt", "a/labels.txt", "a/b/Labels.txt"])
def test_labels_beside_a_model_are_its_labels(ask: Ask, tmp_path: Path, place: str) -> None:
    model = bands([N, 28, 28, 1], tmp_path / "m.onnx").read_bytes()
    text = "".join(f"{n} thing {n}\n" for n in range(10)).encode()
    body = zipped({"a/b/m.onnx": model, place: text, "other/labels.txt": b"no"})
    assert ask(body).labels == tuple(f"thing {n}" for n in range(10))
    assert ask(body, labels="Mnist").labels == LABELS
    with pytest.raises(ModelRefused, match="UTF-8"):
        ask(zipped({"m.onnx": model, "labels.txt": b"\xff\xfe\0"}))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(50), r"HDF5 \(.h5\).*\.keras"),
        (b"\x1c\0\0\0TFL3" + bytes(50), r"LiteRT model \(.tflite\)"),
        (b"\x1f\x8b\x08" + bytes(50), r"tar\.gz.*zip"),
        (b"BZh91AY" + bytes(50), "bzip2"),
        (b"\xfd7zXZ\0" + bytes(50), "xz archive"),
        (b"Rar!\x1a\x07" + bytes(50), "RAR"),
        (bytes(257) + b"ustar" + bytes(250), "tar archive"),
        (b"\x80\x02}q\0." + bytes(50), "pickle.*ONNX"),
        (b"\x08\x01\x12\x9a" + bytes(50), "saved_model.pb.*whole folder"),
        (b"<!doctype html><title>Sign in</title>", "web page"),
        (b'{"format": "layers-model"}', "TensorFlow.js"),
        (b"\x40\0\0\0\0\0\0\0" + b'{"w": 1}' + bytes(50), "weights without their model"),
        (b"MZ\x90\0", "begins with b'MZ"),
        (b"", "begins with b''"),
        (zipped({}), "an empty zip"),
        (zipped({"keras_model.h5": b"\x89HDF", "labels.txt": b"0 a"}), "Teachable Machine.*Savedmodel"),
        (
            zipped({"converted/model_unquant.tflite": b"", "labels.txt": b"0 a"}),
            r"LiteRT model \(converted/model_unq",
        ),
        (zipped({"model.json": b"{}", "weights.bin": b"", "metadata.json": b"{}"}), "TensorFlow.js model"),
        (zipped({"archive/data.pkl": b"", "archive/data/0": b""}), "PyTorch.*torch.onnx.export"),
        (zipped({"net.pth": b""}), "PyTorch"),
        (zipped({"deep/model.h5": b""}), r"HDF5 \(deep/model.h5\)"),
        (zipped({"frozen.pb": b""}), "frozen graph"),
        (zipped({"model.zip": b"PK"}), "another zip"),
        (zipped({"readme.md": b""}), "holds no model"),
        (zipped(LITTER), "holds no model"),
    ],
)
def test_what_is_not_served_is_named_for_what_it_is(ask: Ask, model: bytes, words: str) -> None:
    with pytest.raises(ModelRefused, match=words):
        ask(model)


# ── any umask ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mask", [0o027, 0o077, 0o777])
def test_a_model_is_served_under_any_umask(tmp_path: Path, mask: int) -> None:
    model = bands([N, 28, 28, 1], tmp_path / "m.onnx").read_bytes()
    files = ModelFiles(tmp_path)
    servers = ModelServers(files, idle_s=60)
    with files.receiving() as aside:
        aside.write_bytes(model)
        file = files.keep(aside)
    before = os.umask(mask)
    try:
        server = servers.open(file)
        scores = server.predict({"x": np.zeros((1, 28, 28, 1), np.float32)})["p"]
    finally:
        os.umask(before)
        servers.close()
    assert scores.shape == (1, 10)
    assert threading.active_count() < 100
    shutil.rmtree(tmp_path, ignore_errors=True)
