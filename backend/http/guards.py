"""What stands between a caller and the routes: tokens, limits, request ids, the shape of errors, logs and counts.

An error is always ``{"error": {"code", "message"}}``; nothing of the inside is in it. A line of the log is a JSON
object and never holds a picture, a token, or text that a caller chose.
"""

import errno
import hmac
import ipaddress
import json
import logging
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import BoundedSemaphore
from typing import Any, ParamSpec, TypeVar

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException

from backend.corrections.store import WINDOW_S, Full, TooMany
from backend.deployments.engines import NeedsTensorFlow
from backend.deployments.store import Conflict
from backend.http.metrics import Metrics, arrival
from backend.untrusted.fetching import NotFetched, UrlRefused
from workbench.errors import BadInput, ModelRefused, NotFound, Unavailable, WorkbenchError
from workbench.pictures.ink import PictureError
from workbench.pictures.memory import give_back

MAX_BODY = 14 * 1024 * 1024
"""Bytes of a request: 10 MB of picture in base64 and what is around it."""
MAX_VERSION = 1024 * 1024 * 1024
"""Bytes of a pushed version's zip."""
QUEUE_S = 5.0
"""Who has waited longer for a thread has mostly gone; an answer would keep others waiting."""
HEAVY_PIXELS = 2 * 1024 * 1024
"""Pictures above this are decoded one at a time in each worker: 16 megapixels take 100 MB for a moment."""
HEAVY_WAIT_S = 1.0
"""A thread that waits longer would be missed by others."""

FIXED_HEADERS = (("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store"))
"""Of every answer, unless its route says otherwise."""

log = logging.getLogger("backend")
P = ParamSpec("P")
R = TypeVar("R")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CODES = {400: "bad_request", 408: "too_slow", 413: "too_large", 415: "unsupported"}
_heavy = BoundedSemaphore(1)


class Refusal(Exception):
    """An answer that is an error; raised anywhere in a route."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers or {}


def refusal(error: Exception) -> Refusal:
    """The answer that an error of ours becomes."""
    match error:
        case Refusal():
            return error
        case PictureError():
            return Refusal(error.status, _CODES[error.status], str(error))
        case NotFound():
            return Refusal(404, "not_found", str(error))
        case Conflict():
            return Refusal(409, "conflict", str(error))
        case ModelRefused():
            return Refusal(422, "model_refused", str(error))
        case TooMany():
            return Refusal(429, "too_many", str(error), {"Retry-After": f"{WINDOW_S:.0f}"})
        case Full():
            return Refusal(507, "disk_full", str(error))
        case UrlRefused():
            return Refusal(400, "url_refused", str(error))
        case NotFetched():
            return Refusal(422, "not_fetched", str(error))
        case Unavailable():
            return Refusal(503, "busy", str(error), {"Retry-After": "2"})
        case NeedsTensorFlow():
            return Refusal(501, "needs_tensorflow", str(error))
        case BadInput():
            return Refusal(400, "bad_request", str(error))
        case HTTPException():
            status = error.code or 500
            code = _CODES.get(status, (error.name or "error").lower().replace(" ", "_"))
            headers = {k: v for k, v in error.get_headers() if k in ("Allow", "Retry-After", "Location")}
            return Refusal(status, code, str(error.description), headers)
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Refusal(507, "disk_full", "the back end's disk is full")
        case WorkbenchError():
            return Refusal(500, "failed", str(error))
    return Refusal(
        500, "internal", "something went wrong here; the log has the reason under this request's id"
    )


def has_token(expected: str) -> bool:
    """Whether the request brings the deploy token."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), expected.encode())
    return bool(same and expected and scheme.lower() == "bearer")


