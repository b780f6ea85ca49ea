"""Asking a back end over HTTP: one call, and the error of ours that a refusal becomes."""

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from workbench.errors import BadInput, ModelRefused, NotFound, Unavailable, WorkbenchError

TIMEOUT_S = 60.0


class BrokenOff(Unavailable):
    """The connection broke while something was sent; going on may help."""


def ask(
    method: str,
    url: str,
    token: str | None = None,
    *,
    body: Any = None,
    headers: dict[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Any:
    """The JSON that is answered.

    Raises
    ------
    Unavailable
        Nothing answers, or only that it is busy.
    BadInput, NotFound, ModelRefused, WorkbenchError
        It refuses; the message is its own.
    """
    data = ask_bytes(method, url, token, body=body, headers=headers, timeout_s=timeout_s)
    try:
        return json.loads(data or b"{}")
    except ValueError as error:
        raise Unavailable(f"what answers at {url} is no back end: {data[:80]!r}") from error


def ask_bytes(
    method: str,
    url: str,
    token: str | None = None,
    *,
    body: Any = None,
    headers: dict[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> bytes:
    """The bytes that are answered; errors as in :func:`ask`."""
    if not url.startswith(("http://", "https://")):
        raise BadInput(f"a back end's address begins with http:// or https://. Received: {url!r}")
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})  # noqa: S310
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        raise _explain(error, method, url) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise BrokenOff(f"no back end answers at {url}: {reason}; start it with: workbench up") from error


def send(url: str, token: str | None, value: dict[str, Any]) -> Any:
    """Post JSON; give the JSON that is answered."""
    return ask(
        "POST", url, token, body=json.dumps(value).encode(), headers={"Content-Type": "application/json"}
    )


def _explain(error: urllib.error.HTTPError, method: str, url: str) -> WorkbenchError:
    with error:
        text = error.read(100_000).decode(errors="replace")
    try:
        said = json.loads(text)
        message = said.get("error", {}).get("message") or said.get("message") or text
    except (ValueError, AttributeError):
        message = text.strip().splitlines()[0] if text.strip() else error.reason
    kinds: dict[int, type[WorkbenchError]] = {
        404: NotFound,
        401: BadInput,
        403: BadInput,
        422: ModelRefused,
        429: Unavailable,
        503: Unavailable,
    }
    kind = kinds.get(error.code, ModelRefused if method == "PUT" else WorkbenchError)
    return kind(f"the back end at {url.partition('?')[0]} answered {error.code}: {message}")
