"""Describe every route, its request and its possible answers as OpenAPI 3.0, for ``/openapi.json``."""

from collections.abc import Mapping, Sequence

Schema = Mapping[str, object]

_NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,62}$"},
}
_VERSION = {
    "name": "version",
    "in": "path",
    "required": True,
    "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
}
_LABEL = {
    "name": "label",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "enum": ["stable", "canary"]},
}
_TEXT: Schema = {"type": "string"}
_DIGIT: Schema = {"type": "integer", "minimum": 0, "maximum": 9}
_WHY: Schema = {"type": "string", "maxLength": 500}
_IDS = {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 500}
_GIVER = {
    "kind": {"type": "string", "enum": ["correction", "collected"]},
    "writer": {"type": "string", "maxLength": 40},
    "session": {"type": "string", "pattern": "^[A-Za-z0-9_-]{16,64}$"},
}
_SECRETS = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 500}]}
_SERVE = {
    "imageUrl": _TEXT,
    "imageSize": {"type": "string", "example": "28x28x1"},
    "modelUrl": _TEXT,
    "modelName": _TEXT,
    "inputs": {"type": "string", "description": "one example by the model's names, as JSON"},
    "inputRange": {"type": "string", "example": "0,255"},
    "layout": {"type": "string", "example": "NHWC"},
    "signature": {"type": "string", "example": "serving_default"},
    "output": _TEXT,
}
_FILE: Schema = {"type": "string", "format": "binary"}


def describe() -> Schema:
    """Give the whole description."""
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "Workbench back end",
            "version": "1",
            "description": "Which digit a drawing is, and any model about any picture.",
        },
        "paths": _paths(),
        "components": {
            "securitySchemes": {"deployToken": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Error": _object(
                    {"error": _object({"code": _TEXT, "message": _TEXT}, ["code", "message"])}, ["error"]
                ),
                "TensorFlowServingError": _object({"error": _TEXT}, ["error"]),
            },
        },
    }


