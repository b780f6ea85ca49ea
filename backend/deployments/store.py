"""The versions that are here, which of them serve, and how that changes under running workers.

On disk, under the back end's own folder::

    models/NAME/V/      pushed versions; a folder is there whole or not at all, and never changes
    deployments.json    which version of each model serves, since when, and which one did before
    under_way.json      what ``workbench up`` says while there is no model yet

Every worker looks at ``deployments.json``'s inode and time at each request (a microsecond), so that a change made
by any worker holds for every request that begins after it. The version that served before stays in memory.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from backend.deployments import engines, trial
from backend.deployments.canary import choose
from backend.deployments.limits import DeafRuns
from backend.deployments.loading import Loaded, load, read_detector
from backend.deployments.manifests import check_manifest, check_number, read_whole, refuse_worse
from backend.deployments.record import FILE, CanaryShare, Change, Record, now, switched
from backend.deployments.values import Canary, Deployment, Serving, UnderWay
from workbench import artifact
from workbench.errors import Conflict, ModelRefused, NotFound, WorkbenchError
from workbench.manifest import read as read_manifest
from workbench.system import files

RETRY_S = 5.0
STALE_S = 3600.0


class Deployments:
    """The back end's folder as one worker sees it; all methods may be called from many threads."""

    def __init__(self, folder: Path, other: engines.Other | None = None) -> None:
        self._folder, self._other = folder, other
        self._record = Record(folder)
        self._lock = threading.Lock()
        self._versions: dict[tuple[str, int], Loaded] = {}
        self._seen: object = ()
        self._serving = Serving({}, {})
        self._retry_at = 0.0

    # ── reading ──────────────────────────────────────────────────────────────────────────────────

    def now(self) -> Serving:
        """Give what serves now; where that has changed, the new version is loaded first."""
        if self.settled() is None:
            with self._lock:
                mark = self._record.mark()
                if self._seen != mark or (self._serving.failed and time.monotonic() > self._retry_at):
                    self._serving = self._load()
                    self._retry_at = time.monotonic() + RETRY_S
                    self._seen = mark
        return self._serving

    def settled(self) -> Serving | None:
        """Give what serves now; ``None`` where that has to be loaded first."""
        if self._seen != self._record.mark() or (self._serving.failed and time.monotonic() > self._retry_at):
            return None
        return self._serving

    def answering(self, picture: bytes) -> Deployment | None:
        """The version that answers this drawing where no model is named."""
        default = self.now().default
        return default and choose(default, picture)

    def history(self, name: str) -> tuple[Change, ...]:
        """List the changes of what serves, the latest last."""
        entry = self._record.read().find(artifact.check_name(name))
        if entry is None:
            raise NotFound(f"no model {name!r} serves here")
        return entry.history

    def version(self, name: str, version: int) -> Deployment:
        """A pushed version with its engine, deployed or not."""
        return Deployment(name, version, "", None, self._loaded(name, version))

    def under_way(self) -> UnderWay:
        """Tell what is being done while no model answers."""
        if failed := self._serving.failed:
            return UnderWay("failed", "; ".join(failed.values()))
        try:
            said = json.loads((self._folder / "under_way.json").read_text())
            return UnderWay(str(said["state"]), str(said["message"]), said.get("step"), said.get("of"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return UnderWay("waiting", "no model is deployed yet")

    def check_pushed(self, name: str, version: int) -> None:
        """Raise ``NotFound`` unless the version is here."""
        self._find(name, version)

    def folder_of(self, name: str, version: int) -> Path:
        """The folder of a pushed version."""
        return self._find(name, version)

    def open_zip(self, name: str, version: int) -> BinaryIO:
        """The version as an open zip, gone from the disk once it is closed."""
        folder = self._find(name, version)
        with self._aside() as aside:
            return artifact.pack(folder, aside / "version.zip").open("rb")

    # ── changing ─────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def receiving(self) -> Iterator[Path]:
        """Make room for a zip that is to be pushed; removed at the end."""
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
        check_number(artifact.check_name(name), version)
        with self._aside() as aside:
            folder = aside / "version"
            artifact.unpack(zipped, folder)
            folder = artifact.root_of(folder)
            manifest = artifact.verify(folder)
            if (manifest.name, manifest.version) != (name, version):
                raise ModelRefused(f"the zip holds {manifest}, not {name}:{version}")
            check_manifest(manifest)
            if engines.has_own_form(folder):
                read_detector(folder, manifest)
                trial.try_version(folder, manifest)
            else:  # in a sandbox of its own
                load(folder, manifest, self._other)
            target = self._path(name, version)
            target.parent.mkdir(parents=True, exist_ok=True)
            is_new = files.publish(folder, target)
            if not is_new and read_manifest(target) != manifest:
                raise Conflict(
                    f"another {name}:{version} is here already and versions never change; "
                    "publish this one under the next number"
                )
        return is_new

    def activate(
        self, name: str, version: int, reason: str = "", *, who: str = "", anyway: bool = False
    ) -> Deployment:
        """Let a pushed version answer from the next request on, in every worker. Already active: nothing changes.

        A canary of the model ends.

        Raises
        ------
        NotFound
            It was never pushed.
        ModelRefused
            It fails its own check, or is a retraining that is worse than what serves and ``anyway`` is not set;
            the one before it keeps answering.
        """
        folder = self._find(name, version)
        manifest = self._loaded(name, version).manifest
        before = self.now().deployments.get(name)
        if before is not None and before.version != version and not anyway:
            refuse_worse(manifest, folder, before.manifest, self._path(name, before.version))
        with self._record.changing() as models:
            try:
                entry = models.find(name)
            except WorkbenchError:  # damaged by hand: this rewrites it
                entry = None
            if entry is None or entry.version != version or entry.canary:
                models.put_last(name, switched(entry, Change(now(), "activate", version, who, reason)))
        return self._answering(name, version)

    def start_canary(
        self, name: str, version: int, percent: float, reason: str = "", *, who: str = ""
    ) -> Deployment:
        """Let a pushed version answer ``percent`` of the drawings from the next request on; 0 ends that.

        Raises
        ------
        NotFound
            It was never pushed, or no version of the model serves yet.
        Conflict
            It is the active version.
        """
        self._find(name, version)
        self._loaded(name, version)
        with self._record.changing() as models:
            entry = models.find(name)
            if entry is None:
                raise NotFound(f"no version of {name} serves yet; activate one first")
            if entry.version == version and percent:
                raise Conflict(f"{name}:{version} is active and answers all drawings already")
            change = Change(now(), "canary", version, who, reason, percent)
            share = CanaryShare(version, percent, change.t) if percent else None
            models.put(name, replace(entry, canary=share).noted(change))
        return self._answering(name, version)

    def rollback(self, name: str, reason: str = "", *, who: str = "") -> Deployment:
        """Let the version answer that did before; once more, and it is the newer one again. A canary ends.

        Raises
        ------
        NotFound
            No such model serves.
        Conflict
            None did before.
        """
        before = self.now().deployments.get(name)
        if before is not None and before.previous is not None:
            self._loaded(name, before.previous)
        with self._record.changing() as models:
            entry = models.find(name)
            if entry is None:
                raise NotFound(f"no model {name!r} serves here, so there is nothing to roll back")
            if entry.previous is None:
                raise Conflict(f"{name}:{entry.version} is the first version that served here")
            models.put(name, switched(entry, Change(now(), "rollback", entry.previous, who, reason)))
        return self._answering(name, entry.previous)

    def _answering(self, name: str, version: int) -> Deployment:
        deployment = self.now().deployments.get(name)
        if deployment is None or name in self.now().failed:
            raise ModelRefused(
                f"{name}:{version} could not be loaded: {self.now().failed.get(name, 'removed')}"
            )
        return deployment

    def sweep(self) -> None:
        """Remove what killed pushes left; when the server starts."""
        files.sweep(self._folder / "incoming")

    @contextmanager
    def _aside(self) -> Iterator[Path]:
        """A new folder beside the versions, removed at the end; those of killed processes go too."""
        with files.folder_aside(self._folder / "incoming", stale_s=STALE_S) as folder:
            yield folder

    # ── loading ──────────────────────────────────────────────────────────────────────────────────

    def _load(self) -> Serving:
        deployments, failed = {}, {}
        try:
            entries = self._record.read()
        except WorkbenchError as error:
            return Serving(self._serving.deployments, {FILE: str(error)})
        for name in entries:
            try:
                entry = entries.find(name)
                assert entry is not None
                loaded = self._loaded(name, entry.version)
                canary = None
                try:
                    canary = self._canary(name, entry.canary)
                except (WorkbenchError, OSError) as error:
                    failed[f"{name}'s canary"] = str(error)
                deployments[name] = Deployment(
                    name, entry.version, entry.since, entry.previous, loaded, canary
                )
            except (WorkbenchError, OSError) as error:
                failed[name] = str(error)
                if name in self._serving.deployments:
                    deployments[name] = self._serving.deployments[name]
        wanted = {(d.name, v) for d in deployments.values() for v in (*d.numbered(), d.previous)}
        self._versions = {key: loaded for key, loaded in self._versions.items() if key in wanted}
        return Serving(deployments, failed)

    def _canary(self, name: str, share: CanaryShare | None) -> Canary | None:
        if share is None:
            return None
        loaded = self._loaded(name, share.version)
        return Canary(share.percent, Deployment(name, share.version, share.since, None, loaded))

    def _loaded(self, name: str, version: int) -> Loaded:
        """A version, loaded and checked at first use."""
        loaded = self._versions.get((name, version))
        if loaded is None:
            folder = self._find(name, version)
            deaf = DeafRuns(self._folder / "deaf" / f"{name}-{version}")
            loaded = load(folder, read_whole(folder), self._other, deaf)
            self._versions[name, version] = loaded
        return loaded

    def _path(self, name: str, version: int) -> Path:
        return self._folder / "models" / name / str(version)

    def _find(self, name: str, version: int) -> Path:
        check_number(artifact.check_name(name), version)
        path = self._path(name, version)
        if not path.is_dir():
            raise NotFound(
                f"{name}:{version} was not pushed to this back end; PUT /models/{name}/versions/{version}"
            )
        return path
