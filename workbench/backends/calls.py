"""Asking a back end over HTTP: one call, and the error of ours that a refusal becomes."""

import json
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import httpx

from workbench.errors import BadInput, ModelRefused, NotFound, Unavailable, WorkbenchError

TIMEOUT_S = 60.0
CHUNK_BYTES = 256 * 1024
MOST_SAID = 100_000
"""Bytes of a refusal that are read."""
_ABOUT_WHAT_WAS_SENT = (400, 413, 415, 422)
"""Refusals that are about what was sent, not about the back end."""
_KINDS: dict[int, type[WorkbenchError]] = {
    401: BadInput,
    403: BadInput,
    404: NotFound,
    422: ModelRefused,
    429: Unavailable,
    503: Unavailable,
}
T = TypeVar("T")
Body = bytes | Iterator[bytes]


class BrokenOff(Unavailable):
    """The connection broke while something was sent; going on may help."""


class Calls:
    """One back end's address and token; each call opens a connection of its own and closes it.

    Raises
    ------
    BadInput
        The address is no address of a web server.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise BadInput(f"a back end's address begins with http:// or https://. Received: {url!r}")
        self.url = url.rstrip("/")
        self._token = token

    def ask(
        self,
        method: str,
        path: str,
        read: Callable[[Any], T],
        *,
        value: Mapping[str, object] | None = None,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str | IO[bytes]] | None = None,
        public: bool = False,
        timeout_s: float = TIMEOUT_S,
    ) -> T:
        """Give what ``read`` makes of the JSON that is answered.

        Parameters
        ----------
        value
            Sent as JSON.
        body
            Sent as it is, in pieces where it comes in pieces.
        form
            Sent as ``multipart/form-data``; files are read as they are sent.
        public
            A route that anybody may ask: the token stays here.

        Raises
        ------
        Unavailable
            Nothing answers, or only that it is busy, or what answers is no back end.
        BadInput, NotFound, ModelRefused, WorkbenchError
            It refuses; the message is its own.
        """
        sent: dict[str, Any] = {"headers": dict(headers or {})}
        if value is not None:
            sent["json"] = dict(value)
        elif form is not None:
            sent["files"] = {name: _field(given) for name, given in form.items()}
        elif body is not None:
            sent["content"] = body
        with self._answer(method, path, sent, public=public, timeout_s=timeout_s) as answer:
            said = answer.read()
        try:
            return read(json.loads(said or b"{}"))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise Unavailable(
                f"what answers at {self.url}{path} is no back end of this version: {said[:80]!r}"
            ) from error

    def download(self, path: str, destination: Path) -> Path:
        """Write what is answered to a file as it comes; errors as in :meth:`ask`."""
        with self._answer("GET", path, {}) as answer, destination.open("wb") as file:
            for piece in answer.iter_bytes(CHUNK_BYTES):
                file.write(piece)
        return destination

    @contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        sent: Mapping[str, Any],
        *,
        public: bool = False,
        timeout_s: float = TIMEOUT_S,
    ) -> Iterator[httpx.Response]:
        url = f"{self.url}{path}"
        token = {"Authorization": f"Bearer {self._token}"} if self._token and not public else {}
        asked = {**sent, "headers": {**sent.get("headers", {}), **token}}
        try:
            with (
                httpx.Client(verify=_trust(url), timeout=timeout_s) as client,
                client.stream(method, url, **asked) as answer,
            ):
                if not answer.is_success:
                    raise _refusal(answer, method, url)
                yield answer
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            reason = re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__
            raise BrokenOff(f"no back end answers at {url}: {reason}; start it with: workbench up") from error


def _trust(url: str) -> ssl.SSLContext:
    """Whom to believe; reading the system's certificates takes longer than a whole call without them."""
    return (
        ssl.create_default_context() if url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )


def _field(given: str | IO[bytes]) -> tuple[str | None, str | IO[bytes]]:
    return (None, given) if isinstance(given, str) else (Path(given.name).name, given)


def _refusal(answer: httpx.Response, method: str, url: str) -> WorkbenchError:
    text = b"".join(_first(answer.iter_bytes(), MOST_SAID)).decode(errors="replace")
    status, is_about_what_was_sent = answer.status_code, False
    try:
        said = json.loads(text)
        message = said.get("error", {}).get("message") or said.get("message")
        is_about_what_was_sent = bool(message) and status in _ABOUT_WHAT_WAS_SENT
        message = message or text
    except (ValueError, AttributeError):
        message = text.strip().splitlines()[0] if text.strip() else answer.reason_phrase
    otherwise = ModelRefused if method == "PUT" else BadInput if is_about_what_was_sent else WorkbenchError
    kind = _KINDS.get(status, otherwise)
    if is_about_what_was_sent:
        return kind(message)
    return kind(f"the back end at {url.partition('?')[0]} answered {status}: {message}")


def _first(pieces: Iterator[bytes], most: int) -> Iterator[bytes]:
    for piece in pieces:
        yield piece[:most]
        most -= len(piece)
        if most <= 0:
            return
