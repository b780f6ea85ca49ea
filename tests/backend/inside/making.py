"""Models of several kinds for tests of what is inside them: made of ONNX nodes, as exporters make them, with random numbers."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.backend import making
from workbench.manifest import Manifest, read, write_listing

KINDS = ("conv", "dense", "residual", "strange", "views")


def version(folder: Path, number: int, kind: str, *, sample: int = 60, **manifest: Any) -> Path:
    """A version of a model of that kind, whose examples are its own answers."""
    making.version(folder, number, **manifest)
    model = build(kind)
    onnx.save(model, folder / "model.onnx")
    _answer_examples(folder)
    if sample:
        digits = np.random.default_rng(1).integers(0, 256, (sample, 28, 28, 1)).astype(np.uint8)
        np.savez_compressed(folder / "alike.npz", x=digits, y=np.arange(sample) % 10)
    write_listing(folder, read(folder).as_json())
    return folder


def manifest_of(folder: Path) -> Manifest:
    return read(folder)


def build(kind: str) -> onnx.ModelProto:
    """A model ``(n, 28, 28, 1)`` → ``(n, 10)`` of random numbers."""
    chance = np.random.default_rng(7)

    def numbers(*shape: int) -> NDArray[np.float32]:
        spread = 1 / math.sqrt(math.prod(shape[1:]))
        return chance.normal(scale=spread, size=shape).astype(np.float32)

    scale = {"scale": np.float32(1 / 255).reshape(()), "to_nchw": np.array([-1, 1, 28, 28], np.int64)}
    begin = [
        helper.make_node("Mul", ["input", "scale"], ["scaled"], "net/rescaling/mul"),
        helper.make_node("Reshape", ["scaled", "to_nchw"], ["planes"], "net/look/BiasAdd__6"),
    ]
    look = [
        helper.make_node(
            "Conv", ["planes", "w1", "b1"], ["c1"], "net/look/BiasAdd", strides=[2, 2], pads=[1, 1, 2, 2]
        ),
        helper.make_node("Relu", ["c1"], ["r1"], "net/look/Relu"),
    ]
    weights = {**scale, "w1": numbers(20, 1, 5, 5), "b1": numbers(20)}
    if kind == "dense":
        weights = {"scale": scale["scale"], "flat": np.array([-1, 784], np.int64)}
        weights |= {"d1": numbers(300, 784).T.copy(), "e1": numbers(300), "d2": numbers(10, 300).T.copy()}
        nodes = [
            begin[0],
            helper.make_node("Reshape", ["scaled", "flat"], ["f"], "net/flatten/Reshape"),
            helper.make_node("MatMul", ["f", "d1"], ["m1"], "net/hidden/MatMul"),
            helper.make_node("Add", ["m1", "e1"], ["a1"], "net/hidden/BiasAdd"),
            helper.make_node("Relu", ["a1"], ["h"], "net/hidden/Relu"),
            helper.make_node("MatMul", ["h", "d2"], ["logits"], "net/answer/MatMul"),
        ]
    elif kind == "strange":  # squares of the picture's columns, with no weights but in the last layer
        weights = {"two": np.float32(2).reshape(()), "d2": numbers(10, 28).T.copy()}
        weights |= {"axes": np.array([1, 3], np.int64)}
        nodes = [
            helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1, 3], keepdims=0),
            helper.make_node("CumSum", ["mean", "one"], ["sums"]),
            helper.make_node("MatMul", ["sums", "d2"], ["logits"]),
        ]
        weights = {"d2": weights["d2"], "one": np.int64(1).reshape(())}
    else:
        weights |= {"d2": numbers(10, 20).T.copy(), "axes": np.array([2, 3], np.int64)}
        nodes = [*begin, *look]
        last = "r1"
        if kind == "residual":
            weights |= {"w2": numbers(20, 20, 3, 3), "s": np.full((1, 20, 1, 1), 0.5, np.float32)}
            nodes += [
                helper.make_node("Conv", [last, "w2"], ["c2"], "net/again/convolution", pads=[1, 1, 1, 1]),
                helper.make_node("Add", ["c2", last], ["sum"], "net/both/Add"),
                helper.make_node("Mul", ["sum", "s"], ["n"], "net/normal/batchnorm/mul_1"),
                helper.make_node("Relu", ["n"], ["r2"], "net/re_lu/Relu"),
            ]
            last = "r2"
        nodes += [
            helper.make_node(
                "MaxPool", [last], ["p"], "net/pool/MaxPool2d", kernel_shape=[2, 2], strides=[2, 2]
            ),
            helper.make_node("GlobalAveragePool", ["p"], ["g"], "net/mean/Mean"),
            helper.make_node("Squeeze", ["g", "axes"], ["f"], "net/mean/Squeeze"),
            helper.make_node("MatMul", ["f", "d2"], ["logits"], "net/answer/MatMul"),
        ]
    nodes.append(helper.make_node("Softmax", ["logits"], ["output"], "net/answer/Softmax", axis=1))
    if (
        kind == "views"
    ):  # the picture, and the same half as bright, as one batch; the answer is the mean of both
        nodes[0].input[0], nodes[-1].output[0] = "seen", "each"
        weights |= {"half": np.float32(0.5).reshape(()), "second": np.array([1], np.int64)}
        weights |= {"one_batch": np.array([-1, 28, 28, 1], np.int64), "two": np.array([-1, 2, 10], np.int64)}
        nodes = [
            helper.make_node("Unsqueeze", ["input", "second"], ["u"], "net/views/ExpandDims"),
            helper.make_node("Mul", ["u", "half"], ["v"], "net/views/mul"),
            helper.make_node("Concat", ["u", "v"], ["both"], "net/views/concat", axis=1),
            helper.make_node("Reshape", ["both", "one_batch"], ["seen"], "net/views/Reshape"),
            *nodes,
            helper.make_node("Reshape", ["each", "two"], ["pairs"], "net/mean_of_views_1/Reshape"),
            helper.make_node(
                "ReduceMean", ["pairs"], ["output"], "net/mean_of_views_1/Mean", axes=[1], keepdims=0
            ),
        ]
    graph = helper.make_graph(
        nodes,
        kind,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 28, 28, 1])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def run(model: Path, x: NDArray[np.float32], names: Sequence[str]) -> list[NDArray[Any]]:
    """Tensors of a model by ONNX' own reference evaluator: another computer than the back end's."""
    from onnx.reference import ReferenceEvaluator

    made = onnx.load(model)
    known = {output.name for output in made.graph.output}
    made.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    found = dict(
        zip(
            [o.name for o in made.graph.output], ReferenceEvaluator(made).run(None, {"input": x}), strict=True
        )
    )
    return [found[name] for name in names]


def _answer_examples(folder: Path) -> None:
    with np.load(folder / "examples.npz") as archive:
        x = archive["x"]
    (y,) = run(folder / "model.onnx", x.astype(np.float32), ["output"])
    np.savez(folder / "examples.npz", x=x, y=y)
