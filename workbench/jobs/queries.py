"""Questions to the job store: each is one transaction that changes nothing."""

import time
from collections.abc import Callable, Collection
from typing import Self

import sqlalchemy as sa

from workbench.errors import BadInput
from workbench.events import Error
from workbench.jobs import curves, listing, queue
from workbench.jobs.database import Database
from workbench.jobs.reading import MANY, ONE, no_job, read_errors, read_jobs
from workbench.jobs.tables import LARGEST, jobs
from workbench.jobs.values import STATES, Curve, Job


class Queries:
    """The questions that :class:`workbench.jobs.Store` answers; there its parameters are told."""

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        self._database = Database(url)
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; twice is fine."""
        self._database.close()

    def job(self, id: int) -> Job:
        """The job, recipe included.

        Raises
        ------
        NotFound
        """
        with self._database.reading() as connection:
            found = read_jobs(connection, ONE.where(jobs.c.id == id), self._clock())
        if not found:
            raise no_job(id)
        return found[0]

    def has(self, id: int) -> bool:
        """Whether there is such a job."""
        with self._database.reading() as connection:
            return connection.execute(sa.select(jobs.c.id).where(jobs.c.id == id)).first() is not None

    def jobs(
        self,
        state: str | Collection[str] | None = None,
        requester: str | None = None,
        limit: int = 100,
        before: int | None = None,
    ) -> list[Job]:
        """The newest jobs first, without their recipes.

        Parameters
        ----------
        state
            Only jobs in this state, or in one of these.
        before
            Only jobs with a smaller id: the next page after one that ended there.
        """
        query = MANY.order_by(jobs.c.id.desc()).limit(min(limit, LARGEST))
        if state is not None:
            states = {state} if isinstance(state, str) else set(state)
            if unknown := states - set(STATES):
                raise BadInput(
                    f"a state is one of {', '.join(STATES)}. Received: {', '.join(sorted(unknown))}"
                )
            query = query.where(jobs.c.state.in_(states))
        if requester is not None:
            query = query.where(jobs.c.requester == requester)
        if before is not None:
            query = query.where(jobs.c.id < before)
        with self._database.reading() as connection:
            return read_jobs(connection, query, self._clock())

    def page(
        self,
        filter: listing.JobFilter = listing.JobFilter(),  # noqa: B008 - frozen
        *,
        sort: str = "id",
        descending: bool = True,
        offset: int = 0,
        limit: int = 50,
    ) -> listing.Listing:
        """A page of the jobs that the filter lets through, without their recipes, and how many there are.

        Parameters
        ----------
        sort
            One of ``listing.SORTS``; jobs without a value come last.
        """
        with self._database.reading() as connection:
            return listing.read_listing(connection, filter, sort, descending, offset, limit, self._clock())

    def pulse(self) -> listing.Pulse:
        """What differs as soon as any job has changed; one query, to be asked again and again."""
        with self._database.reading() as connection:
            return listing.read_pulse(connection)

    def newest(
        self, recipe_sha256: str, ps: int | None = None, workers: int | None = None, limit: int = 5
    ) -> list[Job]:
        """The newest completed jobs of this very recipe, and of this layout if one is given, without their recipes."""
        query = MANY.where(jobs.c.recipe == recipe_sha256, jobs.c.state == "completed")
        if ps is not None:
            query = query.where(jobs.c.ps == ps)
        if workers is not None:
            query = query.where(jobs.c.workers == workers)
        with self._database.reading() as connection:
            return read_jobs(connection, query.order_by(jobs.c.id.desc()).limit(limit), self._clock())

    def curve(self, id: int, points: int = 500) -> Curve:
        """The metrics since the job began from nothing, thinned evenly, first and newest included; one query.

        Steps that were done again after going back to a checkpoint appear as they were done last. A job that
        has none, or is not there, has an empty curve.
        """
        with self._database.reading() as connection:
            return curves.read_curve(connection, id, points)

    def errors(self, id: int) -> list[Error]:
        """Every error that was reported since the job was last queued, the first one first.

        Raises
        ------
        NotFound
        """
        with self._database.reading() as connection:
            return read_errors(connection, id)

    def positions(self) -> dict[int, int]:
        """Each waiting job's place in the queue of its provider, from 1; who waits for a limit keeps its place."""
        places: dict[int, int] = {}
        with self._database.reading() as connection:
            query = sa.select(jobs.c.provider).where(jobs.c.state == "queued").distinct()
            for provider in connection.scalars(query).all():
                places |= {id: n for n, id in enumerate(queue.read_order(connection, provider), 1)}
        return places

    def position(self, id: int) -> int | None:
        """The job's place in the queue, from 1; ``None`` if it does not wait."""
        return self.positions().get(id)

    def terminate_asked(self, id: int) -> bool:
        """Whether somebody asked for the end of this attempt.

        Raises
        ------
        NotFound
        """
        with self._database.reading() as connection:
            row = connection.execute(sa.select(jobs.c.terminate_t).where(jobs.c.id == id)).first()
        if row is None:
            raise no_job(id)
        return row.terminate_t is not None

    def abandoned(self, now: float | None = None) -> list[Job]:
        """Jobs whose runner died: active ones without a valid lease, and ended ones that nobody released.

        Of the latter the machines may still be there.
        """
        query = MANY.where(queue.abandoned(self._clock() if now is None else now)).order_by(jobs.c.id)
        with self._database.reading() as connection:
            return read_jobs(connection, query, self._clock())

    def stamp(self) -> object | None:
        """Give what differs after any change of the store, cheaply; ``None`` where that cannot be told."""
        return self._database.stamp()

    def is_calm(self) -> bool:
        """Tell whether no job waits, is at work, or has a lease: nothing happens then until somebody asks for it."""
        query = sa.select(jobs.c.id).where(queue.moving()).limit(1)
        with self._database.reading() as connection:
            return connection.execute(query).first() is None
