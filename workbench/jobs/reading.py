"""Rows become values."""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from workbench.errors import NotFound, Unavailable
from workbench.events import Error, Progress
from workbench.fields import Fields
from workbench.jobs.tables import errors, job_times, jobs, machines, phases, recipes
from workbench.jobs.values import ACTIVE, Job, Lease, MachineRecord, StateChange, machine_spans
from workbench.lineage import DatasetPin, parse_pins
from workbench.recipes import FIELDS, Recipe, beside

Row = sa.RowMapping


def no_job(id: int) -> NotFound:
    """Make the error for an id that no job has."""
    return NotFound(f"there is no job {id}; `workbench jobs` lists them")


_SOURCE = (*FIELDS, "requirements", "files")
ONE = sa.select(jobs, *(recipes.c[name] for name in _SOURCE)).join(recipes)
"""Jobs with the source of their recipes."""
MANY = sa.select(jobs)
_SAME = (
    *("id", "name", "requester", "state", "ps", "workers", "epochs", "provider", "instance_type", "cluster"),
    *("attempt", "origin", "accuracy", "version", "price_per_hour"),
)


def read_jobs(connection: sa.Connection, query: sa.Select[Any], now: float) -> list[Job]:
    """The jobs that ``ONE`` or ``MANY``, narrowed down, finds."""
    rows = connection.execute(query).mappings().all()
    ids = [row["id"] for row in rows]
    changes: dict[int, list[StateChange]] = defaultdict(list)
    times = sa.select(job_times).where(job_times.c.job.in_(ids)).order_by(job_times.c.id)
    for row in connection.execute(times).mappings():
        changes[row["job"]].append(StateChange(row["attempt"], row["state"], row["t"], row["machines_t"]))
    found = _read_machines(connection, ids)
    ends = sa.select(errors).where(errors.c.job.in_(ids), errors.c.ended.is_not(None))
    ended = {(row["job"], row["ended"]): read_error(row) for row in connection.execute(ends).mappings()}
    return [
        Job(
            **{name: row[name] for name in _SAME},
            recipe=_recipe(row) if FIELDS[0] in row else None,
            recipe_sha256=row["recipe"],
            progress=_progress(row),
            error=ended.get((row["id"], row["attempt"])),
            machines=tuple(found[row["id"]]),
            changes=tuple(changes[row["id"]]),
            execution_s=_execution_s(changes[row["id"]], now),
            lease=Lease(row["runner"], row["lease_until"]) if row["runner"] is not None else None,
            terminate_asked=row["terminate_t"],
            datasets=_datasets(row["datasets"]),
            machines_s=machines_s(changes[row["id"]], now),
        )
        for row in rows
    ]


def _recipe(row: Row) -> Recipe:
    files = beside.parse(json.loads(row["files"] or "[]"))
    code = {field: str(row[field]) for field in FIELDS}
    return Recipe(**code, requirements=row["requirements"] or "", files=files)


def _datasets(text: str | None) -> dict[str, DatasetPin]:
    return parse_pins(Fields({"datasets": json.loads(text or "{}")}, "the job's ", Unavailable), "datasets")


def read_error(row: Row) -> Error:
    """The error in a row of ``errors``."""
    return Error(
        row["t"],
        row["role"],
        row["index"],
        row["message"],
        row["field"],
        row["line"],
        row["traceback"],
    )


def read_errors(connection: sa.Connection, id: int) -> list[Error]:
    """Read the errors that were reported since the job was last queued, the first one first.

    Raises
    ------
    NotFound
    """
    queued_t = connection.scalar(sa.select(jobs.c.queued_t).where(jobs.c.id == id))
    if queued_t is None:
        raise no_job(id)
    query = sa.select(errors).where(errors.c.job == id, errors.c.t >= queued_t).order_by(errors.c.t)
    return [read_error(row) for row in connection.execute(query).mappings()]


def _read_machines(connection: sa.Connection, ids: Sequence[int]) -> dict[int, list[MachineRecord]]:
    key = ("job", "role", "index")
    said = sa.select(phases).where(phases.c.job.in_(ids)).order_by(phases.c.t)
    phase = {tuple(row[k] for k in key): row["phase"] for row in connection.execute(said).mappings()}
    found: dict[int, list[MachineRecord]] = defaultdict(list)
    query = sa.select(machines).where(machines.c.job.in_(ids)).order_by(machines.c.role, machines.c.index)
    for row in connection.execute(query).mappings():
        values = {name: row[name] for name in ("role", "index", "state", "pid", "instance")}
        found[row["job"]].append(MachineRecord(**values, phase=phase.get(tuple(row[k] for k in key))))
    return found


def _progress(row: Row) -> Progress | None:
    if row["metric_t"] is None:
        return None
    same = ("step", "of", "epoch", "loss", "val_loss", "val_accuracy", "images_per_s", "eta_s")
    return Progress(accuracy=row["train_accuracy"], **{name: row[name] for name in same})


def machines_s(changes: Sequence[StateChange], now: float) -> float:
    """Count the seconds in which a job's machines existed."""
    return sum(max(0.0, end - begin) for _, begin, end in machine_spans(changes, now))


def _execution_s(changes: Sequence[StateChange], now: float) -> float:
    ends = [change.t for change in changes[1:]] + [now]
    return sum(
        max(0.0, end - change.t) for change, end in zip(changes, ends, strict=True) if change.state in ACTIVE
    )
