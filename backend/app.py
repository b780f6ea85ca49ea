"""The back end's routes; :func:`create_app` makes the application that gunicorn serves.

Callers' documentation is ``docs/backend.md``. A drawing's way: :func:`read_drawing` finds the picture in the request,
``drawings`` answers it: ``images`` makes the model's input of it, ``serving`` knows whose turn it is, ``engines``
computes. What the pages send takes the ``shortcut`` to the same functions.
"""

import mmap
import time
from functools import partial
from pathlib import Path

from flask import Flask, Response, request
from flask_cors import CORS

from backend.corrections import routes as corrections_routes
from backend.corrections.store import Corrections
from backend.deployments import routes as deployments_routes
from backend.deployments.comparisons import Comparisons
from backend.deployments.routes import describe
from backend.deployments.store import Deployments
from backend.http.bodies import body_object, json_answer, read_body
from backend.http.guards import Refusal, install, log_to_stderr
from backend.http.metrics import Labels, Metrics
from backend.predict.answer import Drawing, Drawings
from backend.predict.fast_path import REFUSED, Shortcut
from backend.tfserving import routes as tfserving_routes
from backend.untrusted import serve
from backend.untrusted.fetching import Fetcher
from backend.untrusted.model_files import ModelFiles
from backend.untrusted.model_servers import ModelServers, Remote
from workbench.errors import BadInput
from workbench.pictures import ink
from workbench.settings import Settings

CROSS_ORIGIN = r"/(predict/?|corrections|models|readyz)$"
"""What a page of another origin may call; the guarded routes are not among them."""
EXPOSED = "Retry-After, X-Request-Id"
"""Headers of an answer that such a page may read."""

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
    drawings = Drawings(deployments, comparisons, metrics)
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
        expose_headers=[EXPOSED],
        max_age=3600,
    )

    @app.post("/predict")
    def predict() -> Response:
        if (refused := request.environ.get(REFUSED)) is not None:
            raise refused
        begun = time.perf_counter()
        drawing = read_drawing()
        body, kind = drawings.answer(drawing, begun)
        return Response(body, content_type=kind)

    @app.get("/models")
    def models() -> Response:
        serving = deployments.now()
        described = [describe(d) for d in serving.deployments.values()]
        return json_answer(
            {"predict": serving.default.name if serving.default else None, "models": described}
        )

    @app.get("/openapi.json")
    def openapi() -> Response:
        from backend.http.openapi import describe as describe_routes

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

    corrections_routes.add_routes(app, settings, deployments, corrections)
    deployments_routes.add_routes(app, settings, deployments, corrections, comparisons)
    tfserving_routes.add_routes(app, deployments, metrics)
    serve.add_routes(app, settings, serving, metrics)
    if page is not None:
        from backend.http.page import serve_page

        serve_page(app, page, settings)
    shortcut = Shortcut(app.wsgi_app, drawings, metrics, settings.allowed_origins, EXPOSED)
    app.extensions["is_quick"] = shortcut.is_quick
    app.wsgi_app = shortcut  # type: ignore[assignment, method-assign]
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
        return Drawing(ink.from_data_url(body), _wanted(None), _prefers_text(by_default=True))
    model: object = None
    if not body:
        raise Refusal(400, "empty", "the body is empty; send a picture or the canvas' data URL")
    if kind == "application/json" or kind.endswith("+json"):
        asked = body_object()
        picture, model = asked.get("image"), asked.get("model")
        if not isinstance(picture, str):
            raise BadInput('"image" must be a data URL: {"image": "data:image/png;base64,…"}')
        data = ink.from_data_url(picture)
    elif kind == "multipart/form-data":
        model = request.form.get("model")
        if file := request.files.get("image"):
            data = file.read()
        elif text := request.form.get("image"):
            data = ink.from_data_url(text)
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
