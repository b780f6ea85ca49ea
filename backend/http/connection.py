"""One client's connection: bytes to requests, one after the other, and answers to bytes.

The parser is llhttp (``httptools``), the transport asyncio's. Nothing here waits: what a client has not sent or read yet
is simply not there yet, and :meth:`Connection.look_after` ends the connections of those that take too long.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

import httptools

from backend.http.arrival import ARRIVE_S, MAX_HEAD, WHOLE, Arrival
from backend.http.incoming import Incoming
from backend.http.message import Answer, Clock, Frame, Request, of_all_requests

FAREWELL_S = 2.0
"""The time that a client has to close its end after the last answer (RFC 9112, 9.6)."""
MAX_LINE, MAX_FIELDS = 4096, 60
"""Bytes of a request's target, and headers, at most."""


class Service(Protocol):
    """All connections of one worker, as one of them sees it."""

    connections: "set[Connection]"
    clock: Clock
    held: int
    """Bytes of requests that are not answered yet."""
    alive: bool
    """Whether connections are kept after an answer."""

    def now(self) -> float:
        """The loop's time."""

    def idle_until(self) -> float:
        """Until when a connection is kept without a request."""

    def holds_too_much(self) -> bool:
        """Tell whether requests take more memory than they may."""

    def answer(self, connection: "Connection", request: Request) -> None:
        """Have a request answered by :meth:`Connection.begin` and :meth:`Connection.done`, or turned away."""

    def goes_on(self, connection: "Connection") -> None:
        """Note that a client has read."""

    def left(self, connection: "Connection") -> None:
        """Note that a client is gone."""

    def call_soon(self, do: Callable[[], None]) -> None:
        """Have the loop do something; any thread may ask for it."""


