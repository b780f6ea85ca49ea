"""The back end's routes; :func:`create_app` makes the application that gunicorn serves.

Callers' documentation is ``docs/backend.md``. A drawing's way: :func:`read_drawing` finds the picture in the request,
``images`` makes the model's input of it, ``serving`` knows whose turn it is, ``engines`` computes.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask, Response, g, request, send_file
from flask_cors import CORS
from gunicorn.http.errors import ParseException
from numpy.typing import NDArray

from backend import images
from backend.guards import MAX_VERSION, Refusal, install, log_to_stderr, needs_token, one_at_a_time
from backend.metrics import Labels, Metrics
from backend.serving import Deployment, Deployments
from workbench.errors import BadInput
from workbench.settings import Settings

CROSS_ORIGIN = r"/(predict/?|corrections|models|readyz)$"
"""What a page of another origin may call; the guarded routes are not among them."""

_DESCRIBED = {
    "workbench_requests_total": ("counter", "Requests by route, method and status."),
    "workbench_request_seconds": ("histogram", "Time from a request's arrival to its answer."),
    "workbench_predict_stage_seconds": ("histogram", "Time a drawing spends in each stage."),
    "workbench_predictions_total": (
        "counter",
        "Answers by model, version and class; 'nothing drawn' is one.",
    ),
    "workbench_model_info": ("gauge", "The versions that serve."),
    "workbench_ready": ("gauge", "1 if a model answers."),
}


@dataclass(frozen=True)
class Drawing:
    """What a caller of ``/predict`` sent."""

    picture: bytes
    """An encoded picture."""
    model: str | None
    """The model that is asked for; ``None`` leaves the choice to the back end."""
    as_text: bool
    """Whether the answer is the bare digit."""


def create_app(settings: Settings, *, page: Path | None = None) -> Flask:
    """The back end.

    Parameters
    ----------
    page
        Folder of the drawing page, which is then served at ``/`` with the routes under ``/api`` besides: for
        computers without Apache.
    """
    app = Flask("backend", static_folder=None)
    app.url_map.strict_slashes = False
    metrics = Metrics()
    deployments = Deployments(settings.backend)
    app.extensions |= {"metrics": metrics, "deployments": deployments}
    log_to_stderr()
    install(app, metrics)
    CORS(
        app,
        resources={CROSS_ORIGIN: {"origins": list(settings.allowed_origins)}},
        methods=["GET", "POST"],
        allow_headers=["Content-Type", "X-Request-Id"],
        expose_headers=["Retry-After", "X-Request-Id"],
        max_age=3600,
    )
    guarded = needs_token(settings.deploy_token)

    @app.post("/predict")
    def predict() -> Response:
        begun = time.perf_counter()
        drawing = read_drawing()
        deployment = _choose(deployments, drawing.model)
        x, seen = _prepare(drawing.picture, deployment.manifest)
        fitted = time.perf_counter()
        scores = None if x is None else deployment.engine.predict(x)[0]
        answered = time.perf_counter()
        answer = _answer(deployment, scores, seen, drawing.as_text, begun)
        name, version = deployment.name, str(deployment.version)
        metrics.observe("workbench_predict_stage_seconds", fitted - begun, (("stage", "picture"),))
        metrics.observe("workbench_predict_stage_seconds", answered - fitted, (("stage", "model"),))
        said = "nothing drawn" if scores is None else str(scores.argmax())
        metrics.add("workbench_predictions_total", (("model", name), ("version", version), ("class", said)))
        return answer

    @app.post("/corrections")
    def corrections() -> Response:
        raise Refusal(501, "not_implemented", "corrections are not stored yet")

    @app.get("/models")
    def models() -> Response:
        serving = deployments.now()
        described = [_describe(d) for d in serving.deployments.values()]
        return _json({"predict": serving.default.name if serving.default else None, "models": described})

    @app.put("/models/<name>/versions/<int:version>")
    @guarded
    def push(name: str, version: int) -> Response:
        request.max_content_length = MAX_VERSION
        with deployments.receiving() as zipped:
            _save(zipped)
            new = deployments.push(name, version, zipped)
        g.model = f"{name}:{version}"
        return _json({"name": name, "version": version, "new": new}, 201 if new else 200)

    @app.get("/models/<name>/versions/<int:version>.zip")
    @guarded
    def download(name: str, version: int) -> Response:
        file = deployments.open_zip(name, version)
        size = os.fstat(file.fileno()).st_size
        answer = send_file(file, "application/zip", as_attachment=True, download_name=f"{name}-{version}.zip")
        answer.content_length = size
        return answer

    @app.post("/models/<name>:activate")
    @guarded
    def activate(name: str) -> Response:
        asked = _body_object()
        if "version" not in asked:
            raise BadInput('say which version: {"version": 3}')
        return _json(_describe(_noted(deployments.activate(name, asked["version"], _reason(asked)))))

    @app.post("/models/<name>:rollback")
    @guarded
    def rollback(name: str) -> Response:
        return _json(_describe(_noted(deployments.rollback(name, _reason(_body_object())))))

    @app.get("/healthz")
    def healthz() -> Response:
        return _json({"state": "alive"})

    @app.get("/readyz")
    def readyz() -> Response:
        default = deployments.now().default
        if default is None:
            return _json(deployments.under_way(), 503, {"Retry-After": "2"})
        return _json({"state": "ready", "model": default.name, "version": default.version})

    @app.get("/metrics")
    def show_metrics() -> Response:
        serving = deployments.now()
        gauges: list[tuple[str, Labels, float]] = [
            (
                "workbench_model_info",
                (("model", d.name), ("version", str(d.version)), ("engine", d.engine.name)),
                1.0,
            )
            for d in serving.deployments.values()
        ]
        gauges.append(("workbench_ready", (), float(serving.default is not None)))
        return Response(metrics.render(_DESCRIBED, gauges), mimetype="text/plain; version=0.0.4")

    if page is not None:
        from backend.page import serve_page

        serve_page(app, page, settings)
    return app


# ── /predict ─────────────────────────────────────────────────────────────────────────────────────


def read_drawing() -> Drawing:
    """The picture in the request, in any of the forms that the contract names.

    A body that begins with ``data:`` is the picture whatever its Content-Type says: the 2020 page's jQuery posts
    the canvas as a form that it is not.
    """
    body = _read_body()
    kind = request.mimetype
    if body[:5].lower() == b"data:" or body[:64].lstrip()[:5].lower() == b"data:":
        return Drawing(images.from_data_url(body), _wanted(None), _prefers_text(by_default=True))
    model: object = None
    if not body:
        raise Refusal(400, "empty", "the body is empty; send a picture or the canvas' data URL")
    if kind == "application/json" or kind.endswith("+json"):
        asked = _body_object()
        picture, model = asked.get("image"), asked.get("model")
        if not isinstance(picture, str):
            raise BadInput('"image" must be a data URL: {"image": "data:image/png;base64,…"}')
        data = images.from_data_url(picture)
    elif kind == "multipart/form-data":
        model = request.form.get("model")
        if file := request.files.get("image"):
            data = file.read()
        elif text := request.form.get("image"):
            data = images.from_data_url(text)
        else:
            raise BadInput("the form has no file 'image'")
    elif kind.startswith("image/") or kind in (
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "",
    ):
        data = body
    else:
        raise Refusal(
            415,
            "unsupported",
            "send the canvas' data URL, JSON with \"image\", a form with the file 'image', or the bytes of a "
            f"picture. Received: Content-Type {kind[:80]!r}",
        )
    return Drawing(data, _wanted(model), _prefers_text(by_default=False))


def _wanted(model: object) -> str | None:
    model = request.args.get("model") if model is None else model
    if model is not None and not isinstance(model, str):
        raise BadInput(f'"model" must be a name. Received: {str(model)[:80]}')
    return model


def _prefers_text(*, by_default: bool) -> bool:
    """Which of the two forms the caller's ``Accept`` ranks higher; neither where it does not say."""
    accept = request.headers.get("Accept", "*/*")
    if accept == "*/*":
        return by_default
    text, structured = (request.accept_mimetypes.quality(k) for k in ("text/plain", "application/json"))
    return by_default if text == structured else bool(text > structured)


