"""Serve one model behind TensorFlow Serving's REST API, on loopback.

``python -m backend.tfserving.server --form saved_model|keras|onnx --model PATH --name NAME --port PORT``, or ``--fd`` with
the number of a socket that listens; with ``--grpc-port`` behind the gRPC API too. A stand-in for
``tensorflow_model_server`` where there is none, and the only part of the back end that imports TensorFlow: always in a
process of its own, in the sandbox of :mod:`backend.untrusted.confined`.
"""

import argparse
import json
import os
import re
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.deployments import engines
from backend.tfserving import rest_format, verbs
from backend.tfserving.rest_format import Arrays, Signature, Tensor
from workbench.errors import BadInput, NotFound, WorkbenchError

HOST = "127.0.0.1"
MAX_BODY = 64 * 1024 * 1024
_PATH = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?(/metadata|:predict|:classify|:regress)?")


class Loaded:
    """A model in memory: its signatures, and the function that computes each."""

    def __init__(self, signatures: Mapping[str, Signature], run: Callable[[str, Arrays], Arrays]) -> None:
        self.signatures = signatures
        self.run = run


def load(form: str, model: Path) -> Loaded:
    """Load a model; the libraries' own errors pass through."""
    return {"saved_model": _load_saved_model, "keras": _load_keras, "onnx": _load_onnx}[form](model)


def _load_onnx(path: Path) -> Loaded:
    session = engines.open_session(path)

    def tensor(node: Any) -> Tensor:
        if _IN_MAPS.fullmatch(node.type):
            return Tensor("DT_FLOAT", (-1, -1))
        name = node.type.removeprefix("tensor(").removesuffix(")")
        kind = rest_format.dtype_of({"float": "float32", "double": "float64"}.get(name, name))
        if kind not in rest_format.DTYPES:
            raise BadInput(f"the input or output {node.name} is {node.type}, which is not supported")
        return Tensor(kind, tuple(side if isinstance(side, int) and side > 0 else -1 for side in node.shape))

    signature = Signature(
        {node.name: tensor(node) for node in session.get_inputs()},
        {node.name: tensor(node) for node in session.get_outputs()},
    )
    names = list(signature.outputs)

    def run(_: str, inputs: Arrays) -> Arrays:
        answers = session.run(names, {name: _as_text(array) for name, array in inputs.items()})
        return {
            name: _from_maps(answer) if isinstance(answer, list) else answer
            for name, answer in zip(names, answers, strict=True)
        }

    return Loaded({"serving_default": signature}, run)


def _as_text(array: NDArray[Any]) -> NDArray[Any]:
    """The array; of bytes their texts, since ONNX knows texts only."""
    if array.dtype.kind != "O":
        return array
    texts = [
        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        for value in array.ravel()
    ]
    return np.array([*texts, None], object)[:-1].reshape(array.shape)


_IN_MAPS = re.compile(r"seq\(map\((int64|string),\s*tensor\(float\)\)\)")
"""How scikit-learn's models give probabilities as ONNX, unless they are told not to: by class, a map an example."""


def _from_maps(maps: list[dict[object, float]]) -> NDArray[np.float32]:
    """``(n, classes)``, in the order of the maps, which is that of the classes."""
    return np.array([list(one.values()) for one in maps], np.float32)


def _load_saved_model(path: Path) -> Loaded:
    tf = _tensorflow()
    model = tf.saved_model.load(str(path))
    functions = {name: function for name, function in model.signatures.items() if not name.startswith("__")}
    if not functions:
        raise BadInput("the SavedModel has no serving signature; export it with one")

    def tensor(spec: Any) -> Tensor:
        shape = (
            None if spec.shape.rank is None else tuple(-1 if d is None else d for d in spec.shape.as_list())
        )
        return Tensor(_dtype(spec.dtype), shape)

    signatures = {
        name: Signature(
            {k: tensor(spec) for k, spec in function.structured_input_signature[1].items()},
            {k: tensor(spec) for k, spec in function.structured_outputs.items()},
        )
        for name, function in functions.items()
    }

    def run(name: str, inputs: Arrays) -> Arrays:
        return {
            k: v.numpy() for k, v in functions[name](**{k: tf.constant(v) for k, v in inputs.items()}).items()
        }

    return Loaded(signatures, run)


