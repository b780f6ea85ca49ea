"""From the export that a job's machines left to a published version."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from workbench import artifact
from workbench.errors import ModelRefused
from workbench.jobs import Job
from workbench.manifest import Manifest, Training
from workbench.models import registry
from workbench.runner.stated import complete, read_stated
from workbench.settings import Settings
from workbench.system import untrusted_changes
from workbench.tasks.verification import Measured


def publish(
    job: Job, folder: Path, measure: Callable[[Path], Measured], settings: Settings
) -> registry.Version:
    """Publish the export in the job's folder as the next version of its name.

    The machines must be gone, so that nothing changes any more; ``job`` must know of its last step.

    Raises
    ------
    ModelRefused
        It was not trained to the end, ``measure`` refuses it, or it holds what no version holds.
    """
    stated = read_stated(folder)
    _check_steps(job, stated.training)
    made = complete(stated, measure(folder))

    def write(aside: Path) -> Manifest:
        copy_export(folder, aside)
        return replace(made, job=job.id)

    return registry.add(job.name, write, settings)


def find_published(job: Job, settings: Settings) -> registry.Version | None:
    """What a runner before published for this job without living to record it."""
    # Another database may have had a job of this number: its version is older than this job.
    submitted = datetime.fromtimestamp(int(job.changes[0].t), UTC)
    for version in registry.versions(settings, job.name):
        published = version.manifest.published
        if version.manifest.job == job.id and published is not None and published >= submitted:
            return version
    return None


def _check_steps(job: Job, training: Training) -> None:
    early = training.stopped or training.best_epoch
    if job.progress is None or (job.progress.step < job.progress.of and not early):
        done = f"{job.progress.step} of {job.progress.of} steps" if job.progress else "no step"
        raise ModelRefused(f"the model was exported after {done}; it is not published")


def copy_export(folder: Path, target: Path) -> None:
    """Copy the export in a job's folder: plain files and folders, as many as a version may have.

    Raises
    ------
    ModelRefused
        It holds something else, or is not there.
    """
    limits = {"most_bytes": artifact.MAX_BYTES, "most_files": artifact.MAX_MEMBERS}
    try:
        untrusted_changes.copy(folder, "export", target, **limits)
    except OSError as error:
        if untrusted_changes.is_ours(error):
            raise
        raise ModelRefused(f"the export cannot be taken: {error.strerror or error}") from error
