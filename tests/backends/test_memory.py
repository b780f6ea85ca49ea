"""Memory that a large model takes on its way to and from a back end, over a real socket."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.settings import PROJECT

BYTES = 300_000_000
MOST_GROWN = 40_000_000
"""Bytes that the process may grow by meanwhile: far below the model's."""
CODE = """
import resource, sys
from pathlib import Path
from workbench.backends.http import HttpBackEnd
from workbench.models.registry import Version

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

url, file, way = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
backend = HttpBackEnd(url, "token")
backend.models()
before = peak()
if way == "push":
    backend.push(Version("large", 1, file.parent, {}), file)
elif way == "serve":
    backend.serve("data:,", model=file)
else:
    backend.export(file.with_name("fetched.zip"))
print(peak() - before)
"""


class Sink(http.server.BaseHTTPRequestHandler):
    """Takes whatever comes, and gives a file of zeros."""

    protocol_version = "HTTP/1.1"
    taken = 0

    def _take(self) -> int:
        left = length = int(self.headers.get("Content-Length") or 0)
        while left and (piece := self.rfile.read(min(left, 1 << 20))):
            left -= len(piece)
        return length - left

    def do_PUT(self) -> None:
        type(self).taken += self._take()
        last = int(self.headers["Content-Range"].partition("-")[2].partition("/")[0]) + 1
        self._say({"received": last} if last < BYTES else {"new": True})

    def do_POST(self) -> None:
        type(self).taken += self._take()
        self._say({"class": 1, "label": "1", "scores": [0.0, 1.0], "model": "large:1"})

    def do_GET(self) -> None:
        if not self.path.endswith(".zip"):
            self._say({"received": 0, "models": []})
            return
        self.send_response(200)
        self.send_header("Content-Length", str(BYTES))
        self.end_headers()
        for _ in range(BYTES // 1_000_000):
            self.wfile.write(bytes(1_000_000))

    def _say(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def sink() -> Iterator[str]:
    Sink.taken = 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("way", ["push", "serve", "export"])
def test_a_large_model_travels_in_constant_memory(sink: str, tmp_path: Path, way: str) -> None:
    file = tmp_path / "large.zip"
    with file.open("wb") as sparse:
        sparse.truncate(BYTES)
    done = subprocess.run(
        [sys.executable, "-c", CODE, sink, str(file), way],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < MOST_GROWN
    if way == "export":
        assert (tmp_path / "fetched.zip").stat().st_size == BYTES
    else:
        assert Sink.taken >= BYTES
