"""Have requests answered: usual drawings at once by the loop, all others by threads.

Usual drawings are most of what is asked, and answered in a millisecond: to hand one to a thread, and to share the
interpreter with it, would cost a quarter more. Whatever may take longer or wait is a thread's; it never waits for a client
to read, and for few to send: long bodies alone, whose routes ask for a token first.
"""

import asyncio
import io
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO
from wsgiref.types import WSGIApplication

from backend.http.logs import log
from backend.server.connection import Connection
from backend.server.message import Answer, Clock, Request

QUEUE = 128
"""Requests that wait for one worker's threads; more are told at once that it is busy."""
SLOW_S = 0.02
"""After an answer that took the loop more CPU time, as a large model's does, threads give them all for :data:`PAUSE_S`."""
PAUSE_S = 10.0
HELD = 128 * 1024 * 1024
"""Bytes of requests that one worker keeps at most."""
BUSY = 503, "busy", "more is asked than can be answered; try again"

IsQuick = Callable[[str, bytes, bytes], bool]
"""Tells of a method, a target and a body whether the answer takes a few milliseconds."""


class Service:
    """All connections of one worker, and the application that answers them."""

    def __init__(
        self,
        application: WSGIApplication,
        is_quick: IsQuick,
        loop: asyncio.AbstractEventLoop,
        *,
        threads: int,
        keep_s: float,
        queue: int = QUEUE,
    ) -> None:
        """``keep_s`` is the time for which a connection is kept without a request."""
        self._application, self._is_quick, self._loop = application, is_quick, loop
        self._most, self._keep_s = queue + threads, keep_s
        self._pool = ThreadPoolExecutor(threads, "answering")
        self._tasks: set[asyncio.Task[None]] = set()
        self._room: dict[Connection, asyncio.Event] = {}
        self._threads_until = 0.0
        self.connections: set[Connection] = set()
        self.clock = Clock()
        self._held = 0
        self.alive = True
        """Whether connections are kept after an answer."""
        self.on_left: Callable[[], None] = lambda: None
        """Called when a connection is gone."""

    # ── for connections ──────────────────────────────────────────────────────────────────────────

    def answer(self, connection: Connection, request: Request) -> None:
        """Have a request answered: at once if it is quick, else by a thread, if not too many wait for one."""
        if request.stream is None and self.now() >= self._threads_until:
            body = b"".join(request.body)
            if self._is_quick(request.method, request.target, body):
                self._answer_here(connection, request, body)
                return
        if len(self._tasks) >= self._most:
            connection.turn_away(request, *BUSY)
            return
        task = self._loop.create_task(self._answer_in_thread(connection, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def hold(self, size: int) -> bool:
        """Count bytes of requests that are not answered yet, and tell whether there may be so many."""
        self._held += size
        return self._held <= HELD

    def now(self) -> float:
        """The loop's time."""
        return self._loop.time()

    def idle_until(self) -> float:
        """Until when a connection is kept without a request."""
        return self.now() + self._keep_s

    def goes_on(self, connection: Connection) -> None:
        """Note that a client has read, or is gone."""
        if (room := self._room.get(connection)) is not None:
            room.set()

    def left(self, connection: Connection) -> None:
        """Note that a client is gone."""
        self.goes_on(connection)
        self.on_left()

    def call_soon(self, do: Callable[[], None]) -> None:
        """Have the loop do something that a thread asks for."""
        self._loop.call_soon_threadsafe(do)

    # ── for the worker ───────────────────────────────────────────────────────────────────────────

    def look_after(self) -> None:
        """End the connections of clients that take too long."""
        now = self.now()
        for connection in tuple(self.connections):
            connection.look_after(now)

    def make_room(self) -> bool:
        """Close the connection that has been idle for longest, and tell whether there was one."""
        idle = [(until, c) for c in self.connections if (until := c.idle_until) is not None]
        if idle:
            min(idle, key=lambda pair: pair[0])[1].leave()
        return bool(idle)

    def end(self) -> None:
        """Keep no connection after the answers that are due."""
        self.alive = False
        self.look_after()

    def close(self) -> None:
        """Let go of the threads; they end with what they do."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    # ── answers ──────────────────────────────────────────────────────────────────────────────────

    def _answer_here(self, connection: Connection, request: Request, body: bytes) -> None:
        begun = time.thread_time()
        try:
            environ = request.environment(connection.common, io.BytesIO(body))
            connection.begin(Answer(self._application, environ), request)
        except Exception as error:
            self._say_failed(connection, error)
        connection.done(request)
        if time.thread_time() - begun > SLOW_S:
            self._threads_until = self.now() + PAUSE_S

    def _call(self, connection: Connection, request: Request) -> Answer:
        """Call the application; in a thread."""
        if request.stream is not None:
            body: BinaryIO = io.BufferedReader(request.stream, 256 * 1024)
        else:
            body = io.BytesIO(b"".join(request.body))
        return Answer(self._application, request.environment(connection.common, body))

    async def _answer_in_thread(self, connection: Connection, request: Request) -> None:
        answer: Answer | None = None
        begun = False
        try:
            answer = await self._loop.run_in_executor(self._pool, self._call, connection, request)
            if connection.is_gone():
                return
            frame = connection.begin(answer, request)
            begun = True
            while not (answer.is_whole or frame.bare):
                await self._have_room(connection)
                if connection.is_gone():
                    return
                piece = await self._loop.run_in_executor(self._pool, answer.more)
                connection.send(frame.wrap(piece, last=answer.is_whole))
        except Exception as error:
            self._say_failed(connection, error, begun=begun)
        finally:
            if answer is not None and not answer.is_whole:
                await self._loop.run_in_executor(self._pool, answer.close)
            connection.done(request)

    async def _have_room(self, connection: Connection) -> None:
        """Wait until the client has read most of what was sent, or is gone."""
        self._room[connection] = room = asyncio.Event()
        try:
            while connection.is_full() and not connection.is_gone():
                room.clear()
                await room.wait()
        finally:
            del self._room[connection]

    def _say_failed(self, connection: Connection, error: Exception, *, begun: bool = False) -> None:
        log.error("failed", exc_info=error)
        if begun:
            connection.break_off()
        elif not connection.is_gone():
            connection.fail()
