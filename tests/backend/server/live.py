"""Asks the one real gunicorn of the tests, by its client or by a socket."""

import contextlib
import socket

import pytest

from tests.backend import making
from tests.backend.real_server import Server

URL = making.data_url(making.png(making.seven()))
FORM = "application/x-www-form-urlencoded"


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.settings.backend_port), timeout=120)


def everything(sock: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while data := sock.recv(65536):
            received += data
    return received


def says(server: Server) -> str:
    return server.ask("POST", "/predict/", URL).body.decode()


@pytest.fixture
def first_version(server: Server) -> None:
    """Begin with version 1."""
    server.guarded("POST", "/models/mnist-cnn:activate", b'{"version": 1}')
    assert says(server) == "1"
