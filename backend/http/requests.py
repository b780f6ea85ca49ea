"""Give every request an id and a limit, every error its shape, and count and log what happened.

An error is always ``{"error": {"code", "message"}}``; nothing of the inside is in it.
"""

import json
import re
import secrets
import time
from wsgiref.types import WSGIEnvironment

from flask import Flask, Response, g, request
from werkzeug.exceptions import MethodNotAllowed, NotFound

from backend.errors import Refusal, refusal
from backend.http.logs import log
from backend.http.metrics import Metrics
from workbench.errors import BadInput

MAX_BODY = 14 * 1024 * 1024
"""Bytes of a request: 10 MB of picture in base64 and what is around it."""
QUEUE_S = 5.0
"""A caller that has waited longer for a thread has mostly gone; an answer would keep others waiting."""

FIXED_HEADERS = (("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store"))
"""Of every answer, unless its route says otherwise."""

SINCE = "workbench.since"
"""Where in the environment stands when the request had arrived whole, by ``time.perf_counter``."""

UNROUTED = NotFound, MethodNotAllowed
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id(given: str) -> str:
    """Give the request's own id where it brings a proper one, else a new one."""
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def waited_s(environ: WSGIEnvironment, now: float) -> float:
    """Seconds that the request has waited for somebody to answer it, by ``time.perf_counter``."""
    return now - float(environ.get(SINCE, now))


def has_waited_too_long(seconds: float) -> bool:
    """Tell whether who asked has mostly gone."""
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
        waited = waited_s(request.environ, g.started)
        metrics.observe("workbench_queue_seconds", waited)
        if has_waited_too_long(waited):
            raise Refusal(503, "busy", "more is asked than can be answered; try again", {"Retry-After": "2"})

    @app.errorhandler(Exception)
    def answer(error: Exception) -> Response:
        tensorflows = request.path.startswith("/v1/")
        if tensorflows and isinstance(error, UNROUTED):  # TensorFlow Serving has one answer to both
            error = BadInput(f"Malformed request: {request.method} {request.path[:200]}")
        what = refusal(error)
        g.code = what.code
        if what.status >= 500 and what.code in ("internal", "failed"):
            log.error("failed", exc_info=error, extra={"fields": {"request": g.get("request_id")}})
        said = (
            str(what) if tensorflows else {"code": what.code, "message": str(what)}
        )  # its errors are plain texts
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
