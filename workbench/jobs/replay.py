"""Events become rows: a row a fact, told apart by who reported it and when, so that hearing it twice changes nothing.

Metrics are those of the leading machine. Training goes back where a relaunched cluster resumes from a checkpoint:
a row is *live* unless a later one has the same or a smaller step, and the live rows are the curve.
"""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from workbench.events import Error, Event, Metric, Phase
from workbench.jobs.reading import Row
from workbench.jobs.tables import errors, jobs, metrics, phases
from workbench.jobs.values import leading

NOTHING: dict[str, object] = {
    **dict.fromkeys(("step", "of", "epoch", "loss", "train_accuracy", "images_per_s", "eta_s", "metric_t")),
    **dict.fromkeys(("val_loss", "val_accuracy", "validation_t")),
    "metrics": 0,
    "validations": 0,
}
"""The progress of a job that begins from nothing."""
FIRST_LEVEL = 62
_FORWARD = {"training": {"initializing"}, "exporting": {"initializing", "training"}}


def apply(connection: sa.Connection, job: Row, events: Iterable[Event]) -> list[Phase]:
    """Insert what is new; give the phases that change the job's state, in their order.

    ``job`` is the job's row, held by this transaction.
    """
    events = sorted(events, key=lambda event: event.t)
    reported = [event for event in events if isinstance(event, Phase)]
    _insert_new(connection, phases, job["id"], reported, ("phase",))
    failures = [event for event in events if isinstance(event, Error)]
    _insert_new(connection, errors, job["id"], failures, ("message", "field", "line", "traceback"))
    lead = leading(job["ps"])
    measured = [
        event
        for event in events
        if isinstance(event, Metric) and (event.role, event.index) == lead and event.t >= job["origin_t"]
    ]
    if measured:
        _insert_metrics(connection, job, measured)
    return _find_changes(job, [event for event in reported if (event.role, event.index) == lead])


def _find_changes(job: Row, reported: Sequence[Phase]) -> list[Phase]:
    state, changes = job["state"], []
    for event in reported:
        if event.t >= job["queued_t"] and state in _FORWARD.get(event.phase, ()):
            state = event.phase
            changes.append(event)
    return changes


def _insert_new(
    connection: sa.Connection, table: sa.Table, job: int, events: Sequence[Event], fields: Sequence[str]
) -> None:
    """Insert the events that the table does not have yet, known by machine and time."""
    if not events:
        return
    c = table.c
    query = sa.select(c.role, c.index, c.t).where(c.job == job, c.t.between(events[0].t, events[-1].t))
    known = {tuple(row) for row in connection.execute(query)}
    rows = []
    for event in events:
        key = (event.role, event.index, event.t)
        if key not in known:
            known.add(key)
            values = {field: getattr(event, field) for field in fields}
            rows.append({"job": job, "role": event.role, "index": event.index, "t": event.t, **values})
    if rows:
        connection.execute(table.insert(), rows)


def _insert_metrics(connection: sa.Connection, job: Row, measured: Sequence[Metric]) -> None:
    """Insert the metrics that are new and keep the job's progress; they are in the order of their times."""
    new = _find_new(connection, job, measured)
    if not new:
        return
    live = _find_live(connection, job, new)
    validated = [event for event in new if event.validated]
    rows = [_row(job, event, False, job["metrics"] + n, event in live) for n, event in enumerate(new)]
    rows += [
        _row(job, event, True, job["validations"] + n, event in live) for n, event in enumerate(validated)
    ]
    connection.execute(metrics.insert(), rows)
    values: dict[str, object] = {
        "metrics": job["metrics"] + len(new),
        "validations": job["validations"] + len(validated),
    }
    last = max(new, key=lambda event: (event.t, event.step))
    if job["metric_t"] is None or (last.t, last.step) > (job["metric_t"], job["step"]):
        same = ("step", "of", "epoch", "loss", "images_per_s", "eta_s")
        values |= {name: getattr(last, name) for name in same}
        values |= {"metric_t": last.t, "train_accuracy": last.accuracy}
    if validated and (job["validation_t"] is None or validated[-1].t > job["validation_t"]):
        last = validated[-1]
        values |= {"validation_t": last.t, "val_loss": last.val_loss, "val_accuracy": last.val_accuracy}
    connection.execute(jobs.update().where(jobs.c.id == job["id"]).values(values))


def _find_new(connection: sa.Connection, job: Row, measured: Sequence[Metric]) -> list[Metric]:
    """Those that are no rows yet, known by step and time."""
    c = metrics.c
    steps = [event.step for event in measured]
    query = sa.select(c.step, c.t).where(*_training(job), c.step.between(min(steps), max(steps)))
    known = {tuple(row) for row in connection.execute(query)}
    new = []
    for event in measured:
        if (event.step, event.t) not in known:
            known.add((event.step, event.t))
            new.append(event)
    return new


def _find_live(connection: sa.Connection, job: Row, new: Sequence[Metric]) -> set[Metric]:
    """Those of the new metrics that no later one overtakes; rows that these overtake stop being live."""
    c = metrics.c
    live: list[Metric] = []
    for event in reversed(new):
        if not live or event.step < live[-1].step:
            live.append(event)
    live.reverse()
    if job["metric_t"] is None:
        return set(live)
    # The job's progress is its newest row: that is live, and has the highest step of all that are.
    newest_t, newest_step = job["metric_t"], job["step"]
    for event in [event for event in live if event.t < newest_t]:
        later = sa.select(c.t).where(*_training(job), c.step <= event.step, c.t > event.t)
        if connection.execute(later.limit(1)).first():
            live.remove(event)
    for event in live:
        if event.step > newest_step:
            break
        ours = (c.job == job["id"], c.origin == job["origin"], c.live == sa.true())
        overtaken = metrics.update().where(*ours, c.step >= event.step, c.t < event.t)
        connection.execute(overtaken.values(live=False))
        if event.t > newest_t:
            break  # this one overtook whatever those after it could
    return set(live)


def _training(job: Row) -> tuple[sa.ColumnElement[bool], ...]:
    c = metrics.c
    return c.job == job["id"], c.origin == job["origin"], c.validation == sa.false()


def _row(job: Row, event: Metric, validation: bool, number: int, live: bool) -> dict[str, object]:
    return {
        "job": job["id"],
        "origin": job["origin"],
        "validation": validation,
        "step": event.step,
        "t": event.t,
        "epoch": event.epoch,
        "loss": event.val_loss if validation else event.loss,
        "accuracy": event.val_accuracy if validation else event.accuracy,
        "images_per_s": None if validation else event.images_per_s,
        "live": live,
        "level": level(number),
    }


def level(number: int) -> int:
    """How often the number can be halved: a row's place in the thinning. The first one is in every curve.

    >>> [level(number) for number in range(9)]
    [62, 0, 1, 0, 2, 0, 1, 0, 3]
    """
    return (number & -number).bit_length() - 1 if number else FIRST_LEVEL
