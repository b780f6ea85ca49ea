"""The requests that users make: submit, terminate, retry; each runs inside a transaction that its caller opened."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from workbench import artifact
from workbench.errors import BadInput
from workbench.jobs import replay
from workbench.jobs.changing import check_recipe, check_requester, hold, keep_recipe, set_state
from workbench.jobs.tables import job_times, jobs
from workbench.jobs.values import ENDED, Job
from workbench.lineage import DatasetPin
from workbench.recipes import Recipe


@dataclass(frozen=True)
class Submission:
    """Everything that is asked of a job but for its recipe."""

    name: str
    requester: str
    ps: int
    workers: int
    epochs: int | None
    provider: str
    instance_type: str | None
    cluster: str | None
    price_per_hour: float | None
    datasets: str = "{}"

    def __post_init__(self) -> None:
        artifact.check_name(self.name)
        check_requester(self.requester)
        for what, value, least in (
            ("ps", self.ps, 0),
            ("workers", self.workers, 1),
            ("epochs", self.epochs, 1),
        ):
            if value is not None and not least <= value < 2**31:
                raise BadInput(
                    f"{what} must be a whole number from {least}, below {2**31:,}. Received: {value!r}"
                )


def submit(connection: sa.Connection, request: Submission, recipe: Recipe, now: float) -> int:
    """Queue a job; give its id."""
    check_recipe(recipe)
    keep_recipe(connection, recipe)
    begun = {"state": "queued", "attempt": 1, "origin": 1, "queued_t": now, "origin_t": now}
    key = connection.execute(
        jobs.insert().values({**asdict(request), "recipe": recipe.sha256, **begun})
    ).inserted_primary_key
    assert key is not None
    id = int(key[0])
    connection.execute(job_times.insert().values(job=id, attempt=1, state="queued", t=now))
    return id


@dataclass(frozen=True)
class Before:
    """What became of a job before it came into this store."""

    id: int
    attempt: int
    origin: int
    began: float
    """When its machines were asked for."""

    def at_work(self, request: Submission, recipe: Recipe, datasets: Mapping[str, DatasetPin]) -> Job:
        """The job as its machines have it, before any store has."""
        same = (
            "name", "requester", "ps", "workers", "epochs", "provider", "instance_type", "cluster", "price_per_hour",
        )  # fmt: skip
        return Job(
            **{name: getattr(request, name) for name in same},
            id=self.id,
            state="training",
            recipe=recipe,
            recipe_sha256=recipe.sha256,
            attempt=self.attempt,
            origin=self.origin,
            progress=None,
            accuracy=None,
            version=None,
            error=None,
            machines=(),
            changes=(),
            execution_s=0.0,
            lease=None,
            terminate_asked=None,
            datasets=datasets,
        )


def restore(connection: sa.Connection, request: Submission, recipe: Recipe, before: Before) -> bool:
    """Put back a job that is at work and whose store is lost; false if there is one of its number.

    Nobody has its lease, so the next tick gives it to a runner, which takes its machines up.
    """
    check_recipe(recipe)
    if connection.execute(sa.select(jobs.c.id).where(jobs.c.id == before.id)).first() is not None:
        return False
    keep_recipe(connection, recipe)
    told = {
        "id": before.id,
        "state": "training",
        "attempt": before.attempt,
        "origin": before.origin,
        "queued_t": before.began,
        "origin_t": before.began,
    }
    connection.execute(jobs.insert().values({**asdict(request), "recipe": recipe.sha256, **told}))
    for state, machines_t in (("queued", None), ("initializing", before.began), ("training", None)):
        row = job_times.insert().values(
            job=before.id, attempt=before.attempt, state=state, t=before.began, machines_t=machines_t
        )
        connection.execute(row)
    return True


def ask_terminate(connection: sa.Connection, id: int, now: float) -> bool:
    """Terminate a job that waits, note the wish for one that runs; give whether it had not ended already."""
    job = hold(connection, id)
    if job["state"] in ENDED:
        return False
    since = now if job["terminate_t"] is None else job["terminate_t"]
    if job["state"] == "queued":
        set_state(connection, job, "terminated", now, terminate_t=since)
    else:
        connection.execute(jobs.update().where(jobs.c.id == id).values(terminate_t=since))
    return True


def retry(connection: sa.Connection, id: int, anew: bool, now: float) -> bool:
    """Queue a job again that has ended without a version; give whether it had ended."""
    job = hold(connection, id)
    if job["state"] == "completed":
        raise BadInput(f"job {id} is completed with version {job['version']}; submit it again for another")
    if job["state"] not in ENDED:
        return False
    attempt = job["attempt"] + 1
    begun = {"origin": attempt, "origin_t": now, **replay.NOTHING} if anew else {}
    set_state(connection, job, "queued", now, attempt=attempt, queued_t=now, terminate_t=None, **begun)
    return True
