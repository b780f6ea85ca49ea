"""The parts of gunicorn's threaded worker that ours stands on."""

import inspect
from collections.abc import Callable

import pytest
from gunicorn.http.unreader import Unreader
from gunicorn.workers.gthread import PollableMethodQueue, TConn, ThreadWorker

from workbench.upstream.gunicorn import Connection, LoopWorker

SIGNATURES = {
    TConn.__init__: ("self", "cfg", "sock", "client", "server"),
    TConn.init: ("self",),
    TConn.close: ("self", "graceful"),
    Unreader.take_buffered: ("self",),
    Unreader.unread: ("self", "data"),
    PollableMethodQueue.defer: ("self", "callback", "args"),
    ThreadWorker.accept: ("self", "listener"),
    ThreadWorker.enqueue_req: ("self", "conn"),
    ThreadWorker.on_pending_socket_readable: ("self", "conn", "client"),
    ThreadWorker.murder_pending: ("self",),
    ThreadWorker.finish_request: ("self", "conn", "fs"),
    ThreadWorker.handle: ("self", "conn"),
    ThreadWorker._keepalive_after: ("self", "conn", "keepalive"),
}


@pytest.mark.parametrize("method", SIGNATURES, ids=lambda method: method.__qualname__)
def test_what_is_called_and_overridden_takes_the_same_arguments(method: Callable[..., object]) -> None:
    assert tuple(inspect.signature(method).parameters) == SIGNATURES[method]


@pytest.mark.parametrize(
    ("method", "uses"),
    [
        (
            ThreadWorker.__init__,
            ["self.pending_conns = deque()", "self.nr_conns = 0", "self.method_queue = "],
        ),
        (ThreadWorker.run, ["self.murder_pending()", "self.murder_keepalived("]),
        (ThreadWorker.set_accept_enabled, ["self.accept)"]),
        (ThreadWorker.on_client_socket_readable, ["self.enqueue_req(conn)"]),
        (ThreadWorker.enqueue_req, ["submit(self.handle, conn)", "self.finish_request, conn, fut"]),
        (ThreadWorker.finish_request, ["self.enqueue_req(conn)", "unreader.buf.getvalue()"]),
        (
            ThreadWorker.handle,
            ["self._keepalive_after(conn, ", "not conn.data_ready", "conn.sock.setblocking(True)"],
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_loop_still_calls_what_is_overridden(method: Callable[..., object], uses: list[str]) -> None:
    source = inspect.getsource(method)
    for text in uses:
        assert text in source


def test_nothing_more_of_gunicorns_is_overridden_than_is_said() -> None:
    """A new method of gunicorn's with the name of one of ours would be replaced without our knowing."""
    ours = {name for name in vars(LoopWorker) if not name.startswith("__")}
    theirs = {name for base in ThreadWorker.__mro__ for name in vars(base)}
    said = {method.__name__ for method in SIGNATURES}
    assert ours & theirs <= said
    assert not {"begin", "give", "has_unread_body"} & set(vars(TConn))
    assert issubclass(Connection, TConn)
