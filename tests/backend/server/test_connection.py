"""One connection, however its bytes come; what real clients and a real loop do is tried in ``test_clients.py``."""

import itertools
import re
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.server.arrival import ARRIVE_S, MAX_HEAD, WHOLE
from backend.server.connection import FAREWELL_S
from tests.backend.server.fakes import FakeService, connect

POST = b"POST /predict/?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789"
CHUNKED = b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\n000\r\n0\r\nTrailer: a\r\n\r\n"
REQUESTS = {
    "no body": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /? "),
    "a body": (POST, b"POST /predict/?a=b 0123456789"),
    "chunks": (CHUNKED, b"POST /c? hello000"),
    "an odd length header": (b"POST / HTTP/1.1\r\ncOnTent-LENGTH:\t3 \r\nA: b\r\n\r\nabc", b"POST /? abc"),
    "a percent in the path": (b"GET /a%20b%2Fc HTTP/1.1\r\n\r\n", b"GET /a b/c? "),
    "a whole URL": (b"GET http://x.example/p?q=1 HTTP/1.1\r\n\r\n", b"GET /p?q=1 "),
}


def bodies(written: bytes) -> list[bytes]:
    """The bodies of answers that tell their length."""
    found = []
    while written:
        head, _, rest = written.partition(b"\r\n\r\n")
        length = int(re.findall(rb"(?i)content-length: (\d+)", head)[0])
        found.append(rest[:length])
        written = rest[length:]
    return found


def status(written: bytes) -> int:
    return int(written[9:12])


@pytest.mark.parametrize(("request_", "said"), REQUESTS.values(), ids=REQUESTS.keys())
@given(cuts=st.lists(st.integers(1, 200), max_size=6, unique=True).map(sorted))
def test_a_request_is_answered_with_its_last_byte_however_it_comes(
    request_: bytes, said: bytes, cuts: list[int]
) -> None:
    connection, transport = connect(service := FakeService())
    edges = [0, *(cut for cut in cuts if cut < len(request_)), len(request_)]
    pieces = [request_[a:b] for a, b in itertools.pairwise(edges)]
    for piece in pieces[:-1]:
        connection.data_received(piece)
        assert not transport.written
    connection.data_received(pieces[-1])
    assert bodies(transport.written) == [said]
    assert service.held == 0


@given(cuts=st.lists(st.integers(1, 600), max_size=8, unique=True).map(sorted))
def test_requests_right_behind_each_other_are_answered_in_their_order(cuts: list[int]) -> None:
    connection, transport = connect(service := FakeService())
    everything = b"".join(request for request, _ in REQUESTS.values()) * 2
    edges = [0, *(cut for cut in cuts if cut < len(everything)), len(everything)]
    for a, b in itertools.pairwise(edges):
        connection.data_received(everything[a:b])
        service.turn()
    assert bodies(transport.written) == [said for _, said in REQUESTS.values()] * 2


def test_another_request_waits_for_the_answer_to_the_one_before() -> None:
    connection, transport = connect(service := FakeService())
    service.waits = True
    connection.data_received(POST + POST.replace(b"0123456789", b"9876543210"))
    assert len(service.asked) == 1
    service.answer_one()
    service.turn()
    assert len(service.asked) == 1
    service.answer_one()
    assert [body[-10:] for body in bodies(transport.written)] == [b"0123456789", b"9876543210"]


def test_nothing_is_answered_while_the_client_does_not_read() -> None:
    connection, transport = connect(service := FakeService())
    connection.pause_writing()
    connection.data_received(POST)
    assert (transport.written, transport.paused) == (b"", True)
    connection.resume_writing()
    service.turn()
    assert bodies(transport.written)
    assert not transport.paused


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET nowhere HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\r\n folded: c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, nonsense\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\na", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\na", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n0\r\n\r\n", 400),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"H%d: x\r\n" % n for n in range(61)) + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 60_000 + b"\r\n\r\n", 431),
    ],
)
def test_what_is_no_proper_request_is_refused_and_never_asked(request_: bytes, expected: int) -> None:
    connection, transport = connect(service := FakeService())
    service.waits = True
    connection.data_received(request_)
    assert status(transport.written) == expected
    assert b'{"error": {"code": ' in transport.written
    assert transport.ended
    assert not service.asked
    connection.data_received(POST)
    assert not service.asked


def test_a_head_without_end_is_refused_before_it_takes_memory() -> None:
    connection, transport = connect(FakeService())
    connection.data_received(b"GET / HTTP/1.1\r\n")
    sent = 0
    while not transport.written:
        connection.data_received(b"A: " + b"b" * 997)
        sent += 1000
        assert sent <= MAX_HEAD + 2000
    assert status(transport.written) == 431


def test_a_request_before_nonsense_is_answered_and_the_connection_ends() -> None:
    connection, transport = connect(FakeService())
    connection.data_received(POST + b"nonsense\r\n\r\n")
    assert b"Connection: close" in transport.written
    assert bodies(transport.written) == [b"POST /predict/?a=b 0123456789"]
    assert transport.ended


@pytest.mark.parametrize(
    ("line", "headers", "kept"),
    [
        (b"HTTP/1.1", b"", True),
        (b"HTTP/1.1", b"Connection: close\r\n", False),
        (b"HTTP/1.0", b"", False),
        (b"HTTP/1.0", b"Connection: keep-alive\r\n", True),
        (b"HTTP/1.1", b"Connection: Upgrade\r\nUpgrade: h2c\r\n", False),
    ],
)
def test_a_connection_is_kept_as_its_client_asks(line: bytes, headers: bytes, kept: bool) -> None:
    connection, transport = connect(FakeService())
    connection.data_received(b"GET / " + line + b"\r\n" + headers + b"\r\n")
    assert bodies(transport.written) == [b"GET /? "]
    assert (b"Connection: close" not in transport.written) == kept
    assert transport.ended != kept


