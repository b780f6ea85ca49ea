"""Requests as applications see them, and answers as they go out."""

import io
from collections.abc import Iterator
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.validate import validator

import pytest

from backend.server.message import PIECE, Answer, Clock, Frame, Request, of_all_requests


def request(method: str = "GET", **more: object) -> Request:
    made = Request()
    made.method, made.target = method, b"/a%20b?c=d"
    made.headers = [
        ("host", "x"),
        ("content-length", "0"),
        ("accept", "a"),
        ("accept", "b"),
        ("x_token", "of another"),
    ]
    for name, value in more.items():
        setattr(made, name, value)
    return made


def ask(application: WSGIApplication, asked: Request) -> Answer:
    environ = asked.environment(of_all_requests(("192.0.2.7", 4711), ("192.0.2.1", 5000)), io.BytesIO())
    return Answer(application, environ)


def frame(answer: Answer, asked: Request) -> Frame:
    return answer.frame(asked, Clock(), keep=True)


def test_the_environment_is_what_pep_3333_says() -> None:
    found: WSGIEnvironment = {}

    def application(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        found.update(environ)
        start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return [b"ok"]

    answer = ask(validator(application), request())
    assert (answer.status, answer.first, answer.is_whole) == (200, b"ok", True)
    assert found["PATH_INFO"] == "/a b"
    assert found["QUERY_STRING"] == "c=d"
    assert found["CONTENT_LENGTH"] == "0"
    assert found["HTTP_ACCEPT"] == "a,b"
    assert found["REMOTE_ADDR"] == "192.0.2.7"
    assert not [name for name in found if "TOKEN" in name]  # x_token is not x-token


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_without_a_body_has_none_and_no_length(status: str) -> None:
    def application(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        start(status, [])
        return []

    made = frame(ask(application, request()), request())
    assert made.bare
    assert made.keep
    assert b"ontent-" not in made.head
    assert made.wrap(b"x", last=True) == b""


def test_head_is_answered_with_get_s_headers_alone() -> None:
    def application(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        start("200 OK", [("Content-Length", "4")])
        return [b"body"]

    made = frame(ask(application, request("HEAD")), request("HEAD"))
    assert b"Content-Length: 4\r\n" in made.head
    assert made.wrap(b"body", last=True) == b""


def test_a_long_answer_is_made_piece_by_piece_and_closed_once() -> None:
    closed = []

    class Long:
        def __iter__(self) -> Iterator[bytes]:
            return iter([bytes(PIECE // 2)] * 5)

        def close(self) -> None:
            closed.append(True)

    def application(environ: WSGIEnvironment, start: StartResponse) -> Long:
        start("200 OK", [])
        return Long()

    answer = ask(application, request())
    sizes = [len(answer.first)]
    while not answer.is_whole:
        assert not closed
        sizes.append(len(answer.more()))
    assert sizes == [PIECE, PIECE, PIECE // 2]
    answer.close()
    assert closed == [True]


def test_what_is_written_the_old_way_comes_first() -> None:
    def application(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        start("200 OK", [])(b"first ")
        return [b"second"]

    assert ask(application, request()).first == b"first second"


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\rb"])
def test_a_header_that_would_end_its_line_is_refused(value: str) -> None:
    def application(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        start("200 OK", [("X", value)])
        return [b""]

    with pytest.raises(ValueError, match="line's end"):
        frame(ask(application, request()), request())