def _choose(deployments: Deployments, name: str | None) -> Deployment:
    serving = deployments.now()
    deployment = serving.default if name is None else serving.deployments.get(name)
    if deployment is None and name is not None and serving.deployments:
        raise Refusal(
            404, "not_found", f"no model {name[:64]!r} serves here; GET /models lists those that do"
        )
    if deployment is None:
        raise Refusal(503, "no_model", deployments.under_way()["message"], {"Retry-After": "2"})
    if not deployment.takes_pictures:
        raise Refusal(422, "no_picture", f"{deployment.name}'s input is no picture")
    return deployment


def _prepare(
    data: bytes, manifest: Mapping[str, Any]
) -> tuple[NDArray[np.float32] | None, NDArray[np.uint8] | None]:
    """The model's input ``(1, h, w, c)`` and the same as pixels; ``None`` where nothing was drawn."""
    header = images.read_header(data)
    height, width, channels = manifest["input"]["shape"]
    with one_at_a_time(header.width * header.height):
        if manifest["preprocessing"] == "mnist":
            seen = images.fit(images.decode(data))
        else:
            seen = images.resize(images.read_planes(data), width, height, channels)
    if seen is None:
        return None, None
    x = seen.reshape(1, height, width, channels).astype(np.float32)
    low, high = manifest["input"].get("range") or (0, 255)
    if (low, high) != (0, 255):
        x = x * np.float32((high - low) / 255) + np.float32(low)
    return x, seen


