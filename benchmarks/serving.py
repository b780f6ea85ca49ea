"""Servers whose cost is counted, and a load of requests."""

import os
import socket
import statistics
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from workbench.errors import Unavailable
from workbench.settings import PROJECT

MARK = "WORKBENCH_BENCHMARK_SERVER"
"""Name in the environment of a server's processes."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass
class Server:
    """A server under measurement, with its children."""

    process: psutil.Popen
    port: int
    first_answer_s: float
    mark: str
    """In the environment of its processes."""

    def family(self) -> list[psutil.Process]:
        """Its processes: the marked ones, which may have left it, and all their children, which may hide the mark."""
        found = {process.pid: process for process in _marked(self.mark)}
        for process in [*found.values(), self.process]:
            with suppress(psutil.NoSuchProcess):
                found |= {child.pid: child for child in process.children(recursive=True)}
        return list((found | {self.process.pid: self.process}).values())

    def cpu_s(self, since: "dict[int, float] | None" = None) -> float:
        """CPU seconds that its living processes have used so far, or since :meth:`cpu_times`, user and system."""
        return sum(used - (since or {}).get(pid, 0.0) for pid, used in self.cpu_times().items())

    def cpu_times(self) -> dict[int, float]:
        """The same of each process; one that ends takes its own with it."""
        return {process.pid: _cpu_s(process) for process in self.family()}

    def workers_mb(self) -> list[float]:
        """Resident memory of the processes that answer."""
        answering = self.process.children() or [self.process]
        return [p.memory_info().rss / 1e6 for p in answering]


def _marked(mark: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark:
                yield process


def _cpu_s(process: psutil.Process) -> float:
    try:
        return sum(process.cpu_times()[:2])
    except psutil.NoSuchProcess:
        return 0.0


@contextmanager
def serve(
    command: Sequence[str], port: int, environment: dict[str, str], probe: Callable[[int], bool], log: Path
) -> Iterator[Server]:
    """Start a server, wait until ``probe(port)`` is true, and end it with all its children."""
    began, mark = time.monotonic(), uuid.uuid4().hex
    with log.open("ab") as output:
        process = psutil.Popen(
            command,
            cwd=PROJECT,
            env={**os.environ, **environment, MARK: mark},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(process, port, 0.0, mark)
    try:
        while not probe(port):
            if process.poll() is not None or time.monotonic() - began > 120:
                raise Unavailable(f"{command[:4]} does not answer:\n{log.read_text()[-2000:]}")
            time.sleep(0.01)
        server.first_answer_s = time.monotonic() - began
        yield server
    finally:
        family = server.family()
        with suppress(psutil.NoSuchProcess):
            process.terminate()
        _, alive = psutil.wait_procs(family, timeout=10)
        for left in alive:
            with suppress(psutil.NoSuchProcess):
                left.kill()


@dataclass
class Load:
    """What some rounds of requests cost a server."""

    requests: int = 0
    cpu_s: float = 0.0
    latencies_s: tuple[float, ...] = ()

    @property
    def cpu_ms(self) -> float:
        """Of one request."""
        return self.cpu_s / self.requests * 1e3

    def percentile_ms(self, percent: int) -> float:
        return statistics.quantiles(self.latencies_s, n=100, method="inclusive")[percent - 1] * 1e3

    def add(self, other: "Load") -> None:
        self.requests += other.requests
        self.cpu_s += other.cpu_s
        self.latencies_s += other.latencies_s

    def add_round(
        self,
        server: Server,
        bodies: Sequence[bytes],
        requests: int,
        connections: int = 8,
        connect: "Callable[[int], Connection] | None" = None,
    ) -> None:
        """Post the bodies in turn over as many kept connections at once, and count what it cost."""
        latencies: list[float] = []
        failures: list[BaseException] = []

        def visit(number: int) -> None:
            try:
                with (connect or Connection)(server.port) as connection:
                    for turn in range(requests // connections):
                        began = time.perf_counter()
                        connection.post(bodies[(number + turn) % len(bodies)])
                        latencies.append(time.perf_counter() - began)
            except (OSError, ValueError) as error:
                failures.append(error)

        before = server.cpu_times()
        visitors = [threading.Thread(target=visit, args=(number,)) for number in range(connections)]
        for visitor in visitors:
            visitor.start()
        for visitor in visitors:
            visitor.join()
        if failures:
            raise Unavailable(f"a request failed under load: {failures[0]!r}") from failures[0]
        self.add(Load(len(latencies), server.cpu_s(since=before), tuple(latencies)))


class Connection:
    """A kept HTTP connection that costs the measuring side little: it shares the computer with the measured."""

    def __init__(self, port: int, path: str = "/predict/", kind: str = "") -> None:
        self._port, self._path, self._kind = port, path, kind
        self._socket: socket.socket | None = None

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket:
            self._socket.close()

    def post(self, body: bytes) -> bytes:
        """The answer's body: to what the 2020 page posts, or for a JSON object to what our own page posts.

        Another ``kind`` of body is declared as what it was said to be.
        """
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        kind, accept = "application/x-www-form-urlencoded; charset=UTF-8", "*/*"
        if body.startswith(b"{"):
            kind = accept = "application/json"
        kind = self._kind or kind
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://localhost:8080\r\n"
            f"Accept: {accept}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + body)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        start, _, answer = received.partition(b"\r\n\r\n")
        status, *lines = start.lower().split(b"\r\n")
        if b" 200 " not in status:
            raise ValueError(f"{start!r} {answer!r}")
        headers = dict(line.split(b": ", 1) for line in lines)
        if headers.get(b"transfer-encoding") == b"chunked":
            while not answer.endswith(b"0\r\n\r\n"):
                answer += self._more()
            answer = b"".join(
                answer.split(b"\r\n")[1::2]
            )  # none of what is asked here has a line's end in it
        else:
            while len(answer) < int(headers[b"content-length"]):
                answer += self._more()
        if headers.get(b"connection") == b"close":
            self._socket.close()
            self._socket = None
        return answer

    def _more(self) -> bytes:
        assert self._socket
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionResetError("the server hung up")
        return data
