"""The back end's worker: a thread gets only requests that have arrived whole, and the loop answers quick ones itself.

A server that gives a connection a thread at its first byte reads from there as slowly as the client sends: eight
clients that send one byte and wait stop two workers with four threads each, for good. Here the worker's own loop,
which never waits for anybody, collects the bytes; who is too slow is answered 408.

Usual drawings are most of what is asked, and answered in a millisecond or two: the loop does so between two looks at its
connections. Through a thread they took a quarter more CPU, and one in a hundred twice as long.
"""

import contextlib
import select
import socket
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from backend.http import metrics
from backend.http.arrival import ARRIVE_S, Arrival, Farewell
from workbench.upstream.gunicorn import Connection, LoopWorker

QUEUE = 128
"""Requests that wait for one worker's threads; more are told at once that it is busy."""
SLOW_S = 0.02
"""After an answer that took the loop more CPU time, as a large model's does, threads give them all for :data:`PAUSE_S`."""
PAUSE_S = 10.0
HELD = 128 * 1024 * 1024
"""Bytes of unfinished requests that one worker keeps at most."""

_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
    b"Connection: close\r\nContent-Length: 88\r\n\r\n"
    b'{"error": {"code": "busy", "message": "more is asked than can be answered; try again"}}\n'
)
_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 85\r\n\r\n"
    b'{"error": {"code": "too_slow", "message": "the request did not arrive in good time"}}'
)


class Client(Connection):
    """A connection, and how far its request is."""

    arrival: Arrival | Farewell | None = None
    """``None`` between a request that is whole and the next one."""
    whole = False
    arrived = 0.0


class PatientWorker(LoopWorker):
    """A worker whose threads never wait for a slow client: neither for its request nor for its good-bye."""

    connection_class = Client

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

    def welcome(self, sock: socket.socket) -> None:
        """Let neither a route's reading nor an answer's sending wait for ever."""
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", int(ARRIVE_S), 0))

    def received(self, conn: Client) -> None:
        """Read what is there: of a request, or of what a client still sends after the last answer."""
        if isinstance(conn.arrival, Farewell):
            self._see_off(conn)
            return
        now = time.monotonic()
        data = b""
        if conn.arrival is None:
            data = conn.begin()
            conn.arrival = Arrival(now)
        try:
            conn.sock.setblocking(False)
            more = conn.sock.recv(256 * 1024)
        except BlockingIOError:
            if not data:
                self.wait(conn)
                return
        except OSError:
            self.drop(conn)
            return
        else:
            data += more
            if not data:
                self.drop(conn)
                return
        self._held += len(data)
        if conn.arrival.feed(data, now):
            self._pass_on(conn, conn.arrival, now)
        elif self._held > HELD:
            self.drop(conn)
        else:
            if conn.arrival.expects_go:
                conn.arrival.expects_go = False
                _send_at_once(conn.sock, b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wait(conn)

    def _pass_on(self, conn: Client, arrival: Arrival, now: float) -> None:
        """Have a request answered: at once if it is quick, else by a thread, if not too many wait for one."""
        self._held -= arrival.received
        conn.arrival, conn.whole = None, arrival.whole
        if self._given >= QUEUE + self.cfg.threads:
            _send_at_once(conn.sock, _BUSY)
            self.drop(conn)
            return
        self._given += 1
        conn.arrived = time.perf_counter()
        request = arrival.data
        conn.give(request)
        quick = arrival.whole and now >= self._threads_until and self._is_quick(request)
        if not (quick and _has_room(conn.sock)):
            self.answer_in_thread(conn)
            return
        begun = time.thread_time()
        self.answer_here(conn)
        if time.thread_time() - begun > SLOW_S:
            self._threads_until = time.monotonic() + PAUSE_S

    def answering(self, conn: Client) -> None:
        """Have the metrics know since when the request is here."""
        metrics.arrival.at = conn.arrived

    def reusable(self, conn: Client) -> bool:
        """Not while a body is to come that no route wanted to read."""
        return conn.whole or not conn.has_unread_body

    def answered(self, conn: Client) -> None:
        """Make room for another request."""
        self._given -= 1

    def part(self, conn: Client) -> None:
        """Close the connection once the client has seen all of its last answer."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
        except OSError:
            self.drop(conn)
            return
        conn.arrival = Farewell(time.monotonic())
        self.wait(conn)

    def expired(self, waiting: Sequence[Client]) -> Iterable[Client]:
        """Those who are too slow; when the worker ends, those of whom nothing has come as well."""
        now = time.monotonic()
        if now < self._look_again:
            return ()
        self._look_again = now + 0.5
        return [
            conn
            for conn in waiting
            if conn.arrival and (conn.arrival.deadline <= now or not (self.alive or conn.arrival.received))
        ]

    def refuse(self, conn: Client) -> None:
        """Say to whoever sent something that it took too long."""
        if conn.arrival and conn.arrival.received:
            _send_at_once(conn.sock, _TOO_SLOW)
        self.drop(conn)

    def drop(self, conn: Client) -> None:
        if conn.arrival is not None:
            self._held -= conn.arrival.received
        super().drop(conn)

    def _see_off(self, conn: Client) -> None:
        """Close the connection if the client has closed its end."""
        try:
            gone = not conn.sock.recv(64 * 1024)
        except OSError:
            gone = True
        if gone:
            self.drop(conn)
        else:
            self.wait(conn)


def _has_room(sock: socket.socket) -> bool:
    """Whether an answer of a few kilobytes can be sent without waiting for the client to read earlier ones."""
    room = select.poll()
    room.register(sock, select.POLLOUT)
    return bool(room.poll(0))


def _send_at_once(sock: socket.socket, data: bytes) -> None:
    """Send a few bytes if there is room for them."""
    with contextlib.suppress(OSError):
        sock.send(data)
