"""``POST /serve``: any model, any picture; the form's fields are those of the first seed."""

import re
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from flask import Flask, Response, g, request
from numpy.typing import NDArray

from backend.deployments.uploads import MAX_VERSION
from backend.errors import Refusal
from backend.http import signed_links
from backend.http.auth import check_token, has_token
from backend.http.bodies import body_object, json_answer, read_body
from backend.http.metrics import Metrics
from backend.http.requests import MAX_BODY
from backend.untrusted import by_name
from backend.untrusted.fitting import How, read_layout, read_range, read_size
from backend.untrusted.meaning import OutputVerdict
from backend.untrusted.serve import Serve, ServeRequest, Upload
from workbench.errors import BadInput, TokenNeeded
from workbench.pictures import ink
from workbench.pictures.decoders import MAX_BYTES as MAX_PICTURE
from workbench.scores import label_of
from workbench.settings import Settings

_OURS = re.compile(r"(?:/api)?/models/([^/]+)/versions/(\d{1,9})\.zip")


def add_routes(app: Flask, settings: Settings, serve: Serve, metrics: Metrics) -> None:
    """Add ``/serve``."""

    @app.post("/serve")
    def answer() -> Response:
        asked, uploaded = read_asked(settings.deploy_token)
        if uploaded is None and asked.model_url:
            asked = replace(asked, own=_own_version(asked.model_url, settings))
        said = serve.answer(asked, uploaded, trusted=has_token(settings.deploy_token), note=_note)
        verdict = said.verdict
        if verdict is None:
            nothing: dict[str, object] = {"class": None, "label": None, "scores": None}
            return json_answer({**nothing, "reason": "nothing drawn", "model": said.model})
        found, label = verdict.index, verdict.name
        if label is None and found is not None:
            label = _label(found, said.labels, verdict.scores)
        kind = "own" if not said.model.startswith("sha256:") else "stranger"
        metrics.add("workbench_served_total", (("kind", kind),))
        seen = None if said.seen is None else ink.to_data_url(_blue_first(said.seen))
        told = {"class": found, "label": label, "scores": list(verdict.scores), "model": said.model}
        more = {"labels": list(said.labels), "output": verdict.output, "kind": verdict.kind, "seen": seen}
        each = {name: _told(one, said.output_labels.get(name, ())) for name, one in said.outputs.items()}
        return json_answer({**told, **more, **({"outputs": each} if each else {})})


def _told(verdict: OutputVerdict, labels: Sequence[str]) -> dict[str, object]:
    told: dict[str, object] = {"class": verdict.index, "scores": list(verdict.scores), "kind": verdict.kind}
    if labels and verdict.index is not None:
        told["label"] = _label(verdict.index, labels, verdict.scores)
    return told


def _label(index: int, labels: Sequence[str], scores: Sequence[float | None]) -> str:
    """Name a class; a model that names its class alone does not tell how many there are."""
    if scores:
        return label_of(index, labels, max(2, len(scores)))
    return labels[index] if 0 <= index < len(labels) else str(index)


def _note(model: str) -> None:
    g.model = model  # the log's line says it


def _own_version(url: str, settings: Settings) -> tuple[str, int] | None:
    """Name and version, where the URL is an open link to a version's zip of this back end."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:  # said by whoever is to fetch it
        return None
    match = _OURS.fullmatch(parts.path)
    if match is None or parts.netloc.lower() not in _own_hosts(settings):
        return None
    query = dict(urllib.parse.parse_qsl(parts.query))
    path = f"/models/{match[1]}/versions/{match[2]}.zip"
    key = settings.deploy_token
    opened = signed_links.opens(path, query.get("expires", ""), query.get("signature", ""), key)
    if not opened and not has_token(key):
        raise TokenNeeded("this link of ours is out of date, or not signed; ask for a new one")
    return match[1], int(match[2])


def _own_hosts(settings: Settings) -> set[str]:
    configured = urllib.parse.urlsplit(settings.backend_url).netloc
    here = (f"{host}:{settings.backend_port}" for host in ("127.0.0.1", "localhost"))
    return {request.host.lower(), *here, configured.lower()} - {""}


def _blue_first(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn colours into the order in which OpenCV writes them."""
    if picture.ndim == 3 and picture.shape[2] > 2:
        return picture[..., [2, 1, 0, *range(3, picture.shape[2])]]
    return picture


def read_asked(token: str) -> tuple[ServeRequest, Upload | None]:
    """Read the fields of a form, of JSON, or of the query; and the uploaded model."""
    uploaded: Upload | None = None
    picture: bytes | None = None
    if request.mimetype in ("multipart/form-data", "application/x-www-form-urlencoded"):
        if (request.content_length or MAX_BODY + 1) > MAX_BODY:
            check_token(token)
            request.max_content_length = MAX_VERSION
        fields: Mapping[str, object] = request.form
        uploaded = request.files.get("model")
        if (image := request.files.get("image")) is not None:
            picture = image.read(MAX_PICTURE + 1)
    elif request.mimetype in ("application/json", "") and read_body():
        fields = body_object()
    elif request.content_length:
        raise Refusal(
            415, "unsupported", f"send a form or JSON. Received: Content-Type {request.mimetype[:80]!r}"
        )
    else:
        fields = request.args

    def text(name: str) -> str:
        value = fields.get(name) or ""
        if not isinstance(value, str):
            raise BadInput(f"{name} is a text. Received: {str(value)[:60]}")
        return value.strip()

    asked = ServeRequest(
        image=picture,
        image_url=text("imageUrl") or text("image"),
        model_name=text("modelName"),
        model_url=text("modelUrl"),
        how=How(
            size=read_size(text("imageSize")),
            layout=read_layout(text("layout")),
            signature=text("signature"),
            output=text("output"),
            range=read_range(text("inputRange")),
        ),
        inputs=by_name.read(fields.get("inputs")),
    )
    return asked, uploaded
