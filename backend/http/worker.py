"""Gunicorn's threaded worker, which hands a thread only requests that have arrived whole, and answers quick ones itself.

Gunicorn's own gives a connection a thread at its first byte, and reads from there as slowly as the client sends:
eight clients that send one byte and wait stop two workers with four threads each, for good. Here the worker's
own loop, which never waits for anybody, collects the bytes; who is too slow is answered 408.

Usual drawings are most of what is asked, and answered in a millisecond or two: the loop does so between two looks at its
connections. Through a thread they took a quarter more CPU, and one in a hundred twice as long.
"""

import contextlib
import errno
import functools
import re
import select
import selectors
import socket
import struct
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from backend.http.metrics import arrival

ARRIVE_S = 10.0
"""A request must arrive within this time, or faster than :data:`PACE`."""
PACE = 100 * 1024
"""Bytes a second at which a large request may take longer."""
WHOLE = 16 * 1024 * 1024
"""Longer bodies are read by their route, piece by piece; the routes that take such ones ask for a token first."""
MAX_HEAD = 32 * 1024
"""Longer heads are passed on, for the parser to refuse."""
QUEUE = 128
"""Requests that wait for one worker's threads; more are told at once that it is busy."""
SLOW_S = 0.02
"""After an answer that took the loop more CPU time, as a large model's does, threads give them all for :data:`PAUSE_S`."""
PAUSE_S = 10.0
HELD = 128 * 1024 * 1024
"""Bytes of unfinished requests that one worker keeps at most."""

_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,15})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding:", re.IGNORECASE | re.MULTILINE)
_LAST_CHUNK = re.compile(rb"(?:^|\r\n)0+[ \t]*(?:;[^\r\n]*)?\r\n(?:[^\r\n]+\r\n)*\r\n")
_EXPECT = re.compile(rb"^expect:[ \t]*100-continue", re.IGNORECASE | re.MULTILINE)
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
    b"Connection: close\r\nContent-Length: 88\r\n\r\n"
    b'{"error": {"code": "busy", "message": "more is asked than can be answered; try again"}}\n'
)
_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 85\r\n\r\n"
    b'{"error": {"code": "too_slow", "message": "the request did not arrive in good time"}}'
)


class Arrival:
    """A request on its way in; fed with bytes it says when it is whole.

    It only finds where the request ends; what it means, and whether it is one, is for gunicorn's parser.
    """

    def __init__(self, now: float) -> None:
        self.received = 0
        self.deadline = now + ARRIVE_S
        self.whole = False
        self.expects_go = False
        """Whether the client waits for a ``100 Continue`` before it sends the body."""
        self._pieces: list[bytes] = []
        self._needed = 0
        self._chunked = False
        self._tail = b""

    @property
    def data(self) -> bytes:
        """All that was fed."""
        return b"".join(self._pieces)

    def feed(self, data: bytes, now: float) -> bool:
        """Whether a thread can take over: all is there, or it is for the parser to refuse or the route to read."""
        self.received += len(data)
        self._pieces.append(data)
        self.deadline = max(self.deadline, min(now + ARRIVE_S, self.deadline + len(data) / PACE))
        if self._needed == 0:
            start = self.data
            end = start.find(b"\r\n\r\n")
            if end < 0:
                return len(start) > MAX_HEAD
            self._read_head(start[:end], end + 4)
        if self._chunked:
            self._tail = (self._tail + data)[-1024:]
            self.whole = bool(_LAST_CHUNK.search(self._tail))
            return self.whole or self.received > WHOLE
        self.whole = self.received >= self._needed
        return self.whole or self._needed > MAX_HEAD + WHOLE

    def _read_head(self, head: bytes, size: int) -> None:
        length = _LENGTH.search(head)
        body = int(length[1]) if length else 0
        self._needed = size + body if body <= WHOLE else 2**63
        self._chunked = bool(_CHUNKED.search(head))
        self.expects_go = body <= WHOLE and bool(_EXPECT.search(head))


class Farewell:
    """The time that a client has to close its end after the last answer (RFC 9112, 9.6)."""

    received = 0

    def __init__(self, now: float) -> None:
        self.deadline = now + 2.0


