"""What stands before moto: who calls, what is to go wrong, what was asked so far, and the tests' own levers."""

import calendar
import contextlib
import dataclasses
import io
import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl

from tests.emulator import calls as asked
from tests.emulator.calls import Call
from tests.emulator.faults import Fault, from_json
from tests.emulator.rates import Rates
from tests.emulator.world import World

SPOT_ROLE_REFUSED = "AuthFailure.ServiceLinkedRoleCreationNotPermitted"
SPOT_ROLE_WORDS = "The provided credentials do not have permission to create the service-linked role for EC2 Spot Instances."

Answer = tuple[str, list[tuple[str, str]], bytes]
Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Front:
    """A WSGI application."""

    def __init__(
        self,
        world: World,
        moto: Application,
        metadata: Callable[[dict[str, Any], str | None], Answer],
        services: dict[str, Callable[[Call, dict[str, Any]], Answer]],
        levers: dict[str, Callable[[Any], Any]],
        outside_tcp: io.TextIOBase,
        allows: Callable[[Call], str | None],
    ) -> None:
        self._world = world
        self._moto = moto
        self._metadata = metadata
        self._services = services
        self._allows = allows
        self._outside_tcp = outside_tcp
        self.faults = world.faults
        self.rates = Rates()
        self.log: list[Call] = []
        self._log_lock = threading.Lock()
        self._levers = levers | {
            "faults": self._set_faults,
            "calls": lambda _: [dataclasses.asdict(call) for call in self.log],
            "forget": lambda _: self.log.clear(),
            "rates": self.rates.limit,
        }

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        if path.startswith("/emulator/") and environ.get("REMOTE_ADDR") == "127.0.0.1":
            answer = self._pull(path.removeprefix("/emulator/"), _body(environ))
        elif path.startswith("/emulator-metadata/"):
            machine, _, rest = path.removeprefix("/emulator-metadata/").partition("/")
            answer = self._metadata({**environ, "PATH_INFO": f"/{rest}"}, machine)
        else:
            answer = self._aws(environ)
        start(answer[0], answer[1])
        return [answer[2]]

    # ── the tests' levers ──

    def _pull(self, lever: str, body: bytes) -> Answer:
        told = body if lever == "faults" else json.loads(body or b"null")
        try:
            result = self._levers[lever](told)
        except Exception as error:
            return "500 Failed", [("Content-Type", "text/plain")], repr(error).encode()
        return "200 OK", [("Content-Type", "application/json")], json.dumps(result, default=str).encode()

    def _set_faults(self, body: bytes) -> None:
        self.faults.set(from_json(body))

    # ── AWS ──

    def _aws(self, environ: dict[str, Any]) -> Answer:
        body = b""
        if not environ.get("HTTP_AUTHORIZATION", "").partition("/s3/")[1]:
            body = _body(environ)
            environ["wsgi.input"] = io.BytesIO(body)
        call = asked.read(environ, body)
        call = dataclasses.replace(call, machine=self._machine_of(call.key))
        refused = self._refuse(call, environ)
        faults = [] if refused else self.faults.take(call.service, call.action, call.machine)
        for fault in faults:
            time.sleep(fault.delay_s)
        hard = next((f for f in faults if f.code or f.cut or f.kill), None)
        effect = not refused and (hard is None or hard.after_effect or hard.kill)
        position = self._record(call)
        answer = self._answer(call, environ, body) if effect else None
        if refused:
            answer = _failed(call, *refused, environ["REQUEST_METHOD"])
        elif hard and hard.code:
            words = hard.message or "made by the emulator"
            answer = _failed(call, hard.status, hard.code, words, environ["REQUEST_METHOD"])
        if answer and not answer[0].startswith("2"):
            code = asked.error_code(answer[2]) or answer[0]
            self.log[position] = dataclasses.replace(call, error=code)
        if hard and (hard.cut or hard.kill):
            self.log[position] = dataclasses.replace(call, error="kill" if hard.kill else "cut")
            self._cut(environ, hard)
        assert answer is not None
        return answer

    def _record(self, call: Call) -> int:
        with self._log_lock:
            self.log.append(call)
            return len(self.log) - 1

    def _machine_of(self, key: str) -> str | None:
        """The instance whose role's key this is; ``""`` for a key that no instance has any more."""
        if not key.startswith("ASIA"):
            return None
        return next((i for i in self._world.machines if key_of(i) == key), "")

    def _refuse(self, call: Call, environ: dict[str, Any]) -> tuple[int, str, str] | None:
        if (
            call.key == ""
            and call.action in ("GetObject", "HeadObject")
            and self._world.is_strangers(call.resource)
        ):
            return None  # who opened it to everybody
        if call.key == "":
            return 403, "AccessDenied", "Access Denied"
        if call.machine == "" or (call.machine is None and call.key != asked.CALLER_KEY):
            code = "InvalidAccessKeyId" if call.service == "s3" else "InvalidClientTokenId"
            code = "AuthFailure" if call.service == "ec2" else code
            return 403, code, "The security token included in the request is invalid."
        if self.rates.refuses(call):
            return 503, "RequestLimitExceeded", "Request limit exceeded."
        if words := self._allows(call):
            code = {"ec2": "UnauthorizedOperation", "s3": "AccessDenied"}.get(
                call.service, "AccessDeniedException"
            )
            return 403, SPOT_ROLE_REFUSED if words == SPOT_ROLE_WORDS else code, words
        if self._world.is_strangers(call.resource) and asked.EXPECTED_OWNER in call.context:
            return 403, "AccessDenied", "Access Denied"
        query = parse_qs(environ.get("QUERY_STRING", ""))
        if "X-Amz-Expires" in query:
            made = time.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ")
            if calendar.timegm(made) + int(query["X-Amz-Expires"][0]) < time.time():
                return 403, "AccessDenied", "Request has expired"
        return None

    def _answer(self, call: Call, environ: dict[str, Any], body: bytes) -> Answer:
        named = self._services.get(f"{call.service}:{call.action}")
        if named:
            return named(call, dict(parse_qsl(body.decode())))
        if call.service in self._services:
            return self._services[call.service](call, json.loads(body or b"{}"))
        if call.service == "s3":
            return _run(self._moto, environ)
        with self._world.lock:  # moto's models know nothing of threads
            return _run(self._moto, environ)

    def _cut(self, environ: dict[str, Any], fault: Fault) -> None:
        if fault.kill:
            kill_caller(self._outside_tcp, int(environ["REMOTE_PORT"]))
        connection: socket.socket = environ["werkzeug.socket"]
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError("cut on purpose")


