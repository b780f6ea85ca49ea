"""The back end's routes; :func:`create_app` makes the application that gunicorn serves.

Callers' documentation is ``docs/backend.md``. A drawing's way: :func:`read_drawing` finds the picture in the request,
``images`` makes the model's input of it, ``serving`` knows whose turn it is, ``engines`` computes.
"""

import mmap
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask, Response, request
from flask_cors import CORS
from numpy.typing import NDArray

from backend import deploying, images, rest, review, serve
from backend.bodies import body_object, json_answer, read_body
from backend.comparisons import Comparisons
from backend.corrections import Corrections
from backend.deploying import describe
from backend.fetching import Fetcher
from backend.guards import Refusal, install, log_to_stderr
from backend.inputs import prepare
from backend.metrics import Labels, Metrics
from backend.model_files import ModelFiles
from backend.model_servers import ModelServers, Remote
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
    "workbench_comparisons_lost_total": (
        "counter",
        "A canary's drawings of which no record could be written.",
    ),
    "workbench_queue_seconds": ("histogram", "Time a request waited for a thread."),
    "workbench_tensors_total": (
        "counter",
        "Inputs answered by TensorFlow Serving's API, by model and version.",
    ),
    "workbench_served_total": ("counter", "Answers of /serve, by own models and strangers'."),
    "workbench_model_info": ("gauge", "The versions that serve."),
    "workbench_model_servers": ("gauge", "Processes that hold strangers' models."),
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
    app.config["TRUSTED_PROXIES"] = settings.trusted_proxies
    metrics = Metrics()
    files = ModelFiles(settings.backend)
    servers = ModelServers(files, tf_model_server=settings.tf_model_server)
    deployments = Deployments(settings.backend, partial(Remote, servers, files))
    corrections, comparisons = Corrections(settings.backend), Comparisons(settings.backend)
    leaving = mmap.mmap(-1, 1)  # shared with the master, which sets it before the workers are stopped
    app.extensions |= {"metrics": metrics, "deployments": deployments, "corrections": corrections}
    serving = serve.Serve(settings, deployments, Fetcher(settings.allowed_hosts), files, servers)
    app.extensions |= {"leaving": leaving, "model_servers": servers}
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

    @app.post("/predict")
    def predict() -> Response:
        begun = time.perf_counter()
        drawing = read_drawing()
        active = _choose(deployments, drawing.model)
        canary = active.canary
        deployment = canary.deployment if canary and canary.draws(drawing.picture) else active
        x, seen = prepare(drawing.picture, deployment.manifest)
        fitted = time.perf_counter()
        scores = None if x is None else deployment.engine.predict(x)[0]
        answered = time.perf_counter()
        answer = _answer(deployment, scores, seen, drawing.as_text, begun)
        name, version = deployment.name, str(deployment.version)
        metrics.observe("workbench_predict_stage_seconds", fitted - begun, (("stage", "picture"),))
        metrics.observe("workbench_predict_stage_seconds", answered - fitted, (("stage", "model"),))
        said = "nothing drawn" if scores is None else str(scores.argmax())
        metrics.add("workbench_predictions_total", (("model", name), ("version", version), ("class", said)))
        if deployment is not active and scores is not None and seen is not None:
            _compare(active, deployment, drawing.picture, scores, seen)
        return answer

    def _compare(
        active: Deployment,
        canary: Deployment,
        picture: bytes,
        scores: NDArray[np.float32],
        seen: NDArray[np.uint8],
    ) -> None:
        """Keep what the active version would have said."""
        x, _ = prepare(picture, active.manifest)
        if x is not None and not comparisons.keep(active, canary, active.engine.predict(x)[0], scores, seen):
            metrics.add("workbench_comparisons_lost_total")

    @app.get("/models")
    def models() -> Response:
        serving = deployments.now()
        described = [describe(d) for d in serving.deployments.values()]
        return json_answer(
            {"predict": serving.default.name if serving.default else None, "models": described}
        )

    @app.get("/openapi.json")
    def openapi() -> Response:
        from backend.openapi import describe as describe_routes

        return json_answer(describe_routes())

    @app.get("/healthz")
    def healthz() -> Response:
        return json_answer({"state": "alive"})

    @app.get("/readyz")
    def readyz() -> Response:
        if leaving[0]:
            return json_answer(
                {"state": "leaving", "message": "the back end is shutting down"}, 503, {"Retry-After": "5"}
            )
        default = deployments.now().default
        if default is None:
            return json_answer(deployments.under_way(), 503, {"Retry-After": "2"})
        return json_answer({"state": "ready", "model": default.name, "version": default.version})

    @app.get("/metrics")
    def show_metrics() -> Response:
        serving = deployments.now()
        gauges: list[tuple[str, Labels, float]] = [
            (
                "workbench_model_info",
                (("model", d.name), ("version", str(d.version)), ("engine", d.engine.name)),
                1.0,
            )
            for active in serving.deployments.values()
            for d in active.loaded().values()
        ]
        gauges.append(("workbench_model_servers", (), float(servers.running())))
        gauges.append(("workbench_ready", (), float(serving.default is not None)))
        return Response(metrics.render(_DESCRIBED, gauges), mimetype="text/plain; version=0.0.4")

    review.add_routes(app, settings, deployments, corrections)
    deploying.add_routes(app, settings, deployments, corrections, comparisons)
    rest.add_routes(app, deployments, metrics)
    serve.add_routes(app, settings, serving, metrics)
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
    body = read_body()
    kind = request.mimetype
    if body[:5].lower() == b"data:" or body[:64].lstrip()[:5].lower() == b"data:":
        return Drawing(images.from_data_url(body), _wanted(None), _prefers_text(by_default=True))
    model: object = None
    if not body:
        raise Refusal(400, "empty", "the body is empty; send a picture or the canvas' data URL")
    if kind == "application/json" or kind.endswith("+json"):
        asked = body_object()
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
    return json_answer(answer)
