"""Which versions are here, which of them serve, and how that changes under running workers.

On disk, under the back end's own folder::

    models/NAME/V/      pushed versions; a folder is there whole or not at all, and never changes
    deployments.json    which version of each model serves, since when, and which one did before
    under_way.json      what ``workbench up`` says while there is no model yet

Every worker looks at ``deployments.json``'s inode and time at each request (a microsecond), so that a change made
by any worker holds for every request that begins after it. The version that served before stays in memory.
"""

import fcntl
import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from backend import engines
from workbench import artifact
from workbench.errors import BadInput, ModelRefused, NotFound, WorkbenchError

HISTORY = 100
RETRY_S = 5.0
STALE_S = 3600.0


class Conflict(WorkbenchError):
    """What is asked for contradicts what is there; nothing was changed."""


@dataclass(frozen=True)
class Deployment:
    """The version of a model that answers."""

    name: str
    version: int
    since: str
    previous: int | None
    manifest: Mapping[str, Any] = field(repr=False)
    engine: engines.Engine = field(repr=False)

    @property
    def takes_pictures(self) -> bool:
        """Whether a drawing can be brought into the form of its input."""
        wanted = self.manifest["input"]
        return wanted.get("kind") == "image" and len(wanted["shape"]) == 3 and wanted["shape"][2] in (1, 3)


@dataclass(frozen=True)
class Serving:
    """What serves at one moment."""

    deployments: Mapping[str, Deployment]
    """By name, the most recently activated last."""
    failed: Mapping[str, str]
    """Why a deployed version could not be loaded here; the one before it answers if there is one."""

    @property
    def default(self) -> Deployment | None:
        """The most recently activated model whose input is a picture."""
        return next((d for d in reversed([*self.deployments.values()]) if d.takes_pictures), None)


class Deployments:
    """The back end's folder as one worker sees it; all methods may be called from many threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "deployments.json"
        self._lock = threading.Lock()
        self._engines: dict[tuple[str, int], tuple[dict[str, Any], engines.Engine]] = {}
        self._seen: object = ()
        self._serving = Serving({}, {})
        self._retry_at = 0.0

    # ── reading ──────────────────────────────────────────────────────────────────────────────────

    def now(self) -> Serving:
        """What serves now; where that has changed, the new version is loaded first."""
        if self._seen != self._mark() or (self._serving.failed and time.monotonic() > self._retry_at):
            with self._lock:
                mark = self._mark()
                if self._seen != mark or (self._serving.failed and time.monotonic() > self._retry_at):
                    self._serving = self._load()
                    self._retry_at = time.monotonic() + RETRY_S
                    self._seen = mark
        return self._serving

    def under_way(self) -> dict[str, Any]:
        """``state``, ``message``, ``step`` and ``of`` of what is being done while no model answers."""
        if failed := self._serving.failed:
            return {"state": "failed", "message": "; ".join(failed.values())}
        try:
            said = json.loads((self._folder / "under_way.json").read_text())
            return {
                "state": str(said["state"]),
                "message": str(said["message"]),
                "step": said.get("step"),
                "of": said.get("of"),
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {"state": "waiting", "message": "no model is deployed yet"}

    def open_zip(self, name: str, version: int) -> BinaryIO:
        """The version as an open zip, gone from the disk once it is closed."""
        folder = self._find(name, version)
        with self._aside() as aside:
            return artifact.pack(folder, aside / "version.zip").open("rb")

    # ── changing ─────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def receiving(self) -> Iterator[Path]:
        """Where to put a zip that is to be pushed; removed at the end."""
        with self._aside() as aside:
            yield aside / "version.zip"

    def push(self, name: str, version: int, zipped: Path) -> bool:
        """Check a zipped version and keep it; whether it is new (the very same one may come again).

        Raises
        ------
        ModelRefused, NeedsTensorFlow
            It is damaged, is not what its name says, or fails its own check.
        Conflict
            Another version of that number is here: versions never change.
        """
        _check_number(artifact.check_name(name), version)
        with self._aside() as aside:
            folder = aside / "version"
            artifact.unpack(zipped, folder)
            manifest = artifact.verify(folder)
            if (manifest.get("name"), manifest.get("version")) != (name, version):
                raise ModelRefused(
                    f"the zip holds {manifest.get('name')}:{manifest.get('version')}, not {name}:{version}"
                )
            _check_manifest(manifest)
            engines.load(folder, manifest)
            target = self._path(name, version)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                folder.rename(target)
            except OSError as error:
                if not target.is_dir():
                    raise
                if artifact.read_manifest(target)["files"] != manifest["files"]:
                    raise Conflict(
                        f"another {name}:{version} is here already and versions never change; "
                        "publish this one under the next number"
                    ) from error
                return False
        return True

    def activate(self, name: str, version: int, reason: str = "") -> Deployment:
        """Let a pushed version answer from the next request on, in every worker. Already active: nothing changes.

        Raises
        ------
        NotFound
            It was never pushed.
        ModelRefused
            It fails its own check; the one before it keeps answering.
        """
        self._find(name, version)
        self._engine(name, version)
        with self._changing() as models:
            if models.get(name, {}).get("version") != version:
                _switch(models, name, version, "activate", reason)
                models[name] = models.pop(name)  # the most recently activated is last
        return self._answering(name, version)

    def rollback(self, name: str, reason: str = "") -> Deployment:
        """Let the version answer that did before; once more, and it is the newer one again.

        Raises
        ------
        NotFound
            No such model serves.
        Conflict
            None did before.
        """
        before = self.now().deployments.get(name)
        if before is not None and before.previous is not None:
            self._engine(name, before.previous)
        with self._changing() as models:
            if name not in models:
                raise NotFound(f"no model {name!r} serves here, so there is nothing to roll back")
            version = models[name].get("previous")
            if version is None:
                raise Conflict(f"{name}:{models[name]['version']} is the first version that served here")
            _switch(models, name, version, "rollback", reason)
        return self._answering(name, version)

    def _answering(self, name: str, version: int) -> Deployment:
        deployment = self.now().deployments.get(name)
        if deployment is None or name in self.now().failed:
            raise ModelRefused(
                f"{name}:{version} could not be loaded: {self.now().failed.get(name, 'removed')}"
            )
        return deployment

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """The deployments, to be changed by one process at a time; written whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                models = self._read()
            except WorkbenchError:  # damaged by hand: kept beside for whoever did it
                self._file.replace(self._file.with_suffix(".damaged"))
                models = {}
            before = json.dumps(models)
            yield models
            text = json.dumps({"format": 1, "models": models}, indent=2) + "\n"
            if json.dumps(models) != before:
                aside = self._folder / f".deployments.{secrets.token_hex(4)}"
                try:
                    with aside.open("w") as file:
                        file.write(text)
                        file.flush()
                        os.fsync(file.fileno())
                    aside.replace(self._file)
                finally:
                    aside.unlink(missing_ok=True)

    @contextmanager
    def _aside(self) -> Iterator[Path]:
        """A new folder beside the versions, removed at the end; those of killed processes go too."""
        incoming = self._folder / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        for left in incoming.iterdir():
            if time.time() - left.stat().st_mtime > STALE_S:
                shutil.rmtree(left, ignore_errors=True)
        folder = incoming / secrets.token_hex(8)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    # ── loading ──────────────────────────────────────────────────────────────────────────────────

    def _mark(self) -> object:
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._file.read_text())["models"])
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError) as error:
            raise WorkbenchError(
                f"{self._file} is damaged ({error}); activate a version again to rewrite it"
            ) from error

    def _load(self) -> Serving:
        deployments, failed = {}, {}
        try:
            entries = self._read()
        except WorkbenchError as error:
            return Serving(self._serving.deployments, {self._file.name: str(error)})
        for name, entry in entries.items():
            try:
                manifest, engine = self._engine(name, entry["version"])
                deployments[name] = Deployment(
                    name, entry["version"], entry["since"], entry.get("previous"), manifest, engine
                )
            except (WorkbenchError, OSError, KeyError, TypeError) as error:
                failed[name] = str(error)
                if name in self._serving.deployments:
                    deployments[name] = self._serving.deployments[name]
        wanted = {(d.name, v) for d in deployments.values() for v in (d.version, d.previous)}
        self._engines = {key: loaded for key, loaded in self._engines.items() if key in wanted}
        return Serving(deployments, failed)

    def _engine(self, name: str, version: int) -> tuple[dict[str, Any], engines.Engine]:
        """Manifest and engine of a version, loaded and checked at first use."""
        loaded = self._engines.get((name, version))
        if loaded is None:
            folder = self._find(name, version)
            manifest = artifact.read_manifest(folder)
            loaded = manifest, engines.load(folder, manifest)
            self._engines[name, version] = loaded
        return loaded

    def _path(self, name: str, version: int) -> Path:
        return self._folder / "models" / name / str(version)

    def _find(self, name: str, version: int) -> Path:
        _check_number(artifact.check_name(name), version)
        path = self._path(name, version)
        if not path.is_dir():
            raise NotFound(
                f"{name}:{version} was not pushed to this back end; PUT /models/{name}/versions/{version}"
            )
        return path


