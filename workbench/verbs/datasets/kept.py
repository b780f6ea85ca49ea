"""Versions of data sets that are kept: found, exported, removed, and what was made of each."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.jobs import Job, Store
from workbench.lineage import DatasetPin
from workbench.models import registry
from workbench.settings import Settings
from workbench.verbs.datasets.pins import name_of

if TYPE_CHECKING:
    from workbench.datasets.kept.values import DatasetManifest


def versions(settings: Settings, name: str | None = None) -> "list[DatasetManifest]":
    """All versions, by name and number; only of ``name`` where one is given."""
    from workbench.datasets.kept import store

    return store.versions(settings, name)


def find(reference: str, settings: Settings) -> "DatasetManifest":
    """The version that ``NAME:V`` names, or the newest one of ``NAME``; raises ``NotFound``."""
    from workbench.datasets.kept import store

    return store.find(reference, settings)


def export(reference: str, folder: Path, settings: Settings) -> Path:
    """Write a version as files that others read, into a new folder; raises ``NotFound``, ``Conflict``."""
    from workbench.datasets import exporting

    return exporting.export(find(reference, settings), folder, settings)


@dataclass(frozen=True)
class Made:
    """What names a version of a data set: models, and jobs that may still become one."""

    models: tuple[str, ...]
    jobs: tuple[int, ...]

    def __str__(self) -> str:
        return ", ".join([*self.models, *(f"job {id}" for id in self.jobs)]) or "nothing yet"


def made_of(manifest: "DatasetManifest", settings: Settings, jobs: Store) -> Made:
    """Tell which models were trained with a version, and which jobs that have not ended are to be."""
    pin = DatasetPin(manifest.version, manifest.sha256)
    models = [str(v) for v in registry.versions(settings) if v.manifest.datasets.get(manifest.name) == pin]
    waiting = [
        job.id
        for job in _unfinished(jobs)
        if any(name_of(name) == manifest.name and one == pin for name, one in job.datasets.items())
    ]
    return Made(tuple(models), tuple(waiting))


def remove(reference: str, settings: Settings, jobs: Store) -> "DatasetManifest":
    """Remove a version, and give back the disk that no other version shares.

    Raises
    ------
    Conflict
        A model or a job that has not ended names it.
    """
    from workbench.datasets.kept import store

    made = made_of(store.find(reference, settings), settings, jobs)
    return store.remove(reference, [*made.models, *(f"job {id}" for id in made.jobs)], settings)


def _unfinished(jobs: Store) -> Collection[Job]:
    from workbench.jobs import ACTIVE

    return [job for state in ("queued", *sorted(ACTIVE)) for job in jobs.jobs(state=state, limit=10_000)]


def as_json(manifest: "DatasetManifest", made: Made | None = None) -> Mapping[str, object]:
    """What ``--json`` prints of a version."""
    told: Mapping[str, object] = manifest.as_json()
    return told if made is None else {**told, "models": list(made.models), "jobs": list(made.jobs)}
