"""A stand-in for the back end: answers as the contract says, or late, or not at all, as a test wants."""

import base64
import contextlib
import json
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, Any]]
VISIT = "X-Visit"
"""The header by which a visitor of the tests is known."""


def black_png(side: int = 28) -> str:
    """A data URL of a picture with a grey ramp, as ``seen`` would be."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    rows = b"".join(b"\0" + bytes(min(255, 9 * x) for x in range(side)) for _ in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    png = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return "data:image/png;base64," + base64.b64encode(png).decode()


def answer(digit: int, *, sure: float = 0.97, second: int | None = None, **more: Any) -> Answer:
    """What ``/predict`` says when it recognises a digit."""
    second = (digit + 1) % 10 if second is None else second
    rest = (1 - sure) / 2
    probabilities = [rest / 8] * 10
    probabilities[digit], probabilities[second] = sure, rest
    said = {
        "digit": digit,
        "probabilities": probabilities,
        "model": "mnist-cnn",
        "version": 3,
        "latency_ms": 0.9,
    }
    return 200, {**said, "seen": black_png(), **more}


READY: Answer = (200, {"state": "ready"})
NOTHING: Answer = (200, {"digit": None, "reason": "There is too little ink to be a digit."})
MODELS: Answer = (200, {"predict": "mnist-cnn", "models": [{"name": "mnist-cnn", "version": 3}]})
KEPT: Answer = (201, {"id": "1"})


def inside(digit: int = 7) -> Answer:
    """What ``/inside`` says of a net of one convolution, both to a drawing and without one."""
    picture = black_png()
    kernel = {
        "shape": [2, 1, 3, 3],
        "weights": [0.5, -0.25, 0.125] * 6,
        "bias": [0.5, -1.0],
        "strides": [1, 1],
        "pads": [0, 0, 0, 0],
        "dilations": [1, 1],
    }
    ramp = {"maps": [picture], "range": [0.0, 1.0]}
    look = {"name": "look", "kind": "convolution", "after": "relu", "shape": [28, 28, 2], "kernel": kernel}
    last = {"name": "answer", "kind": "dense", "after": "softmax", "shape": [10]}
    odds = [1.0 if i == digit else 0.0 for i in range(10)]
    changes = [
        [4.0 if i == 8 and k == digit else -1.0 if i == 40 else 0.0 for i in range(49)] for k in range(10)
    ]
    return 200, {
        "model": "mnist-cnn",
        "version": 3,
        "digit": digit,
        "probabilities": [0.97 if i == digit else 0.03 / 9 for i in range(10)],
        "seen": picture,
        "layers": [
            {**look, "maps": [picture, picture], "range": [0.0, 2.0], "takes": ramp},
            {**last, "maps": [picture], "range": [0.0, 1.0], "values": odds},
            {
                "name": "odd",
                "kind": "lstm",
                "shape": [3, 4],
                "maps": [],
                "missing": "numbers in this order are no picture",
            },
        ],
        "for_and_against": {"method": "occlusion", "grid": 7, "classes": list(range(10)), "changes": changes},
        "alike": [{"label": str(digit), "picture": picture, "likeness": 0.99 - 0.01 * i} for i in range(5)],
        "missing": {},
    }


def training(step: int, of: int = 630) -> Answer:
    """What ``/readyz`` says while the first model is being trained."""
    message = f"training the first model, step {step} of {of}"
    return 503, {"state": "training", "message": message, "step": step, "of": of}


def error(status: int, code: str, message: str) -> Answer:
    return status, {"error": {"code": code, "message": message}}


class Backend:
    """A back end on a port of 127.0.0.1; what each route says can be changed at any time.

    ``requests`` has every request so far: (method, path, headers, body). ``hold`` keeps predictions waiting
    until the block ends. ``most_at_once`` is how many predictions there were at one time.
    """

    def __init__(self, port: int = 0) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self._gone: set[str] = set()
        self._lock = threading.Lock()
        self.reset()
        self._at_once = 0
        self._free = threading.Event()
        self._free.set()
        self._server: _Server | None = None
        self.port = port
        self.start()

    def reset(self) -> None:
        """Be as at the beginning: ready, recognising every drawing as a 7, with nothing seen yet.

        What a visitor from before still sends, or a server before this one still hands on, is not seen either.
        """
        with self._lock:
            self._gone |= {headers[VISIT] for _, _, headers, _ in self.requests if VISIT in headers}
            self.requests = []
        self.says: dict[str, Answer] = {
            "/predict": answer(7),
            "/readyz": READY,
            "/models": MODELS,
            "/corrections": KEPT,
            "/inside": inside(),
        }
        self.says_anew: dict[str, Callable[[], Answer]] = {}  # before those, another answer each time
        self.headers: dict[str, str] = {}
        self.connections = 0
        self.most_at_once = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen, on the same port as before; does nothing if it does already."""
        if self._server is None:
            self._server = _Server(("127.0.0.1", self.port), type("Handler", (_Handler,), {"backend": self}))
            self.port = self._server.server_address[1]
            threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Go away: connections are closed, new ones refused; stopping twice is fine."""
        self._free.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.close_all()
            self._server = None

    close = stop

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Let predictions wait until the end of the block."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()

    def bodies(self, path: str = "/predict") -> list[dict[str, Any]]:
        """The JSON that was posted to a route."""
        return [
            json.loads(body) for method, at, _, body in list(self.requests) if at == path and method == "POST"
        ]

    def count(self, path: str) -> int:
        return sum(1 for _, at, _, _ in list(self.requests) if at == path)

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        predicts = path == "/predict" and method == "POST"
        with self._lock:
            if headers.get(VISIT) not in self._gone:
                self.requests.append((method, path, headers, body))
            self._at_once += predicts
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if predicts:
                self._free.wait(60)
            anew = self.says_anew.get(path)
            return anew() if anew else self.says.get(path, error(404, "not_found", "no such route"))
        finally:
            with self._lock:
                self._at_once -= predicts


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: set[Any] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        self.RequestHandlerClass.backend.connections += 1  # type: ignore[attr-defined]
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error here."""

    def close_all(self) -> None:
        for request in list(self._open):
            with contextlib.suppress(OSError):
                request.shutdown(2)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    backend: Backend

    def _reply(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        if self.command == "OPTIONS":
            status, said = 204, b""
        else:
            status, content = self.backend.answer(self.command, path, dict(self.headers.items()), body)
            said = json.dumps(content).encode()
            if path == "/readyz" and status == 503 and "waiting=200" in self.path:
                status = 200
        self.send_response(status)
        headers = {
            "Content-Type": "application/json",
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Headers": "content-type",
            "X-Content-Type-Options": "nosniff",
            **self.backend.headers,
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_OPTIONS = do_DELETE = do_PUT = _reply

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: the test looks at ``requests``."""
