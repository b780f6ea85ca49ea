"""Gunicorn's threaded worker with a loop that decides itself what happens to each connection.

A gunicorn thread reads a connection as slowly as its client sends: a client that sends one byte and waits holds a
thread for good, and a few of them stop the service (https://github.com/benoitc/gunicorn/issues/3518; the mend of
its pull request 3519 waits 5 s for the first byte and as long as it takes for the rest; issue 3301 is a like one).
No hook of gunicorn's comes before a thread has the connection, so the loop's own methods are overridden: ``accept``,
``enqueue_req``, ``on_pending_socket_readable``, ``murder_pending``, ``finish_request``, ``_keepalive_after`` of
``ThreadWorker``, its ``poller``, ``pending_conns``, ``method_queue`` and ``nr_conns``, and the parser of ``TConn``.

Versions: ``gunicorn>=27,<27.1``. Goes when the back end has a server that itself hands over whole requests only.
"""

import errno
import functools
import selectors
import socket
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker


class Connection(TConn):
    """A client's connection; what a worker notes about it are attributes of a subclass."""

    def begin(self) -> bytes:
        """Prepare for the next request; give what came of it right behind the last one."""
        self.init()
        return bytes(self.parser.unreader.take_buffered())

    def give(self, request: bytes) -> None:
        """Have the parser find these bytes first."""
        self.data_ready = True
        self.parser.unreader.unread(request)

    @property
    def has_unread_body(self) -> bool:
        """Whether there is more of the request's body than its route has read, or it cannot be known."""
        return bool(getattr(self.parser.mesg.body.reader, "length", True))


class LoopWorker(ThreadWorker):
    """A worker whose loop asks a subclass what to do: :meth:`received`, :meth:`part`, :meth:`expired` and the like.

    The subclass does it by :meth:`wait`, :meth:`answer_in_thread`, :meth:`answer_here` and :meth:`drop`.
    """

    connection_class: type[Connection] = Connection

    # A subclass says

    def welcome(self, sock: socket.socket) -> None:
        """Set options of a new connection's socket."""

    def received(self, conn: Any) -> None:
        """Take what may be read of a connection; the loop calls this, and nothing here may block."""
        raise NotImplementedError

    def answering(self, conn: Any) -> None:
        """Note that the answer begins; in the thread that gives it."""

    def reusable(self, conn: Any) -> bool:
        """Whether another request may come on the connection, after its answer."""
        return True

    def answered(self, conn: Any) -> None:
        """Note that an answer was given, or broke off; the loop calls this."""

    def part(self, conn: Any) -> None:
        """End a connection after its last answer."""
        self.drop(conn)

    def expired(self, waiting: Sequence[Any]) -> Iterable[Any]:
        """Those of the waiting connections whose time is up."""
        raise NotImplementedError

    def refuse(self, conn: Any) -> None:
        """End a connection whose time is up."""
        self.drop(conn)

    # A subclass does

    def wait(self, conn: Any) -> None:
        """Have :meth:`received` called once there is more to read."""
        self.pending_conns.append(conn)
        self.poller.register(
            conn.sock, selectors.EVENT_READ, functools.partial(self.on_pending_socket_readable, conn)
        )

    def drop(self, conn: Any) -> None:
        """Close a connection that does not wait."""
        self.nr_conns -= 1
        conn.close()

    def answer_in_thread(self, conn: Any) -> None:
        """Have a thread parse and answer what was given to the connection."""
        super().enqueue_req(conn)

    def answer_here(self, conn: Any) -> None:
        """Parse and answer at once, in the loop; what follows comes after the others' turns.

        A client that sends many in a row would else be answered before all others, ever deeper in the stack.
        """
        done: Future[Any] = Future()
        done.set_result(self.handle(conn))
        self.method_queue.defer(self.finish_request, conn, done)

    # Gunicorn calls

    def accept(self, listener: Any) -> None:
        """Take a new connection; its first bytes are often there already."""
        try:
            sock, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                return
            raise
        self.welcome(sock)
        self.nr_conns += 1
        self.received(self.connection_class(self.cfg, sock, address, listener.getsockname()))

    def enqueue_req(self, conn: Any) -> None:
        """Take another request on a kept connection."""
        self.received(conn)

    def on_pending_socket_readable(self, conn: Any, client: Any) -> None:
        """Take more of what a connection waited for."""
        self.poller.unregister(client)
        self.pending_conns.remove(conn)
        self.received(conn)

    def murder_pending(self) -> None:
        """Close the connections whose time is up."""
        for conn in self.expired(tuple(self.pending_conns)):
            self.pending_conns.remove(conn)
            self.poller.unregister(conn.sock)
            self.refuse(conn)

    def handle(self, conn: Any) -> Any:
        """Answer a request."""
        self.answering(conn)
        return super().handle(conn)

    def _keepalive_after(self, conn: Any, keepalive: Any) -> bool:
        return self.reusable(conn) and bool(super()._keepalive_after(conn, keepalive))

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Wait for another request after an answer, or end the connection."""
        self.answered(conn)
        if not fs.cancelled() and fs.exception() is None and fs.result():
            super().finish_request(conn, fs)
        else:
            self.part(conn)
