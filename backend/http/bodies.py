"""Read a request's body, and answer in JSON."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from flask import Response, request
from gunicorn.http.errors import ParseException

from backend.errors import Refusal
from workbench.errors import BadInput

CUT_OFF = OSError, ParseException
"""Raised by reading a body that does not come whole."""


def body_object() -> dict[str, object]:
    """Read the JSON object in the body; an empty body is an empty object."""
    body = read_body()
    try:
        value = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the body is not JSON: {error}"[:200]) from error
    if not isinstance(value, dict):
        raise BadInput(f"the body must be a JSON object. Received: {type(value).__name__}")
    return value


def text_in(asked: Mapping[str, object], name: str) -> str:
    """Read a text that may be left out, such as why something is done."""
    text = asked.get(name) or ""
    if not isinstance(text, str) or len(text) > 500:
        raise BadInput(f'"{name}" is a text of at most 500 characters')
    return text


def read_body() -> bytes:
    """Read the request's body as it came."""
    try:
        return request.get_data(cache=True, parse_form_data=False)
    except CUT_OFF as error:
        raise cut_off(error) from error


def save_body(zipped: Path) -> None:
    """Stream the request's body to a file."""
    with zipped.open("wb") as file:
        for block in blocks_of_body():
            file.write(block)


def blocks_of_body() -> Iterator[bytes]:
    """The request's body, block by block as it arrives.

    Raises
    ------
    Refusal
        Less came than was announced, or it stopped coming; what came before was given.
    """
    received = 0
    while True:
        try:
            block = request.stream.read(256 * 1024)
        except CUT_OFF as error:
            raise cut_off(error) from error
        if not block:
            break
        received += len(block)
        yield block
    if request.content_length is not None and received != request.content_length:
        raise Refusal(400, "cut_off", f"{received:,} bytes came of {request.content_length:,}; send it again")


def cut_off(error: Exception) -> Refusal:
    """Give the answer to a body that did not come whole."""
    if isinstance(error, TimeoutError | BlockingIOError):
        return Refusal(408, "too_slow", "the body stopped coming; send it again")
    return Refusal(400, "cut_off", "the body is no proper one or was cut off; send it again")


def json_answer(
    value: Mapping[str, object], status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Answer in JSON."""
    return Response(json_bytes(value), status, headers, mimetype="application/json")


def json_bytes(value: Mapping[str, object]) -> bytes:
    """Write JSON; what it may say but UTF-8 may not, half of a surrogate pair, becomes a question mark."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
