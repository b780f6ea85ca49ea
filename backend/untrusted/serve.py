"""``POST /serve``: any model, any picture, by name, by URL or as a file; the form fields are those of the first seed."""

import re
import threading
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from flask import Flask, Response, g, request
from numpy.typing import NDArray

from backend.deployments.store import Deployment, Deployments
from backend.deployments.uploads import MAX_VERSION
from backend.errors import Refusal
from backend.http import signed_links
from backend.http.auth import check_token, has_token
from backend.http.bodies import body_object, json_answer, read_body
from backend.http.metrics import Metrics
from backend.http.requests import MAX_BODY
from backend.untrusted.fetching import Fetcher, Remembered
from backend.untrusted.fitting import Size, as_picture, fit, other_size, read_range, read_size
from backend.untrusted.model_files import ModelFile, ModelFiles
from backend.untrusted.model_servers import ModelServers
from workbench.errors import BadInput, ModelRefused, Unavailable
from workbench.pictures import ink
from workbench.pictures.decoders import MAX_BYTES as MAX_PICTURE
from workbench.pictures.inputs import prepare
from workbench.settings import Settings

MAX_MODEL = MAX_VERSION
IMAGE_S, MODEL_S = 15.0, 120.0
AT_ONCE = 2
"""Requests for strangers' models in one worker; its other threads go on answering drawings."""
LABELS = {
    "Mnist": [str(digit) for digit in range(10)],
    "Cifar10": ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    "FashionMnist": [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ],
}
"""What ``modelName`` may say beside a URL or file, and in which order the data sets count."""

_OURS = re.compile(r"(?:/api)?/models/([^/]+)/versions/(\d{1,9})\.zip")


@dataclass(frozen=True)
class Asked:
    """The request's fields."""

    image: bytes | None
    image_url: str
    size: Size | None
    model_name: str
    model_url: str
    range_: tuple[float, float]
    """What the model takes for black and white, if no manifest says it."""


@dataclass(frozen=True)
class Answer:
    """What a model said."""

    scores: NDArray[Any] | None
    """``None`` where nothing was drawn."""
    labels: Sequence[str]
    model: str
    seen: NDArray[np.uint8] | None = None
    """The picture that the model was given, ``(h, w)`` or ``(h, w, c)``; ``None`` where it takes no pixels."""


class Serve:
    """Answers ``/serve``."""

    def __init__(
        self,
        settings: Settings,
        deployments: Deployments,
        fetcher: Fetcher,
        files: ModelFiles,
        servers: ModelServers,
    ) -> None:
        self._settings, self._deployments, self._fetcher = settings, deployments, fetcher
        self._files = files
        self._remembered = Remembered(settings.backend / "strangers" / ".urls.json")
        self._servers = servers
        self._room = threading.BoundedSemaphore(AT_ONCE)

    def answer(self, asked: Asked, uploaded: Any) -> Answer:
        """What the model that is asked for says of the picture that is sent."""
        if uploaded is None and not asked.model_url:
            if not asked.model_name:
                raise BadInput("say which model: modelName, modelUrl, or the file 'model'")
            return self._ask_deployed(self._named(asked.model_name), asked)
        if uploaded is None and (ours := self._ours(asked.model_url)):
            return self._ask_deployed(ours, asked)
        check_token(self._settings.deploy_token)
        labels = _labels(asked.model_name)
        with self._one_of_few():
            picture = self._picture(asked)
            file = self._receive(uploaded) if uploaded is not None else self._fetch_model(asked.model_url)
            return self._ask_stranger(file, picture, asked, labels)

    # ── our own ──────────────────────────────────────────────────────────────────────────────────

    def _named(self, name: str) -> Deployment:
        name, _, version = name.partition(":")
        deployment = self._deployments.now().deployments.get(name)
        if deployment is None:
            there = ", ".join(self._deployments.now().deployments) or "none yet"
            raise Refusal(404, "not_found", f"no model {name[:64]!r} serves here; there are: {there}")
        if not version:
            return deployment
        found = {str(v): d for v, d in deployment.loaded().items()}.get(version)
        if found is None:
            raise Refusal(404, "not_found", f"version {version[:20]!r} of {name} does not serve here")
        return found

    def _ours(self, url: str) -> Deployment | None:
        """The version that a signed link of this back end names; read in place, not fetched from ourselves."""
        try:
            parts = urllib.parse.urlsplit(url)
        except ValueError:  # said by whoever is to fetch it
            return None
        match = _OURS.fullmatch(parts.path)
        if match is None or parts.netloc.lower() not in self._own_hosts():
            return None
        query = dict(urllib.parse.parse_qsl(parts.query))
        path = f"/models/{match[1]}/versions/{match[2]}.zip"
        key = self._settings.deploy_token
        opened = signed_links.opens(path, query.get("expires", ""), query.get("signature", ""), key)
        if not opened and not has_token(key):
            raise Refusal(401, "token", "this link of ours is out of date, or not signed; ask for a new one")
        return self._deployments.version(match[1], int(match[2]))

    def _own_hosts(self) -> set[str]:
        port, configured = (
            self._settings.backend_port,
            urllib.parse.urlsplit(self._settings.backend_url).netloc,
        )
        return {request.host.lower(), f"127.0.0.1:{port}", f"localhost:{port}", configured.lower()} - {""}

    def _ask_deployed(self, deployment: Deployment, asked: Asked) -> Answer:
        height, width, channels = _picture_shape(deployment)
        if asked.size not in (None, (width, height, channels)):
            raise other_size(asked.size, (width, height, channels))
        g.model = f"{deployment.name}:{deployment.version}"
        with self._one_of_few() if asked.image_url else nullcontext():
            picture = self._picture(asked)
        x, seen = prepare(picture, deployment.manifest)
        scores = None if x is None else deployment.engine.predict(x)[0]
        return Answer(scores, deployment.manifest.labels, f"{deployment.name}:{deployment.version}", seen)

    # ── strangers' ───────────────────────────────────────────────────────────────────────────────

    def _ask_stranger(self, file: ModelFile, data: bytes, asked: Asked, labels: Sequence[str]) -> Answer:
        g.model = f"sha256:{file.sha256[:12]}"
        server = self._servers.open(file)
        x = fit(data, server.signatures, file.manifest, asked.size, asked.range_)
        try:
            scores = _first(server.predict(x))
        except Unavailable:  # it ended between two requests, as an idle one does
            server.stop()
            server = self._servers.open(file)
            scores = _first(server.predict(x))
        labels = labels or (file.manifest.labels if file.manifest else ())
        range_ = file.manifest.takes.range if file.manifest else asked.range_
        return Answer(
            scores, labels, f"sha256:{file.sha256}", as_picture(x, range_)
        )  # a manifest could claim any name

    def _receive(self, uploaded: Any) -> ModelFile:
        with self._files.receiving() as path:
            uploaded.save(path)
            return self._files.keep(path)

    def _fetch_model(self, url: str) -> ModelFile:
        known = self._remembered.get(url)
        file = self._files.find(known[0]) if known else None
        if known and file and known[2]:
            return file
        with self._files.receiving() as path:
            before = known[1] if known and file else None
            fetched = self._fetcher.fetch(url, path, max_bytes=MAX_MODEL, timeout_s=MODEL_S, known=before)
            if not fetched.changed and file is not None:
                self._remembered.keep(fetched, file.sha256)
                return file
            file = self._files.keep(path)
        self._remembered.keep(fetched, file.sha256)
        return file

    def _picture(self, asked: Asked) -> bytes:
        if asked.image is not None:
            return asked.image
        if not asked.image_url:
            raise BadInput("send a picture: imageUrl, or the file 'image'")
        if asked.image_url[:5].lower() == "data:":
            return ink.from_data_url(asked.image_url)
        with self._files.receiving() as path:
            self._fetcher.fetch(asked.image_url, path, max_bytes=MAX_PICTURE, timeout_s=IMAGE_S)
            return path.read_bytes()

    @contextmanager
    def _one_of_few(self) -> Iterator[None]:
        if not self._room.acquire(timeout=1.0):
            raise Refusal(
                503, "busy", "other models are being asked just now; try again", {"Retry-After": "5"}
            )
        try:
            yield
        finally:
            self._room.release()


