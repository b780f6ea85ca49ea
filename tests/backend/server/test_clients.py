"""Clients of a real gunicorn that are slow, odd, or too many: nobody else waits for them."""

import contextlib
import json
import socket
import time

import pytest

from backend.server.arrival import ARRIVE_S
from tests.backend.real_server import BEARER, Server, wait_for
from tests.backend.server.live import URL, connect, everything, says
from tests.chain import PATIENCE

pytestmark = pytest.mark.usefixtures("first_version")


def test_clients_that_send_slowly_take_nobodys_turn(server: Server) -> None:
    beginnings = [
        b"P",
        b"POST /predict/ HTTP/1.1\r\nHost: x\r\n",
        b"POST /predict/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\ndata:image/png",
        b"POST /predict/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nda",
    ]
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(server)) for _ in range(40)]
        for number, sock in enumerate(slow):
            sock.sendall(beginnings[number % len(beginnings)])
        began = time.monotonic()
        assert [says(server) for _ in range(20)] == ["1"] * 20
        assert time.monotonic() - began < 60  # each of the 40 would take a thread of 8 for 10 s
        for number, sock in enumerate(slow[:4]):
            answer = everything(sock)
            assert answer.startswith(b"HTTP/1.1 408 "), (number, answer)
            body = answer.partition(b"\r\n\r\n")[2]
            assert json.loads(body)["error"]["code"] == "too_slow"


def test_clients_that_do_not_hang_up_take_nobodys_turn(server: Server) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with contextlib.ExitStack() as stack:
        began = time.monotonic()
        for _ in range(40):
            sock = stack.enter_context(connect(server))
            sock.sendall(request)
            assert everything(sock).startswith(b"HTTP/1.1 200 ")
        assert time.monotonic() - began < 60  # gunicorn's own worker waits 2 s for each


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_request_in_pieces_is_answered(server: Server, size: int) -> None:
    body = URL if size > 100 else b"data:"
    request = b"POST /predict/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(
        body
    )
    request += body
    with connect(server) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(request), size):
            sock.sendall(request[at : at + size])
        assert everything(sock).startswith(b"HTTP/1.1 200 " if size > 100 else b"HTTP/1.1 415 ")


def test_requests_sent_one_right_behind_the_other_are_all_answered(server: Server) -> None:
    one = b"POST /predict/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(URL) + URL
    last = one.replace(b"Host: x", b"Host: x\r\nConnection: close")
    with connect(server) as sock:
        sock.sendall(one * 3 + last)
        assert everything(sock).count(b"HTTP/1.1 200 ") == 4


def test_who_reads_no_answers_takes_nobodys_turn(server: Server) -> None:
    one = b"POST /predict/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(URL) + URL
    with contextlib.ExitStack() as stack:
        deaf = []
        for _ in range(6):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            sock.connect(("127.0.0.1", server.settings.backend_port))
            sock.setblocking(False)
            deaf.append(sock)
        began = time.monotonic()
        while time.monotonic() - began < 6:
            for sock in deaf:
                with contextlib.suppress(
                    BlockingIOError, ConnectionError
                ):  # who never reads is cut in the end
                    sock.send(one * 20)
            asked = time.monotonic()
            assert says(server) == "1"
            assert time.monotonic() - asked < 4 * PATIENCE


def test_a_body_in_chunks_is_answered(server: Server) -> None:
    half = len(URL) // 2
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (URL[:half], URL[half:], b""))
    request = b"POST /predict/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connect(server) as sock:
        sock.sendall(request + chunks)
        answer = everything(sock)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"1")


def test_who_asks_before_sending_a_body_is_told_to_go_on(server: Server) -> None:
    head = b"POST /predict/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    with connect(server) as sock:
        sock.sendall(head % len(URL))
        assert sock.recv(100).startswith(b"HTTP/1.1 100 Continue")
        sock.sendall(URL)
        assert b"HTTP/1.1 200 OK" in everything(sock)


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nA b\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n0\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"H%d: x\r\n" % n for n in range(200)) + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 60_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_proper_request_is_refused_and_the_connection_ends(
    server: Server, request_: bytes
) -> None:
    with connect(server) as sock:
        with contextlib.suppress(OSError):  # it may have ended already
            sock.sendall(request_)
            sock.shutdown(socket.SHUT_WR)
        answer = everything(sock)
    assert answer == b"" or answer[9:10] == b"4" or answer[9:12] in (b"501", b"505")
    assert says(server) == "1"


def test_too_large_a_body_is_refused_without_being_read(server: Server) -> None:
    with connect(server) as sock:
        sock.sendall(
            b"POST /predict/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000000\r\n\r\n" + bytes(50_000)
        )
        assert sock.recv(100).startswith(b"HTTP/1.1 413 ")
    assert says(server) == "1"


@pytest.mark.parametrize(
    "line", [b"PUT /models/a/versions/1", b"POST /predict/", b"GET /healthz", b"POST /nowhere"]
)
def test_a_long_body_that_nobody_wants_is_not_waited_for(server: Server, line: bytes) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(48):
            sock = stack.enter_context(connect(server))
            sock.sendall(line + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n")
        began = time.monotonic()
        assert [says(server) for _ in range(10)] == ["1"] * 10
        assert time.monotonic() - began < 60  # gunicorn waits 5 s for each, in 2 workers


def test_a_push_that_stops_half_way_changes_nothing(server: Server) -> None:
    head = (
        "PUT /models/mnist-cnn/versions/9 HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n"
        f"Authorization: {BEARER['Authorization']}\r\n\r\n"
    )
    with connect(server) as sock:
        with contextlib.suppress(OSError):  # on a busy computer it may have waited long enough
            sock.sendall(head.encode() + bytes(200_000))
            sock.shutdown(socket.SHUT_WR)
        answer = everything(sock)
    assert answer == b"" or answer[9:12] in (b"400", b"408")
    incoming = server.settings.backend / "incoming"
    wait_for(lambda: not list(incoming.iterdir()), server)
    assert server.guarded("POST", "/models/mnist-cnn:activate", b'{"version": 9}').status == 404


def test_what_cannot_be_answered_soon_is_told_so_at_once(server: Server) -> None:
    """More connections than a worker may have waiting, all at one moment."""
    request = b"POST /predict/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(URL) + URL
    with contextlib.ExitStack() as stack:
        sending = time.monotonic()  # a request has its time from when its connection is there
        many = [stack.enter_context(connect(server)) for _ in range(700)]
        for sock in many:
            with contextlib.suppress(ConnectionError):
                sock.sendall(request[:-1])
        began = time.monotonic()
        for sock in many:
            with contextlib.suppress(ConnectionError):
                sock.sendall(request[-1:])
        was_soon = time.monotonic() - sending < ARRIVE_S / 2
        statuses = []
        for sock in many:
            sock.settimeout(120)
            answer = b""
            with contextlib.suppress(ConnectionError):
                while b"\r\n\r\n" not in answer and (data := sock.recv(4096)):
                    answer += data
            statuses.append(answer[9:12])
            if answer[9:12] == b"503":
                assert b"Retry-After: 1" in answer
        spent = time.monotonic() - began
    assert set(statuses) <= {b"200", b"503"} or not was_soon
    assert b"200" in statuses or not was_soon
    assert spent < 15 * PATIENCE
    assert says(server) == "1"
