"""Putting a version behind a back end, here or on another machine, over the back end's own routes."""

import http.client
import json
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from workbench import artifact
from workbench.errors import BadInput, ModelRefused, NotFound, Unavailable, WorkbenchError
from workbench.registry import Version

TIMEOUT_S = 60.0


def deploy(version: Version, backend_url: str, token: str, *, reason: str = "") -> dict[str, Any]:
    """Push a version and let it answer from now on; give what the back end then says of the model.

    A version that is there already is not sent again, so deploying twice is fine.

    Raises
    ------
    ModelRefused
        The back end's own check failed; what served before goes on serving.
    Unavailable
        Nothing answers at ``backend_url``.
    """
    artifact.verify(version.folder)
    if not _has(version, backend_url):
        with tempfile.TemporaryDirectory() as aside:
            archive = artifact.pack(version.folder, Path(aside) / "version.zip")
            with archive.open("rb") as body:
                _ask(
                    "PUT",
                    f"{backend_url}/models/{version.name}/versions/{version.version}",
                    token,
                    body=body,
                    headers={
                        "Content-Type": "application/zip",
                        "Content-Length": str(archive.stat().st_size),
                    },
                )
    return _send(
        f"{backend_url}/models/{version.name}:activate", token, {"version": version.version, "reason": reason}
    )


def rollback(name: str, backend_url: str, token: str, *, reason: str = "") -> dict[str, Any]:
    """Let the version that served before answer again; give what the back end then says of the model."""
    return _send(f"{backend_url}/models/{artifact.check_name(name)}:rollback", token, {"reason": reason})


def deployed(backend_url: str) -> dict[str, Any]:
    """What the back end serves: ``{"predict": name or null, "models": [{"name", "version", "since", …}]}``."""
    return _ask("GET", f"{backend_url}/models", None)


def predict(picture: bytes, backend_url: str) -> dict[str, Any]:
    """Ask the back end which digit a picture file shows."""
    return _ask(
        "POST",
        f"{backend_url}/predict",
        None,
        body=picture,
        headers={"Content-Type": "image/*", "Accept": "application/json"},
    )


def _has(version: Version, backend_url: str) -> bool:
    return any(
        m["name"] == version.name and version.version in (m["version"], m.get("previous"))
        for m in deployed(backend_url)["models"]
    )


def _send(url: str, token: str, value: dict[str, Any]) -> dict[str, Any]:
    return _ask(
        "POST", url, token, body=json.dumps(value).encode(), headers={"Content-Type": "application/json"}
    )


def _ask(
    method: str, url: str, token: str | None, *, body: Any = None, headers: dict[str, str] | None = None
) -> Any:
    if not url.startswith(("http://", "https://")):
        raise BadInput(f"a back end's address begins with http:// or https://. Received: {url!r}")
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})  # noqa: S310
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        raise _explain(error, method, url) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise Unavailable(f"no back end answers at {url}: {reason}; start it with: workbench up") from error


def _explain(error: urllib.error.HTTPError, method: str, url: str) -> WorkbenchError:
    with error:
        text = error.read(100_000).decode(errors="replace")
    try:
        said = json.loads(text)
        message = said.get("error", {}).get("message") or said.get("message") or text
    except (ValueError, AttributeError):
        message = text.strip().splitlines()[0] if text.strip() else error.reason
    kind = {404: NotFound, 401: BadInput, 403: BadInput, 503: Unavailable}.get(
        error.code, ModelRefused if method == "PUT" else WorkbenchError
    )
    return kind(f"the back end at {url} answered {error.code}: {message}")
