"""The messages between the Jupyter server and the process that forks its kernels: one packet each, as JSON.

With :class:`Begun` come two descriptors: the kernel's process (``pidfd_open(2)``), and a pipe with its exit code once it
has ended.
"""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from workbench.system import wire

MAX_BYTES = 150_000
"""Below what Linux takes as one packet of a Unix socket."""


@dataclass(frozen=True)
class Launch:
    """Fork a kernel."""

    arguments: tuple[str, ...]
    """Those of ``ipykernel_launcher``."""
    environment: Mapping[str, str]
    """All of it."""
    folder: str
    memory_bytes: int = 0
    """That it may have of its own, what TensorFlow's threads reserve and never use in it; 0 for no limit."""


@dataclass(frozen=True)
class Begun:
    """The kernel's process."""

    pid: int


@dataclass(frozen=True)
class Declined:
    """No kernel was forked."""

    why: str
    stale: bool = False
    """Whether this process is out of date, so that another one should take its place."""


@dataclass(frozen=True)
class Ready:
    """All is imported; requests may come."""

    seconds: float
    """How long that took, of the processor's time."""


KINDS: tuple[type, ...] = (Launch, Begun, Declined, Ready)


def send(connection: socket.socket, message: object, descriptors: tuple[int, ...] = ()) -> None:
    """Send one message.

    Raises
    ------
    OSError
        The other end is gone, or it does not fit.
    """
    data = json.dumps({"kind": type(message).__name__, "with": wire.pack(message)}).encode()
    if len(data) > MAX_BYTES:
        raise OSError(f"a message of {len(data)} bytes is too long")
    socket.send_fds(connection, [data], descriptors)


def receive(connection: socket.socket) -> tuple[object, list[int]]:
    """Receive one message and the descriptors that came with it.

    Raises
    ------
    EOFError
        The other end closed the connection.
    OSError, ValueError
        As sockets do; or it is no message.
    """
    data, descriptors, _, _ = socket.recv_fds(connection, MAX_BYTES, 2)
    if not data:
        raise EOFError("the other end closed the connection")
    told = json.loads(data)
    kind = next((kind for kind in KINDS if kind.__name__ == told["kind"]), None)
    if kind is None:
        raise ValueError(f"expected a message. Received: {told['kind']!r}")
    return wire.unpack(kind, told["with"]), list(descriptors)