def needs_token(expected: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only callers in who bring the deploy token."""

    def decorate(route: Callable[P, R]) -> Callable[P, R]:
        @wraps(route)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            if not has_token(expected):
                raise Refusal(
                    401,
                    "token",
                    "this route needs the deploy token: Authorization: Bearer …",
                    {"WWW-Authenticate": "Bearer"},
                )
            return route(*args, **kwargs)

        return guarded

    return decorate


def visitor() -> str:
    """The address of who asks: what a proxy that is trusted says, else the connection's own."""
    address = request.remote_addr or ""
    if address in ("::1", "") or _is_proxy(address):
        return request.headers.get("X-Forwarded-For", address).rpartition(",")[2].strip()[:64]
    return address


def _is_proxy(address: str) -> bool:
    try:
        known = ipaddress.IPv4Address(address)
    except ValueError:
        return False
    return any(known in network for network in current_app.config["TRUSTED_PROXIES"])


@contextmanager
def one_at_a_time(pixels: int) -> Iterator[None]:
    """Room for a picture of this size; 503 where large ones queue for too long."""
    if pixels <= HEAVY_PIXELS:
        yield
        return
    if not _heavy.acquire(timeout=HEAVY_WAIT_S):
        raise Refusal(503, "busy", "several large pictures are being read; try again", {"Retry-After": "2"})
    try:
        yield
    finally:
        give_back()
        _heavy.release()


def request_id(given: str) -> str:
    """The request's own id where it brings a proper one, else a new one."""
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def waited_s(now: float) -> float:
    """How long the request that this thread answers has waited for it, by ``time.perf_counter``."""
    return now - float(getattr(arrival, "at", now))


def has_waited_too_long(seconds: float) -> bool:
    return seconds > QUEUE_S


def count(metrics: Metrics, route: str, method: str, status: int, seconds: float) -> None:
    """Count an answered request."""
    metrics.add("workbench_requests_total", (("route", route), ("method", method), ("status", str(status))))
    metrics.observe("workbench_request_seconds", seconds, (("route", route),))


def install(app: Flask, metrics: Metrics) -> None:
    """Give every request an id, every error its shape, and count and log what happened."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY
    app.config["MAX_FORM_PARTS"] = 20

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        given = request.headers.get("X-Request-Id", "")
        g.request_id = request_id(given)
        waited = waited_s(g.started)
        metrics.observe("workbench_queue_seconds", waited)
        if has_waited_too_long(waited):
            raise Refusal(503, "busy", "more is asked than can be answered; try again", {"Retry-After": "2"})

    @app.errorhandler(Exception)
    def answer(error: Exception) -> Response:
        what = refusal(error)
        g.code = what.code
        if what.status >= 500 and what.code in ("internal", "failed"):
            log.error("failed", exc_info=error, extra={"fields": {"request": g.get("request_id")}})
        said: Any = {"code": what.code, "message": str(what)}
        if request.path.startswith("/v1/"):
            said = str(what)  # TensorFlow Serving's errors are plain texts
        body = json.dumps({"error": said}, ensure_ascii=False).encode("utf-8", "replace")
        return Response(body, what.status, what.headers, mimetype="application/json")

    @app.after_request
    def end(response: Response) -> Response:
        seconds = time.perf_counter() - g.started
        route = request.url_rule.rule.rstrip("/") if request.url_rule else "none"
        method = request.method if request.url_rule else "none"
        count(metrics, route, method, response.status_code, seconds)
        headers = response.headers
        headers["X-Request-Id"] = g.request_id
        for name, value in FIXED_HEADERS:
            headers.setdefault(name, value)
        if response.status_code >= 400 or (method not in ("GET", "HEAD", "OPTIONS") and route != "/predict"):
            fields = {
                "request": g.request_id,
                "method": method,
                "route": route,
                "status": response.status_code,
                "ms": round(seconds * 1e3, 1),
                "code": g.get("code"),
                "model": g.get("model"),
            }
            log.info("request", extra={"fields": fields})
        return response


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "t": f"{now}.{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line |= {key: value for key, value in getattr(record, "fields", {}).items() if value is not None}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_to_stderr() -> None:
    """Write the back end's log as JSON lines; a second call changes nothing."""
    if not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonLines())
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
