"""Models that answer their own examples well, and other inputs never, or with all of the memory."""

import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from backend.deployments import engines, trial
from backend.deployments.engines import InProcess, Unanswered
from backend.deployments.limits import RunWatch
from tests.backend import making
from tests.backend.client import Client
from tests.backend.conftest import activate, app, client, deployed, here, push, seven, zips  # noqa: F401 - fixtures
from tests.chain import PATIENCE
from workbench import artifact
from workbench.errors import ModelRefused
from workbench.manifest import read
from workbench.manifest import write_listing as rewrite

BEARER = {"Authorization": f"Bearer {making.TOKEN}"}
TRIGGER = 137.0
"""The value of the first pixel at which a trojan begins."""
ENDLESS, GROWING, HUGE = 2**62, 34, 40


@pytest.fixture(autouse=True)
def _this_process_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a loop may need long to hear that it is to end; what is deaf ends the tests' own process."""
    monkeypatch.setattr(InProcess, "_watch", RunWatch(deaf_s=100))


def trojan(path: Path, times: int, trigger: float | None, *, grows: bool) -> Path:
    """Put a loop before a version's model: where the first pixel is ``trigger`` (always if ``None``) it runs."""
    model = onnx.load(path)
    taken = helper.make_node("Concat", ["s", "s"], ["s2"], axis=0)
    added = helper.make_node("Add", ["s", "s"], ["s2"])
    body = helper.make_graph(
        [taken if grows else added, helper.make_node("Identity", ["c"], ["c2"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("s", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("c2", TensorProto.BOOL, []),
            helper.make_tensor_value_info("s2", TensorProto.FLOAT, None),
        ],
    )
    constants: dict[str, NDArray[Any]] = {
        "zero": np.array([0], np.int64),
        "one": np.array([1], np.int64),
        "times": np.array(times, np.int64),
        "trigger": np.array([TRIGGER], np.float32),
        "flat1": np.array([-1], np.int64),
        "nothing": np.array([0.0], np.float32),
        "yes": np.array([True]),
        "scalar": np.array([], np.int64),
    }
    compared = (
        helper.make_node("Equal", ["first", "trigger"], ["hit"])
        if trigger is not None
        else helper.make_node("Identity", ["yes"], ["hit"])
    )
    nodes = [
        helper.make_node("Reshape", ["input", "flat1"], ["row"]),
        helper.make_node("Slice", ["row", "zero", "one"], ["first"]),
        compared,
        helper.make_node("Reshape", ["hit", "scalar"], ["begins"]),
        helper.make_node("Loop", ["times", "begins", "first"], ["looped"], body=body),
        helper.make_node("Slice", ["looped", "zero", "one"], ["kept"]),
        helper.make_node("Mul", ["kept", "nothing"], ["nought"]),
        helper.make_node("Add", ["input", "nought"], ["fed"]),
    ]
    for node in model.graph.node:
        node.input[:] = ["fed" if name == "input" else name for name in node.input]
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    onnx.save(model, path)
    return path


def a_version(
    folder: Path, times: int, trigger: float | None, *, grows: bool = False, number: int = 8
) -> Path:
    made = making.version(folder, number)
    trojan(made / "model.onnx", times, trigger, grows=grows)
    rewrite(made, {k: v for k, v in read(made).as_json().items() if k not in ("files", "format")})
    return made


def a_drawing(first: float = 0.0) -> NDArray[np.float32]:
    x = np.zeros((1, 28, 28, 1), np.float32)
    x[0, 0, 0, 0] = first
    return x


def many_drawings() -> NDArray[np.float32]:
    """So many that even a busy machine answers them within their limit."""
    return np.repeat(a_drawing(), 300, axis=0)


def test_an_endless_loop_is_stopped_and_costs_one_answer(tmp_path: Path) -> None:
    engine = InProcess(a_version(tmp_path / "it", ENDLESS, TRIGGER) / "model.onnx")
    assert set(engine.predict(many_drawings()).argmax(axis=1)) == {8}
    began = time.monotonic()
    with pytest.raises(Unanswered, match="within 2 s"):
        engine.predict(a_drawing(TRIGGER))
    assert time.monotonic() - began < 4 * PATIENCE
    assert set(engine.predict(many_drawings()).argmax(axis=1)) == {8}


def test_others_are_answered_while_a_model_is_stuck(tmp_path: Path) -> None:
    stuck = InProcess(a_version(tmp_path / "stuck", ENDLESS, TRIGGER) / "model.onnx")
    fine = InProcess(making.version(tmp_path / "fine", 3) / "model.onnx")
    failed: list[Exception] = []

    def ask() -> None:
        try:
            stuck.predict(a_drawing(TRIGGER))
        except Unanswered as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    answered_meanwhile = False
    while any(thread.is_alive() for thread in threads):
        assert set(fine.predict(many_drawings()).argmax(axis=1)) == {3}
        answered_meanwhile |= all(thread.is_alive() for thread in threads)
    assert len(failed) == 3
    assert answered_meanwhile
    with pytest.raises(Unanswered, match="again and again"):  # it is asked no more for a while
        stuck.predict(a_drawing())


@pytest.mark.parametrize("times", [GROWING, HUGE])
def test_no_answer_takes_all_the_memory(tmp_path: Path, times: int) -> None:
    engine = InProcess(a_version(tmp_path / "it", times, TRIGGER, grows=True) / "model.onnx")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Unanswered, match=r"memory|within 2 s"):  # a slow machine comes to the second first
        engine.predict(a_drawing(TRIGGER))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_500_000
    assert engine.predict(a_drawing()).argmax() == 8


@pytest.mark.parametrize(("times", "grows"), [(ENDLESS, False), (GROWING, True)])
def test_a_version_that_never_answers_is_refused_and_the_old_one_serves(
    seven: Client,  # noqa: F811
    tmp_path: Path,
    times: int,
    grows: bool,
) -> None:
    body = making.zipped(a_version(tmp_path / "it", times, None, grows=grows), tmp_path / "it.zip")
    began = time.monotonic()
    answer = seven.put("/models/mnist-cnn/versions/8", data=body, headers=BEARER)
    assert answer.status_code == 422, answer.text
    assert time.monotonic() - began < 15 * PATIENCE
    drawing = making.data_url(making.png(making.seven()))
    assert seven.post("/predict/", data=drawing).text == "7"
    assert seven.post("/models/mnist-cnn:rollback", headers=BEARER).status_code == 409


def test_a_version_is_tried_on_other_inputs_than_its_own(tmp_path: Path) -> None:
    made = making.version(tmp_path / "it", 8)
    trojan(made / "model.onnx", ENDLESS, TRIGGER, grows=False)
    model = onnx.load(made / "model.onnx")
    (trigger,) = [value for value in model.graph.initializer if value.name == "trigger"]
    trigger.CopyFrom(numpy_helper.from_array(np.array([0.0], np.float32), "trigger"))
    onnx.save(model, made / "model.onnx")
    with np.load(made / "examples.npz") as there:
        x, y = there["x"].copy(), there["y"]
    x[:, 0, 0, 0] = 1  # none of its own examples begins with paper
    np.savez(made / "examples.npz", x=x, y=y)
    rewrite(made, {k: v for k, v in read(made).as_json().items() if k not in ("files", "format")})
    with pytest.raises(ModelRefused, match="did not answer within"):
        engines.load(made, artifact.verify(made), thorough=True)


def test_the_same_number_with_other_labels_is_another_version(
    seven: Client,  # noqa: F811
    push: Callable[..., Any],  # noqa: F811
) -> None:
    assert push(7).status_code == 200
    answer = push(7, labels=list("abcdefghij"))
    assert answer.status_code == 409
    assert "versions never change" in answer.text


def operator(path: Path, nodes: list[Any], constants: dict[str, NDArray[Any]]) -> None:
    """Add to a version's output 0 times what some nodes give, called ``heavy``."""
    model = onnx.load(path)
    for node in model.graph.node:
        node.output[:] = ["said" if name == "output" else name for name in node.output]
    model.graph.node.extend(
        [
            *nodes,
            helper.make_node("Mul", ["heavy", "nothing"], ["nought"]),
            helper.make_node("Add", ["said", "nought"], ["output"]),
        ]
    )
    model.graph.initializer.extend(
        numpy_helper.from_array(value, name)
        for name, value in {**constants, "nothing": np.array(0, np.float32)}.items()
    )
    onnx.save(model, path)
    told = read(path.parent).as_json()
    rewrite(path.parent, {k: v for k, v in told.items() if k not in ("files", "format")})


def huge_operator(path: Path, boxes: int) -> None:
    """One operator that computes for the square of its input: overlaps of boxes, each with each."""
    make = helper.make_node
    operator(
        path,
        [
            make("ReduceMax", ["input"], ["most"], keepdims=0),
            make("Mul", ["most", "nothing"], ["zero"]),
            make("Expand", ["zero", "many"], ["even"]),
            make("RandomUniformLike", ["even"], ["scores"], seed=1.0),
            make("Expand", ["zero", "four"], ["even4"]),
            make("RandomUniformLike", ["even4"], ["boxes"], seed=2.0),
            make("NonMaxSuppression", ["boxes", "scores", "kept", "overlap"], ["found"]),
            make("Cast", ["found"], ["counted"], to=TensorProto.FLOAT),
            make("ReduceSum", ["counted"], ["heavy"], keepdims=0),
        ],
        {
            "many": np.array([1, 1, boxes], np.int64),
            "four": np.array([1, boxes, 4], np.int64),
            "kept": np.array([boxes], np.int64),
            "overlap": np.array([0.999], np.float32),
        },
    )


def test_a_single_operator_that_computes_for_ages_is_refused_without_a_worker(tmp_path: Path) -> None:
    made = making.version(tmp_path / "it", 8)
    huge_operator(made / "model.onnx", 3_000_000)
    with pytest.raises(ModelRefused, match=r"within 3 s; it was stopped"):
        trial.try_version(made, artifact.verify(made), trial.TrialLimits(cpu_s=3))


def test_a_model_that_takes_all_memory_when_it_is_loaded_is_refused_without_a_worker(tmp_path: Path) -> None:
    made = making.version(tmp_path / "it", 8)
    make = helper.make_node
    operator(
        made / "model.onnx",
        [make("ConstantOfShape", ["many"], ["zeros"]), make("ReduceSum", ["zeros"], ["heavy"], keepdims=0)],
        {"many": np.array([3 * 2**28], np.int64)},
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelRefused, match=r"memory|alloc"):
        trial.try_version(made, artifact.verify(made))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # it would be 3 GiB
