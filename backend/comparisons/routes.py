"""``GET /models/NAME/compare``: how two versions of a model differ; guarded by the deploy token."""

from flask import Flask, Response, request

from backend.comparisons.measured import on_corrections
from backend.comparisons.store import Comparisons
from backend.corrections.store import Corrections
from backend.deployments.store import Deployments
from backend.deployments.values import Deployment
from backend.http.auth import needs_token
from backend.http.bodies import json_answer
from workbench.errors import BadInput, Conflict, NotFound
from workbench.settings import Settings


def add_route(
    app: Flask,
    settings: Settings,
    deployments: Deployments,
    corrections: Corrections,
    comparisons: Comparisons,
) -> None:
    """Add the route."""

    @app.get("/models/<name>/compare")
    @needs_token(settings.deploy_token)
    def compare(name: str) -> Response:
        one, other = _pair(deployments, name)
        return json_answer(
            {
                "name": name,
                "versions": [one.version, other.version],
                "metrics": {str(d.version): dict(d.manifest.metrics) for d in (one, other)},
                "drawings": comparisons.of(name, one.version, other.version).as_json(),
                "corrections": on_corrections([one, other], corrections).as_json(),
            }
        )


def _pair(deployments: Deployments, name: str) -> tuple[Deployment, Deployment]:
    """Find the versions that ``?versions=7,8`` names; else the active one and its canary, or the one before."""
    active = deployments.now().deployments.get(name)
    if active is None:
        raise NotFound(f"no model {name[:64]!r} serves here")
    if text := request.args.get("versions"):
        numbers = [int(v) for v in text.split(",") if v.isascii() and v.isdecimal() and len(v) < 10]
        if len(numbers) != 2 or numbers[0] == numbers[1]:
            raise BadInput(f"compare two versions: ?versions=7,8. Received: {text[:40]!r}")
    elif (second := active.canary.deployment.version if active.canary else active.previous) is not None:
        numbers = [active.version, second]
    else:
        raise Conflict(f"{name} has no second version to compare with; ?versions=7,8 names two")
    one, other = (deployments.version(name, number) for number in numbers)
    return one, other