def test_who_asks_whether_to_go_on_is_told_so_once() -> None:
    connection, transport = connect(FakeService())
    connection.data_received(b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n")
    assert transport.written == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.data_received(b"ab")
    assert transport.written.count(b"HTTP/1.1 ") == 2


def test_a_body_too_long_to_be_held_is_left_to_its_route_which_asks_for_it() -> None:
    connection, transport = connect(service := FakeService())
    service.waits = True
    connection.data_received(
        b"PUT /m HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (WHOLE + 1)
    )
    assert len(service.asked) == 1
    assert not transport.written
    service.answer_one()  # without reading it
    assert b"Connection: close" in transport.written
    assert transport.ended


def test_a_long_body_is_read_while_it_comes_and_waited_for() -> None:
    connection, transport = connect(service := FakeService())
    service.waits = True
    connection.data_received(b"PUT /m HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (WHOLE + 5))
    stream = service.asked[0][1].stream
    assert stream is not None
    piece, buffer, taken = bytes(256 * 1024), memoryview(bytearray(256 * 1024)), 0
    for _ in range(WHOLE // len(piece)):
        connection.data_received(piece)
        if transport.paused:
            while taken % (4 * len(piece)) < 3 * len(piece):
                taken += stream.readinto(buffer)
            connection.go_on()
        assert service.held == 0
    connection.data_received(b"12345")
    while count := stream.readinto(buffer):
        taken += count
    assert taken == WHOLE + 5
    service.answer_one()
    assert not transport.ended  # it was read to its end, so the connection is kept


def test_too_much_at_once_is_refused() -> None:
    connection, transport = connect(service := FakeService())
    service.most = 5
    connection.data_received(POST)
    assert status(transport.written) == 503
    assert b"Retry-After: 1" in transport.written
    assert service.held == 0


def test_a_request_that_does_not_arrive_in_time_is_told_so() -> None:
    for beginning in (b"P", POST[:30], POST[:-1], CHUNKED[:-20]):
        connection, transport = connect(service := FakeService())
        service.time = 5.0
        connection.data_received(beginning)
        connection.look_after(5.0 + ARRIVE_S - 0.1)
        assert not transport.written
        connection.look_after(5.0 + ARRIVE_S + 0.1)
        assert status(transport.written) == 408
        assert service.held == 0


def test_a_connection_without_a_request_is_closed_without_a_word() -> None:
    connection, transport = connect(service := FakeService())
    connection.look_after(ARRIVE_S + 0.1)
    assert (transport.written, transport.closed) == (b"", True)
    connection, transport = connect(service)
    connection.data_received(POST)
    written = transport.written
    connection.look_after(74)
    assert not transport.closed
    connection.look_after(76)
    assert (transport.written, transport.closed) == (written, True)


def test_a_client_that_does_not_read_is_given_up() -> None:
    connection, transport = connect(FakeService())
    connection.data_received(POST)
    transport.unread = 70_000
    connection.look_after(1.0)
    transport.unread = 60_000
    connection.look_after(2.0)
    connection.look_after(2.0 + ARRIVE_S - 0.1)
    assert not transport.aborted
    connection.look_after(2.0 + ARRIVE_S + 0.1)
    assert transport.aborted


def test_a_client_that_does_not_hang_up_after_the_last_answer_is_not_waited_for_long() -> None:
    connection, transport = connect(FakeService())
    connection.data_received(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
    connection.data_received(b"more that nobody wants")
    connection.look_after(FAREWELL_S - 0.1)
    assert not transport.aborted
    connection.look_after(FAREWELL_S + 0.1)
    assert transport.aborted


def test_who_has_sent_all_still_gets_the_answer() -> None:
    connection, transport = connect(service := FakeService())
    service.waits = True
    connection.data_received(POST)
    assert connection.eof_received()
    service.answer_one()
    assert bodies(transport.written)
    assert transport.closed


def test_when_the_worker_ends_idle_connections_end_and_others_after_their_answer() -> None:
    service = FakeService()
    idle, idle_transport = connect(service)
    busy, busy_transport = connect(service)
    idle.data_received(POST)
    busy.data_received(POST[:40])
    service.alive = False
    for connection in (idle, busy):
        connection.look_after(1.0)
    assert idle_transport.closed
    assert not busy_transport.closed
    busy.data_received(POST[40:])
    assert b"Connection: close" in busy_transport.written
    assert busy_transport.ended


def test_a_lost_connection_gives_its_memory_back() -> None:
    connection, _ = connect(service := FakeService())
    service.waits = True
    connection.data_received(POST + POST + POST[:-3])
    assert service.held == 27
    connection.connection_lost(None)
    service.answer_one()
    assert service.held == 0
    assert not service.connections


def test_an_answer_of_unknown_length_goes_out_in_chunks_or_until_the_end() -> None:
    def pieces(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        start("200 OK", [])
        return [bytes(300_000), b"", b"end"]

    for line, chunked in ((b"HTTP/1.1", True), (b"HTTP/1.0", False)):
        connection, transport = connect(FakeService(pieces))
        connection.data_received(b"GET / " + line + b"\r\n\r\n")
        head = transport.written.partition(b"\r\n\r\n")[0]
        assert (b"Transfer-Encoding: chunked" in head) == chunked
        assert (b"Connection: close" in head) != chunked
        assert b"Content-Length" not in head
