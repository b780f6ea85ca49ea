"""Bytes of a connection to requests, within the limits that a request has. The parser is llhttp (``httptools``)."""

import time
from collections import deque
from typing import NamedTuple, Protocol

import httptools

from backend.server.arrival import MAX_HEAD, WHOLE, Arrival
from backend.server.incoming import Incoming
from backend.server.message import Request

MAX_LINE, MAX_FIELDS = 4096, 60
"""Bytes of a request's target, and headers, at most."""


class Refusal(NamedTuple):
    """Why a connection ends; nothing is said without a message."""

    status: int
    code: str
    message: str


class Owner(Protocol):
    """What a reader needs of its connection."""

    def now(self) -> float:
        """The loop's time."""

    def hold(self, size: int) -> bool:
        """Count bytes that are kept, and tell whether that many may be."""

    def pause(self) -> None:
        """Have the client wait with what it sends."""

    def go_on(self) -> None:
        """Have the client send the rest of a body."""

    def go_on_soon(self) -> None:
        """The same, asked for by a thread."""


class Reader:
    """Collects requests; those that can be answered are in ``ready``, in the order in which they came."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._parser = httptools.HttpRequestParser(self)
        self.arriving: Request | None = None
        """The request of which something has come and more is to come."""
        self._arrival = Arrival(owner.now())
        self._head = 0
        """Bytes of its head, as far as that came in several pieces."""
        self.stream: Incoming | None = None
        """Its body, where that is read while it arrives."""
        self.ready: deque[Request] = deque()
        self.refusal: Refusal | None = None
        """Why nothing more is read."""

    @property
    def deadline(self) -> float:
        """Until when the request that is arriving must be here."""
        return self._arrival.deadline

    def feed(self, data: bytes) -> None:
        """Take what came."""
        if self.refusal is not None:
            return
        before = self.arriving
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.refusal = self.refusal or Refusal(400, "", "")  # another protocol, which is not spoken here
        except httptools.HttpParserError:
            self.refuse(400, "bad_request", "this is no proper HTTP request")
        request = self.arriving
        if request is not None and request is before:
            self._arrival.feed(len(data), self._owner.now())
            if not request.method:
                self._head += len(data)
                self._check_head(self._head)

    def refuse(self, status: int, code: str, message: str) -> None:
        """Read nothing more, and forget what was arriving."""
        if self.refusal is None:
            self.refusal = Refusal(status, code, message)
            self.forget()

    def forget(self) -> None:
        """Take what was arriving for cut off."""
        self.cut_off()
        if self.arriving is not None and self.stream is None:
            self._owner.hold(-self.arriving.size)
        self.arriving = self.stream = None

    def cut_off(self) -> None:
        """Tell whoever reads a body that no more of it comes."""
        if self.stream is not None:
            self.stream.end(cut=True)

    def _check_head(self, size: int) -> None:
        if size > MAX_HEAD:
            self.refuse(431, "too_large", f"a request's head has at most {MAX_HEAD:,} bytes")

    def _pass_on_unfinished(self, request: Request) -> None:
        """Have a long request answered while its body comes."""
        self.stream = request.stream = Incoming(request.body, self._owner.go_on_soon)
        self._take(request)

    def _take(self, request: Request) -> None:
        request.since = time.perf_counter()
        self.ready.append(request)

    # ── the parser calls ─────────────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        self.arriving = Request()
        self._arrival, self._head = Arrival(self._owner.now()), 0

    def on_url(self, url: bytes) -> None:
        if self.arriving is not None:
            self.arriving.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        request = self.arriving
        if request is None or len(request.headers) > MAX_FIELDS:
            return
        key = name.lower().decode("latin-1")
        request.headers.append((key, value.decode("latin-1").strip()))
        if key == "content-length":
            request.length = int(value)
        elif key == "expect":
            request.expects = value.lower() == b"100-continue"

    def on_headers_complete(self) -> None:
        request = self.arriving
        if request is None:
            return
        self._check_head(len(request.target) + sum(len(name) + len(value) for name, value in request.headers))
        request.method = self._parser.get_method().decode("latin-1")
        request.version = self._parser.get_http_version()
        request.keep = self._parser.should_keep_alive()
        if len(request.target) > MAX_LINE:
            self.refuse(414, "too_large", f"a request's line has at most {MAX_LINE:,} bytes")
        elif len(request.headers) > MAX_FIELDS:
            self.refuse(431, "too_large", f"a request has at most {MAX_FIELDS} headers")
        elif not request.find_path():
            self.refuse(400, "bad_request", "the request's target is no path")
        elif request.length is not None and request.length > WHOLE:
            self._pass_on_unfinished(request)
        elif request.expects:
            self._owner.go_on()

    def on_body(self, body: bytes) -> None:
        request = self.arriving
        if request is None:
            return
        if self.stream is not None:
            if not self.stream.feed(body):
                self._owner.pause()
            return
        request.body.append(body)
        request.size += len(body)
        if not self._owner.hold(len(body)):
            self.refuse(503, "busy", "more is asked than can be answered; try again")
        elif request.size > WHOLE:
            self._pass_on_unfinished(request)

    def on_message_complete(self) -> None:
        request, self.arriving = self.arriving, None
        if request is None:
            return
        if self.stream is not None:
            self.stream.end()
            self.stream = None
        else:
            self._take(request)
