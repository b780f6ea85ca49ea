"""Ask a model server through the Unix socket in its folder: by gRPC where it can be had, else by REST."""

import http.client
import importlib.util
import json
import logging
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from backend.tfserving import rest_format
from backend.tfserving.channel import MAX_ANSWER, NAME, Channel
from backend.tfserving.rest_format import Arrays, Signature
from workbench.errors import BadInput, ModelRefused

log = logging.getLogger("backend")


def has_grpc() -> bool:
    """Tell whether the libraries for gRPC are installed, as the extra ``serving`` has them."""
    return all(importlib.util.find_spec(name) for name in ("grpc", "google", "google.protobuf"))


def open_grpc(address: Path) -> Channel | None:
    """Open a channel to a Unix socket and try it; ``None``, with the reason in the log, where gRPC cannot be had."""
    if not has_grpc():
        log.info("a model server is spoken to by REST: grpcio is not installed; the extra 'serving' has it")
        return None
    from backend.tfserving.grpc_client import Grpc  # takes a while, and is not always installed

    channel = Grpc(address)
    try:
        channel.check()
    except (OSError, BadInput, ModelRefused) as error:
        log.warning("a model server is spoken to by REST: it cannot be reached by gRPC: %s", error)
        return None
    return channel


class Rest:
    """TensorFlow Serving's REST API, a connection a request."""

    name = "REST"

    def __init__(self, address: Path) -> None:
        self._address = address

    def status(self) -> str:
        """``AVAILABLE``, ``LOADING`` …; empty where nobody answers."""
        try:
            status, told = self.ask("GET", f"/v1/models/{NAME}", timeout_s=2.0)
            return str(told["model_version_status"][0]["state"]) if status == 200 else ""  # type: ignore[index]
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return ""

    def signatures(self) -> dict[str, Signature]:
        """Ask what the model takes and gives; OSError or BadInput where the server does not tell."""
        status, told = self.ask("GET", f"/v1/models/{NAME}/metadata")
        if status != 200:
            raise ConnectionError(f"the model server has no metadata: {status} {str(told)[:200]}")
        return rest_format.read_metadata(told)

    def predict(self, inputs: Arrays, signature_name: str, signature: Signature, timeout_s: float) -> Arrays:
        body = rest_format.write_request(inputs, signature_name)
        status, told = self.ask("POST", f"/v1/models/{NAME}:predict", body, timeout_s)
        if status != 200:
            said = told.get("error", told) if isinstance(told, Mapping) else told
            raise ModelRefused(f"the model failed: {said}"[:600])
        return rest_format.read_answer(told, signature)

    def ask(
        self, method: str, path: str, body: bytes | None = None, timeout_s: float = 5.0
    ) -> tuple[int, object]:
        """Ask for the status and the JSON of an answer; OSError where there is none."""
        connection = _Connection(self._address, timeout_s)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read(MAX_ANSWER))
        except (http.client.HTTPException, ValueError, RecursionError) as error:
            raise ConnectionError(f"the model server's answer is none: {error!r}"[:300]) from error
        finally:
            connection.close()


class _Connection(http.client.HTTPConnection):
    """HTTP through a Unix socket."""

    def __init__(self, address: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._address = address

    def connect(self) -> None:
        # By descriptor: the path of a Unix socket may have 107 bytes only.
        descriptor = os.open(self._address.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            self.sock.connect(f"/proc/self/fd/{descriptor}/{self._address.name}")
        finally:
            os.close(descriptor)
