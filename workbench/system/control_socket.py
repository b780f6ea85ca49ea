"""How our processes ask each other: one request a connection, on a socket in a folder that is nobody else's.

A request is a frozen value whose class says what is asked; so is an answer. Both travel as a line of JSON.
"""

import contextlib
import json
import os
import selectors
import signal
import socket
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from workbench.system import wire

MAX_LINE = 16_000_000
"""Bytes; the longest is what a command printed, see ``machines.local.head.MAX_OUTPUT``."""
ANSWER_TIMEOUT_S = 5.0

A = TypeVar("A")
R = TypeVar("R")


class Failed(Exception):
    """The other process could not do what it was asked; the message is its own."""


@dataclass(frozen=True)
class Nothing:
    """An answer that says only that it is done."""


def ask(folder: Path, request: object, answer: type[A], timeout_s: float) -> A:
    """Ask the process whose socket ``control`` is in the folder.

    Raises
    ------
    OSError
        Nobody answers.
    ValueError
        The answer is none.
    Failed
        It could not do it.
    """
    line = json.dumps({"do": type(request).__name__, "with": wire.pack(request)}).encode() + b"\n"
    # By descriptor: the path of a Unix socket may have 107 bytes only.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(f"/proc/self/fd/{descriptor}/control")
            connection.sendall(line)
            told = json.loads(_read_line(connection))
    finally:
        os.close(descriptor)
    if not isinstance(told, dict):
        raise ValueError(f"no answer: {str(told)[:80]}")
    if "error" in told:
        raise Failed(str(told["error"]))
    return wire.unpack(answer, told.get("answer"))


def listen(folder: Path) -> socket.socket:
    """Open the socket ``control`` in the folder; one that is there is replaced."""
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


class Reply:
    """Gives the answer to one request, at once or from a child process."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def __call__(self, answer: object) -> None:
        self._send({"answer": wire.pack(answer)})

    def fail(self, error: BaseException) -> None:
        self._send({"error": f"{type(error).__name__}: {error}"})

    def _send(self, told: dict[str, wire.Json]) -> None:
        with contextlib.suppress(OSError):  # who asked has gone
            self._connection.sendall(json.dumps(told).encode() + b"\n")


@dataclass(frozen=True)
class Route(Generic[R]):
    """What is done for one kind of request."""

    request: type[R]
    act: Callable[[R, Reply], None]


class Server:
    """The loop of a process that answers, reaps its children and looks after other descriptors.

    Parameters
    ----------
    tick
        Called after each turn: when something came, when a child ended, and every ``every_s``.
    """

    def __init__(
        self, control: socket.socket, routes: Sequence[Route[Any]], tick: Callable[[], None], every_s: float
    ) -> None:
        self.control = control
        self.ending = False
        self._routes = {route.request.__name__: route for route in routes}
        self._tick, self._every_s = tick, every_s
        self._selector: selectors.BaseSelector | None = None

    def serve(self) -> None:
        """Answer until ``ending`` or SIGTERM."""
        wake, woken = socket.socketpair()
        for end in (wake, woken):
            end.setblocking(False)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGTERM, self._end)
        self._selector = selectors.DefaultSelector()
        self.watch(wake.fileno(), lambda: wake.recv(4096))
        self.watch(self.control.fileno(), self._answer)
        while not self.ending:
            self._turn(self._every_s, with_requests=True)
            self._tick()

    def watch(self, descriptor: int, act: Callable[[], object]) -> None:
        """Call ``act`` whenever there is something to read."""
        self._open_selector.register(descriptor, selectors.EVENT_READ, act)

    def forget(self, descriptor: int) -> None:
        """Watch the descriptor no longer."""
        self._open_selector.unregister(descriptor)

    def serve_others(self, timeout_s: float) -> None:
        """Look after the other descriptors once, while a request is being answered."""
        self._turn(timeout_s, with_requests=False)

    @property
    def _open_selector(self) -> selectors.BaseSelector:
        if self._selector is None:
            raise RuntimeError("the server does not serve yet")
        return self._selector

    def _turn(self, timeout_s: float, *, with_requests: bool) -> None:
        watched = self._open_selector.get_map()
        for key, _ in self._open_selector.select(timeout_s):
            # What was done for the one before may have read this one to its end, and forgotten it.
            if watched.get(key.fd) is key and (with_requests or key.fd != self.control.fileno()):
                key.data()

    def _end(self, number: int, frame: object) -> None:
        self.ending = True

    def _answer(self) -> None:
        connection, _ = self.control.accept()
        with connection:
            connection.settimeout(ANSWER_TIMEOUT_S)
            reply = Reply(connection)
            try:
                told = json.loads(_read_line(connection))
                route = self._routes[told["do"]]
                route.act(wire.unpack(route.request, told["with"]), reply)
            except Exception as error:
                traceback.print_exc()
                reply.fail(error)


def _read_line(connection: socket.socket) -> bytes:
    """What the other end sends up to the end of a line, within the time that the connection has in all."""
    timeout_s = connection.gettimeout()
    give_up = None if timeout_s is None else time.monotonic() + timeout_s
    data = bytearray()
    while not data.endswith(b"\n"):
        if give_up is not None:
            connection.settimeout(max(0.001, give_up - time.monotonic()))
        if not (more := connection.recv(1 << 16)):
            raise ConnectionError("the other end closed the connection")
        data += more
        if len(data) > MAX_LINE:
            raise ConnectionError("the other end sends without end")
    connection.settimeout(timeout_s)
    return bytes(data)
