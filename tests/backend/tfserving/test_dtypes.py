"""Models of every dtype, in and out: by REST, by gRPC, about pictures, and as a version of ours."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from backend.tfserving import server as model_server
from backend.tfserving.rest_format import DTYPES, Tensor, to_array
from backend.untrusted.fitting import How, fit
from tests.backend import bright, making
from tests.backend.client import Client
from tests.backend.real_server import BEARER
from tests.backend.tfserving.test_grpc import LONG_S, running
from tests.chain import wait_until
from workbench.errors import BadInput

WHOLE = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
NUMBERS = ("float16", "float32", "float64", *WHOLE)


def echo(path: Path, elements: int) -> Path:
    """A model that answers what it is asked."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "echo",
        [helper.make_tensor_value_info("x", elements, ["n", 2])],
        [helper.make_tensor_value_info("y", elements, ["n", 2])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def extremes(dtype: str) -> NDArray[Any]:
    if dtype == "string":
        return np.array([["ä", ""], ["🎉", "x" * 300]], object)
    if dtype == "bool":
        return np.array([[True, False], [False, True]])
    told = np.iinfo(dtype) if dtype in WHOLE else np.finfo(dtype)
    return np.array([[told.min, told.max], [0, 1]], dtype)


@pytest.mark.parametrize("dtype", [*NUMBERS, "bool", "string"])
def test_what_goes_in_comes_out_by_either_way(
    tmp_path: Path, free_ports: Callable[[int], list[int]], dtype: str
) -> None:
    x = extremes(dtype)
    elements = TensorProto.STRING if dtype == "string" else helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    loaded = model_server.load("onnx", echo(tmp_path / "m.onnx", int(elements)))
    with running(tmp_path, free_ports, loaded) as (server, _):
        wait_until(server.is_available, LONG_S, "the model server answers")
        signature = server.signatures["serving_default"]
        for channel in (server.rest, server.fast):
            assert channel is not None
            y = channel.predict({"x": x}, "serving_default", signature, LONG_S)["y"]
            assert y.dtype == DTYPES[signature.inputs["x"].dtype]
            if dtype == "string":
                y = np.vectorize(bytes.decode)(y)
            np.testing.assert_array_equal(y, x)


@pytest.mark.parametrize("dtype", [*NUMBERS, "bool"])
@pytest.mark.parametrize("gives", ["float16", "float32", "float64"])
def test_a_picture_is_brought_to_the_dtype_of_a_model(tmp_path: Path, dtype: str, gives: str) -> None:
    high = {"bool": 1, "int8": 127}.get(dtype, 255)
    path = bright.model(tmp_path / "m.onnx", "softmax", 4, takes=dtype, gives=gives, high=high)
    loaded = model_server.load("onnx", path)
    for light, wanted in ((20, 0), (235, 3)):
        fitted = fit(bright.picture(light), loaded.signatures, None, How())
        (x,) = fitted.inputs.values()
        assert x.dtype == dtype
        scores = loaded.run("serving_default", fitted.inputs)["output"]
        assert scores.dtype == gives
        assert int(scores.argmax()) == wanted


def test_a_range_that_a_dtype_has_not_is_refused(tmp_path: Path) -> None:
    loaded = model_server.load("onnx", bright.model(tmp_path / "m.onnx", "softmax", takes="int8", high=127))
    with pytest.raises(BadInput, match="0,255 is more than DT_INT8 can be, -128 to 127"):
        fit(bright.picture(20), loaded.signatures, None, How(range=(0, 255)))


@pytest.mark.parametrize("dtype", WHOLE)
def test_a_number_that_a_dtype_has_not_is_refused(dtype: str) -> None:
    told = np.iinfo(dtype)
    tensor = Tensor(f"DT_{dtype.upper()}", (-1,))
    assert to_array([told.min, told.max], tensor, "x").tolist() == [told.min, told.max]
    for wrong in (told.min - 1, told.max + 1):
        with pytest.raises(BadInput, match="x must be"):
            to_array([wrong], tensor, "x")


@pytest.mark.parametrize("dtype", [*NUMBERS, "bool"])
def test_a_version_of_every_dtype_is_deployed_and_asked(client: Client, tmp_path: Path, dtype: str) -> None:
    made = bright.version(tmp_path / "it", "logits", "logits", 3, ("a", "b", "c"), takes=dtype)
    body = making.zipped(made, tmp_path / "it.zip")
    pushed = client.put("/models/bright/versions/1", data=body, headers=BEARER)
    assert pushed.status_code == 201, pushed.text
    assert client.post("/models/bright:activate", json={"version": 1}, headers=BEARER).status_code == 200
    for light, wanted in ((20, "a"), (235, "c")):
        assert client.post("/predict", data=making.data_url(bright.picture(light))).text == wanted
    with np.load(made / "examples.npz") as archive:
        x, y = archive["x"], archive["y"]
    said = client.post("/v1/models/bright:predict", json={"instances": x.tolist()})
    assert said.status_code == 200, said.text
    np.testing.assert_allclose(said.json["predictions"], y, atol=1e-3)