class Connection(asyncio.Protocol):
    """A client's connection. It has one request answered at a time, in the order in which they came."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._parser = httptools.HttpRequestParser(self)
        self._arriving: Request | None = None
        """The request of which something has come and more is to come."""
        self._arrival = Arrival(service.now())
        self._head = 0
        """Bytes of its head, as far as that came in several pieces."""
        self._stream: Incoming | None = None
        self._waiting: deque[Request] = deque()
        """Requests that can be answered."""
        self._refusal: tuple[int, str, str] | None = None
        """Why the connection ends after the answers to those."""
        self._answering: Request | None = None
        self._keep = True
        self._paused = self._full = self._ended = self._parting = False
        self._until = self._arrival.deadline
        """When the connection is ended, unless something happens."""
        self._unsent, self._unsent_since = 0, 0.0

    # ── asyncio calls ────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        address, own = (transport.get_extra_info(name) for name in ("peername", "sockname"))
        self.common = of_all_requests(address, own)
        self._service.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._parting or self._refusal:
            return
        before = self._arriving
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refusal = self._refusal or (400, "", "")  # another protocol, which is not spoken here
        except httptools.HttpParserError:
            self._refuse(400, "bad_request", "this is no proper HTTP request")
        request = self._arriving
        if request is not None and request is before:
            self._arrival.feed(len(data), self._service.now())
            if not request.method:
                self._head += len(data)
                self._check_head(self._head)
        self._next()

    def eof_received(self) -> bool:
        """Keep the other direction open for the answers that are due."""
        self._ended = True
        if self._stream is not None:
            self._stream.end(cut=True)
        return not self._parting and (self._answering is not None or bool(self._waiting))

    def connection_lost(self, exc: Exception | None) -> None:
        self._parting = True
        if self._stream is not None:
            self._stream.end(cut=True)
        self._let_go(self._arriving, *self._waiting)
        self._waiting.clear()
        self._arriving = None
        self._service.connections.discard(self)
        self._service.left(self)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._service.goes_on(self)
        self._next()

    # ── the parser calls ─────────────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        self._arriving = Request()
        self._arrival, self._head = Arrival(self._service.now()), 0

    def on_url(self, url: bytes) -> None:
        if (request := self._arriving) is not None:
            request.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if (request := self._arriving) is None or len(request.headers) > MAX_FIELDS:
            return
        key = name.lower().decode("latin-1")
        request.headers.append((key, value.decode("latin-1").strip()))
        if key == "content-length":
            request.length = int(value)
        elif key == "expect":
            request.expects = value.lower() == b"100-continue"

    def on_headers_complete(self) -> None:
        if (request := self._arriving) is None or self._refusal:
            return
        self._check_head(len(request.target) + sum(len(name) + len(value) for name, value in request.headers))
        request.method = self._parser.get_method().decode("latin-1")
        request.version = self._parser.get_http_version()
        request.keep = self._parser.should_keep_alive()
        if len(request.target) > MAX_LINE:
            self._refuse(414, "too_large", f"a request's line has at most {MAX_LINE:,} bytes")
        elif len(request.headers) > MAX_FIELDS:
            self._refuse(431, "too_large", f"a request has at most {MAX_FIELDS} headers")
        elif not request.find_path():
            self._refuse(400, "bad_request", "the request's target is no path")
        elif request.length is not None and request.length > WHOLE:
            self._pass_on_unfinished(request)
        elif request.expects and self._answering is None:
            self.go_on()

    def on_body(self, body: bytes) -> None:
        request = self._arriving
        if request is None or self._refusal:
            return
        if self._stream is not None:
            if not self._stream.feed(body):
                self._pause()
            return
        request.body.append(body)
        request.size += len(body)
        self._service.held += len(body)
        if request.size > WHOLE:
            self._pass_on_unfinished(request)
        elif self._service.holds_too_much():
            self._refuse(503, "busy", "more is asked than can be answered; try again")

    def on_message_complete(self) -> None:
        request, self._arriving = self._arriving, None
        if request is None or self._refusal:
            return
        if self._stream is not None:
            self._stream.end()
            self._stream = None
        else:
            request.since = time.perf_counter()
            self._waiting.append(request)

    # ── requests ─────────────────────────────────────────────────────────────────────────────────

    def _check_head(self, size: int) -> None:
        """Refuse a head that is too long, whole or not."""
        if size > MAX_HEAD:
            self._refuse(431, "too_large", f"a request's head has at most {MAX_HEAD:,} bytes")

    def _refuse(self, status: int, code: str, message: str) -> None:
        """End the connection, with this after the answers that are due."""
        if self._refusal is None:
            self._refusal = status, code, message
            self._let_go(self._arriving)
            self._arriving = None
            if self._stream is not None:
                self._stream.end(cut=True)
                self._stream = None

    def _pass_on_unfinished(self, request: Request) -> None:
        """Have a long request answered while its body comes."""
        self._stream = request.stream = Incoming(request.body, lambda: self._service.call_soon(self.go_on))
        request.since = time.perf_counter()
        self._waiting.append(request)

    def go_on(self) -> None:
        """Have the rest of a body sent."""
        request = self._arriving
        if request is not None and request.expects:
            request.expects = False
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._resume()

    def _next(self) -> None:
        """Have the next request answered, if it is its turn."""
        if self._parting or self._answering is not None:
            return
        if self._waiting and not self._full:
            request = self._waiting.popleft()
            self._answering = request
            self._service.answer(self, request)
        elif self._waiting:
            self._pause()
        elif self._refusal:
            self._say_refusal()
        elif self._ended:
            self.part()
        else:
            self._resume()
            idle = self._arriving is None
            self._until = self._service.idle_until() if idle else self._arrival.deadline
            if idle and not self._service.alive:
                self.leave()

    def _say_refusal(self) -> None:
        status, code, message = self._refusal or (400, "", "")
        if message:
            self._transport.write(refusal(status, code, message))
        self.part()

    # ── answers ──────────────────────────────────────────────────────────────────────────────────

    def begin(self, answer: Answer, request: Request) -> Frame:
        """Send an answer's head and its first piece; :meth:`send` sends the others, :meth:`done` comes last."""
        keep = request.keep and self._refusal is None and self._service.alive
        if request.stream is not None and self._stream is request.stream:
            keep = False  # nobody has read the rest of its body
        frame = answer.frame(request, self._service.clock, keep=keep)
        if not frame.keep:
            self._keep = False
        self._transport.write(frame.head + frame.wrap(answer.first, last=answer.is_whole))
        return frame

    def is_full(self) -> bool:
        """Whether the client has to read before more should be sent."""
        return self._full

    def is_gone(self) -> bool:
        """Whether nobody is there to send anything to."""
        return self._parting

    def send(self, data: bytes) -> None:
        """Send more of an answer; to nobody if the client is gone."""
        if not self._parting:
            self._transport.write(data)

    def done(self, request: Request) -> None:
        """Turn to the next request, or end the connection after the last answer."""
        self._answering = None
        self._let_go(request)
        if self._parting:
            return
        if not self._keep:
            self.part()
        elif self._waiting:
            self._service.call_soon(self._next)  # after the others' turns
        else:
            self._next()

    def turn_away(self, request: Request, status: int, code: str, message: str) -> None:
        """Refuse a request that cannot be answered, and end the connection."""
        self._transport.write(refusal(status, code, message))
        self._keep = False
        self.done(request)

    def fail(self) -> None:
        """Say that an answer went wrong of which nothing was sent."""
        self._transport.write(refusal(500, "internal", "something went wrong here; the log has the reason"))
        self._keep = False

    def leave(self) -> None:
        """Close the connection, which waits for no answer."""
        self._parting = True
        self._transport.close()

    def break_off(self) -> None:
        """End the connection at once: an answer cannot be ended properly."""
        self._parting = True
        self._transport.abort()

    def part(self) -> None:
        """Close the connection once the client has seen all of its last answer."""
        self._parting = True
        self._until = self._service.now() + FAREWELL_S
        if self._ended or self._transport.is_closing():
            self._transport.close()
        else:
            self._transport.write_eof()
            self._resume()  # and see whether it closes its end

    # ── time ─────────────────────────────────────────────────────────────────────────────────────

    @property
    def idle_until(self) -> float | None:
        """Until when it may wait for a request of which nothing has come; ``None`` while there is one."""
        busy = self._answering or self._waiting or self._arriving or self._parting
        return None if busy else self._until

    def look_after(self, now: float) -> None:
        """End the connection if its client sends or reads nothing for too long."""
        unsent = self._transport.get_write_buffer_size()
        if unsent == 0 or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        if unsent:
            if now - self._unsent_since > ARRIVE_S:
                self._transport.abort()
            return
        if self._answering is not None or now < self._until:
            if self.idle_until is not None and not self._service.alive:
                self.leave()
        elif self._parting:
            self._transport.abort()
        elif self._arriving is not None:
            self._refuse(408, "too_slow", "the request did not arrive in good time")
            self._say_refusal()
        else:
            self.leave()

    # ── flow ─────────────────────────────────────────────────────────────────────────────────────

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def _let_go(self, *requests: Request | None) -> None:
        """Make room for other requests."""
        for request in requests:
            if request is not None:
                self._service.held -= request.size
                request.size = 0
                request.body = []


def refusal(status: int, code: str, message: str) -> bytes:
    """Write an answer to what no application sees; the connection ends after it."""
    body = json.dumps({"error": {"code": code, "message": message}}).encode() + b"\n"
    retry = "Retry-After: 1\r\n" if status == 503 else ""
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n{retry}"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
