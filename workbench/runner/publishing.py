"""From the export that a job's machines left to a published version."""

import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from workbench.errors import ModelRefused
from workbench.jobs import Job
from workbench.manifest import Manifest, Training
from workbench.models import registry
from workbench.runner.folders import read_json
from workbench.settings import Settings


def publish(job: Job, folder: Path, verify: Callable[[Path], object], settings: Settings) -> registry.Version:
    """Publish the export in the job's folder as the next version of its name.

    The machines must be gone, so that nothing changes any more; ``job`` must know of its last step.

    Raises
    ------
    ModelRefused
        It was not trained to the end, does not pass ``verify``, or holds what no version holds.
    """
    made = Manifest.parse(read_json(folder / "fields.json"))
    _check_steps(job, made.training)
    verify(folder)

    def write(aside: Path) -> Manifest:
        copy_plain_files(folder / "export", aside)
        return replace(made, job=job.id)

    return registry.add(job.name, write, settings)


def find_published(job: Job, settings: Settings) -> registry.Version | None:
    """What a runner before published for this job without living to record it."""
    # Another database may have had a job of this number: its version is older than this job.
    submitted = datetime.fromtimestamp(int(job.changes[0].t), UTC)
    for version in registry.versions(settings, job.name):
        created = datetime.fromisoformat(version.manifest.created)
        if version.manifest.job == job.id and created >= submitted:
            return version
    return None


def _check_steps(job: Job, training: Training) -> None:
    early = training.stopped or training.best_epoch
    if job.progress is None or (job.progress.step < job.progress.of and not early):
        done = f"{job.progress.step} of {job.progress.of} steps" if job.progress else "no step"
        raise ModelRefused(f"the model was exported after {done}; it is not published")


def copy_plain_files(source: Path, target: Path) -> None:
    """Copy a folder of plain files and folders; whatever else a recipe's code has put there is refused.

    Raises
    ------
    ModelRefused
    """
    for path in sorted(source.rglob("*")):
        mode = path.lstat().st_mode
        aim = target / path.relative_to(source)
        if stat.S_ISDIR(mode):
            aim.mkdir(parents=True, exist_ok=True)
        elif stat.S_ISREG(mode):
            aim.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, aim, follow_symlinks=False)
        else:
            raise ModelRefused(f"the export holds something that is no plain file: {aim.name}")