def _paths() -> Schema:
    image = {"image": {"type": "string", "description": "data:image/png;base64,…"}}
    predict = {
        "application/json": {"schema": _object({**image, "model": _TEXT}, ["image"])},
        "multipart/form-data": {"schema": _object({"image": _FILE, "model": _TEXT}, ["image"])},
        "application/octet-stream": {"schema": _FILE},
        "text/plain": {"schema": {"type": "string", "description": "the canvas' data URL, bare"}},
    }
    serve = {
        "multipart/form-data": {"schema": _object({**_SERVE, "image": _FILE, "model": _FILE})},
        "application/x-www-form-urlencoded": {"schema": _object(_SERVE)},
        "application/json": {"schema": _object({**_SERVE, "image": _TEXT})},
    }
    why = {"reason": _WHY, "who": _WHY}
    number = {"type": "integer", "minimum": 1}
    activate = _object({"version": number, "anyway": {"type": "boolean"}, **why}, ["version"])
    percent = {"type": "number", "minimum": 0, "maximum": 100}
    canary = _object({"version": number, "percent": percent, **why}, ["version", "percent"])
    told = _object({**image, "predicted": _DIGIT, "digit": _DIGIT, **_GIVER}, ["image", "digit"])
    correction: Schema = {"anyOf": [told, _object({"take_back": _SECRETS}, ["take_back"])]}
    model, versioned = [_NAME], [_NAME, _VERSION]
    zip_ = {"application/octet-stream": {"schema": _FILE}}
    link = _object({"expires_s": {"type": "integer", "minimum": 1, "maximum": 604_800}})
    listing = [
        _query("state", {"type": "string", "enum": ["waiting", "accepted", "rejected"]}),
        _query("after", {"type": "integer", "minimum": 0}),
        _query("limit", {"type": "integer", "minimum": 1, "maximum": 200}),
    ]
    paths: dict[str, Schema] = {
        "/predict": {"post": _do("Which digit a drawing is", predict, [_query("model", _TEXT)])},
        "/inside": {
            "get": _do(
                "The layers of the version that serves; with film, the film of the first model's learning",
                parameters=[_query("model", _TEXT), _query("film", {"type": "integer"})],
                also=(503,),
            ),
            "post": _do(
                "What each layer makes of a drawing", predict, [_query("model", _TEXT)], also=(429, 503)
            ),
        },
        "/serve": {"post": _do("Ask any model about a picture", serve, guarded=True)},
        "/corrections": {
            "post": _do(
                "Say which digit a drawing is, or take that back while it waits",
                _json(correction),
                also=(201, 429),
            ),
            "get": _do("List corrections", parameters=listing, guarded=True),
        },
        "/corrections:accept": {"post": _do("Accept", _json(_object({"ids": _IDS}, ["ids"])), guarded=True)},
        "/corrections:reopen": {
            "post": _do("Let them wait again", _json(_object({"ids": _IDS}, ["ids"])), guarded=True)
        },
        "/corrections:reject": {"post": _do("Reject", _json(_object({"ids": _IDS}, ["ids"])), guarded=True)},
        "/corrections/export.zip": {"get": _do("The accepted ones as a data set", guarded=True, also=(409,))},
        "/models": {"get": _do("What serves")},
        "/models/{name}/versions/{version}": {
            "put": _do("Push a version", zip_, versioned, guarded=True, also=(201, 202, 409))
        },
        "/models/{name}/versions/{version}.zip": {
            "get": _do(
                "Download a version",
                parameters=[*versioned, _query("expires", _TEXT), _query("signature", _TEXT)],
                guarded=True,
            )
        },
        "/models/{name}/versions/{version}/upload": {
            "get": _do(
                "How much of a zip is here", parameters=[*versioned, _query("sha256", _TEXT)], guarded=True
            )
        },
        "/models/{name}/versions/{version}:link": {
            "post": _do("A link that expires", _json(link), versioned, guarded=True)
        },
        "/models/{name}:activate": {
            "post": _do("Let a version answer", _json(activate), model, guarded=True)
        },
        "/models/{name}:canary": {
            "post": _do("Let a version answer a share", _json(canary), model, guarded=True, also=(409,))
        },
        "/models/{name}:rollback": {
            "post": _do(
                "Let the version before answer", _json(_object(why)), model, guarded=True, also=(409,)
            )
        },
        "/models/{name}/history": {"get": _do("Who changed what", parameters=model, guarded=True)},
        "/models/{name}/compare": {
            "get": _do(
                "How two versions differ",
                parameters=[*model, _query("versions", {"type": "string", "example": "1,2"})],
                guarded=True,
                also=(409,),
            )
        },
        "/healthz": {"get": _do("Whether the process serves")},
        "/readyz": {
            "get": _do(
                "Whether a model answers; 503 while none does, or the status that is named",
                parameters=[_query("waiting", {"type": "string", "enum": ["200", "503"]})],
                also=(503,),
            )
        },
        "/metrics": {"get": _do("For Prometheus")},
        "/openapi.json": {"get": _do("This description")},
    }
    examples = _object({"signature_name": _TEXT, "examples": {"type": "array", "items": {}}})
    tensors = _object({"signature_name": _TEXT, "instances": {"type": "array", "items": {}}, "inputs": {}})
    for place, more in (("", []), ("/versions/{version}", [_VERSION]), ("/labels/{label}", [_LABEL])):
        at = "/v1/models/{name}" + place
        paths[at] = {"get": _do("TensorFlow Serving: status", parameters=[_NAME, *more])}
        paths[f"{at}/metadata"] = {"get": _do("TensorFlow Serving: metadata", parameters=[_NAME, *more])}
        for verb in ("classify", "regress"):
            said = f"TensorFlow Serving: {verb}, which no model here has a signature for"
            paths[f"{at}:{verb}"] = {"post": _do(said, _json(examples), [_NAME, *more])}
        paths[f"{at}:predict"] = {"post": _do("TensorFlow Serving: predict", _json(tensors), [_NAME, *more])}
    return paths


def _do(
    summary: str,
    body: Schema | None = None,
    parameters: Sequence[Schema] | None = None,
    *,
    guarded: bool = False,
    also: tuple[int, ...] = (),
) -> Schema:
    """One operation. Each may answer 4xx with an error in words."""
    answers: dict[str, Schema] = {str(status): {"description": ""} for status in (200, *also)}
    answers["4XX"] = {"description": "what was sent cannot be used; the error says why"}
    said: dict[str, object] = {"summary": summary, "responses": answers}
    if body is not None:
        said["requestBody"] = {"content": body, "required": True}
    if parameters:
        said["parameters"] = parameters
    if guarded:
        said["security"] = [{"deployToken": []}]
    return said


def _object(properties: Schema, required: list[str] | None = None) -> Schema:
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def _query(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "required": False, "schema": schema}
