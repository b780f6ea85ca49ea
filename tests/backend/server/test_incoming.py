"""A body that a thread reads while the loop gives it."""

import threading

import pytest

from backend.server.incoming import AHEAD, Incoming


def nothing() -> None:
    """Ask for no more."""


def test_it_gives_what_came_in_whatever_pieces_it_is_read() -> None:
    incoming = Incoming([b"abc", b"def"], nothing)
    incoming.feed(b"ghi")
    incoming.end()
    assert incoming.read(2) == b"ab"
    assert incoming.readall() == b"cdefghi"
    assert incoming.read(1) == b""


def test_it_says_when_there_is_no_room() -> None:
    incoming = Incoming([], nothing)
    assert incoming.feed(bytes(AHEAD - 1))
    assert not incoming.feed(b"x")
    incoming.read(2)
    assert incoming.feed(b"")


def test_a_reader_waits_asks_for_more_and_gets_it() -> None:
    asked = threading.Event()
    incoming = Incoming([], asked.set)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(incoming.read(10)))
    reader.start()
    assert asked.wait(30)
    incoming.feed(b"here")
    reader.join(30)
    assert found == [b"here"]


def test_a_body_that_is_cut_off_or_stops_coming_is_an_error() -> None:
    incoming = Incoming([b"abc"], nothing, patience_s=0.01)
    assert incoming.read(3) == b"abc"
    with pytest.raises(TimeoutError):
        incoming.read(1)
    incoming.end(cut=True)
    with pytest.raises(ConnectionResetError):
        incoming.read(1)
