"""What a back end is asked for, here or on another machine, over its own routes.

Deploying, trying, rolling back and comparing versions; serving any model; reviewing visitors' corrections.
"""

import json
import secrets
import tempfile
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from workbench import artifact
from workbench.backends.calls import BrokenOff, ask, ask_bytes, send
from workbench.errors import BadInput
from workbench.models.registry import Version
from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench import datasets

PART_BYTES = 8 * 1024 * 1024
"""Of a version's zip in one request; after a broken connection the next request goes on where the last ended."""
TRIES = 5

Source = str | Path
"""A URL, or a file here."""


def deploy(
    version: Version,
    backend_url: str,
    token: str,
    *,
    reason: str = "",
    who: str = "",
    canary: float | None = None,
    anyway: bool = False,
) -> dict[str, Any]:
    """Push a version and let it answer from now on; give what the back end then says of the model.

    A version that is there already is not sent again, so deploying twice is fine.

    Parameters
    ----------
    canary
        Percent of the drawings that it shall answer beside the active version; 0 ends that. ``None``: it becomes
        the active version.
    anyway
        Also if it is a retraining that is worse than the active version on the held-out part.

    Raises
    ------
    ModelRefused
        The back end's own check failed, or it is worse; what served before goes on serving.
    Unavailable
        Nothing answers at ``backend_url``.
    """
    artifact.verify(version.folder)
    if not _has(version, backend_url):
        with tempfile.TemporaryDirectory() as aside:
            push(version, artifact.pack(version.folder, Path(aside) / "version.zip"), backend_url, token)
    asked = {"version": version.version, "reason": reason, "who": who}
    url = f"{backend_url}/models/{version.name}"
    if canary is not None:
        return dict(send(f"{url}:canary", token, {**asked, "percent": canary}))
    return dict(send(f"{url}:activate", token, {**asked, "anyway": anyway}))


def push(version: Version, archive: Path, backend_url: str, token: str) -> dict[str, Any]:
    """Send a version's zip, in parts that are taken up again where a connection broke; it does not answer yet."""
    url = f"{backend_url}/models/{version.name}/versions/{version.version}"
    size, sha256 = archive.stat().st_size, artifact.sha256(archive)
    with archive.open("rb") as file:
        for left in reversed(range(TRIES)):
            try:
                return _send_parts(file, size, sha256, url, token)
            except BrokenOff:
                if not left:
                    raise
    raise AssertionError("unreachable")


def rollback(name: str, backend_url: str, token: str, *, reason: str = "", who: str = "") -> dict[str, Any]:
    """Let the version that served before answer again; give what the back end then says of the model."""
    url = f"{backend_url}/models/{artifact.check_name(name)}:rollback"
    return dict(send(url, token, {"reason": reason, "who": who}))


def history(name: str, backend_url: str, token: str) -> list[dict[str, Any]]:
    """Who changed what serves, when and why, the latest last: ``[{"t", "action", "version", "who", "reason"}]``."""
    url = f"{backend_url}/models/{artifact.check_name(name)}/history"
    return list(ask("GET", url, token)["history"])


def compare(
    name: str, backend_url: str, token: str, *, versions: tuple[int, int] | None = None
) -> dict[str, Any]:
    """How two versions differ; without ``versions`` the active one and its canary, or the one before.

    Returns
    -------
    ``{"versions": [a, b], "metrics": {…}, "drawings": {"count", "agreed", "disagreements": [{"t", "picture",
    "answers"}]}, "corrections": {"count", "versions": {"7": {"right", "accuracy", "low", "high"}}}}``
    """
    query = f"?versions={versions[0]},{versions[1]}" if versions else ""
    return dict(ask("GET", f"{backend_url}/models/{artifact.check_name(name)}/compare{query}", token))


def deployed(backend_url: str) -> dict[str, Any]:
    """What the back end serves: ``{"predict": name or null, "models": [{"name", "version", "since", …}]}``."""
    return dict(ask("GET", f"{backend_url}/models"))


def link(version: Version, backend_url: str, token: str, *, expires_s: int = 3600) -> str:
    """A URL from which anybody can download a pushed version for a while."""
    url = f"{backend_url}/models/{version.name}/versions/{version.version}:link"
    return f"{backend_url}{send(url, token, {'expires_s': expires_s})['url']}"


def predict(picture: bytes, backend_url: str) -> dict[str, Any]:
    """Ask the back end which digit a picture file shows."""
    headers = {"Content-Type": "image/*", "Accept": "application/json"}
    return dict(ask("POST", f"{backend_url}/predict", body=picture, headers=headers))


def serve(
    image: Source,
    backend_url: str,
    token: str | None = None,
    *,
    model: Source | None = None,
    model_name: str | None = None,
    image_size: str | None = None,
) -> dict[str, Any]:
    """Ask any model about a picture: ``{"class", "label", "scores", "model"}``.

    Parameters
    ----------
    image, model
        A URL or a file here; ``model`` is a zip, ``.keras`` or ``.onnx`` file, and needs the token.
    model_name
        A model that serves there; beside ``model`` the labels: ``Mnist``, ``Cifar10`` or ``FashionMnist``.
    image_size
        ``WIDTHxHEIGHTxCHANNELS``, what the model takes.
    """
    fields = {"modelName": model_name, "imageSize": image_size}
    files: dict[str, Path] = {}
    for name, source in (("image", image), ("model", model)):
        if isinstance(source, Path):
            files[name] = source
        elif source is not None:
            fields[f"{name}Url"] = source
    with tempfile.TemporaryFile() as body:
        kind = _write_form(body, {k: v for k, v in fields.items() if v}, files)
        headers = {"Content-Type": kind, "Content-Length": str(body.tell())}
        body.seek(0)
        return dict(ask("POST", f"{backend_url}/serve", token, body=body, headers=headers, timeout_s=120))


