"""TensorFlow Serving's gRPC API as a client; needs ``grpcio`` and ``protobuf``, which the extra ``serving`` brings."""

import os
import weakref
from collections.abc import Callable
from pathlib import Path

import grpc

from backend.tfserving import grpc_format
from backend.tfserving.channel import MAX_ANSWER, NAME
from backend.tfserving.protos.serving_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
    ModelSpec,
    ModelVersionStatus,
    PredictRequest,
    PredictResponse,
)
from backend.tfserving.rest_format import Arrays, Signature
from workbench.errors import ModelRefused

IDLE_MS = 5_000
"""After which a connection that nobody uses is closed, since a server with a connection is never idle."""
_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_ANSWER),
    ("grpc.max_send_message_length", -1),
    ("grpc.client_idle_timeout_ms", IDLE_MS),
    # Connections are shared by address, and another model's folder may get this descriptor's number later.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.default_authority", "localhost"),
]


class Grpc:
    """One connection for all requests, made at the first, and again after a pause."""

    name = "gRPC"

    def __init__(self, address: Path) -> None:
        # By descriptor: the path of a Unix socket may have 107 bytes only.
        descriptor = os.open(address.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, descriptor)
        self._channel = grpc.insecure_channel(f"unix:/proc/self/fd/{descriptor}/{address.name}", _OPTIONS)
        weakref.finalize(self, self._channel.close)
        # Bytes both ways: what an untrusted model answers is read by us, with words where it is damaged.
        self._predict = self._channel.unary_unary(grpc_format.PREDICT)
        self._status = self._channel.unary_unary(grpc_format.GET_MODEL_STATUS)

    def check(self, timeout_s: float = 2.0) -> None:
        """OSError unless it answers that the model is there."""
        request = GetModelStatusRequest(model_spec=ModelSpec(name=NAME))
        data = self._ask(self._status, request.SerializeToString(), timeout_s)
        found = grpc_format.read(GetModelStatusResponse, data).model_version_status
        if not any(version.state == ModelVersionStatus.AVAILABLE for version in found):
            raise ConnectionError(f"the model is not available: {str(found)[:200]}")

    def predict(self, inputs: Arrays, signature_name: str, signature: Signature, timeout_s: float) -> Arrays:
        request = PredictRequest(model_spec=ModelSpec(name=NAME, signature_name=signature_name))
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(grpc_format.write_tensor(array, signature.inputs[name].dtype))
        data = self._ask(self._predict, request.SerializeToString(), timeout_s)
        answer = grpc_format.read(PredictResponse, data)
        return grpc_format.read_tensors(answer.outputs)

    def _ask(self, call: Callable[..., bytes], request: bytes, timeout_s: float) -> bytes:
        try:
            return bytes(call(request, timeout=timeout_s))
        except grpc.RpcError as error:
            code, said = error.code(), f"{error.details()}"[:500]
            if code == grpc.StatusCode.DEADLINE_EXCEEDED:
                raise TimeoutError(said) from error
            if code in (
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.UNIMPLEMENTED,
                grpc.StatusCode.CANCELLED,
            ):
                raise ConnectionError(f"{code.name}: {said}") from error
            raise ModelRefused(f"the model failed: {said}") from error
