"""gRPC to a model server, without TensorFlow: what is read from strangers, and what happens where it fails."""

import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

import numpy as np
import pytest
from numpy.typing import NDArray

from backend.tfserving import grpc_format, grpc_server
from backend.tfserving import server as model_server
from backend.tfserving.channel import NAME
from backend.tfserving.grpc_client import Grpc
from backend.tfserving.protos import serving_pb2, tensor_pb2
from backend.tfserving.protos.serving_pb2 import GetModelStatusRequest, PredictRequest
from backend.tfserving.protos.tensor_pb2 import DataType, TensorProto
from backend.tfserving.rest_format import MAX_VALUES, Signature, Tensor
from backend.tfserving.server import Loaded
from backend.untrusted.confined import SOCKET
from backend.untrusted.model_files import ModelFile
from backend.untrusted.model_servers import ModelServer
from backend.untrusted.relay import pass_on
from tests.chain import wait_until
from workbench.errors import BadInput, ModelRefused
from workbench.settings import PROJECT

LONG_S = 60.0
"""More than a busy machine takes for any answer."""
SIDE = Tensor("DT_FLOAT", (-1, 300))
DOUBLES = Loaded(
    {"serving_default": Signature({"x": SIDE}, {"y": SIDE})},
    lambda _, inputs: {"y": inputs["x"] * 2},
)
X = np.arange(600, dtype=np.float32).reshape(2, 300)


@contextmanager
def running(
    folder: Path, free_ports: Callable[[int], list[int]], loaded: Loaded = DOUBLES, *, grpc: bool = True
) -> Iterator[tuple[ModelServer, Any]]:
    """A model behind the embedded server's two APIs, in this process; gives its ``ModelServer`` and gRPC's own."""
    port, grpc_port = free_ports(2)
    rest = model_server.Server(socket.create_server(("127.0.0.1", port)), NAME)
    rest.loaded = loaded
    threading.Thread(target=rest.serve_forever, args=(0.02,), daemon=True).start()
    service = grpc_server.start(NAME, grpc_port, lambda: loaded, model_server.MAX_BODY) if grpc else None
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / SOCKET))
    listener.listen()
    passing = threading.Thread(target=_pass_on, args=(listener, port, grpc_port), daemon=True)
    passing.start()
    server = ModelServer(ModelFile("0" * 64, folder, "saved_model", "served/1", None), "embedded", LONG_S)
    try:
        with patch.object(Grpc.check, "__defaults__", (LONG_S,)):
            yield server, service
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        passing.join()
        listener.close()
        rest.shutdown()
        rest.server_close()
        if service is not None:
            service.stop(None).wait()


def _pass_on(listener: socket.socket, port: int, grpc_port: int) -> None:
    try:
        pass_on(listener, port, grpc_port, lambda _: None)
    except OSError:
        return  # it was shut down


