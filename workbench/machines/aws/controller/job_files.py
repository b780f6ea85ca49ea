"""A job's files on AWS: the request and its machines' addresses there, reports, export and version back."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from workbench.aws import names
from workbench.aws.bucket import Bucket
from workbench.errors import BadInput
from workbench.fields import Fields
from workbench.lineage import DatasetPin, parse_pins
from workbench.machines.aws.exchange import reports, requests, stills
from workbench.machines.aws.exchange.assignments import AssignedJob, Assignment
from workbench.settings import Settings
from workbench.system import scratch, untrusted_changes, untrusted_folders

LINK_S = 3600
JOB = "job.json"
MAX_JOB = 1024 * 1024


@dataclass(frozen=True)
class JobNote:
    """The part of a job's ``job.json`` that its machines are made and told by."""

    job: str = ""
    name: str = ""
    """Of the model that comes out of it."""
    requester: str = ""
    origin: int = 1
    attempt: int = 1
    epochs: int | None = None
    lasts_s: float | None = None
    """Seconds after which its machines are to end, for what the job may cost."""
    cap: str = ""
    """What the job may cost, in words."""
    datasets: Mapping[str, DatasetPin] = field(default_factory=dict)
    """The versions of data sets that it is to use, by name."""

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the job's machines."""
        told = {"job": self.job, "requester": self.requester}
        return {key: value for key, value in told.items() if value}


class JobFiles:
    """The jobs of one home and its bucket."""

    def __init__(self, settings: Settings, bucket: Bucket) -> None:
        self.settings = settings
        self.bucket = bucket

    def prefix(self, folder: Path) -> str:
        """The prefix of the job of this folder in the bucket."""
        return names.cluster_prefix(f"_jobs/{self.bucket.session.home}", folder.name)

    def give(self, assignment: Assignment, folder: Path, deadline_s: float | None) -> Assignment:
        """The assignment with the job of the folder, which is put into the bucket with the machines' addresses."""
        note = read_note(folder)
        prefix = self.prefix(folder)
        data = requests.give_data(self.bucket, self.settings.data, folder / "recipe", note.datasets)
        limits = [
            (limit, cap) for limit, cap in ((deadline_s, ""), (note.lasts_s, note.cap)) if limit is not None
        ]
        lasts_s, cap = min(limits, default=(None, ""))
        deadline = None if lasts_s is None else time.time() + lasts_s
        work = AssignedJob(prefix, secrets.token_hex(6), note.origin, note.attempt, data, deadline, cap)
        requests.give(
            self.bucket, prefix, folder, assignment.addresses, self.settings.data, self.settings.packages
        )
        return replace(assignment, work=work)

    def give_anew(self, assignment: Assignment) -> Assignment:
        """The assignment with its job given once more, because addresses have changed."""
        assert assignment.work
        folder = self.settings.home / "jobs" / assignment.work.prefix.rstrip("/").rpartition("/")[2]
        requests.give(
            self.bucket,
            assignment.work.prefix,
            folder,
            assignment.addresses,
            self.settings.data,
            self.settings.packages,
        )
        note_addresses(assignment, folder)
        return replace(assignment, work=replace(assignment.work, generation=secrets.token_hex(6)))

    def collect(self, folder: Path, whole: bool) -> None:
        """Bring what machines have reported; with ``whole`` the export, too."""
        prefix = self.prefix(folder)
        reports.collect(self.bucket, prefix, folder)
        note = read_note(folder)
        if whole:
            reports.collect_export(self.bucket, f"{prefix}attempt-{note.attempt}/", folder)
        else:
            stills.collect(self.bucket, f"{prefix}checkpoints-{note.origin}/", folder)

    def keep(self, folder: Path, version: str, pack: Callable[[Path], object]) -> None:
        """Store the job's model version; the job's other files go."""
        with scratch.folder(folder.parent) as aside:
            packed = aside / "version.zip"
            pack(packed)
            self.bucket.put(self._version_key(version), packed)
        self.bucket.delete(self.prefix(folder))

    def link(self, version: str) -> str | None:
        """A URL by which anybody can download the version for an hour; ``None`` where it is not stored."""
        key = self._version_key(version)
        return self.bucket.link(key, LINK_S) if self.bucket.has(key) else None

    def _version_key(self, version: str) -> str:
        name, _, number = version.rpartition(":")
        return names.version_key(self.bucket.session.home, name, int(number))


def note_addresses(assignment: Assignment, folder: Path) -> None:
    """Note in the job's own folder that machines work for it; only now, for whoever reads it believes that."""
    told = {**_read(folder), "cluster": assignment.addresses}
    untrusted_changes.write(folder, JOB, json.dumps(told).encode())


def read_note(folder: Path) -> JobNote:
    """The note in ``job.json``; an empty one where there is no such file.

    Raises
    ------
    BadInput
        The recipe's code, which was tried in this folder, has made something else of it.
    """
    told = _read(folder)
    fields = Fields(told, f"{folder.name}/{JOB}: ", BadInput)
    return JobNote(
        job=str(told.get("job") or ""),
        name=str(told.get("name") or ""),
        epochs=fields.optional("epochs", fields.count),
        requester=str(told.get("requester") or ""),
        origin=fields.optional("origin", fields.count) or 1,
        attempt=fields.optional("attempt", fields.count) or 1,
        lasts_s=fields.optional("lasts_s", fields.number),
        cap=str(told.get("cap") or ""),
        datasets=parse_pins(fields, "datasets"),
    )


def _read(folder: Path) -> Mapping[str, object]:
    try:
        return untrusted_folders.read_json(folder, JOB, MAX_JOB)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder.name}/{JOB} cannot be read ({error}); submit the job anew") from error
