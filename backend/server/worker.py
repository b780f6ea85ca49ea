"""The back end's worker: a loop that collects requests, answers quick ones itself and hands the others to threads.

A gunicorn worker is a subclass of ``gunicorn.workers.base.Worker``
(https://gunicorn.org/reference/settings/#worker_class); no more of gunicorn is used here. Its own workers give a thread
to a client at its first byte, or set no limit to the time of a request's head: docs/decisions/12-own-worker.md.
"""

import asyncio
import contextlib
import errno
import os
import signal
import socket
from typing import Any

import uvloop
from gunicorn.workers.base import Worker

from backend.server.connection import Connection
from backend.server.service import Service

TICK_S, CALM_S = 1.0, 2.0
"""Time between two looks at slow clients, and two signs of life; with a client, and without one."""
REST_S = 0.5
"""Time without new connections after the system had no room for one."""
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class PatientWorker(Worker):  # type: ignore[misc]  # gunicorn has no types
    """A worker whose threads never wait for a slow client: neither for its request nor for its good-bye."""

    def run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over, self._at_once = asyncio.Event(), False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            self._loop.add_signal_handler(number, self._end, number)
        self._service = Service(
            self.wsgi,
            getattr(self.wsgi, "extensions", {}).get("is_quick", lambda method, target, body: False),
            self._loop,
            threads=self.cfg.threads,
            keep_s=self.cfg.keepalive,
        )
        self._service.on_left = self._listen
        self._coming: set[asyncio.Task[Any]] = set()
        self._listening = False
        self._listen()
        while self.alive:
            self.notify()
            self._service.look_after()
            if os.getppid() != self.ppid:
                self.log.info("the master is gone")
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S if self._service.connections else CALM_S):
                    await self._over.wait()
        await self._finish()

    def _end(self, number: int) -> None:
        """Take no more, and end with the answers that are due; at once if that is asked."""
        self.alive = False
        self._at_once = self._at_once or number != signal.SIGTERM
        self._over.set()

    async def _finish(self) -> None:
        self.alive = False
        self._rest()
        for listener in self.sockets:
            listener.close()
        self._service.end()
        until = self._loop.time() + self.cfg.graceful_timeout
        while self._service.connections and not self._at_once and self._loop.time() < until:
            self.notify()
            self._service.look_after()
            await asyncio.sleep(0.02)
        self._service.close()

    # ── new connections ──────────────────────────────────────────────────────────────────────────

    def _listen(self) -> None:
        if not self._listening and self.alive:
            self._listening = True
            for listener in self.sockets:
                self._loop.add_reader(listener.fileno(), self._accept, listener)

    def _rest(self) -> None:
        if self._listening:
            self._listening = False
            for listener in self.sockets:
                self._loop.remove_reader(listener.fileno())

    def _accept(self, listener: socket.socket) -> None:
        """Take one connection, so that workers with less to do take others."""
        full = len(self._service.connections) + len(self._coming) >= self.cfg.worker_connections
        if full and not self._service.make_room():
            self._rest()
            return
        try:
            sock, _ = listener.accept()
        except OSError as error:
            if error.errno in _NO_ROOM:
                self._rest()
                self._loop.call_later(REST_S, self._listen)
            elif error.errno not in (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED):
                raise
            return
        sock.setblocking(False)
        coming = self._loop.create_task(self._loop.connect_accepted_socket(self._welcome, sock))
        self._coming.add(coming)
        coming.add_done_callback(self._coming.discard)

    def _welcome(self) -> Connection:
        return Connection(self._service)
