"""The disk of a cluster's machine: the project's code, the job it works on, how far its reports were brought."""

import contextlib
import json
import time
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

from workbench import packages
from workbench.aws.bucket import Bucket
from workbench.errors import RecipeError, Unavailable
from workbench.machines import Place, machine_folder
from workbench.machines.aws.exchange import requests
from workbench.machines.aws.exchange.assignments import AssignedJob
from workbench.machines.aws.exchange.machine import WAKE
from workbench.machines.aws.exchange.reports import FIELDS, HELD_OUT, STREAMS
from workbench.machines.aws.exchange.requests import DATA, PACKAGES, TRAVELLING
from workbench.machines.aws.exchange.streams import Stream
from workbench.machines.aws.exchange.trees import Tree
from workbench.system import files, scratch, untrusted_changes, untrusted_folders

CHECKPOINTS = "checkpoints"
INSTALL_TRIES, INSTALL_PAUSE_S = 3, 10.0
"""Where the index of packages cannot be reached."""


@dataclass(frozen=True)
class AttemptCounts:
    """How a turn of a role went so far."""

    key: str
    """Of the turn."""
    restarts: int = 0
    in_vain: int = 0
    """Restarts in a row without progress."""
    step_then: int = 0
    """The step at which it began last."""
    begun: float = 0.0
    """When it began last, in seconds since the epoch."""
    at_work: bool = False
    """True unless an agent has seen it end: one that is killed takes its role with it."""


@dataclass(frozen=True)
class Disk:
    """The machine's folder of ours, filled from the bucket.

    Attributes
    ----------
    root
        Has ``env/``, ``code/``, ``jobs/``, ``home/``.
    """

    root: Path
    bucket: Bucket

    def wake(self) -> int:
        """Another number whenever somebody has said that the assignment is new."""
        with contextlib.suppress(FileNotFoundError):
            return (self.root / WAKE).stat().st_mtime_ns
        return 0

    def get_code(self, key: str) -> None:
        """Have the code that the assignment names in ``code/``."""
        said = self.root / "code.key"
        if said.exists() and said.read_text().strip() == key:
            return
        packed, aside, old = (self.root / name for name in ("code.zip", "code.new", "code.old"))
        self.bucket.download(key, packed)
        for left in (aside, old):
            files.remove(left)
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(aside)
        if (self.root / "code").exists():
            (self.root / "code").rename(old)
        aside.rename(self.root / "code")
        files.remove(old)
        said.write_text(key)

    def get_job(self, work: AssignedJob, place: Place) -> Path:
        """Fetch the job and its data; its folder, in which what an earlier attempt here has written is kept."""
        folder = self.root / "jobs" / work.prefix.rstrip("/").rpartition("/")[2]
        self.clear_jobs(but=folder.name)
        folder.mkdir(parents=True, exist_ok=True)
        untrusted_changes.make_folder(folder, str(machine_folder(Path(), place)))
        data = self.root / "home" / "data"
        for name in ("recipe", "export", FIELDS, HELD_OUT):
            untrusted_changes.remove(folder, name)
        for name in TRAVELLING:  # of an earlier job
            files.remove(data / name)
        with scratch.folder(folder.parent) as aside:
            requests.take(self.bucket, work.prefix, aside)
            for path in aside.iterdir():
                if path.name == PACKAGES:
                    self._install(path.read_text())
                elif path.name in TRAVELLING:
                    path.rename(data / path.name)
                else:
                    untrusted_changes.move_in(path, folder, path.name)
        for name in work.data:
            target = data / name
            if not target.exists():
                for above in reversed(target.relative_to(data).parents[:-1]):
                    (data / above).mkdir(exist_ok=True)
                    (data / above).chmod(0o755)
                self.bucket.download(f"{DATA}{name}", target)
                target.chmod(0o644)
        return folder

    def _install(self, lock: str) -> None:
        """Install the packages of the lock; where that fails, note why: its role ends with these words."""
        folder = self.root / "home" / "packages"
        name = packages.keep_lock(lock, folder)
        folder.chmod(0o755)
        failed = packages.why_not(name, folder)
        failed.unlink(missing_ok=True)
        for left in reversed(range(INSTALL_TRIES)):
            try:
                packages.install(lock, folder)
                return
            except (RecipeError, Unavailable) as error:
                files.write(failed, str(error), mode=0o644)
                if isinstance(error, RecipeError):
                    return
            if left:
                time.sleep(INSTALL_PAUSE_S)

    def clear_jobs(self, but: str = "") -> None:
        """Remove the jobs that the machine had before: the next one's code runs as the same user."""
        for path in (self.root / "jobs").glob("*"):
            if path.name != but:
                files.remove(path)

    def keep_counts(self, counts: "AttemptCounts") -> None:
        """Note how often a role began, for an agent that comes after this one."""
        files.write_json(self.root / "counts.json", asdict(counts))

    def counts(self, key: str) -> "AttemptCounts":
        """What an agent before this one has noted of the same turn of a role; none where it was another one."""
        try:
            found = AttemptCounts(**json.loads((self.root / "counts.json").read_text()))
        except (OSError, ValueError, TypeError):
            return AttemptCounts(key)
        return found if found.key == key else AttemptCounts(key)

    def streams(self, work: AssignedJob, place: Place, folder: Path) -> list[Stream]:
        """The place's reports, to be gone on with where they ended; the events are the first."""
        found = []
        reports = f"{work.prefix}reports/{place.role}-{place.index}/"
        for name in STREAMS:
            path = str(machine_folder(Path(), place) / name)
            stream = Stream(self.bucket, f"{reports}{name}/", folder, path, name == "events.jsonl")
            stream.find_end()
            stream.read = self._read().get(stream.prefix, 0)
            found.append(stream)
        return found

    def keep_read(self, stream: Stream) -> None:
        """Note how much of the file has been brought, for after a reboot."""
        (self.root / "streams.json").write_text(json.dumps({**self._read(), stream.prefix: stream.read}))

    def _read(self) -> dict[str, int]:
        try:
            return dict(json.loads((self.root / "streams.json").read_text()))
        except (OSError, ValueError):
            return {}

    def checkpoints(self, work: AssignedJob, folder: Path) -> Tree:
        """The job's checkpoints, fetched where this machine has none of the same beginning."""
        tree = Tree(self.bucket, f"{work.prefix}checkpoints-{work.origin}/", folder, CHECKPOINTS)
        noted, origin = self.root / "origin", f"{work.prefix} {work.origin}"
        if not noted.exists() or noted.read_text() != origin:
            untrusted_changes.remove(folder, CHECKPOINTS)
        if CHECKPOINTS not in untrusted_folders.list_names(folder):
            tree.restore()
        noted.write_text(origin)
        return tree
