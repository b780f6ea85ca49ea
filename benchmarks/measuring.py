"""Rows of results, processes whose cost is counted, and a load of requests."""

import os
import platform
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from workbench.errors import Unavailable
from workbench.settings import PROJECT


@dataclass(frozen=True)
class Row:
    """One figure of ours beside the peer's; smaller is better, unless ``more`` is."""

    name: str
    """``section: what``."""
    value: float
    unit: str
    peer: float | None = None
    goal: float | None = None
    more: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times better ours is."""
        if not (self.peer and self.value):
            return None
        return self.value / self.peer if self.more else self.peer / self.value

    @property
    def reached(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value >= self.goal if self.more else self.value <= self.goal

    def as_json(self) -> dict[str, object]:
        fields, ratio = asdict(self), self.ratio
        del fields["more"]
        return {**fields, "ratio": ratio and round(ratio, 2), "reached": self.reached}


def table(rows: Sequence[Row]) -> str:
    """The rows as aligned text."""
    cells = [["", "ours", "peer", "times", "goal", "reached"]]
    for row in rows:
        cells.append(
            [
                row.name,
                f"{row.value:.3g} {row.unit}",
                "" if row.peer is None else f"{row.peer:.3g} {row.unit}",
                "" if row.ratio is None else f"{row.ratio:.1f}×",
                "" if row.goal is None else f"{'≥' if row.more else '≤'} {row.goal:g}",
                {None: "", True: "yes", False: "NO"}[row.reached],
            ]
        )
    widths = [max(len(line[column]) for line in cells) for column in range(6)]
    aligned = [
        "  ".join(
            c.ljust(w) if not i else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]
    return "\n".join(aligned)


def describe_machine() -> str:
    """Processor, cores, system and Python, without the machine's name."""
    model = platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass
class Server:
    """A server under measurement, with its children."""

    process: psutil.Popen
    port: int
    first_answer_s: float

    def family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def cpu_s(self) -> float:
        """CPU seconds that it has used so far, user and system."""
        return sum(sum(p.cpu_times()[:2]) for p in self.family())

    def workers_mb(self) -> list[float]:
        """Resident memory of the processes that answer."""
        answering = self.process.children() or [self.process]
        return [p.memory_info().rss / 1e6 for p in answering]


@contextmanager
def serve(
    command: Sequence[str], port: int, environment: dict[str, str], probe: Callable[[int], bool], log: Path
) -> Iterator[Server]:
    """Start a server, wait until ``probe(port)`` is true, and end it with all its children."""
    began = time.monotonic()
    with log.open("ab") as output:
        process = psutil.Popen(
            command, cwd=PROJECT, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        while not probe(port):
            if process.poll() is not None or time.monotonic() - began > 120:
                raise Unavailable(f"{command[:4]} does not answer:\n{log.read_text()[-2000:]}")
            time.sleep(0.01)
        yield Server(process, port, time.monotonic() - began)
    finally:
        family = [process, *process.children(recursive=True)] if process.is_running() else []
        process.terminate()
        _, alive = psutil.wait_procs(family, timeout=10)
        for left in alive:
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

    def add_round(self, server: Server, bodies: Sequence[bytes], requests: int, connections: int = 8) -> None:
        """Post the bodies in turn over as many kept connections at once, and count what it cost."""
        latencies: list[float] = []
        failures: list[BaseException] = []

        def visit(number: int) -> None:
            try:
                with Connection(server.port) as connection:
                    for turn in range(requests // connections):
                        began = time.perf_counter()
                        connection.post(bodies[(number + turn) % len(bodies)])
                        latencies.append(time.perf_counter() - began)
            except (OSError, ValueError) as error:
                failures.append(error)

        before = server.cpu_s()
        visitors = [threading.Thread(target=visit, args=(number,)) for number in range(connections)]
        for visitor in visitors:
            visitor.start()
        for visitor in visitors:
            visitor.join()
        if failures:
            raise Unavailable(f"a request failed under load: {failures[0]!r}") from failures[0]
        self.cpu_s += server.cpu_s() - before
        self.requests += len(latencies)
        self.latencies_s += tuple(latencies)


class Connection:
    """A kept HTTP connection that costs the measuring side little: it shares the computer with the measured."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket:
            self._socket.close()

    def post(self, body: bytes) -> bytes:
        """The answer's body: to what the 2020 page posts, or for a JSON object to what our own page posts."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        kind, accept = "application/x-www-form-urlencoded; charset=UTF-8", "*/*"
        if body.startswith(b"{"):
            kind = accept = "application/json"
        head = (
            "POST /predict/ HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://localhost:8080\r\n"
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
