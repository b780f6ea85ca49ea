"""A version that takes two inputs and gives two outputs: ``grade`` is logits of the sizes, ``income`` is their sum and rank."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from workbench.manifest import write_listing

WEIGHTS = np.array([[2, 0], [0, 1], [0, 1]], np.float32)


def answers(sizes: Any, rank: Any) -> dict[str, Any]:
    """What the version answers to ``(n, 3)`` sizes and ``(n,)`` ranks."""
    sizes, rank = np.asarray(sizes, np.float32), np.asarray(rank)
    return {
        "income": sizes.sum(1, keepdims=True) + rank[:, None].astype(np.float32),
        "grade": sizes @ WEIGHTS,
    }


def version(folder: Path, number: int, *, name: str = "several", **manifest: Any) -> Path:
    """Write the version's folder."""
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["sizes", "weights"], ["grade"]),
            helper.make_node("ReduceSum", ["sizes", "one"], ["summed"], keepdims=1),
            helper.make_node("Cast", ["rank"], ["ranked"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["ranked", "one"], ["column"]),
            helper.make_node("Add", ["summed", "column"], ["income"]),
        ],
        "several",
        [
            helper.make_tensor_value_info("sizes", TensorProto.FLOAT, ["n", 3]),
            helper.make_tensor_value_info("rank", TensorProto.INT64, ["n"]),
        ],
        [
            helper.make_tensor_value_info("grade", TensorProto.FLOAT, ["n", 2]),
            helper.make_tensor_value_info("income", TensorProto.FLOAT, ["n", 1]),
        ],
        [
            numpy_helper.from_array(WEIGHTS, "weights"),
            numpy_helper.from_array(np.array([1], np.int64), "one"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    (folder / "model.keras").write_bytes(b"not read by the back end")
    sizes, rank = np.arange(12, dtype=np.float32).reshape(4, 3), np.arange(4)
    y = answers(sizes, rank)
    np.savez(
        folder / "examples.npz",
        **{"x.sizes": sizes, "x.rank": rank, "y.income": y["income"], "y.grade": y["grade"]},
    )
    told = {
        "name": name,
        "version": number,
        "job": None,
        "created": "2026-11-30T10:00:00Z",
        "input": None,
        "inputs": [
            {"name": "sizes", "kind": "array", "shape": [3], "dtype": "float32", "range": [0, 11]},
            {"name": "rank", "kind": "array", "shape": [], "dtype": "int64", "range": [0, 3]},
        ],
        "preprocessing": "none",
        "labels": ["low", "high"],
        "output": {"name": "grade", "kind": "logits", "shape": [2]},
        "outputs": [
            {"name": "income", "kind": "values", "shape": [1], "metrics": {"mean_error": 0.1}},
            {"name": "grade", "kind": "logits", "shape": [2], "metrics": {"accuracy": 0.9}},
        ],
        "metrics": {"accuracy": 0.9},
        "frameworks": {},
        "missing": {},
    }
    write_listing(folder, {**told, **manifest})
    return folder