def add_routes(app: Flask, settings: Settings, serve: Serve, metrics: Metrics) -> None:
    """Add ``/serve``."""

    @app.post("/serve")
    def answer() -> Response:
        asked, uploaded = read_asked(settings.deploy_token)
        said = serve.answer(asked, uploaded)
        if said.scores is None:
            body: dict[str, Any] = {"class": None, "label": None, "scores": None, "reason": "nothing drawn"}
            return json_answer({**body, "model": said.model})
        found = _class(said.scores)
        label = said.labels[found] if found < len(said.labels) else str(found)
        kind = "own" if not said.model.startswith("sha256:") else "stranger"
        metrics.add("workbench_served_total", (("kind", kind),))
        scores = [float(score) if np.isfinite(score) else None for score in said.scores.tolist()]
        seen = None if said.seen is None else ink.to_data_url(_blue_first(said.seen))
        told = {"class": found, "label": label, "scores": scores, "model": said.model}
        return json_answer({**told, "labels": list(said.labels), "seen": seen})


def _blue_first(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As OpenCV writes colours."""
    return picture[..., ::-1] if picture.ndim == 3 and picture.shape[2] == 3 else picture


def read_asked(token: str) -> tuple[Asked, Any]:
    """The fields of a form, of JSON, or of the query; and the uploaded model."""
    uploaded: Any = None
    picture: bytes | None = None
    if request.mimetype in ("multipart/form-data", "application/x-www-form-urlencoded"):
        if (request.content_length or MAX_BODY + 1) > MAX_BODY:
            check_token(token)
            request.max_content_length = MAX_VERSION
        fields: Mapping[str, Any] = request.form
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

    asked = Asked(
        image=picture,
        image_url=text("imageUrl") or text("image"),
        size=read_size(text("imageSize")),
        model_name=text("modelName"),
        model_url=text("modelUrl"),
        range_=read_range(text("inputRange")),
    )
    return asked, uploaded


def _labels(name: str) -> list[str]:
    if name and name not in LABELS:
        raise BadInput(
            f"beside a model's URL or file modelName is one of {', '.join(LABELS)}. Received: {name[:60]!r}"
        )
    return LABELS.get(name, [])


def _picture_shape(deployment: Deployment) -> Size:
    if not deployment.takes_pictures:
        raise Refusal(422, "no_picture", f"{deployment.name}'s input is no picture")
    height, width, channels = deployment.manifest.takes.shape
    return height, width, channels


def _first(outputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """The scores of the only picture, from the first output that can be some."""
    for array in outputs.values():
        if array.dtype.kind in "fiub" and array.ndim >= 1 and len(array) == 1:
            return array.reshape(-1)[:10_000].astype(np.float64)
    shapes = ", ".join(f"{name} {array.shape}" for name, array in outputs.items())
    raise ModelRefused(f"the model's answer holds no scores for one picture: {shapes[:200]}")


def _class(scores: NDArray[Any]) -> int:
    """The highest score's place; of a single score, whether it is above one half."""
    if len(scores) == 1:
        return int(scores[0] > 0.5)
    return int(np.nanargmax(np.where(np.isfinite(scores), scores, -np.inf)))
