"""How long a training may take and what it may cost, and how that is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from workbench.checks import Checked
from workbench.jobs import Job

STARTING_S = 12.0
"""From the turn in the queue to the first step, and from the last one to the published version, where no former job
tells: a dry run, machines that are forked from a warm process, evaluation and export. See ``benchmarks``."""


@dataclass(frozen=True)
class Estimate:
    """What a training may take.

    Attributes
    ----------
    seconds, price
        Price in US dollars. ``None`` where nobody knows.
    basis
        How that is known, in words; where it is not known, what to do.
    """

    seconds: float | None
    price: float | None
    basis: str


def estimate(
    former: Sequence[Job], checked: Checked | None, epochs: int | None, price_per_hour: float
) -> Estimate:
    """From former jobs of the same recipe and layout; else from the dry run; else not at all.

    Parameters
    ----------
    former
        Completed jobs of the same recipe and layout, the newest first.
    checked
        What a dry run of the recipe found, if there was one.
    epochs
        That are asked for; ``None`` for the recipe's own.
    """
    rounds = epochs or (checked.epochs if checked else None)
    measured = {job.id: s for job in former if (s := _scaled(job, rounds)) is not None}
    if measured:
        seconds = median(measured.values())
        jobs = ", ".join(map(str, measured))
        basis = f"measured: job{'' if len(measured) == 1 else 's'} {jobs} had the same recipe and layout"
    elif checked is not None:
        steps = (epochs or checked.epochs) * checked.steps_per_epoch
        seconds = STARTING_S + steps * checked.step_s
        basis = (
            f"a guess: {steps:,} steps of {1000 * checked.step_s:.0f} ms, as the dry run "
            "took on one machine; several machines on one computer share its processors"
        )
    else:
        return Estimate(
            None,
            0.0 if price_per_hour == 0 else None,
            "nobody knows yet: no job had this recipe and layout. Check the recipe first, that measures a step",
        )
    return Estimate(seconds, price_per_hour * seconds / 3600, basis)


def _scaled(job: Job, epochs: int | None) -> float | None:
    """The job's execution time, its training part brought to another number of epochs."""
    if job.attempt > 1:
        return None  # its time holds what was done twice
    if not epochs or job.progress is None or not {"training", "exporting"} <= job.times.keys():
        return job.execution_s
    training = job.times["exporting"] - job.times["training"]
    return job.execution_s + training * (epochs / max(1, job.progress.epoch) - 1)
