"""The routes that change what serves, or tell of it: guarded by the deploy token, but for signed links."""

import os
import re
from datetime import UTC, datetime

from flask import Flask, Response, g, request, send_file

from backend.deployments.manifests import check_number
from backend.deployments.store import Deployments
from backend.deployments.uploads import MAX_VERSION, Uploads, check
from backend.deployments.values import Deployment
from backend.http import signed_links
from backend.http.auth import check_token, has_token, needs_token
from backend.http.bodies import blocks_of_body, body_object, json_answer, save_body, text_in
from workbench.errors import BadInput, TokenNeeded
from workbench.settings import Settings

_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")


def add_routes(
    app: Flask,
    settings: Settings,
    deployments: Deployments,
) -> None:
    """Add the routes under ``/models/NAME``."""
    guarded = needs_token(settings.deploy_token)
    uploads = Uploads(settings.backend)

    @app.put("/models/<name>/versions/<int:version>")
    @guarded
    def push(name: str, version: int) -> Response:
        request.max_content_length = MAX_VERSION
        sha256 = request.headers.get("X-Content-SHA256", "").lower()
        if (part := request.headers.get("Content-Range")) is not None:
            start, total = _read_range(part)
            received = uploads.append(sha256, start, total, blocks_of_body())
            if received < total:
                return json_answer({"name": name, "version": version, "received": received}, 202)
            with uploads.whole(sha256) as zipped:
                new = deployments.push(name, version, zipped)
        else:
            with deployments.receiving() as zipped:
                save_body(zipped)
                if sha256:
                    check(zipped, sha256)
                new = deployments.push(name, version, zipped)
        g.model = f"{name}:{version}"
        return json_answer({"name": name, "version": version, "new": new}, 201 if new else 200)

    @app.get("/models/<name>/versions/<int:version>/upload")
    @guarded
    def received(name: str, version: int) -> Response:
        return json_answer({"received": uploads.received(request.args.get("sha256", ""))})

    @app.get("/models/<name>/versions/<int:version>.zip")
    def download(name: str, version: int) -> Response:
        signed = request.args.get("expires", ""), request.args.get("signature", "")
        if not signed_links.opens(request.path, *signed, settings.deploy_token):
            if signed[1] and not has_token(settings.deploy_token):
                raise TokenNeeded("this link is out of date or was changed; ask for a new one")
            check_token(settings.deploy_token)
        file = deployments.open_zip(name, version)
        size = os.fstat(file.fileno()).st_size
        answer = send_file(file, "application/zip", as_attachment=True, download_name=f"{name}-{version}.zip")
        answer.content_length = size
        return answer

    @app.post("/models/<name>/versions/<int:version>:link")
    @guarded
    def link(name: str, version: int) -> Response:
        lasts_s = body_object().get("expires_s", 3600)
        if (
            isinstance(lasts_s, bool)
            or not isinstance(lasts_s, int)
            or not 0 < lasts_s <= signed_links.MOST_S
        ):
            raise BadInput(
                f'"expires_s" is a whole number from 1 to {signed_links.MOST_S}. Received: {str(lasts_s)[:40]}'
            )
        deployments.check_pushed(name, version)
        url = signed_links.sign(f"/models/{name}/versions/{version}.zip", settings.deploy_token, lasts_s)
        expires = int(url.partition("expires=")[2].partition("&")[0])
        return json_answer(
            {"url": url, "expires": datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
        )

    @app.post("/models/<name>:activate")
    @guarded
    def activate(name: str) -> Response:
        asked = body_object()
        anyway = asked.get("anyway", False)
        if "version" not in asked or not isinstance(anyway, bool):
            raise BadInput('say which version: {"version": 3}, and "anyway": true where it may be worse')
        done = deployments.activate(
            name,
            check_number(name, asked["version"]),
            text_in(asked, "reason"),
            who=text_in(asked, "who"),
            anyway=anyway,
        )
        return json_answer(describe(_noted(done)))

    @app.post("/models/<name>:canary")
    @guarded
    def canary(name: str) -> Response:
        asked = body_object()
        if not {"version", "percent"} <= asked.keys():
            raise BadInput('say which version answers how much: {"version": 4, "percent": 10}')
        done = deployments.start_canary(
            name,
            check_number(name, asked["version"]),
            _percent(asked["percent"]),
            text_in(asked, "reason"),
            who=text_in(asked, "who"),
        )
        return json_answer(describe(_noted(done)))

    @app.post("/models/<name>:rollback")
    @guarded
    def rollback(name: str) -> Response:
        asked = body_object()
        done = deployments.rollback(name, text_in(asked, "reason"), who=text_in(asked, "who"))
        return json_answer(describe(_noted(done)))

    @app.get("/models/<name>/history")
    @guarded
    def history(name: str) -> Response:
        return json_answer(
            {"name": name, "history": [change.as_json() for change in deployments.history(name)]}
        )


def describe(deployment: Deployment) -> dict[str, object]:
    """Give the entry of a model in ``/models``."""
    manifest, canary = deployment.manifest, deployment.canary
    return {
        "name": deployment.name,
        "version": deployment.version,
        "since": deployment.since,
        "previous": deployment.previous,
        "canary": canary
        and {
            "version": canary.deployment.version,
            "percent": canary.percent,
            "since": canary.deployment.since,
        },
        "labels": list(manifest.labels),
        "preprocessing": manifest.preprocessing,
        "metrics": dict(manifest.metrics),
    }


def _percent(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise BadInput(f'"percent" is a number from 0 to 100. Received: {str(value)[:40]}')
    return value


def _read_range(text: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise BadInput(f"Content-Range: bytes FIRST-LAST/TOTAL. Received: {text[:80]!r}")
    return int(match[1]), int(match[3])


def _noted(deployment: Deployment) -> Deployment:
    g.model = f"{deployment.name}:{deployment.version}"
    return deployment