class PatientWorker(ThreadWorker):
    """A worker whose threads never wait for a slow client: neither for its request nor for its good-bye."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._held = 0
        self._given = 0
        self._look_again = 0.0
        self._threads_until = 0.0
        self._is_quick: Callable[[bytes], bool] = lambda request: False

    def run(self) -> None:
        self._is_quick = getattr(self.wsgi, "extensions", {}).get("is_quick", self._is_quick)
        super().run()

    def accept(self, listener: Any) -> None:
        """Take a new connection; its first bytes are often there already."""
        try:
            sock, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                return
            raise
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):  # for what routes read, and for all answers
            sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", int(ARRIVE_S), 0))
        self.nr_conns += 1
        self.enqueue_req(TConn(self.cfg, sock, address, listener.getsockname()))

    def enqueue_req(self, conn: Any) -> None:
        """Read what is there, and pass the request to a thread once it is whole; the loop calls this."""
        now = time.monotonic()
        if getattr(conn, "arrival", None) is None:
            conn.init()
            conn.arrival = Arrival(now)
            data = conn.parser.unreader.take_buffered()  # of a request sent right behind the last one
        else:
            data = b""
        try:
            conn.sock.setblocking(False)
            data += conn.sock.recv(256 * 1024)
        except BlockingIOError:
            if not data:
                return self._wait(conn)
        except OSError:
            return self._drop(conn)
        else:
            if not data:
                return self._drop(conn)
        arrival = conn.arrival
        self._held += len(data)
        if arrival.feed(data, now):
            self._held -= arrival.received
            conn.arrival, conn.whole = None, arrival.whole
            if self._given >= QUEUE + self.cfg.threads:
                _send_at_once(conn.sock, _BUSY)
                return self._drop(conn)
            self._given += 1
            conn.arrived = time.perf_counter()
            conn.data_ready = True
            request = arrival.data
            conn.parser.unreader.unread(request)
            quick = arrival.whole and now >= self._threads_until and self._is_quick(request)
            if quick and _has_room(conn.sock):
                self._answer(conn)
            else:
                super().enqueue_req(conn)
        elif self._held > HELD:
            self._drop(conn)
        else:
            if arrival.expects_go:
                arrival.expects_go = False
                _send_at_once(conn.sock, b"HTTP/1.1 100 Continue\r\n\r\n")
            self._wait(conn)

    def _answer(self, conn: Any) -> None:
        """Answer a request in the loop."""
        begun = time.thread_time()
        done: Future[Any] = Future()
        done.set_result(self.handle(conn))
        if time.thread_time() - begun > SLOW_S:
            self._threads_until = time.monotonic() + PAUSE_S
        # Not at once: a client that sends many in a row would be answered before all others, ever deeper in the stack.
        self.method_queue.defer(self.finish_request, conn, done)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """After an answer: keep the connection, or close it once the client has seen it all."""
        self._given -= 1
        if not fs.cancelled() and fs.exception() is None and fs.result():
            return super().finish_request(conn, fs)
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
        except OSError:
            return self._drop(conn)
        conn.arrival = Farewell(time.monotonic())
        self._wait(conn)

    def handle(self, conn: Any) -> Any:
        """Answer a request; in a thread, or a quick one in the loop."""
        arrival.at = conn.arrived
        return super().handle(conn)

    def _keepalive_after(self, conn: Any, keepalive: Any) -> bool:
        """Whether the connection can be used again: not while a body is to come that no route wanted to read."""
        if not conn.whole and getattr(conn.parser.mesg.body.reader, "length", True):
            return False
        return bool(super()._keepalive_after(conn, keepalive))

    def on_pending_socket_readable(self, conn: Any, client: Any) -> None:
        """More of a request, or what a client still sends after the last answer."""
        self.poller.unregister(client)
        self.pending_conns.remove(conn)
        if not isinstance(conn.arrival, Farewell):
            return self.enqueue_req(conn)
        try:
            gone = not conn.sock.recv(64 * 1024)
        except OSError:
            gone = True
        self._drop(conn) if gone else self._wait(conn)

    def murder_pending(self) -> None:
        """Close the connections whose time is up."""
        now = time.monotonic()
        if now < self._look_again:
            return
        self._look_again = now + 0.5
        for conn in [
            c
            for c in self.pending_conns
            if c.arrival.deadline <= now or not (self.alive or c.arrival.received)
        ]:
            self.pending_conns.remove(conn)
            self.poller.unregister(conn.sock)
            if conn.arrival.received:
                _send_at_once(conn.sock, _TOO_SLOW)
            self._drop(conn)

    def _wait(self, conn: Any) -> None:
        self.pending_conns.append(conn)
        self.poller.register(
            conn.sock, selectors.EVENT_READ, functools.partial(self.on_pending_socket_readable, conn)
        )

    def _drop(self, conn: Any) -> None:
        if getattr(conn, "arrival", None) is not None:
            self._held -= conn.arrival.received
        self.nr_conns -= 1
        conn.close()


def _has_room(sock: socket.socket) -> bool:
    """Whether an answer of a few kilobytes can be sent without waiting for the client to read earlier ones."""
    room = select.poll()
    room.register(sock, select.POLLOUT)
    return bool(room.poll(0))


def _send_at_once(sock: socket.socket, data: bytes) -> None:
    """Send a few bytes if there is room for them."""
    with contextlib.suppress(OSError):
        sock.send(data)
