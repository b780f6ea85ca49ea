"""Serve the drawing page without Apache: its files at ``/``, the routes under ``/api`` besides."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, Response, request, send_from_directory

from workbench.settings import Settings

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src {}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def serve_page(app: Flask, folder: Path, settings: Settings) -> None:
    """Add the page in ``folder`` (``index.html``, ``static/``) to the application."""
    elsewhere = re.match(r"https?://[\w.:-]+", settings.backend_url)
    policy = _POLICY.format(f"'self' {elsewhere[0]}" if elsewhere else "'self'")

    @app.get("/")
    @app.get("/collect.html", endpoint="collect_page")
    @app.get("/static/<path:path>", endpoint="static_file")
    def page(path: str = "") -> Response:
        if path == "config.js":
            told = {"backend": settings.backend_url or "/api", "notice": settings.notice}
            text = "".join(f"export const {name} = {json.dumps(value)};\n" for name, value in told.items())
            response = Response(text, mimetype="text/javascript")
        elif path:
            response = send_from_directory(folder / "static", path)
        else:
            response = send_from_directory(folder, request.path.lstrip("/") or "index.html")
        response.headers["Content-Security-Policy"] = policy
        response.headers["Cache-Control"] = "no-cache"
        return response

    app.wsgi_app = _without_prefix(app.wsgi_app)  # type: ignore[assignment, method-assign]


def _without_prefix(inner: WSGIApplication) -> WSGIApplication:
    def outer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith("/api/"):
            environ = {**environ, "PATH_INFO": path[4:]}
        return inner(environ, start_response)

    return outer