def _answer(
    deployment: Deployment,
    scores: NDArray[np.float32] | None,
    seen: NDArray[np.uint8] | None,
    as_text: bool,
    begun: float,
) -> Response:
    labels = deployment.manifest["labels"]
    digit = None if scores is None else int(scores.argmax())
    label = None if digit is None else labels[digit] if digit < len(labels) else str(digit)
    if as_text:
        return Response(label or "nothing drawn", mimetype="text/plain")
    answer: dict[str, Any] = {
        "digit": digit,
        "label": label,
        "probabilities": None if scores is None else [round(p, 6) for p in scores.tolist()],
        "model": deployment.name,
        "version": deployment.version,
        "seen": None if seen is None else images.to_data_url(seen),
    }
    if digit is None:
        answer["reason"] = "nothing drawn"
    answer["latency_ms"] = round((time.perf_counter() - begun) * 1e3, 2)
    return _json(answer)


# ── small things ─────────────────────────────────────────────────────────────────────────────────


def _describe(deployment: Deployment) -> dict[str, Any]:
    manifest = deployment.manifest
    return {
        "name": deployment.name,
        "version": deployment.version,
        "since": deployment.since,
        "previous": deployment.previous,
        "labels": manifest["labels"],
        "preprocessing": manifest["preprocessing"],
        "metrics": manifest.get("metrics", {}),
    }


def _noted(deployment: Deployment) -> Deployment:
    g.model = f"{deployment.name}:{deployment.version}"
    return deployment


def _body_object() -> dict[str, Any]:
    """The JSON object in the body; an empty body is an empty object."""
    body = _read_body()
    try:
        value = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the body is not JSON: {error}"[:200]) from error
    if not isinstance(value, dict):
        raise BadInput(f"the body must be a JSON object. Received: {type(value).__name__}")
    return value


def _reason(asked: Mapping[str, Any]) -> str:
    reason = asked.get("reason") or ""
    if not isinstance(reason, str) or len(reason) > 500:
        raise BadInput('"reason" is a text of at most 500 characters')
    return reason


def _read_body() -> bytes:
    """The request's body as it came."""
    try:
        return request.get_data(cache=True, parse_form_data=False)
    except (OSError, ParseException) as error:
        raise _cut_off(error) from error


def _save(zipped: Path) -> None:
    """Stream the request's body to a file."""
    received = 0
    with zipped.open("wb") as file:
        while True:
            try:
                block = request.stream.read(256 * 1024)
            except (OSError, ParseException) as error:
                raise _cut_off(error) from error
            if not block:
                break
            received += len(block)
            file.write(block)
    if request.content_length is not None and received != request.content_length:
        raise Refusal(400, "cut_off", f"{received:,} bytes came of {request.content_length:,}; send it again")


def _cut_off(error: Exception) -> Refusal:
    if isinstance(error, TimeoutError | BlockingIOError):
        return Refusal(408, "too_slow", "the body stopped coming; send it again")
    return Refusal(400, "cut_off", "the body is no proper one or was cut off; send it again")


def _json(value: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(value, ensure_ascii=False), status, headers, mimetype="application/json")
