"""A job's files on AWS: the request and its machines' addresses there, reports, export and version back."""

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.aws import names
from workbench.aws.bucket import Bucket
from workbench.machines.aws.exchange import transfer
from workbench.machines.aws.exchange.assignments import Assignment, Work
from workbench.settings import Settings
from workbench.system import files

LINK_S = 3600


class JobFiles:
    """The jobs of one home and its bucket."""

    def __init__(self, settings: Settings, bucket: Bucket) -> None:
        self.settings = settings
        self.bucket = bucket

    def prefix(self, folder: Path) -> str:
        """Where in the bucket the job of this folder is."""
        return names.cluster_prefix(f"_jobs/{self.bucket.session.home}", folder.name)

    def give(self, assignment: Assignment, folder: Path, deadline_s: float | None) -> Assignment:
        """The assignment with the job of the folder, which is put into the bucket with the machines' addresses."""
        job = read_job(folder)
        prefix = self.prefix(folder)
        data = transfer.give_data(self.bucket, self.settings.data, folder / "recipe")
        deadline = None if deadline_s is None else time.time() + deadline_s
        work = Work(prefix, secrets.token_hex(6), job.get("origin", 1), job.get("attempt", 1), data, deadline)
        transfer.give(self.bucket, prefix, folder, assignment.addresses, self.settings.data)
        return replace(assignment, work=work)

    def give_anew(self, assignment: Assignment) -> Assignment:
        """The assignment with its job given once more, because addresses have changed."""
        assert assignment.work
        folder = self.settings.home / "jobs" / assignment.work.prefix.rstrip("/").rpartition("/")[2]
        transfer.give(self.bucket, assignment.work.prefix, folder, assignment.addresses, self.settings.data)
        note_addresses(assignment, folder)
        return replace(assignment, work=replace(assignment.work, generation=secrets.token_hex(6)))

    def collect(self, folder: Path, whole: bool) -> None:
        """Bring what machines have reported; with ``whole`` the export, too."""
        prefix = self.prefix(folder)
        transfer.collect(self.bucket, prefix, folder)
        if whole:
            attempt = read_job(folder).get("attempt", 1)
            transfer.collect_export(self.bucket, f"{prefix}attempt-{attempt}/", folder)

    def keep(self, folder: Path, version: str, pack: Callable[[Path], object]) -> None:
        """Store the job's model version; the job's other files go."""
        packed = folder / ".version.zip"
        try:
            pack(packed)
            self.bucket.put(self._version_key(version), packed)
        finally:
            packed.unlink(missing_ok=True)
        self.bucket.delete(self.prefix(folder))

    def link(self, version: str) -> str | None:
        """By which anybody can download the version for an hour; ``None`` where it is not stored."""
        key = self._version_key(version)
        return self.bucket.link(key, LINK_S) if self.bucket.has(key) else None

    def _version_key(self, version: str) -> str:
        name, _, number = version.rpartition(":")
        return names.version_key(self.bucket.session.home, name, int(number))


def note_addresses(assignment: Assignment, folder: Path) -> None:
    """Note in the job's own folder that machines work for it; only now, for whoever reads it believes that."""
    files.write_json(folder / "job.json", {**read_job(folder), "cluster": assignment.addresses})


def read_job(folder: Path) -> dict[str, Any]:
    """What ``job.json`` says; nothing where there is none."""
    try:
        return dict(json.loads((folder / "job.json").read_text()))
    except FileNotFoundError:
        return {}