def _switch(models: dict[str, Any], name: str, version: int, action: str, reason: str) -> None:
    entry = models.setdefault(name, {"version": None, "history": []})
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    entry |= {"version": version, "since": since, "previous": entry["version"]}
    entry["history"] = [
        *entry["history"][1 - HISTORY :],
        {"t": since, "action": action, "version": version, "reason": reason},
    ]


def _check_number(name: str, version: int) -> None:
    if isinstance(version, bool) or not isinstance(version, int) or not 0 < version < 1_000_000_000:
        raise BadInput(f"a version of {name} is a whole number from 1. Received: {version!r}")


def _check_manifest(manifest: dict[str, Any]) -> None:
    """Refuse what would only fail at the first request."""
    wanted, labels = manifest.get("input"), manifest.get("labels")
    shape = wanted.get("shape") if isinstance(wanted, dict) else None
    if not isinstance(shape, list) or not all(isinstance(side, int) and side > 0 for side in shape):
        raise ModelRefused(f"the manifest's input must have a shape of whole numbers. Received: {wanted!r}")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ModelRefused(f"the manifest's labels must be a list of texts. Received: {labels!r}")
    limits = (wanted or {}).get("range") or [0, 255]
    if not isinstance(limits, list) or [type(limit) in (int, float) for limit in limits] != [True, True]:
        raise ModelRefused(f"the manifest's input range must be two numbers. Received: {limits!r}")
    preprocessing = manifest.get("preprocessing")
    if preprocessing not in ("mnist", "resize", "none"):
        raise ModelRefused(
            f"the manifest's preprocessing must be mnist, resize or none. Received: {preprocessing!r}"
        )
    if preprocessing == "mnist" and shape != [28, 28, 1]:
        raise ModelRefused(f"preprocessing mnist gives pictures (28, 28, 1), the model takes {shape}")
