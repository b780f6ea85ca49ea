"""Pages of the list of jobs, sorted and narrowed down by the database, and a pulse that says whether it changed."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from workbench.errors import BadInput
from workbench.jobs.reading import MANY, read_jobs
from workbench.jobs.tables import job_times, jobs
from workbench.jobs.values import ACTIVE, STATES, Job

SORTS = ("id", "name", "requester", "layout", "state", "progress", "accuracy", "execution_s", "cost")
MOST_REQUESTERS = 50


@dataclass(frozen=True)
class JobFilter:
    """Which jobs; nothing given means all."""

    text: str = ""
    """In the name or the requester, in whatever case, or the whole id."""
    states: Collection[str] = ()
    requesters: Collection[str] = ()

    def __post_init__(self) -> None:
        if unknown := set(self.states) - set(STATES):
            raise BadInput(f"a state is one of {', '.join(STATES)}. Received: {', '.join(sorted(unknown))}")


@dataclass(frozen=True)
class Listing:
    """A page of jobs, and how many there are.

    Attributes
    ----------
    total
        Jobs that the filter lets through.
    states, requesters
        How many jobs each value would let through if it alone were chosen; the text and the other choice hold. Of
        the requesters those with the most jobs, at most ``MOST_REQUESTERS``.
    """

    jobs: list[Job]
    total: int
    states: dict[str, int]
    requesters: dict[str, int]


@dataclass(frozen=True)
class Pulse:
    """Equal pulses: no job changed its state, was asked to end, or reported a metric in between."""

    jobs: int
    newest: int
    changes: int
    metrics: int
    metric_t: float
    asked_t: float
    waiting: int
    active: int


def read_pulse(connection: sa.Connection) -> Pulse:
    """The pulse, by one query."""
    c = jobs.c
    query = sa.select(
        sa.func.count().label("jobs"),
        sa.func.coalesce(sa.func.max(c.id), 0).label("newest"),
        sa.select(sa.func.coalesce(sa.func.max(job_times.c.id), 0)).scalar_subquery().label("changes"),
        sa.func.coalesce(sa.func.sum(c.metrics + c.validations), 0).label("metrics"),
        sa.func.coalesce(sa.func.max(c.metric_t), 0.0).label("metric_t"),
        sa.func.coalesce(sa.func.max(c.terminate_t), 0.0).label("asked_t"),
        sa.func.coalesce(sa.func.sum(sa.case((c.state == "queued", 1), else_=0)), 0).label("waiting"),
        sa.func.coalesce(sa.func.sum(sa.case((c.state.in_(ACTIVE), 1), else_=0)), 0).label("active"),
    )
    row = connection.execute(query).mappings().one()
    whole = ("jobs", "newest", "changes", "metrics", "waiting", "active")
    return Pulse(**{name: int(row[name]) for name in whole}, metric_t=row["metric_t"], asked_t=row["asked_t"])


def read_listing(
    connection: sa.Connection,
    filter: JobFilter,
    sort: str,
    descending: bool,
    offset: int,
    limit: int,
    now: float,
) -> Listing:
    """The page of jobs; see ``Store.page``."""
    if sort not in SORTS:
        raise BadInput(f"jobs are sorted by one of {', '.join(SORTS)}. Received: {sort!r}")
    if offset < 0 or limit < 1:
        raise BadInput(f"a page begins at 0 or later and has 1 job or more. Received: {offset}, {limit}")
    text, states, requesters = _conditions(filter)
    by_state = _count(connection, jobs.c.state, [text, requesters])
    by_requester = _count(connection, jobs.c.requester, [text, states], MOST_REQUESTERS)
    total = sum(by_state.values()) if not filter.states else sum(by_state.get(s, 0) for s in filter.states)
    query = _sorted(MANY.where(text, states, requesters), sort, descending, now)
    found = read_jobs(connection, query.limit(limit).offset(offset), now) if offset < total else []
    return Listing(found, total, by_state, by_requester)


def _conditions(filter: JobFilter) -> tuple[sa.ColumnElement[bool], ...]:
    """What the text, the states and the requesters ask for."""
    text: sa.ColumnElement[bool] = sa.true()
    states: sa.ColumnElement[bool] = sa.true()
    requesters: sa.ColumnElement[bool] = sa.true()
    if words := filter.text.strip().lower():
        parts = [
            sa.func.lower(column).contains(words, autoescape=True)
            for column in (jobs.c.name, jobs.c.requester)
        ]
        if words.isascii() and words.isdecimal() and len(words) < 16:
            parts.append(jobs.c.id == int(words))
        text = sa.or_(*parts)
    if filter.states:
        states = jobs.c.state.in_(list(filter.states))
    if filter.requesters:
        requesters = jobs.c.requester.in_(list(filter.requesters))
    return text, states, requesters


def _count(
    connection: sa.Connection, column: sa.Column[Any], conditions: list[Any], most: int | None = None
) -> dict[str, int]:
    count = sa.func.count()
    query = sa.select(column, count).where(*conditions).group_by(column).order_by(count.desc(), column)
    return {row[0]: row[1] for row in connection.execute(query.limit(most) if most else query)}


def _sorted(query: sa.Select[Any], sort: str, descending: bool, now: float) -> sa.Select[Any]:
    """What has no value comes last, whichever way; equal ones are ordered by id, the newest first."""
    c = jobs.c
    spent = None
    if sort in ("execution_s", "cost"):
        spent = _spent(now)
        query = query.outerjoin(spent, spent.c.job == c.id)
    keys: dict[str, tuple[sa.ColumnElement[Any], ...]] = {
        "id": (c.id,),
        "name": (sa.func.lower(c.name), c.name),
        "requester": (sa.func.lower(c.requester), c.requester),
        "layout": (c.ps + c.workers, c.ps),
        "state": (sa.case({state: n for n, state in enumerate(STATES)}, value=c.state),),
        "progress": (sa.case((c.state == "completed", 1.0), else_=1.0 * c.step / sa.func.nullif(c.of, 0)),),
        "accuracy": (c.accuracy,),
    }
    if spent is not None:
        keys |= {"execution_s": (spent.c.s,), "cost": (spent.c.machines_s * c.price_per_hour,)}
    order: list[Any] = []
    for key in keys[sort]:
        order += [sa.case((key.is_(None), 1), else_=0), key.desc() if descending else key.asc()]
    return query.order_by(*order, c.id.desc())


def _spent(now: float) -> sa.Subquery:
    """Each job's seconds at work, and those in which machines existed, as ``reading`` counts them."""
    c = job_times.c
    until = sa.func.lead(c.t).over(partition_by=c.job, order_by=c.id)
    end = sa.func.coalesce(until, now)
    begin = sa.case((c.state == "initializing", c.machines_t), else_=c.t)
    charged = sa.case((sa.or_(begin.is_(None), begin > end), 0.0), else_=end - begin)
    spans = sa.select(c.job, c.state, c.t, end.label("until"), charged.label("charged")).subquery()
    return (
        sa.select(
            spans.c.job,
            sa.func.sum(spans.c.until - spans.c.t).label("s"),
            sa.func.sum(spans.c.charged).label("machines_s"),
        )
        .where(spans.c.state.in_(ACTIVE))
        .group_by(spans.c.job)
        .subquery()
    )
