"""A request on its way in: when it is whole, and how long it may take."""

import re

ARRIVE_S = 10.0
"""A request must arrive within this time, or faster than :data:`PACE`."""
PACE = 100 * 1024
"""Bytes a second at which a large request may take longer."""
WHOLE = 16 * 1024 * 1024
"""Longer bodies are read by their route, piece by piece; the routes that take such ones ask for a token first."""
MAX_HEAD = 32 * 1024
"""Longer heads are passed on, for the parser to refuse."""

_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,15})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding:", re.IGNORECASE | re.MULTILINE)
_LAST_CHUNK = re.compile(rb"(?:^|\r\n)0+[ \t]*(?:;[^\r\n]*)?\r\n(?:[^\r\n]+\r\n)*\r\n")
_EXPECT = re.compile(rb"^expect:[ \t]*100-continue", re.IGNORECASE | re.MULTILINE)


class Arrival:
    """A request on its way in; fed with bytes it says when it is whole.

    It only finds where the request ends; what it means, and whether it is one, is for the server's parser.
    """

    def __init__(self, now: float) -> None:
        self.received = 0
        self.deadline = now + ARRIVE_S
        self.whole = False
        self.expects_go = False
        """Whether the client waits for a ``100 Continue`` before it sends the body."""
        self._pieces: list[bytes] = []
        self._needed = 0
        self._chunked = False
        self._tail = b""

    @property
    def data(self) -> bytes:
        """All that was fed."""
        return b"".join(self._pieces)

    def feed(self, data: bytes, now: float) -> bool:
        """Whether a thread can take over: all is there, or it is for the parser to refuse or the route to read."""
        self.received += len(data)
        self._pieces.append(data)
        self.deadline = max(self.deadline, min(now + ARRIVE_S, self.deadline + len(data) / PACE))
        if self._needed == 0:
            start = self.data
            end = start.find(b"\r\n\r\n")
            if end < 0:
                return len(start) > MAX_HEAD
            self._read_head(start[:end], end + 4)
        if self._chunked:
            self._tail = (self._tail + data)[-1024:]
            self.whole = bool(_LAST_CHUNK.search(self._tail))
            return self.whole or self.received > WHOLE
        self.whole = self.received >= self._needed
        return self.whole or self._needed > MAX_HEAD + WHOLE

    def _read_head(self, head: bytes, size: int) -> None:
        length = _LENGTH.search(head)
        body = int(length[1]) if length else 0
        self._needed = size + body if body <= WHOLE else 2**63
        self._chunked = bool(_CHUNKED.search(head))
        self.expects_go = body <= WHOLE and bool(_EXPECT.search(head))


class Farewell:
    """The time that a client has to close its end after the last answer (RFC 9112, 9.6)."""

    received = 0

    def __init__(self, now: float) -> None:
        self.deadline = now + 2.0
