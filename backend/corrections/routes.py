"""The routes of corrections: visitors post them, who has the deploy token reviews and exports them."""

from collections.abc import Mapping

from flask import Flask, Response, g, request

from backend.corrections.store import PAGE, Correction, Corrections
from backend.deployments.store import Deployments
from backend.http.auth import needs_token, visitor
from backend.http.bodies import body_object, json_answer
from workbench.errors import BadInput, Conflict
from workbench.pictures import ink
from workbench.pictures.memory import one_at_a_time
from workbench.settings import Settings


def add_routes(app: Flask, settings: Settings, deployments: Deployments, corrections: Corrections) -> None:
    """Add ``/corrections`` and what belongs to it."""
    guarded = needs_token(settings.deploy_token)

    @app.post("/corrections")
    def correct() -> Response:
        asked = body_object()
        picture = asked.get("image")
        if not isinstance(picture, str):
            raise BadInput('"image" must be a data URL: {"image": "data:image/png;base64,…", …}')
        drawing = ink.from_data_url(picture)
        deployment = deployments.answering(drawing)
        labels = deployment.manifest.labels if deployment else ("",) * 10
        digit, predicted = (_digit(asked, name, min(256, len(labels))) for name in ("digit", "predicted"))
        if digit is None:
            raise BadInput('say which digit it is: {"digit": 7, …}')
        header = ink.read_header(drawing)
        with one_at_a_time(header.width * header.height):
            id_, new = corrections.keep(
                drawing,
                digit,
                predicted=predicted,
                model=deployment.name if deployment else None,
                version=deployment.version if deployment else None,
                visitor=visitor(),
                key=settings.deploy_token,
            )
        return json_answer({"id": id_, "state": "waiting", "new": new}, 201 if new else 200)

    @app.get("/corrections")
    @guarded
    def list_corrections() -> Response:
        after, limit = _number("after", 0), _number("limit", 50)
        page = corrections.page(request.args.get("state"), after, limit)
        more = len(page) == max(1, min(limit, PAGE))
        return json_answer(
            {
                "corrections": [_show(c) for c in page],
                "next": page[-1].number if more else None,
                "counts": corrections.counts(),
            }
        )

    @app.post("/corrections:accept")
    @guarded
    def accept() -> Response:
        return review("accepted")

    @app.post("/corrections:reject")
    @guarded
    def reject() -> Response:
        return review("rejected")

    @app.post("/corrections:reopen")
    @guarded
    def reopen() -> Response:
        return review("waiting")

    @app.get("/corrections/export.zip")
    @guarded
    def export() -> Response:
        count = corrections.counts()["accepted"]
        if not count:
            raise Conflict("no correction is accepted yet, so there is nothing to export")
        headers = {"Content-Disposition": "attachment; filename=corrections.zip"}
        return Response(corrections.export(), 200, headers, mimetype="application/zip")

    def review(state: str) -> Response:
        ids = body_object().get("ids")
        if not isinstance(ids, list) or not ids or not all(isinstance(i, str) for i in ids) or len(ids) > 500:
            raise BadInput('say which: {"ids": ["…"]}, at most 500')
        changed = corrections.review(ids, state)
        g.reviewed = len(changed)
        return json_answer({"corrections": [c.describe() for c in changed], "counts": corrections.counts()})


def _digit(asked: Mapping[str, object], name: str, labels: int) -> int | None:
    value = asked.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < labels:
        raise BadInput(f'"{name}" is a whole number from 0 to {labels - 1}. Received: {str(value)[:40]}')
    return value


def _number(name: str, default: int) -> int:
    text = request.args.get(name, "")
    if text and not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise BadInput(f"{name} is a whole number. Received: {text[:40]!r}")
    return int(text) if text else default


def _show(correction: Correction) -> dict[str, object]:
    return {
        **correction.describe(),
        "number": correction.number,
        "picture": ink.png_data_url(correction.picture),
    }
