"""When a request has arrived; what gunicorn then does is tried in ``test_gunicorn.py``."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.http.arrival import ARRIVE_S, MAX_HEAD, WHOLE, Arrival

POST = b"POST /predict/ HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789"
CHUNKED = b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\n000\r\n0\r\nTrailer: a\r\n\r\n"
REQUESTS = {
    "no body": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a body": POST,
    "chunks": CHUNKED,
    "an odd length header": b"POST / HTTP/1.1\r\ncOnTent-LENGTH:\t3 \r\nA: b\r\n\r\nabc",
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())
@given(cuts=st.lists(st.integers(1, 200), max_size=6, unique=True).map(sorted))
def test_a_request_is_whole_with_its_last_byte_however_it_comes(request_: bytes, cuts: list[int]) -> None:
    arrival = Arrival(0.0)
    edges = [0, *(cut for cut in cuts if cut < len(request_)), len(request_)]
    pieces = [request_[a:b] for a, b in itertools.pairwise(edges)]
    said = [arrival.feed(piece, 0.0) for piece in pieces]
    assert said == [False] * (len(pieces) - 1) + [True]
    assert arrival.whole
    assert arrival.data == request_


def test_a_body_too_long_to_be_held_is_left_to_its_route() -> None:
    arrival = Arrival(0.0)
    assert arrival.feed(b"PUT /models/a/versions/1 HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (WHOLE + 1), 0.0)
    assert not arrival.whole
    assert not Arrival(0.0).feed(b"PUT / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % WHOLE, 0.0)


def test_a_head_without_end_is_left_to_the_parser_which_refuses_it() -> None:
    arrival = Arrival(0.0)
    assert not arrival.feed(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100, 0.0)
    assert arrival.feed(b"A: b\r\n" * MAX_HEAD, 0.0)


def test_who_asks_whether_to_go_on_is_told_so() -> None:
    arrival = Arrival(0.0)
    arrival.feed(b"POST / HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n", 0.0)
    assert arrival.expects_go


def test_a_drip_does_not_lengthen_the_time_but_a_steady_large_body_does() -> None:
    drip, steady = Arrival(0.0), Arrival(0.0)
    head = b"POST / HTTP/1.1\r\nContent-Length: 9000000\r\n\r\n"
    for arrival in (drip, steady):
        arrival.feed(head, 0.0)
    for second in range(1, 10):
        drip.feed(b"x", second)
        steady.feed(bytes(500_000), second)
    assert drip.deadline == pytest.approx(ARRIVE_S, abs=0.01)
    assert steady.deadline == pytest.approx(9 + ARRIVE_S)
