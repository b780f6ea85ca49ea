"""ONNX models that see the brightest of ten bands, pictures of one, and zips as people send them."""

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from backend.untrusted.fitting import How
from backend.untrusted.model_files import ModelFiles
from backend.untrusted.model_servers import ModelServers
from backend.untrusted.serve import Serve, ServeAnswer, ServeRequest
from tests.backend import making

N, FLOAT, INT64, STRING = "n", TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
LABELS = [str(n) for n in range(10)]


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
