"""Models as people have them: outputs, axes, batches, signatures, weights beside them, and zips of any system."""

import io
import os
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from backend.tfserving.rest_format import Signature, Tensor
from backend.untrusted import external_data, forms
from backend.untrusted.fitting import How, choose_signature, fit
from backend.untrusted.layouts import find_layout
from backend.untrusted.meaning import read_verdict
from backend.untrusted.model_files import ModelFiles
from backend.untrusted.model_servers import ModelServers
from backend.untrusted.serve import Serve, ServeAnswer, ServeRequest
from tests.backend import bright, making
from workbench import artifact, scores
from workbench.errors import BadInput, ModelRefused
from workbench.manifest import OutputKind

N, FLOAT, INT64, STRING = "n", TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING


def bands(shape: list[Any], path: Path, *, also: str = "", external: str = "", classes: int = 10) -> Path:
    """An ONNX model whose class is the brightest of ten horizontal bands, of pictures that lie as ``shape`` says.

    ``also``: further outputs, ``label`` before and ``other`` behind its scores, or the ``label`` ``alone``.
    """
    sizes = [side if isinstance(side, int) else 1 for side in shape]
    height = 28
    axis = 2 if sizes[1] in (1, 3, 4) and sizes[-1] not in (1, 3, 4) else 1
    matrix = np.zeros((height, classes), np.float32)
    matrix[range(height), np.arange(height) * classes // height] = 1
    means = [a for a in range(1, len(shape)) if a != axis]
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["rows"], axes=means, keepdims=0),
        helper.make_node("MatMul", ["rows", "matrix"], ["sums"]),
        helper.make_node("Softmax", ["sums"], ["p"], axis=1),
        helper.make_node("ArgMax", ["p"], ["label"], axis=1, keepdims=0),
        helper.make_node("MatMul", ["rows", "matrix"], ["other"]),
    ]
    values = {
        "p": helper.make_tensor_value_info("p", FLOAT, [shape[0], classes]),
        "label": helper.make_tensor_value_info("label", INT64, [shape[0]]),
        "other": helper.make_tensor_value_info("other", FLOAT, [shape[0], classes]),
    }
    outputs = {"": ["p"], "label": ["label", "p"], "other": ["p", "other"], "alone": ["label"]}[also]
    graph = helper.make_graph(
        nodes,
        "bands",
        [helper.make_tensor_value_info("x", FLOAT, shape)],
        [values[name] for name in outputs],
        [numpy_helper.from_array(matrix / matrix.sum(0), "matrix")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    if external:
        (path.parent / external).parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path, save_as_external_data=True, location=external, size_threshold=0)
    else:
        onnx.save(model, path)
    return path


def picture(band: int) -> bytes:
    rows = np.zeros((60, 50), np.uint8)
    rows[[row for row in range(60) if row * 10 // 60 == band]] = 255
    return making.png(rows)


def zipped(files: dict[str, bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return body.getvalue()


class _Upload:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def save(self, dst: Path) -> None:
        dst.write_bytes(self._data)


Ask = Callable[..., ServeAnswer]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Asks a model that is brought along about a picture."""
    home = tmp_path_factory.mktemp("brought")
    files = ModelFiles(home)
    servers = ModelServers(files, idle_s=60)
    serve = Serve(home, None, None, files, servers)  # type: ignore[arg-type]  # neither is asked here

    def answer(
        model: bytes, band: int = 7, *, labels: str = "", drawn: bytes = b"", **how: Any
    ) -> ServeAnswer:
        asked = ServeRequest(drawn or picture(band), "", labels, "", How(**how))
        return serve.answer(asked, _Upload(model), trusted=True, note=lambda _: None)

    try:
        yield answer
    finally:
        servers.close()


# ── axes and batches ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "shape",
    [
        [N, 28, 28, 1],
        [N, 1, 28, 28],
        [N, 28, 28, 3],
        [N, 3, 28, 28],
        [N, 4, 28, 28],
        [N, 28, 28, 4],
        [N, 28, 28],
        [1, 1, 28, 28],
        [2, 28, 28, 1],
        [8, 3, 28, 28],
        [5, 28, 28],
    ],
    ids=str,
)
def test_axes_and_batches_of_any_kind_give_the_same_answer(
    ask: Ask, tmp_path: Path, shape: list[Any]
) -> None:
    model = bands(shape, tmp_path / "m.onnx").read_bytes()
    answers = [ask(model, band).verdict for band in (2, 7)]
    assert [answer.index for answer in answers if answer] == [2, 7]
    assert [len(answer.scores) for answer in answers if answer] == [10, 10]


Shape = tuple[int, ...] | None


@pytest.mark.parametrize(
    ("shape", "sent", "told", "axes", "size", "batch"),
    [
        ((-1, 28, 28, 1), None, "", "NHWC", (28, 28, 1), 1),
        ((-1, 32, 24, 3), None, "", "NHWC", (24, 32, 3), 1),
        ((-1, 3, 32, 24), None, "", "NCHW", (24, 32, 3), 1),
        ((-1, 1, -1, -1), (20, 30, 1), "", "NCHW", (20, 30, 1), 1),
        ((-1, -1, -1, 3), (20, 30, 3), "", "NHWC", (20, 30, 3), 1),
        ((-1, 3, 32, 3), (32, 3, 3), "", "NHWC", (32, 3, 3), 1),
        ((-1, 3, 32, 3), (3, 32, 3), "", "NCHW", (3, 32, 3), 1),
        ((-1, 3, 3, 3), None, "NCHW", "NCHW", (3, 3, 3), 1),
        ((-1, -1, -1, -1), (28, 28, 1), "NHWC", "NHWC", (28, 28, 1), 1),
        (None, (28, 28, 3), "NCHW", "NCHW", (28, 28, 3), 1),
        ((16, 28, 28, 1), None, "", "NHWC", (28, 28, 1), 16),
        ((-1, 784), (28, 28, 1), "", "NP", (28, 28, 1), 1),
        ((28, 28), (28, 28, 1), "", "HW", (28, 28, 1), 1),
        ((3, 32, 32), (32, 32, 3), "", "CHW", (32, 32, 3), 1),
        ((3, 32, 32), (32, 32, 1), "", "NHW", (32, 32, 1), 3),
        ((1, 28, 28), None, "", "NHW", (28, 28, 1), 1),
    ],
)
def test_which_axis_is_which_is_told_by_the_sizes(
    shape: Shape, sent: Any, told: str, axes: str, size: tuple[int, int, int], batch: int
) -> None:
    found = find_layout(shape, sent, told)
    assert (found.axes, found.size, found.batch) == (axes, size, batch)
    width, height, channels = size
    laid = found.lay(np.zeros((height, width, channels)))
    assert all(w in (-1, s) for w, s in zip(shape or laid.shape, laid.shape, strict=True))


@pytest.mark.parametrize(
    ("shape", "sent", "told", "words"),
    [
        ((-1, 3, 32, 3), None, "", "layout=NHWC .*32x3x3.* layout=NCHW .*3x32x3"),
        ((-1, 1, 1, 1), None, "", "several ways"),
        ((-1, -1, -1, -1), (28, 28, 1), "", "layout=NHWC"),
        (None, (28, 28, 1), "", "layout=NHWC"),
        ((3, 32, 32), None, "", "layout=NHW .*layout=CHW"),
        ((28, 28, 1), None, "", "layout=HWC"),
        ((-1, 784), None, "", "imageSize"),
        ((-1, -1, -1, 3), None, "", "any size"),
        ((-1, 3, 32, 32), (28, 28, 3), "", "28x28x3, but the model takes 32x32x3"),
        ((-1, 28, 28, 1), None, "CHW", "NHWC, NCHW"),
    ],
)
def test_what_the_sizes_leave_open_is_asked_for(shape: Shape, sent: Any, told: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        find_layout(shape, sent, told)


@pytest.mark.parametrize("shape", [(-1, 28, 28, 2), (-1, 5, 28, 28), (-1, 2, 2, 2, 2), (1000, 28, 28, 1), ()])
def test_an_input_that_is_no_picture_is_refused(shape: Shape) -> None:
    with pytest.raises(ModelRefused, match="no picture"):
        find_layout(shape, None, "")


def test_four_channels_are_colours_and_opacity(ask: Ask, tmp_path: Path) -> None:
    seen = ask(bands([N, 4, 28, 28], tmp_path / "m.onnx").read_bytes(), 7).seen
    assert seen is not None
    assert seen.shape == (28, 28, 4)
    assert (seen[..., 3] == 255).all()


# ── outputs ──────────────────────────────────────────────────────────────────────────────────────


def test_a_label_that_comes_first_is_not_taken_for_a_score(ask: Ask, tmp_path: Path) -> None:
    model = bands([N, 28, 28, 1], tmp_path / "m.onnx", also="label").read_bytes()
    verdict = ask(model, 7).verdict
    assert verdict is not None
    assert (verdict.index, verdict.output, len(verdict.scores)) == (7, "p", 10)
    named = ask(model, 7, output="label").verdict
    assert named is not None
    assert (named.index, named.scores) == (7, ())


def test_a_model_that_gives_its_class_alone_is_believed(ask: Ask, tmp_path: Path) -> None:
    verdict = ask(bands([N, 1, 28, 28], tmp_path / "m.onnx", also="alone").read_bytes(), 4).verdict
    assert verdict is not None
    assert (verdict.index, verdict.scores) == (4, ())


def test_two_outputs_that_can_be_scores_are_asked_for(ask: Ask, tmp_path: Path) -> None:
    model = bands([N, 28, 28, 1], tmp_path / "m.onnx", also="other").read_bytes()
    with pytest.raises(BadInput, match=r"output=NAME, one of: p \(1, 10\), other \(1, 10\)"):
        ask(model)
    for name in ("p", "other"):
        verdict = ask(model, 3, output=name).verdict
        assert verdict is not None
        assert (verdict.index, verdict.output) == (3, name)
    with pytest.raises(BadInput, match="no output 'none'"):
        ask(model, output="none")


def measured(output: str, said: NDArray[Any]) -> OutputKind:
    return scores.measure(said[None])


TEN = np.arange(10, dtype=np.float32)[None]
LABELS = [str(n) for n in range(10)]


@pytest.mark.parametrize(
    ("outputs", "labels", "chosen", "index"),
    [
        ({"id": np.array([3]), "p": TEN}, (), "p", 9),
        ({"name": np.array([b"cat"], object), "p": TEN}, (), "p", 9),
        ({"p": TEN.astype(np.float16)}, (), "p", 9),
        ({"p": TEN.astype(np.uint8)}, (), "p", 9),
        ({"box": np.zeros((1, 4), np.float32), "p": TEN}, LABELS, "p", 9),
        ({"map": np.zeros((1, 7, 7, 64), np.float32), "p": TEN}, (), "p", 9),
        ({"p": TEN[:, None, None]}, (), "p", 9),
        ({"yes": np.array([[0.7]], np.float32)}, (), "yes", 1),
        ({"id": np.array([[3]], np.int32)}, (), "id", 3),
        ({"name": np.array(["5"], object)}, LABELS, "name", 5),
        ({"name": np.array([b"cat"], object)}, LABELS, "name", None),
        ({"p": TEN[0]}, (), "p", 9),
    ],
)
def test_scores_are_found_by_shape_and_type(
    outputs: dict[str, Any], labels: list[str], chosen: str, index: int | None
) -> None:
    for order in (list(outputs), list(outputs)[::-1]):
        verdict = read_verdict(
            {name: outputs[name] for name in order}, list(outputs), 1, "", labels, measured
        )
        assert (verdict.output, verdict.index) == (chosen, index)


@pytest.mark.parametrize(
    "outputs",
    [
        {"a": TEN, "b": TEN[:, :4]},
        {"logits": TEN, "p": TEN},
        {"id": np.array([3]), "sure": np.array([0.9], np.float32)},
        {"id": np.array([3]), "name": np.array([b"cat"], object)},
    ],
)
def test_outputs_that_can_all_be_meant_are_asked_for(outputs: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="output=NAME"):
        read_verdict(outputs, list(outputs), 1, "", (), measured)


@pytest.mark.parametrize(
    "outputs", [{}, {"map": np.zeros((1, 28, 28, 1), np.float32)}, {"q": np.zeros((1, 1), np.uint8)}]
)
def test_where_nothing_is_a_score_the_model_is_refused(outputs: dict[str, Any]) -> None:
    with pytest.raises(ModelRefused, match="no scores"):
        read_verdict(outputs, list(outputs), 1, "", (), measured)


@pytest.mark.parametrize("strange", [np.nan, -np.inf])
def test_scores_that_are_no_numbers_name_no_class_but_the_logarithm_of_nothing_is_one(strange: float) -> None:
    outputs = {"p": np.array([[strange, 0.2, 0.1]], np.float32)}
    if np.isnan(strange):
        with pytest.raises(ModelRefused, match="no numbers: p"):
            read_verdict(outputs, ["p"], 1, "", (), measured)
    else:
        assert read_verdict(outputs, ["p"], 1, "", (), measured).index == 1


def test_probabilities_in_maps_as_scikit_learn_gives_them_are_read(ask: Ask, tmp_path: Path) -> None:
    model = onnx.load(bands([N, 28, 28, 1], tmp_path / "m.onnx", also="label"))
    model.graph.node.append(
        helper.make_node("ZipMap", ["p"], ["maps"], domain="ai.onnx.ml", classlabels_int64s=list(range(10)))
    )
    kind = helper.make_sequence_type_proto(
        helper.make_map_type_proto(INT64, helper.make_tensor_type_proto(FLOAT, []))
    )
    del model.graph.output[1]
    model.graph.output.append(helper.make_value_info("maps", kind))
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    verdict = ask(model.SerializeToString(), 6).verdict
    assert verdict is not None
    assert (verdict.index, verdict.output, len(verdict.scores)) == (6, "maps", 10)


def test_a_signature_is_chosen_by_name_or_where_there_is_one() -> None:
    one = Signature({"x": Tensor("DT_FLOAT", (-1, 784))}, {})
    assert choose_signature({"serving_default": one, "other": one}, "") == "serving_default"
    assert choose_signature({"serving_default": one, "other": one}, "other") == "other"
    assert choose_signature({"only": one}, "") == "only"
    for signatures, named, words in (
        ({"a": one, "b": one}, "", "signature=NAME, one of: a, b"),
        ({"a": one}, "b", "no signature 'b'.*a"),
    ):
        with pytest.raises(BadInput, match=words):
            choose_signature(signatures, named)


def test_a_model_of_two_inputs_asks_for_its_names_where_a_picture_alone_comes() -> None:
    pixels = Tensor("DT_FLOAT", (-1, 28, 28, 1))
    signatures = {"serving_default": Signature({"x": pixels, "y": pixels}, {})}
    with pytest.raises(BadInput, match="takes 2 inputs: x, y; give inputs"):
        fit(picture(7), signatures, None, How())


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


# ── what the scores are ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "classes", "told"),
    [
        ("softmax", 3, "probabilities"),
        ("logits", 3, "logits"),
        ("sigmoids", 3, "independent"),
        ("sigmoid", 2, "probabilities"),
        ("logit", 2, "logits"),
        ("small logit", 2, "logits"),
    ],
)
def test_a_class_is_told_from_one_output_as_from_many(
    ask: Ask, tmp_path: Path, kind: str, classes: int, told: str
) -> None:
    model = bright.model(tmp_path / "m.onnx", kind, classes).read_bytes()
    labels = "\n".join(f"class {n}" for n in range(classes)).encode()
    for light, wanted in ((20, 0), (235, classes - 1), (145, classes - 1)):
        if light == 145 and classes > 2:
            continue
        said = ask(zipped({"m.onnx": model, "labels.txt": labels}), drawn=bright.picture(light))
        assert said.verdict is not None
        assert (said.verdict.index, said.verdict.kind) == (wanted, told)
        assert said.labels[wanted] == f"class {wanted}"