# ── corrections ──────────────────────────────────────────────────────────────────────────────────


def corrections(
    backend_url: str, token: str, *, state: str | None = None, after: int = 0, limit: int = 50
) -> dict[str, Any]:
    """What visitors corrected: ``{"corrections": [{"id", "t", "state", "predicted", "digit", "model", "version",
    "picture"}], "next": for ``after`` or null, "counts": {"waiting", "accepted", "rejected"}}``."""
    query = {"after": after, "limit": limit} | ({"state": state} if state else {})
    return dict(ask("GET", f"{backend_url}/corrections?{urllib.parse.urlencode(query)}", token))


def all_corrections(backend_url: str, token: str, *, state: str | None = None) -> list[dict[str, Any]]:
    """All corrections in a state, or in any, the oldest first; without their pictures."""
    found: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = corrections(backend_url, token, state=state, after=after, limit=200)
        found += [{k: v for k, v in c.items() if k != "picture"} for c in page["corrections"]]
        after = page["next"]
    return found


def review_many(
    ids: list[str] | None, verdict: Literal["accept", "reject"], backend_url: str, token: str
) -> list[dict[str, Any]]:
    """As :func:`review`, however many they are; all that wait where no ids are given."""
    if ids is None:
        ids = [c["id"] for c in all_corrections(backend_url, token, state="waiting")]
    done: list[dict[str, Any]] = []
    for i in range(0, len(ids), 500):
        done += review(ids[i : i + 500], verdict, backend_url, token)["corrections"]
    return done


def review(
    ids: list[str], verdict: Literal["accept", "reject", "reopen"], backend_url: str, token: str
) -> dict[str, Any]:
    """Accept or reject corrections, or let them wait again, all or none; ids may be shortened to 6 characters."""
    return dict(send(f"{backend_url}/corrections:{verdict}", token, {"ids": ids}))


def export_corrections(backend_url: str, token: str, settings: Settings) -> "datasets.Corrected":
    """Fetch the accepted corrections as a data set version, which recipes read with ``datasets.corrections()``.

    The same corrections are not kept twice: what is there already is given back.
    """
    return keep_corrections(fetch_corrections(backend_url, token), settings)


def fetch_corrections(backend_url: str, token: str) -> bytes:
    """The accepted corrections, as a zip."""
    return ask_bytes("GET", f"{backend_url}/corrections/export.zip", token)


def keep_corrections(zipped: bytes, settings: Settings) -> "datasets.Corrected":
    """Keep what :func:`fetch_corrections` gave as a data set version of this computer."""
    from workbench import datasets  # NumPy comes with it

    with tempfile.TemporaryDirectory() as aside:
        archive, folder = Path(aside) / "corrections.zip", Path(aside) / "corrections"
        archive.write_bytes(zipped)
        artifact.unpack(archive, folder)
        artifact.verify(folder)
        return datasets.add_corrections(folder, settings)


# ── how it is sent ───────────────────────────────────────────────────────────────────────────────


def _send_parts(file: BinaryIO, size: int, sha256: str, url: str, token: str) -> dict[str, Any]:
    received = int(ask("GET", f"{url}/upload?sha256={sha256}", token)["received"])
    while True:
        file.seek(received)
        part = file.read(PART_BYTES)
        answer = ask(
            "PUT",
            url,
            token,
            body=part,
            headers={
                "Content-Type": "application/zip",
                "Content-Range": f"bytes {received}-{received + len(part) - 1}/{size}",
                "X-Content-SHA256": sha256,
            },
        )
        if "received" not in answer:
            return dict(answer)
        received = int(answer["received"])


def _has(version: Version, backend_url: str) -> bool:
    def versions(model: dict[str, Any]) -> tuple[Any, ...]:
        return model["version"], model.get("previous"), (model.get("canary") or {}).get("version")

    return any(
        m["name"] == version.name and version.version in versions(m) for m in deployed(backend_url)["models"]
    )


def _write_form(body: Any, fields: dict[str, str], files: dict[str, Path]) -> str:
    """Write ``multipart/form-data``; give its Content-Type."""
    boundary = secrets.token_hex(16)
    for name, value in fields.items():
        body.write(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        )
    for name, path in files.items():
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename={json.dumps(path.name)}'
        )
        body.write(f"{head}\r\nContent-Type: application/octet-stream\r\n\r\n".encode())
        try:
            body.write(path.read_bytes())
        except OSError as error:
            raise BadInput(f"{path} cannot be read: {error.strerror}") from error
        body.write(b"\r\n")
    body.write(f"--{boundary}--\r\n".encode())
    return f"multipart/form-data; boundary={boundary}"