def _load_keras(path: Path) -> Loaded:
    tf = _tensorflow()
    import keras

    model = keras.saving.load_model(path, compile=False, safe_mode=True)

    def tensor(symbol: Any) -> Tensor:
        return Tensor(
            _dtype(tf.as_dtype(symbol.dtype)), tuple(-1 if side is None else side for side in symbol.shape)
        )

    feeds, names = [one.name for one in model.inputs], list(getattr(model, "output_names", ()))
    if len(set(names)) != len(model.outputs) or len(names) == 1:
        names = [f"output_{n}" for n in range(len(model.outputs))]
    signature = Signature(
        {name: tensor(one) for name, one in zip(feeds, model.inputs, strict=True)},
        {name: tensor(output) for name, output in zip(names, model.outputs, strict=True)},
    )

    def give(x: Any) -> Any:
        answers = model(keras.tree.pack_sequence_as(model.input, x), training=False)
        return keras.tree.flatten(answers)

    call = tf.function(give, reduce_retracing=True)

    def run(_: str, inputs: Arrays) -> Arrays:
        answers = call([tf.constant(inputs[name]) for name in feeds])
        return {name: answer.numpy() for name, answer in zip(names, answers, strict=True)}

    return Loaded({"serving_default": signature}, run)


def _dtype(dtype: Any) -> str:
    names = {"float32": "FLOAT", "float64": "DOUBLE", "float16": "HALF"}
    name = str(dtype.name)
    return "DT_" + names.get(name, name.upper())


def _tensorflow() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf


class Server(ThreadingHTTPServer):
    """Answers *LOADING* until the model is there."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, name: str) -> None:
        # Not TCPServer's own, which makes a socket: that may be refused to this process.
        socketserver.BaseServer.__init__(self, listening.getsockname(), Handler)
        self.socket, self.name = listening, name
        self.loaded: Loaded | None = None
        self.grpc: object = None
        """The same by gRPC, which stops answering when nobody refers to it."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server
    timeout = 60

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True
            self._send(413, {"error": f"a request has at most {MAX_BODY:,} bytes"})
            return
        self._answer(self.rfile.read(int(length)))

    def _answer(self, body: bytes) -> None:
        try:
            status, answer = self._find(body)
        except NotFound as error:
            status, answer = 404, {"error": str(error)}
        except (WorkbenchError, ValueError, TypeError) as error:
            status, answer = 400, {"error": str(error)[:500]}
        except MemoryError:
            status, answer = 400, {"error": "there is not enough memory for that"}
        except Exception as error:  # what an untrusted model does is its own matter, and its caller's
            status, answer = 400, {"error": f"{type(error).__name__}: {error}"[:500]}
        self._send(status, answer)

    def _find(self, body: bytes) -> tuple[int, object]:
        match = _PATH.fullmatch(self.path.partition("?")[0])
        if match is None:
            raise verbs.malformed(self.command, self.path)
        name, version, what = match.groups()
        if name != self.server.name or version not in (None, "1"):
            raise rest_format.no_such_model(name, version)
        loaded = self.server.loaded
        if what is None and self.command == "GET":
            state = "AVAILABLE" if loaded else "LOADING"
            return 200, {"model_version_status": [rest_format.status("1", state)]}
        if loaded is None:
            raise rest_format.no_such_model(name, version)
        if what == "/metadata" and self.command == "GET":
            return 200, rest_format.describe(loaded.signatures, name, "1")
        if what == ":predict" and self.command == "POST":
            plain = verbs.unpack(body, self.headers.get("Content-Encoding", ""), MAX_BODY)
            asked = rest_format.read_request(plain, loaded.signatures)
            outputs = loaded.run(asked.signature_name, asked.inputs)
            return 200, rest_format.write_answer({k: np.asarray(v) for k, v in outputs.items()}, asked.rows)
        if what in (":classify", ":regress") and self.command == "POST":
            raise verbs.refuse_examples(what.removeprefix(":"), body, loaded.signatures)
        raise verbs.malformed(self.command, self.path)

    def _send(self, status: int, answer: object) -> None:
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Write nothing: the log is for errors."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m backend.tfserving.server")
    parser.add_argument("--form", choices=["saved_model", "keras", "onnx"], required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--name", default="model")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int)
    where.add_argument("--fd", type=int)
    parser.add_argument("--grpc-port", type=int, default=0, help="0: none")
    asked = parser.parse_args()
    listening = (
        socket.create_server((HOST, asked.port)) if asked.fd is None else socket.socket(fileno=asked.fd)
    )
    server = Server(listening, asked.name)
    if asked.grpc_port:
        from backend.tfserving import grpc_server  # takes a while, and is not always installed

        server.grpc = grpc_server.start(asked.name, asked.grpc_port, lambda: server.loaded, MAX_BODY)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        server.loaded = load(asked.form, asked.model)
    except BaseException as error:  # said in the log, where the back end finds it
        said = str(error).strip().splitlines() or [""]
        print(f"refused: {type(error).__name__}: {said[0]}"[:600], file=sys.stderr, flush=True)
        return 1
    threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
