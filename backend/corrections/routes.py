"""The routes of corrections: visitors post them, who has the deploy token reviews and exports them."""

from collections.abc import Callable

from flask import Flask, Response, g, request

from backend.corrections.asked import MOST_AT_ONCE, AskedCorrection, check_digit, parse_secrets
from backend.corrections.store import PAGE, Corrections
from backend.corrections.values import COLLECTED, Correction, Giver, Opinion
from backend.deployments.store import Deployments
from backend.http.auth import needs_token, visitor
from backend.http.bodies import body_object, json_answer
from workbench.errors import BadInput, Conflict, NotFound
from workbench.pictures import ink
from workbench.pictures.memory import one_at_a_time
from workbench.settings import Settings

DIGITS = tuple("0123456789")


def add_routes(
    app: Flask,
    settings: Settings,
    deployments: Deployments,
    corrections: Corrections,
    ask: Callable[[bytes], Opinion],
) -> None:
    """Add ``/corrections`` and what belongs to it.

    Parameters
    ----------
    ask
        Gives the opinion of the version that answers a drawing, an encoded picture.
    """
    guarded = needs_token(settings.deploy_token)

    @app.post("/corrections")
    def correct() -> Response:
        asked = body_object()
        return take_back(asked["take_back"]) if "take_back" in asked else keep(AskedCorrection.parse(asked))

    def keep(asked: AskedCorrection) -> Response:
        drawing = ink.from_data_url(asked.image)
        deployment = deployments.answering(drawing)
        if asked.kind == COLLECTED and deployment and deployment.manifest.labels != DIGITS:
            raise Conflict(
                f"{deployment.name}, which answers here now, does not read digits, so none are collected"
            )
        labels = min(256, len(deployment.manifest.labels) if deployment else len(DIGITS))
        digit = check_digit(asked.digit, "digit", labels)
        predicted = check_digit(asked.predicted, "predicted", labels)
        if digit is None:
            raise BadInput('say which digit it is: {"digit": 7, …}')
        header = ink.read_header(drawing)
        opinion = ask(drawing)
        said = opinion.probabilities
        if predicted is None and said:
            predicted = said.index(max(said))
        with one_at_a_time(header.width * header.height):
            kept = corrections.keep(
                drawing,
                digit,
                giver=Giver(visitor(), asked.kind, asked.writer, asked.session),
                key=settings.deploy_token,
                predicted=predicted,
                opinion=opinion,
            )
        told = {"id": kept.id, "state": "waiting", "new": kept.new}
        return json_answer(
            {**told, **({"secret": kept.secret} if kept.secret else {})}, 201 if kept.new else 200
        )

    def take_back(value: object) -> Response:
        done = corrections.take_back(parse_secrets(value))
        if not done.taken and done.reviewed:
            raise Conflict("it was reviewed already, so it cannot be taken back any more")
        if not done.taken:
            raise NotFound(
                "nothing that waits for review came with this secret; perhaps it was taken back already"
            )
        return json_answer({"taken_back": done.taken, "reviewed": done.reviewed, "unknown": done.unknown})

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
        if (
            not isinstance(ids, list)
            or not 0 < len(ids) <= MOST_AT_ONCE
            or not all(isinstance(i, str) for i in ids)
        ):
            raise BadInput(f'say which: {{"ids": ["…"]}}, at most {MOST_AT_ONCE}')
        changed = corrections.review(ids, state)
        g.reviewed = len(changed)
        return json_answer({"corrections": [c.describe() for c in changed], "counts": corrections.counts()})


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
