"""How our processes ask each other: one JSON object a connection, on a socket in a folder that is nobody else's."""

import json
import os
import socket
from pathlib import Path
from typing import Any

MAX_LINE = 16_000_000
"""Bytes; the longest is what a command printed, see ``cluster.MAX_OUTPUT``."""


def read_line(connection: socket.socket) -> bytes:
    """What the other end sends up to the end of a line.

    Raises
    ------
    OSError
        The other end closed before.
    """
    data = b""
    while not data.endswith(b"\n"):
        if not (more := connection.recv(1 << 16)):
            raise ConnectionError("the other end closed the connection")
        data += more
        if len(data) > MAX_LINE:
            raise ConnectionError("the other end sends without end")
    return data


def ask(folder: Path, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    """Ask the process whose socket ``control`` is in the folder.

    Raises
    ------
    OSError
        Nobody answers.
    """
    # By descriptor: the path of a Unix socket may have 107 bytes only.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(f"/proc/self/fd/{descriptor}/control")
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer: dict[str, Any] = json.loads(read_line(connection))
            return answer
    finally:
        os.close(descriptor)


def listen(folder: Path) -> socket.socket:
    """The socket ``control`` in the folder; one that is there is replaced."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "control").unlink(missing_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        control.bind(f"/proc/self/fd/{descriptor}/control")
    finally:
        os.close(descriptor)
    control.listen(64)
    return control
