"""Passes on what comes through a Unix socket to a model server's two ports on loopback; the standard library alone."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Any

HTTP2 = b"PRI "
"""How a connection begins on which gRPC is spoken; no request of HTTP/1 does."""
PIECE = 256 * 1024


def pass_on(listener: socket.socket, port: int, grpc_port: int, count: Callable[[int], None]) -> None:
    """For ever; ``count`` is told of each connection that begins, 1, and ends, -1."""
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_pump, args=(client, port, grpc_port, count), daemon=True).start()


def _pump(client: socket.socket, port: int, grpc_port: int, count: Callable[[int], None]) -> None:
    """Both ways, until either end closes; the client speaks first."""
    count(1)
    try:
        with client, contextlib.suppress(OSError):
            said = client.recv(PIECE)
            port = grpc_port if said.startswith(HTTP2) else port
            with socket.create_connection(("127.0.0.1", port), 5) as server:
                server.settimeout(None)
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                server.sendall(said)
                _pump_both_ways(client, server)
    finally:
        count(-1)


def _pump_both_ways(client: socket.socket, server: socket.socket) -> None:
    with selectors.DefaultSelector() as ready:
        ready.register(client, selectors.EVENT_READ, server)
        ready.register(server, selectors.EVENT_READ, client)
        while True:
            for key, _ in ready.select():
                source: Any = key.fileobj
                data = source.recv(PIECE)
                if not data:
                    return
                key.data.sendall(data)
