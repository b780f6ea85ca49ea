"""The application's back end on AWS, asked by a command on its machine; files go by way of the bucket.

No token leaves AWS: the back end's machine has its own. Its far end is :mod:`workbench.backends.on_machine`.
"""

import json
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from workbench import artifact
from workbench.aws import commands, names, outputs
from workbench.aws.bucket import Bucket
from workbench.aws.session import Session
from workbench.backends.comparison_values import Comparison
from workbench.backends.correction_values import Correction, CorrectionPage, Counts, State, Verdict
from workbench.backends.how import SAYS_NOTHING, How
from workbench.backends.values import Change, Classified, Deployment, Prediction, Source, opened
from workbench.errors import BadInput, ModelRefused, NotFound, Unavailable, WorkbenchError
from workbench.models.registry import Version
from workbench.settings import Settings

TIMEOUT_S = 300.0
KINDS = {kind.__name__: kind for kind in (BadInput, NotFound, ModelRefused, Unavailable)}
"""Errors that the machine may tell by their names."""
_RECEIVE = (
    'cd "${WORKBENCH_MACHINE_ROOT:-/opt/workbench}/code" && '
    'exec ../env/bin/python -m workbench.backends.on_machine "$1"'
)
T = TypeVar("T")


class AwsBackEnd:
    """See ``BackEnd``. A call takes a second or two: it is a command that a machine fetches."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session, self._settings = session, settings
        self._bucket = Bucket(session)

    @property
    def url(self) -> str:
        """Name of the application: its back end has no address for the world."""
        return f"aws:{self._settings.aws_stack}"

    # ── versions ─────────────────────────────────────────────────────────────────────────────────

    def models(self) -> tuple[Deployment, ...]:
        """See ``BackEnd``; so with all below."""
        return self._ask("models", lambda said: tuple(map(Deployment.from_json, said)))

    def deploy(
        self,
        version: Version,
        *,
        who: str = "",
        reason: str = "",
        canary: float | None = None,
        anyway: bool = False,
    ) -> Deployment:
        machine = self._machine()  # nothing is stored for an application that is not there
        return self._ask(
            "deploy",
            Deployment.from_json,
            machine,
            **self._stored(version),
            who=who,
            reason=reason,
            canary=canary,
            anyway=anyway,
        )

    def rollback(self, name: str, *, who: str = "", reason: str = "") -> Deployment:
        name = artifact.check_name(name)
        return self._ask("rollback", Deployment.from_json, name=name, who=who, reason=reason)

    def history(self, name: str) -> tuple[Change, ...]:
        name = artifact.check_name(name)
        return self._ask("history", lambda said: tuple(map(Change.from_json, said)), name=name)

    def compare(self, name: str, versions: tuple[int, int] | None = None) -> Comparison:
        name = artifact.check_name(name)
        return self._ask("compare", Comparison.from_json, name=name, versions=versions)

    def link(self, version: Version, *, expires_s: int = 3600) -> str:
        machine = self._machine()
        return self._ask("link", str, machine, **self._stored(version), expires_s=expires_s)

    def _stored(self, version: Version) -> dict[str, object]:
        """Store a version's zip in the bucket, if it is not there, and say where; versions never change."""
        artifact.verify(version.folder)
        key = names.version_key(self._session.home, version.name, version.version)
        if not self._bucket.has(key):
            with tempfile.TemporaryDirectory() as aside:
                self._bucket.put(key, artifact.pack(version.folder, Path(aside) / "version.zip"))
        return {"key": key, "name": version.name, "version": version.version}

    # ── pictures ─────────────────────────────────────────────────────────────────────────────────

    def predict(self, picture: bytes) -> Prediction:
        with self._passed_on({"picture": picture}) as keys:
            return self._ask("predict", Prediction.from_json, keys=keys)

    def serve(
        self,
        image: Source | None,
        *,
        model: Source | None = None,
        model_name: str | None = None,
        how: How = SAYS_NOTHING,
    ) -> Classified:
        given = {"image": image, "model": model}
        files: dict[str, Path | bytes] = {n: s for n, s in given.items() if isinstance(s, Path)}
        for source in files.values():
            if isinstance(source, Path):
                opened(source).close()
        # A drawing is a data URL, too long for a command's parameters.
        files |= {n: s.encode() for n, s in given.items() if isinstance(s, str) and s.startswith("data:")}
        urls = {name: source for name, source in given.items() if source and name not in files}
        with self._passed_on(files) as keys:
            return self._ask(
                "serve",
                Classified.from_json,
                keys=keys,
                urls=urls,
                model_name=model_name,
                how=vars(how),
            )

    # ── corrections ──────────────────────────────────────────────────────────────────────────────

    def corrections(
        self, state: State | None = None, *, most: int | None = None, pictures: bool = False
    ) -> CorrectionPage:
        return self._ask("corrections", CorrectionPage.from_json, state=state, most=most, pictures=pictures)

    def counts(self) -> Counts:
        return self._ask("counts", Counts.from_json)

    def review(self, ids: Sequence[str], verdict: Verdict) -> tuple[Correction, ...]:
        if not ids:
            return ()
        with self._passed_on({"ids": json.dumps(list(ids)).encode()}) as keys:
            return self._ask(
                "review", lambda said: tuple(map(Correction.from_json, said)), keys=keys, verdict=verdict
            )

    def export(self, destination: Path) -> Path:
        key = f"{commands.left_in(self._session)}/{secrets.token_hex(8)}/corrections.zip"
        try:
            self._ask("export", lambda said: None, key=key)
            self._bucket.download(key, destination)
        except NotFound as error:
            if self._bucket.has(key):
                raise
            raise Unavailable(f"the back end's machine put no corrections to {key}; ask again") from error
        finally:
            self._bucket.delete(key)
        return destination

    # ── how the machine is asked ─────────────────────────────────────────────────────────────────

    @contextmanager
    def _passed_on(self, files: dict[str, Path | bytes]) -> Iterator[dict[str, str]]:
        """Keys of files that the machine may read for a while."""
        prefix = f"models/{self._session.home}/_asked/{secrets.token_hex(8)}"
        keys = {
            name: f"{prefix}/{name}/{source.name if isinstance(source, Path) else name}"
            for name, source in files.items()
        }
        try:
            for name, source in files.items():
                self._bucket.put(keys[name], source)
            yield keys
        finally:
            if keys:
                self._bucket.delete(f"{prefix}/")

    def _machine(self) -> str:
        """The instance of the application's back end; raises ``NotFound``."""
        return outputs.find(self._session, self._settings).backend

    def _ask(self, do: str, read: Callable[[Any], T], machine: str = "", **asked: object) -> T:
        """Give what ``read`` makes of what the back end's machine says to it; ``machine``: where the caller knows which."""
        machine = machine or self._machine()
        told = {"do": do, "bucket": self._bucket.name, **asked}
        try:
            done = commands.run(
                self._session,
                self._bucket,
                [machine],
                ["sh", "-c", _RECEIVE, "receive", json.dumps(told)],
                timeout_s=TIMEOUT_S,
                comment=f"workbench {do} {asked.get('name', '')}".strip(),
            )[machine]
        except NotFound as error:
            raise NotFound(
                f"the back end's machine {machine} takes no commands: {error}; start it with: workbench start app "
                "--provider aws"
            ) from error
        try:
            answer = json.loads(done.stdout.strip().rpartition("\n")[2])
            if not (failed := answer.get("failed")):
                return read(answer["said"])
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            words = (done.stderr or done.stdout).strip()[-500:]
            raise Unavailable(
                f"the back end's machine failed ({done.code}): {words or 'it says nothing'}"
            ) from error
        raise KINDS.get(failed["kind"], WorkbenchError)(failed["message"])
