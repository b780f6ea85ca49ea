"""The steps that changes are made of; each runs inside a transaction that its caller opened."""

import json
from collections.abc import Collection, Iterable

import sqlalchemy as sa

from workbench.errors import BadInput
from workbench.events import MAX_TRACEBACK, Error, clean
from workbench.jobs.reading import Row, no_job
from workbench.jobs.tables import errors, job_times, jobs, machines, recipes
from workbench.jobs.values import NEXT, MachineRecord
from workbench.recipes import FIELDS, Recipe, beside

MAX_SOURCE = 4 * 1024**2
"""Bytes of one field of a recipe; MariaDB takes 16 MiB in one piece."""


def check_requester(requester: str) -> None:
    """Refuse what cannot be shown or told apart from another name."""
    if not 0 < len(requester) <= 255 or requester.strip() != requester or not requester.isprintable():
        raise BadInput(f"a requester is a name of 1 to 255 characters. Received: {requester!r}")


def check_recipe(recipe: Recipe) -> None:
    """Refuse what a database cannot keep byte for byte."""
    for field in (*FIELDS, "requirements"):
        try:
            size = len(getattr(recipe, field).encode())
        except UnicodeEncodeError as error:
            raise BadInput(f"{field} holds half of a surrogate pair, which is no text: {error}") from error
        if size > MAX_SOURCE:
            raise BadInput(
                f"{field} has {size:,} bytes, more than {MAX_SOURCE:,}; load data in load_data() instead of "
                "writing it into the code"
            )


def keep_recipe(connection: sa.Connection, recipe: Recipe) -> None:
    """Keep the recipe's source, once for all jobs that have the same."""
    there = sa.select(recipes.c.sha256).where(recipes.c.sha256 == recipe.sha256)
    if connection.execute(there).first() is None:
        try:
            with connection.begin_nested():
                values = {field: getattr(recipe, field) for field in FIELDS}
                values |= {
                    "requirements": recipe.requirements or None,
                    "files": json.dumps(beside.pack(recipe.files)) if recipe.files else None,
                }
                connection.execute(recipes.insert().values(sha256=recipe.sha256, **values))
        except sa.exc.IntegrityError:  # somebody else kept the same in this moment
            pass


def hold(connection: sa.Connection, id: int) -> Row:
    """The job's row, which nobody else changes until the end of the transaction."""
    row = connection.execute(sa.select(jobs).where(jobs.c.id == id).with_for_update()).mappings().first()
    if row is None:
        raise no_job(id)
    return row


def set_state(connection: sa.Connection, job: Row, state: str, t: float, **values: object) -> None:
    """Bring a job that is held into a state; ``values`` are further columns."""
    connection.execute(jobs.update().where(jobs.c.id == job["id"]).values(state=state, **values))
    attempt = values.get("attempt", job["attempt"])
    connection.execute(job_times.insert().values(job=job["id"], attempt=attempt, state=state, t=t))


def blame(connection: sa.Connection, job: Row, error: Error) -> None:
    """Mark the error as the one that ended the attempt; it may have been reported already."""
    key = {"job": job["id"], "role": error.role, "index": error.index, "t": error.t}
    same = [errors.c[name] == value for name, value in key.items()]
    if not connection.execute(errors.update().where(*same).values(ended=job["attempt"])).rowcount:
        connection.execute(
            errors.insert().values(
                **key,
                message=clean(error.message),
                field=error.field,
                line=error.line,
                traceback=clean(error.traceback, MAX_TRACEBACK),
                ended=job["attempt"],
            )
        )


def check_move(states: Collection[str], to: str, *, has_version: bool, has_error: bool) -> None:
    """Refuse a change of state that no job makes.

    Raises
    ------
    ValueError
    """
    if wrong := sorted(state for state in states if to not in NEXT.get(state, ())):
        raise ValueError(f"no job goes from {', '.join(wrong)} to {to}")
    if (to == "completed") != has_version:
        raise ValueError("a job is completed with the version that it published, and only then has one")
    if (to == "failed") != has_error:
        raise ValueError("a job fails with an error, and only then has one")


def keep_machines(connection: sa.Connection, id: int, found: Iterable[MachineRecord]) -> None:
    """Record what became of these machines of a job."""
    for machine in found:
        key = {"job": id, "role": machine.role, "index": machine.index}
        values = {"state": machine.state, "pid": machine.pid, "instance": machine.instance}
        same = [machines.c[name] == value for name, value in key.items()]
        if not connection.execute(machines.update().where(*same).values(values)).rowcount:
            connection.execute(machines.insert().values(**key, **values))
