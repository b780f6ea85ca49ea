"""A request as it came, in the form that WSGI applications take, and the answer in the form that goes out."""

import sys
import time
from collections.abc import Iterator
from email.utils import formatdate
from http import HTTPStatus
from itertools import chain
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIApplication, WSGIEnvironment

import httptools

from backend.http.requests import SINCE
from backend.server.incoming import Incoming

PIECE = 256 * 1024
"""Bytes of a long answer that are made at a time."""
_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_PLAIN = ("content-type", "content-length")
"""Headers that have names of their own in the environment."""


class Request:
    """A request, filled in while it arrives."""

    __slots__ = (
        *("body", "expects", "headers", "keep", "length", "method"),
        *("since", "size", "stream", "target", "version"),
    )

    def __init__(self) -> None:
        self.method, self.version, self.target = "", "1.1", b""
        self.headers: list[tuple[str, str]] = []
        """Names in lower case."""
        self.length: int | None = None
        self.expects, self.keep = False, True
        self.body: list[bytes] = []
        self.size = 0
        """Bytes of the body so far."""
        self.stream: Incoming | None = None
        """The body, where it is read while it arrives."""
        self.since = 0.0
        """When it was whole, by ``perf_counter``."""

    def find_path(self) -> bool:
        """Tell whether the target is a path; a whole URL becomes one."""
        if not self.target.startswith(b"/"):
            try:
                url = httptools.parse_url(self.target)
            except httptools.HttpParserInvalidURLError:
                return False
            self.target = (url.path or b"/") + (b"?" + url.query if url.query else b"")
        return self.target.startswith(b"/")

    def environment(self, given: WSGIEnvironment, body: BinaryIO) -> WSGIEnvironment:
        """What :pep:`3333` gives an application; ``given`` is what all requests of the connection have in common.

        A header whose name has an underscore is left out: it would look like another one with a hyphen.
        """
        path, _, query = self.target.partition(b"?")
        if b"%" in path:
            path = unquote_to_bytes(path)
        environ: WSGIEnvironment = {
            **given,
            "REQUEST_METHOD": self.method,
            "PATH_INFO": path.decode("latin-1"),
            "QUERY_STRING": query.decode("latin-1"),
            "SERVER_PROTOCOL": f"HTTP/{self.version}",
            "wsgi.input": body,
            SINCE: self.since,
        }
        for name, value in self.headers:
            key = name.replace("-", "_").upper()
            if name not in _PLAIN:
                if "_" in name:
                    continue
                key = "HTTP_" + key
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        return environ


def of_all_requests(client: object, server: object) -> WSGIEnvironment:
    """What is the same in the environments of all requests of a connection; a path is the address of no host."""
    host, port = client[:2] if isinstance(client, tuple) else ("", "")
    own = server[:2] if isinstance(server, tuple) else ("localhost", 80)
    return {
        "SCRIPT_NAME": "",
        "REMOTE_ADDR": str(host),
        "REMOTE_PORT": str(port),
        "SERVER_NAME": str(own[0]),
        "SERVER_PORT": str(own[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }


class Answer:
    """An application's answer: status, headers, the body's first piece, and the rest where there is more."""

    def __init__(self, application: WSGIApplication, environ: WSGIEnvironment) -> None:
        """Call the application."""
        self.status, self.headers = 500, list[tuple[str, str]]()
        self._written: list[bytes] = []
        self._given = application(environ, self._start)
        self._pieces: Iterator[bytes] | None = chain(self._written, self._given)
        try:
            self.first = self.more()
        except BaseException:
            self.close()
            raise

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
        self.status, self.headers = int(status[:3]), headers
        return self._written.append

    @property
    def is_whole(self) -> bool:
        """Whether nothing is to come after the pieces given so far."""
        return self._pieces is None

    def more(self) -> bytes:
        """Make the next piece of the body, of about :data:`PIECE` bytes; what came last closes the answer."""
        made, size = [], 0
        if self._pieces is not None:
            for piece in self._pieces:
                made.append(piece)
                size += len(piece)
                if size >= PIECE:
                    break
            else:
                self.close()
        return made[0] if len(made) == 1 else b"".join(made)

    def close(self) -> None:
        """Let go of what the answer is made of; twice is fine."""
        if self._pieces is not None:
            self._pieces = None
            close = getattr(self._given, "close", None)
            if close is not None:
                close()

    def frame(self, request: Request, clock: "Clock", *, keep: bool) -> "Frame":
        """Write the answer's head.

        Raises
        ------
        ValueError
            A header has a line's end in it.
        """
        bare = request.method == "HEAD" or self.status in (204, 304)
        has_length = any(name.lower() == "content-length" for name, _ in self.headers)
        lines = [_LINES.get(self.status) or f"HTTP/1.1 {self.status} \r\n"]
        lines += [f"{name}: {value}\r\n" for name, value in self.headers]
        if self.is_whole and not (has_length or bare):
            lines.append(f"Content-Length: {len(self.first)}\r\n")
            has_length = True
        chunked = not (has_length or bare or request.version == "1.0")
        if chunked:
            lines.append("Transfer-Encoding: chunked\r\n")
        keep = keep and (has_length or bare or chunked)
        if not keep:
            lines.append("Connection: close\r\n")
        elif request.version == "1.0":
            lines.append("Connection: keep-alive\r\n")
        lines.append(clock.line())
        text = "".join(lines)
        if not len(lines) == text.count("\n") == text.count("\r"):
            raise ValueError(f"a header has a line's end in it: {self.headers!r}"[:300])
        return Frame((text + "\r\n").encode("latin-1"), bare, chunked, keep)


class Frame(NamedTuple):
    """How an answer goes out."""

    head: bytes
    bare: bool
    """Whether no body follows, whatever the application gave."""
    chunked: bool
    keep: bool
    """Whether the connection is kept afterwards."""

    def wrap(self, piece: bytes, *, last: bool) -> bytes:
        """A piece of the body as it goes out."""
        if self.bare:
            return b""
        if not self.chunked:
            return piece
        return (b"%x\r\n%s\r\n" % (len(piece), piece) if piece else b"") + (b"0\r\n\r\n" if last else b"")


class Clock:
    """The ``Date`` header, written once a second."""

    _at, _line = 0, ""

    def line(self) -> str:
        now = int(time.time())
        if now != self._at:
            self._at, self._line = now, f"Date: {formatdate(now, usegmt=True)}\r\n"
        return self._line
