"""Costs of jobs in a month: what their machines cost while they existed, and how much of that nobody trained."""

import calendar
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from workbench.errors import BadInput
from workbench.jobs.values import Job, machine_spans

_MONTH = re.compile(r"((?!0000)[0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True)
class Month:
    """A month of the calendar, in UTC."""

    name: str
    """As ``2026-11``."""
    begin: float
    end: float
    """Seconds since the epoch; the end is the next one's begin."""


@dataclass(frozen=True)
class JobCosts:
    """The costs of one job in a month."""

    job: int
    name: str
    requester: str
    machines: int
    hours: float
    """In which its machines existed."""
    dollars: float
    idle: float
    """Share of these hours in which nothing trained, 0 to 1: machines came up, exported, or waited for their end."""


def read_month(text: str | None, now: float) -> Month:
    """The month of that name; the one that is now for ``None``.

    >>> read_month("2026-02", 0.0).end - read_month("2026-02", 0.0).begin == 28 * 86400
    True

    Raises
    ------
    BadInput
        It is none.
    """
    text = text or time.strftime("%Y-%m", time.gmtime(now))
    if not (match := _MONTH.fullmatch(text)):
        raise BadInput(f"a month is told as 2026-11. Received: {text[:40]!r}")
    year, month = int(match[1]), int(match[2])
    begin = float(calendar.timegm((year, month, 1, 0, 0, 0)))
    return Month(text, begin, begin + calendar.monthrange(year, month)[1] * 86400)


def report(jobs: Iterable[Job], month: Month, now: float) -> list[JobCosts]:
    """The jobs that cost something in that month, the dearest first."""
    found = []
    for job in jobs:
        spans = [(state, max(0.0, end - begin)) for state, begin, end in _spans(job, month, now)]
        existed, trained = sum(s for _, s in spans), sum(s for state, s in spans if state == "training")
        dollars = (job.price_per_hour or 0.0) * existed / 3600
        if dollars > 0:
            count = job.ps + job.workers + (job.ps > 0)
            idle = 1 - trained / existed
            found.append(JobCosts(job.id, job.name, job.requester, count, existed / 3600, dollars, idle))
    return sorted(found, key=lambda one: (-one.dollars, one.job))


def _spans(job: Job, month: Month, now: float) -> Iterator[tuple[str, float, float]]:
    for state, begin, end in machine_spans(job.changes, now):
        yield state, max(begin, month.begin), min(end, month.end)


def by_requester(found: Iterable[JobCosts]) -> list[JobCosts]:
    """The same, with one entry a requester: ``job`` is how many jobs there were, ``name`` empty."""
    sums: dict[str, list[JobCosts]] = {}
    for one in found:
        sums.setdefault(one.requester, []).append(one)
    added = []
    for requester, some in sums.items():
        hours, dollars = sum(one.hours for one in some), sum(one.dollars for one in some)
        idle = sum(one.idle * one.dollars for one in some) / dollars
        machines = sum(one.machines for one in some)
        added.append(JobCosts(len(some), "", requester, machines, hours, dollars, idle))
    return sorted(added, key=lambda one: (-one.dollars, one.requester))
