"""Who is next: requesters start jobs in turn, each its own in the order in which it queued them."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from workbench.jobs.changing import hold, set_state
from workbench.jobs.tables import jobs, turns
from workbench.jobs.values import ACTIVE

_others = jobs.alias()  # made once: SQLAlchemy copies each column of the table


@dataclass(frozen=True, order=True)
class Waiting:
    """A job in the queue; earlier ones are smaller."""

    since: float
    id: int
    requester: str


def order(waiting: Iterable[Waiting], last_turns: Mapping[str, int]) -> list[int]:
    """The ids of the waiting jobs in the order in which they get their turns.

    The requester whose last turn is longest ago is next; one that never had a turn comes before all others, and
    among several such the one that has waited longest.

    >>> jobs = [Waiting(1, 1, "ann"), Waiting(2, 2, "ann"), Waiting(3, 3, "bob")]
    >>> order(jobs, {"ann": 7})
    [3, 1, 2]
    >>> order(jobs, {})
    [1, 3, 2]
    """
    queues: dict[str, deque[Waiting]] = {}
    for job in sorted(waiting):
        queues.setdefault(job.requester, deque()).append(job)
    last = {requester: last_turns.get(requester, 0) for requester in queues}
    turn, ordered = max(last.values(), default=0), []
    while queues:
        requester = min(queues, key=lambda r: (last[r], queues[r][0]))
        ordered.append(queues[requester].popleft().id)
        last[requester] = turn = turn + 1
        if not queues[requester]:
            del queues[requester]
    return ordered


def claim(
    connection: sa.Connection,
    provider: str,
    cap: int,
    per_requester: int | None,
    now: float,
    runner: str,
    until: float,
) -> int | None:
    """Give the lease of the next job to the runner; its id, or ``None``. See ``Store.claim``."""
    # Held until the end of the transaction, so that jobs are given out one after the other.
    taken = connection.scalar(sa.select(turns.c.taken).with_for_update()) or 0
    busy = _count_busy(connection, provider, now)
    if sum(busy.values()) >= cap:
        return None
    full = {requester for requester, n in busy.items() if per_requester is not None and n >= per_requester}
    for id in read_order(connection, provider, full, now):
        job = hold(connection, id)
        if job["state"] == "queued":  # else it was terminated in this moment
            turn = {"turn": taken + 1, "runner": runner, "lease_until": until}
            set_state(connection, job, "initializing", now, **turn)
            connection.execute(turns.update().values(taken=taken + 1))
            return id
    return None


def read_order(
    connection: sa.Connection, provider: str, full: Collection[str] = (), now: float | None = None
) -> list[int]:
    """The provider's waiting jobs in the order of their turns, without those of requesters that are full.

    With ``now`` also without jobs whose last runner is not done with them, or whose standing cluster another job has.
    """
    query = sa.select(jobs.c.queued_t, jobs.c.id, jobs.c.requester).where(
        jobs.c.provider == provider, jobs.c.state == "queued", jobs.c.requester.not_in(full)
    )
    if now is not None:
        taken = sa.select(_others.c.cluster).where(
            _others.c.provider == provider, _others.c.cluster.is_not(None), _at_work(_others, now)
        )
        query = query.where(
            sa.or_(jobs.c.runner.is_(None), jobs.c.lease_until < now),
            sa.or_(jobs.c.cluster.is_(None), jobs.c.cluster.not_in(taken)),
        )
    waiting = [Waiting(*row) for row in connection.execute(query)]
    if not waiting:
        return []
    last = (
        sa.select(jobs.c.requester, sa.func.max(jobs.c.turn))
        .where(jobs.c.requester.in_({job.requester for job in waiting}), jobs.c.turn.is_not(None))
        .group_by(jobs.c.requester)
    )
    return order(waiting, {row[0]: row[1] for row in connection.execute(last)})


def moving() -> sa.ColumnElement[bool]:
    """A job waits, is at work, or somebody has its lease."""
    return sa.or_(jobs.c.state.in_(("queued", *ACTIVE)), jobs.c.runner.is_not(None))


def abandoned(now: float) -> sa.ColumnElement[bool]:
    """The lease has expired, or a job is active and nobody has one."""
    nobody = sa.and_(jobs.c.runner.is_(None), jobs.c.state.in_(ACTIVE))
    return sa.or_(jobs.c.lease_until < now, nobody)


def _at_work(table: sa.FromClause, now: float) -> sa.ColumnElement[bool]:
    return sa.or_(table.c.state.in_(ACTIVE), table.c.lease_until >= now)


def _count_busy(connection: sa.Connection, provider: str, now: float) -> dict[str, int]:
    """How many jobs of each requester run, or have run and still hold a lease."""
    query = (
        sa.select(jobs.c.requester, sa.func.count())
        .where(jobs.c.provider == provider, _at_work(jobs, now))
        .group_by(jobs.c.requester)
    )
    return {row[0]: row[1] for row in connection.execute(query)}
