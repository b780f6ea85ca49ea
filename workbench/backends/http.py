"""A back end, here or on another machine, over its own routes."""

import tempfile
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from workbench import artifact
from workbench.backends.calls import BrokenOff, Calls
from workbench.backends.comparison_values import Comparison
from workbench.backends.correction_values import Correction, CorrectionPage, Counts, State, Verdict
from workbench.backends.how import SAYS_NOTHING, How
from workbench.backends.values import Change, Classified, Deployment, Prediction, Source, opened
from workbench.manifest import File
from workbench.models.registry import Version

PART_BYTES = 8 * 1024 * 1024
"""Of a version's zip in one request; after a broken connection the next request goes on where the last ended."""
PIECE_BYTES = 256 * 1024
"""Of a part that are in memory at a time."""
TRIES = 5
SERVE_TIMEOUT_S = 120.0
PAGE, AT_ONCE = 200, 500
"""Corrections that the back end tells, and reviews, in one request."""


class HttpBackEnd:
    """See ``BackEnd``. A version of a gigabyte takes no more memory than a small one.

    Parameters
    ----------
    token
        Opens the guarded routes.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self._calls = Calls(url, token)

    @property
    def url(self) -> str:
        """Address of its routes."""
        return self._calls.url

    # ── versions ─────────────────────────────────────────────────────────────────────────────────

    def models(self) -> tuple[Deployment, ...]:
        """See ``BackEnd``; so with all below."""
        return self._calls.ask(
            "GET", "/models", lambda said: tuple(map(Deployment.from_json, said["models"])), public=True
        )

    def deploy(
        self,
        version: Version,
        *,
        who: str = "",
        reason: str = "",
        canary: float | None = None,
        anyway: bool = False,
    ) -> Deployment:
        artifact.verify(version.folder)
        if not any(m.name == version.name and version.version in m.versions for m in self.models()):
            self._send(version)
        asked = {"version": version.version, "reason": reason, "who": who}
        if canary is None:
            return self._change(version.name, "activate", {**asked, "anyway": anyway})
        return self._change(version.name, "canary", {**asked, "percent": canary})

    def rollback(self, name: str, *, who: str = "", reason: str = "") -> Deployment:
        return self._change(artifact.check_name(name), "rollback", {"reason": reason, "who": who})

    def _change(self, name: str, verb: str, asked: dict[str, object]) -> Deployment:
        return self._calls.ask("POST", f"/models/{name}:{verb}", Deployment.from_json, value=asked)

    def history(self, name: str) -> tuple[Change, ...]:
        return self._calls.ask(
            "GET",
            f"/models/{artifact.check_name(name)}/history",
            lambda said: tuple(map(Change.from_json, said["history"])),
        )

    def compare(self, name: str, versions: tuple[int, int] | None = None) -> Comparison:
        query = f"?versions={versions[0]},{versions[1]}" if versions else ""
        return self._calls.ask(
            "GET", f"/models/{artifact.check_name(name)}/compare{query}", Comparison.from_json
        )

    def link(self, version: Version, *, expires_s: int = 3600) -> str:
        artifact.verify(version.folder)
        self._send(version)
        path = f"/models/{version.name}/versions/{version.version}:link"
        return self._calls.ask(
            "POST", path, lambda said: f"{self.url}{said['url']}", value={"expires_s": expires_s}
        )

    # ── pictures ─────────────────────────────────────────────────────────────────────────────────

    def predict(self, picture: bytes) -> Prediction:
        headers = {"Content-Type": "image/*", "Accept": "application/json"}
        return self._calls.ask(
            "POST", "/predict", Prediction.from_json, body=picture, headers=headers, public=True
        )

    def serve(
        self,
        image: Source | None,
        *,
        model: Source | None = None,
        model_name: str | None = None,
        how: How = SAYS_NOTHING,
    ) -> Classified:
        form: dict[str, str | IO[bytes]] = {}
        form |= {"modelName": model_name} if model_name else {}
        form |= how.as_form()
        with ExitStack() as stack:
            for name, source in (("image", image), ("model", model)):
                if isinstance(source, Path):
                    form[name] = stack.enter_context(opened(source))
                elif source is not None:
                    form[f"{name}Url"] = source
            return self._calls.ask(
                "POST", "/serve", Classified.from_json, form=form, timeout_s=SERVE_TIMEOUT_S
            )

    # ── corrections ──────────────────────────────────────────────────────────────────────────────

    def corrections(
        self, state: State | None = None, *, most: int | None = None, pictures: bool = False
    ) -> CorrectionPage:
        found: list[Correction] = []
        after: int | None = 0
        while after is not None:
            limit = PAGE if most is None else min(PAGE, most - len(found))
            page, after = self._page(state, after, max(1, limit))
            found += page.corrections
            if most is not None and len(found) >= most:
                break
        if not pictures:
            found = [correction.without_picture() for correction in found]
        return CorrectionPage(tuple(found), page.counts)

    def counts(self) -> Counts:
        return self._page(None, 0, 1)[0].counts

    def _page(self, state: State | None, after: int, limit: int) -> tuple[CorrectionPage, int | None]:
        asked = {"after": after, "limit": limit} | ({"state": state} if state else {})

        def read(said: Any) -> tuple[CorrectionPage, int | None]:
            further = said["next"]
            return CorrectionPage.from_json(said), None if further is None else int(further)

        return self._calls.ask("GET", f"/corrections?{urllib.parse.urlencode(asked)}", read)

    def review(self, ids: Sequence[str], verdict: Verdict) -> tuple[Correction, ...]:
        done: tuple[Correction, ...] = ()
        for first in range(0, len(ids), AT_ONCE):
            done += self._calls.ask(
                "POST",
                f"/corrections:{verdict}",
                lambda said: tuple(map(Correction.from_json, said["corrections"])),
                value={"ids": list(ids[first : first + AT_ONCE])},
            )
        return done

    def export(self, destination: Path) -> Path:
        return self._calls.download("/corrections/export.zip", destination)

    # ── a version's way there ────────────────────────────────────────────────────────────────────

    def _send(self, version: Version) -> None:
        with tempfile.TemporaryDirectory() as aside:
            self.push(version, artifact.pack(version.folder, Path(aside) / "version.zip"))

    def push(self, version: Version, archive: Path) -> None:
        """Send a version's zip, in parts that are taken up again where a connection broke; it does not answer yet."""
        path = f"/models/{version.name}/versions/{version.version}"
        size, sha256 = archive.stat().st_size, File.of(archive).sha256
        with archive.open("rb") as file:
            for left in reversed(range(TRIES)):
                try:
                    self._send_parts(file, size, sha256, path)
                    return
                except BrokenOff:
                    if not left:
                        raise

    def _send_parts(self, file: IO[bytes], size: int, sha256: str, path: str) -> None:
        received: int | None = self._calls.ask("GET", f"{path}/upload?sha256={sha256}", _received)
        while received is not None:
            length = min(PART_BYTES, size - received)
            received = self._calls.ask(
                "PUT",
                path,
                _received,
                body=_part(file, received, length),
                headers={
                    "Content-Type": "application/zip",
                    "Content-Length": str(length),
                    "Content-Range": f"bytes {received}-{received + length - 1}/{size}",
                    "X-Content-SHA256": sha256,
                },
            )


def _received(said: Any) -> int | None:
    """Bytes of the zip that are there; ``None`` once it is whole."""
    received = said.get("received")
    return None if received is None else int(received)


def _part(file: IO[bytes], start: int, length: int) -> Iterator[bytes]:
    file.seek(start)
    while length > 0 and (piece := file.read(min(PIECE_BYTES, length))):
        length -= len(piece)
        yield piece
