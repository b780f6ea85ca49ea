"""What a runner works with: the provider of its machines, and the check and the measurement beside it."""

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
from workbench.tasks import child, verification
from workbench.tasks.verification import Measured

Check = Callable[[Job, Stop], str]
"""Tries the job's recipe and gives the digest of its held-out part; raises ``RecipeError``."""
Measure = Callable[[Path, str, Stop], Measured]
"""Measures the export in the job's folder on the held-out part of this digest; raises ``ModelRefused``."""


@dataclass(frozen=True)
class Tools:
    """What a runner works with."""

    provider: Provider
    trials: Provider
    """Where recipes are tried and exports are measured: always this computer."""
    check: Check
    measure: Measure
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


def measure_with(settings: Settings) -> Measure:
    """The measurement of an export on this computer."""
    return lambda folder, expected, stop: verification.measure(
        folder, LocalProvider(settings), expected, stop=stop
    )


def end_trials(job: int, folder: Path, trials: Provider) -> None:
    """End a check or a measurement of this job that a runner before left; none is fine."""
    for one in (folder, folder.with_name(_check_name(job))):
        trials.terminate(child.task_of(one))


def _check(settings: Settings, job: Job, stop: Stop) -> str:
    assert job.recipe is not None
    name = _check_name(job.id)
    return checks.check(
        job.recipe, settings, workers=job.workers, name=name, stop=stop, datasets=job.datasets
    ).held_out


def _check_name(id: int) -> str:
    return f"check-{id}"
