"""A connection without a network: its transport keeps what is written, its service answers at once or when it is told to."""

import asyncio
import io
from collections.abc import Callable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from backend.server.connection import Connection
from backend.server.message import Answer, Clock, Request


class FakeTransport(asyncio.Transport):
    """Keeps what is written; ``unread`` bytes of it the client has not taken yet."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.7", 4711), "sockname": ("192.0.2.1", 5000)})
        self.written = b""
        self.unread = 0
        self.paused = self.ended = self.closed = self.aborted = False

    def write(self, data: Any) -> None:
        assert not self.ended
        self.written += bytes(data)

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def get_write_buffer_size(self) -> int:
        return self.unread


class FakeService:
    """Answers by a WSGI application; what is asked while ``waits`` is answered by :meth:`answer_one`."""

    def __init__(self, application: Any = None) -> None:
        self.application = application or echo
        self.connections: set[Connection] = set()
        self.clock = Clock()
        self.alive, self.waits = True, False
        self.time, self.held, self.most = 0.0, 0, 1_000_000_000
        self.asked: list[tuple[Connection, Request]] = []
        self.due: list[Callable[[], None]] = []

    def now(self) -> float:
        return self.time

    def idle_until(self) -> float:
        return self.time + 75

    def hold(self, size: int) -> bool:
        self.held += size
        return self.held <= self.most

    def answer(self, connection: Connection, request: Request) -> None:
        self.asked.append((connection, request))
        if not self.waits:
            self.answer_one()

    def answer_one(self) -> None:
        connection, request = self.asked.pop(0)
        body: Any = request.stream or io.BytesIO(b"".join(request.body))
        connection.begin(Answer(self.application, request.environment(connection.common, body)), request)
        connection.done(request)

    def goes_on(self, connection: Connection) -> None:
        pass

    def left(self, connection: Connection) -> None:
        pass

    def call_soon(self, do: Callable[[], None]) -> None:
        self.due.append(do)

    def turn(self) -> None:
        """Do what is due."""
        while self.due:
            self.due.pop(0)()


def echo(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    """Answer with the request's line and body."""
    body = environ["wsgi.input"].read() if environ["REQUEST_METHOD"] != "PUT" else b""
    said = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ['QUERY_STRING']} ".encode() + body
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(said)))])
    return [said]


def connect(service: FakeService) -> tuple[Connection, FakeTransport]:
    connection, transport = Connection(service), FakeTransport()
    connection.connection_made(transport)
    return connection, transport
