"""One client's connection: its requests are answered one after the other, in the order in which they came.

Nothing here waits: what a client has not sent or read yet is simply not there yet, and :meth:`Connection.look_after` ends
the connections of those that take too long.
"""

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

from backend.server.arrival import ARRIVE_S
from backend.server.message import Answer, Clock, Frame, Request, of_all_requests
from backend.server.reading import Reader

FAREWELL_S = 2.0
"""The time that a client has to close its end after the last answer (RFC 9112, 9.6)."""


class Service(Protocol):
    """All connections of one worker, as one of them sees it."""

    connections: "set[Connection]"
    clock: Clock
    alive: bool
    """Whether connections are kept after an answer."""

    def now(self) -> float:
        """The loop's time."""

    def idle_until(self) -> float:
        """Until when a connection is kept without a request."""

    def hold(self, size: int) -> bool:
        """Count bytes of requests that are not answered yet, and tell whether there may be so many."""

    def answer(self, connection: "Connection", request: Request) -> None:
        """Have a request answered by :meth:`Connection.begin` and :meth:`Connection.done`, or turned away."""

    def goes_on(self, connection: "Connection") -> None:
        """Note that a client has read."""

    def left(self, connection: "Connection") -> None:
        """Note that a client is gone."""

    def call_soon(self, do: Callable[[], None]) -> None:
        """Have the loop do something; any thread may ask for it."""


class Connection(asyncio.Protocol):
    """A client's connection."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._reader = Reader(self)
        self._answering: Request | None = None
        self._keep = True
        self._paused = self._full = self._ended = self._parting = False
        self._until = self._reader.deadline
        """When the connection is ended, unless something happens."""
        self._unsent, self._unsent_since = 0, 0.0

    # ── asyncio calls ────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        address, own = (transport.get_extra_info(name) for name in ("peername", "sockname"))
        self.common = of_all_requests(address, own)
        self._service.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if not self._parting:
            self._reader.feed(data)
            self._next()

    def eof_received(self) -> bool:
        """Keep the other direction open for the answers that are due."""
        self._ended = True
        self._reader.cut_off()
        return not self._parting and (self._answering is not None or bool(self._reader.ready))

    def connection_lost(self, exc: Exception | None) -> None:
        self._parting = True
        self._reader.forget()
        self._let_go(*self._reader.ready)
        self._reader.ready.clear()
        self._service.connections.discard(self)
        self._service.left(self)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._service.goes_on(self)
        self._next()

    # ── the reader calls ─────────────────────────────────────────────────────────────────────────

    def now(self) -> float:
        return self._service.now()

    def hold(self, size: int) -> bool:
        return self._service.hold(size)

    def go_on(self) -> None:
        """Have the client send the rest of a body; it is told so only while no answer is under way."""
        request = self._reader.arriving
        if request is not None and request.expects and self._answering in (None, request):
            request.expects = False
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._resume()

    def go_on_soon(self) -> None:
        self._service.call_soon(self.go_on)

    def pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    # ── answers ──────────────────────────────────────────────────────────────────────────────────

    def _next(self) -> None:
        """Have the next request answered, if it is its turn."""
        if self._parting or self._answering is not None:
            return
        if self._reader.ready:
            if self._full:
                self.pause()
            else:
                self._answering = request = self._reader.ready.popleft()
                self._service.answer(self, request)
        elif self._reader.refusal is not None:
            self._say_refusal()
        elif self._ended:
            self.part()
        else:
            self._resume()
            if self._reader.arriving is not None:
                self._until = self._reader.deadline
            elif self._service.alive:
                self._until = self._service.idle_until()
            else:
                self.leave()

    def begin(self, answer: Answer, request: Request) -> Frame:
        """Send an answer's head and its first piece; :meth:`send` sends the others, :meth:`done` comes last."""
        is_unread = request.stream is not None and self._reader.stream is request.stream
        keep = request.keep and self._reader.refusal is None and self._service.alive and not is_unread
        frame = answer.frame(request, self._service.clock, keep=keep)
        self._keep = frame.keep
        self.send(frame.head + frame.wrap(answer.first, last=answer.is_whole))
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
        elif self._reader.ready:
            self._service.call_soon(self._next)  # after the others' turns
        else:
            self._next()

    def turn_away(self, request: Request, status: int, code: str, message: str) -> None:
        """Refuse a request that is not answered, and end the connection."""
        self.send(refusal(status, code, message))
        self._keep = False
        self.done(request)

    def fail(self) -> None:
        """Say that an answer went wrong of which nothing was sent; :meth:`done` ends the connection."""
        self.send(refusal(500, "internal", "something went wrong here; the log has the reason"))
        self._keep = False

    def _let_go(self, *requests: Request) -> None:
        """Make room for other requests."""
        for request in requests:
            self._service.hold(-request.size)
            request.size, request.body = 0, []

    # ── the end ──────────────────────────────────────────────────────────────────────────────────

    def _say_refusal(self) -> None:
        if self._reader.refusal is not None and self._reader.refusal.message:
            self._transport.write(refusal(*self._reader.refusal))
        self.part()

    def part(self) -> None:
        """Close the connection once the client has seen all of its last answer."""
        self._parting = True
        self._until = self.now() + FAREWELL_S
        if self._ended or self._transport.is_closing():
            self._transport.close()
        else:
            self._transport.write_eof()
            self._resume()  # and see whether it closes its end

    def leave(self) -> None:
        """Close the connection, which waits for no answer."""
        self._parting = True
        self._transport.close()

    def break_off(self) -> None:
        """End the connection at once: an answer cannot be ended properly."""
        self._parting = True
        self._transport.abort()

    @property
    def idle_until(self) -> float | None:
        """Until when it may wait for a request of which nothing has come; ``None`` while there is one."""
        busy = self._answering or self._reader.ready or self._reader.arriving or self._parting
        return None if busy else self._until

    def look_after(self, now: float) -> None:
        """End the connection if its client sends or reads nothing for too long."""
        unsent = self._transport.get_write_buffer_size()
        if unsent == 0 or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        if unsent:
            if now - self._unsent_since > ARRIVE_S:
                self.break_off()
        elif self._answering is not None:
            pass
        elif self.idle_until is not None and (now >= self._until or not self._service.alive):
            self.leave()
        elif now < self._until:
            pass
        elif self._parting:
            self._transport.abort()
        else:
            self._reader.refuse(408, "too_slow", "the request did not arrive in good time")
            self._say_refusal()


def refusal(status: int, code: str, message: str) -> bytes:
    """Write an answer to what no application sees; the connection ends after it."""
    body = json.dumps({"error": {"code": code, "message": message}}).encode() + b"\n"
    retry = "Retry-After: 1\r\n" if status == 503 else ""
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n{retry}"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