def test_a_model_server_is_asked_by_grpc_where_it_has_it(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    with running(tmp_path, free_ports) as (server, service):
        wait_until(server.is_available, LONG_S, "the model server answers")
        assert server.fast is not None
        np.testing.assert_array_equal(server.predict({"x": X})["y"], X * 2)
        service.stop(None).wait()
        with pytest.raises(ConnectionError):
            server.fast.predict({"x": X}, "serving_default", server.signatures["serving_default"], LONG_S)


def test_where_grpc_ends_rest_goes_on_and_says_so(
    tmp_path: Path, free_ports: Callable[[int], list[int]], caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path, free_ports) as (server, service):
        wait_until(server.is_available, LONG_S, "the model server answers")
        service.stop(None).wait()
        with caplog.at_level(logging.WARNING, "backend"):
            np.testing.assert_array_equal(server.predict({"x": X})["y"], X * 2)
        assert server.fast is None
    assert "by REST from now on: gRPC fails" in caplog.text


def test_where_grpc_cannot_be_reached_rest_is_used_and_says_so(
    tmp_path: Path, free_ports: Callable[[int], list[int]], caplog: pytest.LogCaptureFixture
) -> None:
    with (
        running(tmp_path, free_ports, grpc=False) as (server, _),
        caplog.at_level(logging.WARNING, "backend"),
    ):
        wait_until(server.is_available, LONG_S, "the model server answers")
        assert server.fast is None
        np.testing.assert_array_equal(server.predict({"x": X})["y"], X * 2)
    assert "it cannot be reached by gRPC" in caplog.text


def test_both_ways_give_what_is_no_number_in_the_signatures_own_type(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    positive = Loaded(
        DOUBLES.signatures, lambda _, inputs: {"y": np.where(inputs["x"] > 0, inputs["x"], np.nan)}
    )
    with running(tmp_path, free_ports, positive) as (server, _):
        wait_until(server.is_available, LONG_S, "the model server answers")
        asked = {"x": X}, "serving_default", server.signatures["serving_default"], LONG_S
        for channel in (server.rest, server.fast):
            assert channel is not None
            answer = channel.predict(*asked)["y"]
            assert answer.dtype == np.float32
            np.testing.assert_array_equal(answer, np.where(X > 0, X, np.nan))


def test_a_model_that_fails_says_so_by_grpc_too(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    def fail(_: str, inputs: Mapping[str, NDArray[Any]]) -> NoReturn:
        raise RuntimeError("the model has a hole")

    with running(tmp_path, free_ports, Loaded(DOUBLES.signatures, fail)) as (server, _):
        wait_until(server.is_available, LONG_S, "the model server answers")
        with pytest.raises(ModelRefused, match="the model failed: RuntimeError: the model has a hole"):
            server.predict({"x": X})
        assert server.fast is not None


def test_a_model_under_another_name_or_version_is_not_there(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    import grpc

    with running(tmp_path, free_ports), grpc.insecure_channel(f"unix:{tmp_path / SOCKET}") as channel:
        for call, kind in (
            (grpc_format.PREDICT, PredictRequest),
            (grpc_format.GET_MODEL_STATUS, GetModelStatusRequest),
        ):
            for spec in ({"name": "other"}, {"name": NAME, "version": {"value": 2}}):
                request = kind(model_spec=spec).SerializeToString()
                with pytest.raises(grpc.RpcError) as refused:
                    channel.unary_unary(call)(request, timeout=LONG_S)
                assert refused.value.code() == grpc.StatusCode.NOT_FOUND
                assert "Servable not found for request" in refused.value.details()
        with pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary(grpc_format.PREDICT)(b"\xff\xff", timeout=LONG_S)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"y": X},
        {"x": X, "y": X},
        {"x": X[:, 1:]},
        {"x": X[0]},
        {"x": X.astype(np.float64)},
        {"x": X.astype(np.int32)},
        {"x": np.array([["a"] * 300], object)},
    ],
)
def test_inputs_that_do_not_fit_are_refused_in_words(
    sent: Any, tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    kinds = {"f4": "DT_FLOAT", "f8": "DT_DOUBLE", "i4": "DT_INT32", "O": "DT_STRING"}
    signature = Signature({k: Tensor(kinds[a.dtype.str.lstrip("<|")], None) for k, a in sent.items()}, {})
    with running(tmp_path, free_ports), pytest.raises(ModelRefused, match="the model failed: "):
        Grpc(tmp_path / SOCKET).predict(sent, "serving_default", signature, LONG_S)


FLOAT, STRING, BOOL = (DataType.Value(f"DT_{name}") for name in ("FLOAT", "STRING", "BOOL"))
HOSTILE = {
    "more than fits": {"dtype": FLOAT, "tensor_shape": {"dim": [{"size": 2**40}]}, "float_val": [1.0]},
    "more by product": {"dtype": FLOAT, "tensor_shape": {"dim": [{"size": 2**32}] * 4}, "float_val": [1.0]},
    "negative": {"dtype": FLOAT, "tensor_shape": {"dim": [{"size": -1}]}, "float_val": [1.0]},
    "negative twice": {"dtype": FLOAT, "tensor_shape": {"dim": [{"size": -2}] * 2}, "float_val": [1.0] * 4},
    "many dimensions": {"dtype": FLOAT, "tensor_shape": {"dim": [{"size": 1}] * 100}, "float_val": [1.0]},
    "unknown rank": {"dtype": FLOAT, "tensor_shape": {"unknown_rank": True}, "float_val": [1.0]},
    "too few bytes": {"dtype": FLOAT, "tensor_shape": {"dim": [{"size": 2}]}, "tensor_content": b"1234567"},
    "too many values": {"dtype": FLOAT, "tensor_shape": {"dim": [{"size": 2}]}, "float_val": [1.0] * 3},
    "bytes for texts": {"dtype": STRING, "tensor_shape": {"dim": [{"size": 1}]}, "tensor_content": b"x"},
    "no text": {"dtype": STRING, "tensor_shape": {"dim": [{"size": 3}]}},
    "no type": {"tensor_shape": {"dim": [{"size": 1}]}},
    "a type of the future": {"dtype": 4711},
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_tensor_that_cannot_be_is_refused_in_words(case: str) -> None:
    data = TensorProto(**HOSTILE[case]).SerializeToString()
    with pytest.raises(BadInput, match="it "):
        grpc_format.read_tensor(grpc_format.read(TensorProto, data), "it")


def test_bytes_that_are_no_message_are_refused_in_words() -> None:
    kinds = [
        getattr(module, name)
        for module in (serving_pb2, tensor_pb2)
        for name in module.DESCRIPTOR.message_types_by_name
    ]
    assert len(kinds) == 9
    for kind in kinds:
        with pytest.raises(BadInput, match=f"3 bytes are no {kind.__name__}"):
            grpc_format.read(kind, b"\xff\xff\xff")


def test_the_modules_are_what_the_compiler_makes_of_the_proto_files(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    subprocess.run([sys.executable, PROJECT / "tools" / "compile_protos.py", tmp_path], check=True)
    made = sorted((tmp_path / "backend" / "tfserving" / "protos").iterdir())
    assert len(made) == 4
    for path in made:
        assert path.read_text() == (PROJECT / path.relative_to(tmp_path)).read_text()


def test_a_bool_is_one_whatever_byte_stands_for_it() -> None:
    shape = {"dim": [{"size": 3}]}
    tensor = TensorProto(dtype=BOOL, tensor_shape=shape, tensor_content=b"\x00\x01\x7f")
    assert grpc_format.read_tensor(tensor, "it").view(np.uint8).tolist() == [0, 1, 1]


def test_no_more_values_are_read_than_a_request_may_have() -> None:
    tensor = TensorProto(dtype=FLOAT, tensor_shape={"dim": [{"size": MAX_VALUES}]})
    assert grpc_format.read_tensor(tensor, "it").size == MAX_VALUES
    tensor.tensor_shape.dim[0].size += 1
    with pytest.raises(BadInput, match="more than"):
        grpc_format.read_tensor(tensor, "it")
