"""TensorFlow Serving's REST API over the versions that serve here: ``/v1/models/NAME…``, same shapes, same errors.

https://www.tensorflow.org/tfx/serving/api_rest. Of each model the active version and its canary can be asked, by number
or as the labels ``stable`` and ``canary``. Besides, where a model takes pictures, an input may be ``{"b64": …}`` with the
bytes of a picture, which is then prepared as a drawing is.
"""

import base64
import binascii
import json
from functools import partial
from typing import Any

import numpy as np
from flask import Flask, Response, g, request
from numpy.typing import NDArray

from backend.deployments.store import Deployments
from backend.deployments.values import Deployment
from backend.http.bodies import json_answer, read_body
from backend.http.metrics import Metrics
from backend.http.requests import MAX_BODY
from backend.tfserving import rest_format, verbs
from backend.tfserving.rest_format import Signature, Tensor
from workbench.errors import BadInput, NotFound
from workbench.pictures.inputs import prepare

MAX_PICTURES = 100
SIGNATURE = "serving_default"


def add_routes(app: Flask, deployments: Deployments, metrics: Metrics) -> None:
    """Add ``/v1/models``."""

    def find(name: str, version: int | None, label: str | None) -> Deployment:
        active = deployments.now().deployments.get(name)
        if active is None:
            raise rest_format.no_such_model(name)
        if label is not None:
            canary = active.canary.deployment if active.canary else None
            found = {"stable": active, "canary": canary}.get(label)
            if found is None:
                raise NotFound(f"Unrecognized servable version label: {label[:64]}")
            return found
        found = active if version is None else active.numbered().get(version)
        if found is None:
            raise rest_format.no_such_model(name, str(version))
        return found

    def status(name: str, version: int | None = None, label: str | None = None) -> Response:
        if ":" in f"{name}{label or ''}":  # a verb that is not asked for so
            raise verbs.malformed(request.method, request.path)
        active = deployments.now().deployments.get(name)
        if active is None:
            raise NotFound(f"Could not find any versions of model {name[:64]}")
        chosen = active.numbered().values()
        if version is not None or label is not None:
            try:
                chosen = {0: find(name, version, label)}.values()
            except NotFound as error:
                raise NotFound(f"Could not find version {label or version} of model {name[:64]}") from error
        lines = [rest_format.status(str(d.version)) for d in sorted(chosen, key=lambda d: -d.version)]
        return json_answer({"model_version_status": lines})

    def metadata(name: str, version: int | None = None, label: str | None = None) -> Response:
        found = find(name, version, label)
        return json_answer(rest_format.describe(signatures(found), name, str(found.version)))

    def predict(name: str, version: int | None = None, label: str | None = None) -> Response:
        found = find(name, version, label)
        g.model = f"{found.name}:{found.version}"
        body = read_plain_body()
        pictures, rows = _pictures(body, found)
        inputs: rest_format.Arrays = {} if pictures is None else {"input": pictures}
        if pictures is None:
            asked = rest_format.read_request(body, signatures(found))
            inputs, rows = asked.inputs, asked.rows
        count = rest_format.count_examples(inputs)
        answers = found.engine.answer(inputs)
        labels = (("model", found.name), ("version", str(found.version)))
        metrics.add("workbench_tensors_total", labels, count)
        return Response(rest_format.write_answer(answers, rows), mimetype="application/json")

    def refuse(verb: str, name: str, version: int | None = None, label: str | None = None) -> Response:
        raise verbs.refuse_examples(verb, read_plain_body(), signatures(find(name, version, label)))

    for place in ("", "/versions/<int:version>", "/labels/<label>"):
        at = f"/v1/models/<name>{place}"
        app.add_url_rule(at, f"v1_status{place}", status, methods=["GET"])
        app.add_url_rule(f"{at}/metadata", f"v1_metadata{place}", metadata, methods=["GET"])
        app.add_url_rule(f"{at}:predict", f"v1_predict{place}", predict, methods=["POST"])
        for verb in ("classify", "regress"):
            app.add_url_rule(f"{at}:{verb}", f"v1_{verb}{place}", partial(refuse, verb), methods=["POST"])


def read_plain_body() -> bytes:
    """Read the request's body, which may be gzip'd, and grows to no more than may be sent plain."""
    return verbs.unpack(read_body(), request.headers.get("Content-Encoding", ""), MAX_BODY)


def signatures(deployment: Deployment) -> dict[str, Signature]:
    """Give the inputs and outputs of a version of ours."""
    manifest = deployment.manifest
    fetches = {name: one.shape for name, one in manifest.fetches.items()} or {
        "output": (len(manifest.labels),)
    }
    return {
        SIGNATURE: Signature(
            {
                name: Tensor(
                    rest_format.dtype_of(one.dtype),
                    (-1, *(-1 if side is None else side for side in one.shape)),
                )
                for name, one in manifest.feeds.items()
            },
            {name: Tensor("DT_FLOAT", (-1, *shape)) for name, shape in fetches.items()},
        )
    }


def _pictures(body: bytes, deployment: Deployment) -> tuple[NDArray[np.float32] | None, bool]:
    """The inputs, where the request sends pictures as base64 to a model that takes some; and whether in rows."""
    if b'"b64"' not in body or not deployment.takes_pictures:
        return None, True
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return None, True  # said by whoever reads it next
    if not isinstance(asked, dict) or ("instances" in asked) == ("inputs" in asked):
        return None, True
    rows = "instances" in asked
    sent: Any = asked["instances" if rows else "inputs"]
    if not rows and isinstance(sent, dict) and sent.keys() == {"input"}:
        sent = sent["input"]
    if rows and isinstance(sent, list):
        sent = [i["input"] if isinstance(i, dict) and i.keys() == {"input"} else i for i in sent]
    if not isinstance(sent, list) or not 0 < len(sent) <= MAX_PICTURES:
        raise BadInput(f"send a list of 1 to {MAX_PICTURES} pictures")
    if asked.get("signature_name", SIGNATURE) != SIGNATURE:
        return None, rows
    return np.concatenate([_picture(one, deployment) for one in sent]), rows


def _picture(value: Any, deployment: Deployment) -> NDArray[np.float32]:
    text = value.get("b64") if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise BadInput(f'expected {{"b64": "…"}}. Received: {str(value)[:60]}')
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInput(f"the base64 is damaged: {error}") from error
    x, _ = prepare(data, deployment.manifest)
    if x is None:
        raise BadInput("nothing is drawn on a picture")
    return x
