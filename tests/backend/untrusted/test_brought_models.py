"""Models as people have them: axes, batches, and outputs."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from backend.untrusted.layouts import find_layout
from tests.backend import bright
from tests.backend.untrusted.bands import FLOAT, INT64, Ask, N, bands, zipped
from workbench.errors import BadInput, ModelRefused

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
