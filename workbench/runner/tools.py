"""What a runner works with: the provider of its machines, and the check and the verification beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from workbench.errors import Unavailable
from workbench.jobs import Job
from workbench.machines import Provider
from workbench.machines.local.provider import LocalProvider
from workbench.runner.faults import Rules
from workbench.runner.patience import Stop
from workbench.settings import Settings
from workbench.tasks import check as checks

Check = Callable[[Job, Stop], object]
"""Tries the job's recipe; raises ``RecipeError``."""
Verify = Callable[[Path, Stop], object]
"""Loads the export in the job's folder back; raises ``ModelRefused``."""


@dataclass(frozen=True)
class Tools:
    """What a runner works with."""

    provider: Provider
    trials: Provider
    """Where recipes are tried and exports are loaded back: always this computer."""
    check: Check
    verify: Verify
    rules: Rules
    last_resort: Callable[[], object]
    """Called when the job was terminated but the runner's main thread does not react."""


def open_provider(name: str, settings: Settings) -> Provider:
    """The provider of that name.

    Raises
    ------
    Unavailable
        There is none.
    """
    if name == "local":
        return LocalProvider(settings)
    if name == "aws":
        from workbench.machines.aws.controller.provider import AwsProvider  # boto3 takes its time

        return AwsProvider(settings)
    raise Unavailable(f"there is no provider {name!r} here; submit the job to the provider 'local'")


def check_with(settings: Settings) -> Check:
    """The check of a recipe on this computer."""
    return partial(_check, settings)


def verify_with(settings: Settings) -> Verify:
    """The verification of an export on this computer."""
    return lambda folder, stop: checks.verify(folder, LocalProvider(settings), stop=stop)


def end_trials(job: int, folder: Path, trials: Provider) -> None:
    """End a check or a verification of this job that a runner before left; none is fine."""
    for one in (folder, folder.with_name(_check_name(job))):
        trials.terminate(checks.task_of(one))


def _check(settings: Settings, job: Job, stop: Stop) -> None:
    assert job.recipe is not None
    checks.check(job.recipe, settings, workers=job.workers, name=_check_name(job.id), stop=stop)


def _check_name(id: int) -> str:
    return f"check-{id}"
