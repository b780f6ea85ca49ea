"""What jobs may cost: caps of one job and of one requester, looked at before machines are launched and while they run."""

from dataclasses import dataclass

from workbench.errors import WorkbenchError
from workbench.jobs import ACTIVE, Store
from workbench.settings import Settings

MOST = 1000
"""Jobs of one requester that are at work at a time; see ``queue.AWS_CAPS``."""


class Exceeded(WorkbenchError):
    """A job has used up what it may cost."""


@dataclass(frozen=True)
class Remainder:
    """What is left of the cap that a job will reach first."""

    lasts_s: float
    """Seconds until it is used up."""
    cap: str
    """The cap, in words."""


def exceeded(id: int, store: Store, settings: Settings) -> str | None:
    """Why the job may not go on, in words; ``None`` if it may.

    A job's cap counts all its attempts; a requester's counts the jobs that are at work.
    """
    job = store.job(id)
    most = settings.max_price_per_job
    if most is not None and (cost := job.cost or 0.0) >= most:
        return (
            f"the job has cost {_dollars(cost)}, and {_job_cap(most)}; "
            "its checkpoint is kept: with a higher cap, retry goes on from it"
        )
    most = settings.max_price_per_requester
    if most is not None and (cost := spent(job.requester, store)) >= most:
        return (
            f"the jobs of {job.requester} at work have cost {_dollars(cost)}, and {_requester_cap(most)}; "
            "the checkpoint is kept"
        )
    return None


def remainder(id: int, store: Store, settings: Settings) -> Remainder | None:
    """What is left of what the job, or its requester, may cost; ``None`` without a cap or a price.

    Machines are told, so that a cap holds while this computer is off.
    """
    job = store.job(id)
    if not job.price_per_hour:
        return None
    left = []
    if settings.max_price_per_job is not None:
        most = settings.max_price_per_job
        left.append((most - (job.cost or 0.0), _job_cap(most)))
    if settings.max_price_per_requester is not None:
        most = settings.max_price_per_requester
        left.append((most - spent(job.requester, store), _requester_cap(most)))
    if not left:
        return None
    dollars, cap = min(left)
    return Remainder(max(0.0, dollars) / job.price_per_hour * 3600, cap)


def spent(requester: str, store: Store) -> float:
    """US dollars that a requester's jobs that are at work have cost so far."""
    return sum(job.cost or 0.0 for job in store.jobs(state=ACTIVE, requester=requester, limit=MOST))


def _job_cap(most: float) -> str:
    return f"one job may cost {_dollars(most)} (WORKBENCH_MAX_PRICE_PER_JOB)"


def _requester_cap(most: float) -> str:
    return f"the jobs of one requester that are at work may cost {_dollars(most)} (WORKBENCH_MAX_PRICE_PER_REQUESTER)"


def _dollars(amount: float) -> str:
    return f"${amount:.2f}" if amount >= 0.01 or not amount else f"${amount:.4f}"
