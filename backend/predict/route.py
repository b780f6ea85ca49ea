"""``POST /predict``: the picture in the request, in any of the forms that the contract names, and the answer to it."""

import time

from flask import Flask, Response, request

from backend.errors import Refusal
from backend.http.bodies import body_object, read_body
from backend.predict.answer import Drawing, Drawings
from backend.predict.fast_path import REFUSED
from workbench.errors import BadInput
from workbench.pictures import ink


def add_route(app: Flask, drawings: Drawings) -> None:
    """Add ``/predict``."""

    @app.post("/predict")
    def predict() -> Response:
        if (refused := request.environ.get(REFUSED)) is not None:
            raise refused
        begun = time.perf_counter()
        body, kind = drawings.answer(read_drawing(), begun)
        return Response(body, content_type=kind)


def read_drawing() -> Drawing:
    """Find the picture in the request, in any of the forms that the contract names.

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
    """Tell the two forms apart by the caller's ``Accept``; ``by_default`` where it ranks neither higher."""
    accept = request.headers.get("Accept", "*/*")
    if accept == "*/*":
        return by_default
    text, structured = (request.accept_mimetypes.quality(k) for k in ("text/plain", "application/json"))
    return by_default if text == structured else bool(text > structured)
