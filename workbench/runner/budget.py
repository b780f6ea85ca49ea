"""What jobs may cost: caps of one job and of one requester, looked at before machines are launched and while they run."""

from workbench.errors import WorkbenchError
from workbench.jobs import ACTIVE, Store
from workbench.settings import Settings

MOST = 1000
"""Jobs of one requester that are at work at a time; see ``queue.AWS_CAPS``."""


class Exceeded(WorkbenchError):
    """A job has used up what it may cost."""


def exceeded(id: int, store: Store, settings: Settings) -> str | None:
    """Why the job may not go on, in words; ``None`` if it may.

    A job's cap counts all its attempts; a requester's counts the jobs that are at work.
    """
    job = store.job(id)
    most = settings.max_price_per_job
    if most is not None and (cost := job.cost or 0.0) >= most:
        return (
            f"the job has cost {_dollars(cost)}, and one job may cost {_dollars(most)} (WORKBENCH_MAX_PRICE_PER_JOB); "
            "its checkpoint is kept: with a higher cap, retry goes on from it"
        )
    most = settings.max_price_per_requester
    if most is not None and (cost := spent(job.requester, store)) >= most:
        return (
            f"the jobs of {job.requester} at work have cost {_dollars(cost)}, and those of one requester may cost "
            f"{_dollars(most)} (WORKBENCH_MAX_PRICE_PER_REQUESTER); the checkpoint is kept"
        )
    return None


def lasts_s(id: int, store: Store, settings: Settings) -> float | None:
    """Seconds until the job will have used up what it, or its requester, may cost; ``None`` without a cap or a price.

    Machines are told, so that a cap holds while this computer is off.
    """
    job = store.job(id)
    if not job.price_per_hour:
        return None
    left = []
    if settings.max_price_per_job is not None:
        left.append(settings.max_price_per_job - (job.cost or 0.0))
    if settings.max_price_per_requester is not None:
        left.append(settings.max_price_per_requester - spent(job.requester, store))
    return max(0.0, min(left)) / job.price_per_hour * 3600 if left else None


def spent(requester: str, store: Store) -> float:
    """US dollars that a requester's jobs that are at work have cost so far."""
    return sum(job.cost or 0.0 for job in store.jobs(state=ACTIVE, requester=requester, limit=MOST))


def _dollars(amount: float) -> str:
    return f"${amount:.2f}" if amount >= 0.01 or not amount else f"${amount:.4f}"
