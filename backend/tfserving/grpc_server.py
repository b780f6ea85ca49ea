"""TensorFlow Serving's gRPC API over a loaded model, as the embedded model server has it beside the REST API."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import grpc
import numpy as np

from backend.tfserving import grpc_format, rest_format
from backend.tfserving.protos.serving_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
    ModelSpec,
    ModelVersionStatus,
    PredictRequest,
    PredictResponse,
    StatusProto,
)
from backend.tfserving.protos.tensor_pb2 import TensorProto
from backend.tfserving.rest_format import Arrays, Signature
from workbench.errors import BadInput, NotFound, WorkbenchError

THREADS = 8


class Model(Protocol):
    """A model in memory."""

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """Its inputs and outputs."""

    @property
    def run(self) -> Callable[[str, Arrays], Arrays]:
        """Computes a signature's outputs."""


def start(name: str, port: int, find: Callable[[], Model | None], max_bytes: int) -> grpc.Server:
    """Answer on a port of loopback; ``find`` gives ``None`` while the model is being loaded."""

    def status(data: bytes, _: grpc.ServicerContext) -> bytes:
        _check_spec(grpc_format.read(GetModelStatusRequest, data).model_spec, name)
        state = ModelVersionStatus.AVAILABLE if find() else ModelVersionStatus.LOADING
        version = ModelVersionStatus(version=1, state=state, status=StatusProto())
        answer = GetModelStatusResponse(model_version_status=[version])
        return bytes(answer.SerializeToString())

    def predict(data: bytes, _: grpc.ServicerContext) -> bytes:
        request = grpc_format.read(PredictRequest, data)
        _check_spec(request.model_spec, name)
        model = find()
        if model is None:
            raise rest_format.no_such_model(name)
        signature_name = request.model_spec.signature_name or "serving_default"
        if signature_name not in model.signatures:
            raise BadInput(f'Serving signature name: "{signature_name[:80]}" not found in signature def')
        signature = model.signatures[signature_name]
        outputs = model.run(signature_name, _read_inputs(request.inputs, signature))
        spec = ModelSpec(name=name, version={"value": 1}, signature_name=signature_name)
        answer = PredictResponse(model_spec=spec)
        for key, value in outputs.items():
            answer.outputs[key].CopyFrom(
                grpc_format.write_tensor(np.asarray(value), signature.outputs[key].dtype)
            )
        return bytes(answer.SerializeToString())

    server = grpc.server(
        ThreadPoolExecutor(THREADS),
        [_Routes({grpc_format.GET_MODEL_STATUS: status, grpc_format.PREDICT: predict})],
        options=[
            ("grpc.max_receive_message_length", max_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ],
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server


class _Routes(grpc.GenericRpcHandler):
    """Functions from bytes to bytes by their paths."""

    def __init__(self, routes: Mapping[str, Callable[[bytes, grpc.ServicerContext], bytes]]) -> None:
        self._routes = {
            path: grpc.unary_unary_rpc_method_handler(_in_words(function))
            for path, function in routes.items()
        }

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return self._routes.get(details.method)


def _in_words(
    function: Callable[[bytes, grpc.ServicerContext], bytes],
) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    """Turn an exception into a status, as the REST API makes 400 and 404 of it."""

    def answer(data: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            return function(data, context)
        except NotFound as error:
            code, said = grpc.StatusCode.NOT_FOUND, str(error)
        except (WorkbenchError, ValueError, TypeError) as error:
            code, said = grpc.StatusCode.INVALID_ARGUMENT, str(error)
        except MemoryError:
            code, said = grpc.StatusCode.RESOURCE_EXHAUSTED, "there is not enough memory for that"
        except Exception as error:  # what an untrusted model does is its own matter, and its caller's
            code, said = grpc.StatusCode.INVALID_ARGUMENT, f"{type(error).__name__}: {error}"
        context.set_code(code)
        context.set_details(said[:500])
        return b""

    return answer


def _check_spec(spec: ModelSpec, name: str) -> None:
    version = spec.version.value if spec.HasField("version") else 1
    if (spec.name, version) != (name, 1):
        raise rest_format.no_such_model(spec.name, str(version) if spec.HasField("version") else None)


def _read_inputs(sent: Mapping[str, TensorProto], signature: Signature) -> Arrays:
    if set(sent) != set(signature.inputs):
        raise BadInput(
            f"the inputs are {', '.join(signature.inputs)}. Received: {', '.join(sent)[:200] or 'none'}"
        )
    inputs = grpc_format.read_tensors(sent)
    for name, wanted in signature.inputs.items():
        dtype, shape = grpc_format.dtype_of(sent[name], name), inputs[name].shape
        if dtype != wanted.dtype:
            raise BadInput(f"{name} must be of type {wanted.dtype}. Received: {dtype}")
        if wanted.shape is not None and not rest_format.fits(shape, wanted.shape):
            raise BadInput(
                f"{name} must have the shape {rest_format.show_shape(wanted.shape)}. "
                f"Received: {rest_format.show_shape(shape)}"
            )
    return inputs