def _body(environ: dict[str, Any]) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return environ["wsgi.input"].read(length) if length else b""


def _run(application: Application, environ: dict[str, Any]) -> Answer:
    told: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], None]:
        told[:] = [status, headers]
        return lambda data: None

    parts = application(environ, start)
    try:
        body = b"".join(parts)
        return told[0], told[1], body
    finally:
        if hasattr(parts, "close"):
            parts.close()


def _failed(call: Call, status: int, code: str, message: str, method: str) -> Answer:
    kind, body = asked.error(call, code, message, method)
    return f"{status} {code}", [("Content-Type", kind), ("Content-Length", str(len(body)))], body


def json_answer(value: Any) -> Answer:
    """An answer of the JSON protocol."""
    return "200 OK", [("Content-Type", "application/x-amz-json-1.1")], json.dumps(value).encode()


def kill_caller(tcp: io.TextIOBase, port: int) -> int | None:
    """End the process that holds this local port by signal 9; gives its id, ``None`` when there is none."""
    tcp.seek(0)
    wanted = f":{port:04X}"
    inodes = {line.split()[9] for line in tcp.readlines()[1:] if line.split()[1].endswith(wanted)}
    for folder in Path("/proc").glob("[0-9]*/fd"):
        for link in _links(folder):
            found = re.fullmatch(r"socket:\[(\d+)\]", link)
            pid = int(folder.parent.name)
            if found and found[1] in inodes and pid != os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                return pid
    return None


def _links(folder: Path) -> list[str]:
    found = []
    with contextlib.suppress(OSError):
        for entry in folder.iterdir():
            with contextlib.suppress(OSError):
                found.append(str(entry.readlink()))
    return found


def key_of(instance_id: str) -> str:
    """The access key that an instance's role gives it."""
    return f"ASIA{instance_id[2:18].upper()}"
