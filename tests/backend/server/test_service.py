"""Connections, loop and threads together, in this process: each client is one end of a pair of sockets."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import uvloop

from backend.server.connection import Connection
from backend.server.message import PIECE
from backend.server.service import SLOW_S, Service
from tests.apart import in_a_thread

LONG = 40 * PIECE
Client = socket.socket
CLIENTS: list[Client] = []
"""Of the test that runs."""


def on_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on the worker's loop."""

    def play() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(asyncio.wait_for(test(), 60))

    def run() -> None:
        in_a_thread(play)

    run.__name__ = test.__name__
    return run


@asynccontextmanager
async def serving(
    application: WSGIApplication, *, quick: bool = False, **more: Any
) -> AsyncIterator[Service]:
    loop = asyncio.get_running_loop()
    service = Service(
        application, lambda method, target, body: quick, loop, **{"threads": 1, "keep_s": 75.0, **more}
    )
    try:
        yield service
    finally:
        for client in CLIENTS:
            client.close()
        CLIENTS.clear()
        while service.connections:
            for connection in tuple(service.connections):
                connection.break_off()
            await asyncio.sleep(0.001)
        service.close()


async def connect(service: Service) -> Client:
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
        end.setblocking(False)
    CLIENTS.append(ours)
    await asyncio.get_running_loop().connect_accepted_socket(lambda: Connection(service), theirs)
    return ours


async def ask(client: Client, path: str, *, close: bool = True) -> None:
    end = "Connection: close\r\n" if close else ""
    await asyncio.get_running_loop().sock_sendall(client, f"GET {path} HTTP/1.1\r\n{end}\r\n".encode())


async def everything(client: Client) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while data := await asyncio.get_running_loop().sock_recv(client, 1024 * 1024):
            found += data
    return found


def body(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def application(environ: WSGIEnvironment, start: StartResponse) -> Iterator[bytes]:
    match environ["PATH_INFO"]:
        case "/long":
            start("200 OK", [("Content-Length", str(LONG))])
            yield from [b"x" * PIECE] * (LONG // PIECE)
        case "/fails":
            raise RuntimeError("of the test")
        case "/breaks":
            start("200 OK", [("Content-Length", str(LONG))])
            yield b"x" * PIECE
            raise RuntimeError("of the test")
        case _:
            start("200 OK", [("Content-Type", "text/plain")])
            yield threading.current_thread().name.encode()


@on_loop
async def test_who_reads_a_long_answer_slowly_holds_no_thread() -> None:
    async with serving(application) as service:
        slow = [await connect(service) for _ in range(3)]
        for client in slow:
            await ask(client, "/long")
        for client in slow:
            assert (await asyncio.get_running_loop().sock_recv(client, 9)) == b"HTTP/1.1 "
        for _ in range(3):
            other = await connect(service)
            await ask(other, "/short")
            assert body(await everything(other)).startswith(b"answering")
        for client in slow:
            assert body(await everything(client)) == b"x" * LONG


@on_loop
async def test_the_loop_answers_what_is_quick_and_threads_the_rest() -> None:
    for quick, name in ((True, b"apart_0"), (False, b"answering_0")):
        async with serving(application, quick=quick) as service:
            client = await connect(service)
            await ask(client, "/short")
            assert body(await everything(client)) == name


@on_loop
async def test_after_a_slow_answer_threads_give_them_all_for_a_while() -> None:
    def slow(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        until = time.thread_time() + 2 * SLOW_S
        while time.thread_time() < until:
            pass
        start("200 OK", [])
        return [threading.current_thread().name.encode()]

    async with serving(slow, quick=True) as service:
        names = []
        for _ in range(2):
            client = await connect(service)
            await ask(client, "/")
            names.append(body(await everything(client)))
        assert names == [b"apart_0", b"answering_0"]


@on_loop
async def test_more_than_may_wait_is_told_so_at_once() -> None:
    go_on = threading.Event()

    def waits(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        assert go_on.wait(60)
        start("200 OK", [])
        return [b"done"]

    async with serving(waits, queue=1) as service:
        clients = [await connect(service) for _ in range(3)]
        for client in clients:
            await ask(client, "/")
        refused = await everything(clients[2])
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b'"busy"' in refused
        go_on.set()
        assert [body(await everything(client)) for client in clients[:2]] == [b"done"] * 2


@on_loop
async def test_an_application_that_fails_is_a_500_or_a_broken_answer_but_never_a_whole_one() -> None:
    async with serving(application) as service:
        client = await connect(service)
        await ask(client, "/fails", close=False)
        failed = await everything(client)
        assert failed.startswith(b"HTTP/1.1 500 ")
        assert b"of the test" not in failed
        client = await connect(service)
        await ask(client, "/breaks", close=False)
        assert len(body(await everything(client))) < LONG


@on_loop
async def test_room_is_made_by_the_connection_that_has_idled_longest() -> None:
    async with serving(application, quick=True) as service:
        clients = []
        for _ in range(3):
            clients.append(client := await connect(service))
            await ask(client, "/short", close=False)
            assert await asyncio.get_running_loop().sock_recv(client, 1000)
            await asyncio.sleep(0.01)
        await ask(clients[0], "/short", close=False)
        assert await asyncio.get_running_loop().sock_recv(clients[0], 1000)
        assert service.make_room()
        assert await everything(clients[1]) == b""
        await ask(clients[2], "/short")
        assert body(await everything(clients[2]))


def test_a_service_without_idle_connections_makes_no_room() -> None:
    def play() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            service = Service(application, lambda *_: False, runner.get_loop(), threads=1, keep_s=1.0)
            assert not service.make_room()
            service.close()

    in_a_thread(play)
