"""Answer the two requests that nearly all are past the framework: what the 2020 page and our own page post to ``/predict``.

Flask's routing, contexts and hooks cost more than the model does. Here the same functions answer (``answer``,
``http.requests``), and only what is plain and goes well: any other request, and any refusal, goes on to the application with
all that was read of it.
"""

import binascii
import io
import json
import re
import struct
import time
from collections.abc import Iterable, Sequence
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from backend.http.bodies import CUT_OFF, cut_off
from backend.http.metrics import Metrics
from backend.http.requests import FIXED_HEADERS, count, has_waited_too_long, request_id, waited_s
from backend.predict.answer import Drawing, Drawings
from workbench.pictures import ink
from workbench.pictures.headers import PNG
from workbench.pictures.inputs import USUAL_PIXELS

PATHS = ("/predict", "/predict/")
MOST_BYTES = 256 * 1024
"""Longer bodies are no canvas; the application reads them."""
REFUSED = "workbench.refused"
"""Where in the environment the application finds why a request that was read here was refused."""

_TARGETS = (b"/predict", b"/predict/")
_PICTURE = re.compile(rb'(?:{"image": ?")?data:image/png;base64,([A-Za-z0-9+/]{32})')


class Shortcut:
    """A WSGI application that answers the usual drawings itself and gives the rest to the one behind it."""

    def __init__(
        self,
        behind: WSGIApplication,
        drawings: Drawings,
        metrics: Metrics,
        origins: Sequence[str],
        exposed: str,
    ) -> None:
        self._behind, self._drawings, self._metrics = behind, drawings, metrics
        self._origins, self._exposed = origins, exposed

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        begun = time.perf_counter()
        waited = waited_s(environ, begun)
        if not self._is_usual(environ) or has_waited_too_long(waited):
            return self._behind(environ, start)
        size = int(environ["CONTENT_LENGTH"])
        try:
            body = environ["wsgi.input"].read(size)
        except CUT_OFF as error:
            environ[REFUSED] = cut_off(error)
            return self._behind(environ, start)
        environ["wsgi.input"] = io.BytesIO(body)
        drawing = _read(environ, body) if len(body) == size else None
        if drawing is None:
            return self._behind(environ, start)
        try:
            answer, kind = self._drawings.answer(
                Drawing(ink.from_data_url(drawing[0]), None, drawing[1]), begun
            )
        except Exception as error:  # whatever it is, the application's one place for errors says it
            environ[REFUSED] = error
            return self._behind(environ, start)
        self._metrics.observe("workbench_queue_seconds", waited)
        count(self._metrics, "/predict", "POST", 200, time.perf_counter() - begun)
        start("200 OK", self._headers(environ, answer, kind))
        return (answer,)

    def is_quick(self, method: str, target: bytes, body: bytes) -> bool:
        """Tell whether a request is a usual drawing, which takes a few milliseconds by what is in memory.

        So the worker's loop can answer it itself: to hand it to a thread would cost a third of what the answer costs.
        """
        if method != "POST" or target not in _TARGETS or len(body) > MOST_BYTES:
            return False
        picture = _PICTURE.match(body)
        if picture is None:
            return False
        signature, width, height = struct.unpack(">8s8xII", binascii.a2b_base64(picture[1]))
        return signature == PNG and width * height <= USUAL_PIXELS and self._drawings.are_quick()

    def _is_usual(self, environ: WSGIEnvironment) -> bool:
        origin = environ.get("HTTP_ORIGIN")
        length = environ.get("CONTENT_LENGTH") or ""
        return (
            environ["REQUEST_METHOD"] == "POST"
            and environ["PATH_INFO"] in PATHS
            and not environ.get("QUERY_STRING")
            and "HTTP_TRANSFER_ENCODING" not in environ
            and length.isdecimal()
            and length.isascii()
            and 0 < int(length) <= MOST_BYTES
            and (origin is None or "*" in self._origins or origin in self._origins)
        )

    def _headers(self, environ: WSGIEnvironment, answer: bytes, kind: str) -> list[tuple[str, str]]:
        headers = [("Content-Type", kind), ("Content-Length", str(len(answer)))]
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None or "*" in self._origins:
            headers.append(("Access-Control-Allow-Origin", origin or "*"))
            headers.append(("Access-Control-Expose-Headers", self._exposed))
        if origin is not None:
            headers.append(("Vary", "Origin"))
        return [*headers, ("X-Request-Id", request_id(environ.get("HTTP_X_REQUEST_ID", ""))), *FIXED_HEADERS]


def _read(environ: WSGIEnvironment, body: bytes) -> tuple[bytes | str, bool] | None:
    """Find the data URL, and whether its answer is a text; ``None`` where that takes more thought."""
    accept = environ.get("HTTP_ACCEPT", "*/*")
    if accept not in ("*/*", "application/json"):
        return None
    if body[:5] == b"data:":
        return body, accept == "*/*"
    if environ.get("CONTENT_TYPE") != "application/json":
        return None
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(asked, dict) or asked.keys() != {"image"} or not isinstance(asked["image"], str):
        return None
    return asked["image"], False
