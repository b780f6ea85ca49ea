"""The back end's routes; :func:`create_app` makes the application that gunicorn serves.

Callers' documentation is ``docs/backend.md``. A drawing's way: ``predict.route`` finds the picture in the request,
``predict.answer`` answers it: ``workbench.pictures`` makes the model's input of it, ``deployments.store`` knows which
version answers, ``deployments.engines`` computes. The pages' own requests take ``predict.fast_path`` to the same functions.
"""

import mmap
from functools import partial
from pathlib import Path

from flask import Flask, Response, request
from flask_cors import CORS

from backend.comparisons import routes as comparisons_routes
from backend.comparisons.store import Comparisons
from backend.corrections import routes as corrections_routes
from backend.corrections.store import Corrections
from backend.deployments import routes as deployments_routes
from backend.deployments.routes import describe
from backend.deployments.store import Deployments
from backend.http.bodies import json_answer
from backend.http.logs import log_to_stderr
from backend.http.metrics import DESCRIBED, Labels, Metrics
from backend.http.requests import install
from backend.inside import routes as inside_routes
from backend.predict import opinion, route
from backend.predict.answer import Drawings
from backend.predict.fast_path import Shortcut
from backend.tfserving import routes as tfserving_routes
from backend.untrusted import routes as untrusted_routes
from backend.untrusted.model_files import ModelFiles
from backend.untrusted.model_servers import ModelServers, Remote
from backend.untrusted.serve import Serve
from workbench.fetching import Fetcher
from workbench.settings import Settings

CROSS_ORIGIN = r"/(predict/?|inside|corrections|models|readyz)$"
"""Routes that a page of another origin may call; the guarded ones are not among them."""
EXPOSED = "Retry-After, X-Request-Id"
"""Headers of an answer that such a page may read."""


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
    app.config["FRONT_END_PROOF"] = settings.front_end_proof
    metrics = Metrics()
    files = ModelFiles(settings.backend)
    servers = ModelServers(files, tf_model_server=settings.tf_model_server)
    deployments = Deployments(settings.backend, partial(Remote, servers, files))
    files.sweep()
    deployments.sweep()
    corrections, comparisons = Corrections(settings.backend), Comparisons(settings.backend)
    drawings = Drawings(deployments, comparisons, metrics)
    leaving = mmap.mmap(-1, 1)  # shared with the master, which sets it before the workers are stopped
    app.extensions |= {"metrics": metrics, "deployments": deployments, "corrections": corrections}
    serve = Serve(settings.backend, deployments, Fetcher(settings.allowed_hosts), files, servers)
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
        # Who only waits may ask for 200 with the state: browsers write a line to the console for each 503.
        waiting = 200 if request.args.get("waiting") == "200" else 503
        if leaving[0]:
            return json_answer(
                {"state": "leaving", "message": "the back end is shutting down"},
                waiting,
                {"Retry-After": "5"},
            )
        default = deployments.now().default
        if default is None:
            return json_answer(vars(deployments.under_way()), waiting, {"Retry-After": "2"})
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
            for d in active.numbered().values()
        ]
        gauges.append(("workbench_model_servers", (), float(servers.running())))
        gauges.append(("workbench_ready", (), float(serving.default is not None)))
        return Response(metrics.render(DESCRIBED, gauges), mimetype="text/plain; version=0.0.4")

    route.add_route(app, drawings)
    inside_routes.add_routes(app, drawings, deployments, settings.backend)
    corrections_routes.add_routes(app, settings, deployments, corrections, partial(opinion.ask, deployments))
    deployments_routes.add_routes(app, settings, deployments)
    comparisons_routes.add_route(app, settings, deployments, corrections, comparisons)
    tfserving_routes.add_routes(app, deployments, metrics)
    untrusted_routes.add_routes(app, settings, serve, metrics)
    if page is not None:
        from backend.http.page import serve_page

        serve_page(app, page, settings)
    shortcut = Shortcut(app.wsgi_app, drawings, metrics, settings.allowed_origins, EXPOSED)
    app.extensions["is_quick"] = shortcut.is_quick
    app.wsgi_app = shortcut  # type: ignore[assignment, method-assign]
    return app
