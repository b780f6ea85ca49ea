"""The store: every question and every change is one transaction, and no change goes by what a caller last saw."""

import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping

import sqlalchemy as sa

from workbench.errors import BadInput
from workbench.events import Error, Event
from workbench.jobs import curves, listing, queue, replay, requests
from workbench.jobs.changing import (
    blame,
    check_move,
    hold,
    keep_machines,
    set_state,
)
from workbench.jobs.database import Database, again
from workbench.jobs.reading import MANY, ONE, no_job, read_errors, read_jobs
from workbench.jobs.requests import Before, Submission
from workbench.jobs.tables import LARGEST, job_times, jobs
from workbench.jobs.values import STATES, Curve, Job, MachineRecord
from workbench.lineage import DatasetPin
from workbench.recipes import Recipe

LEASE_S = 30.0
"""A runner that has not sent a heartbeat for so long counts as dead."""


class Store:
    """All jobs, in SQLite or MariaDB; several processes use it at once, threads may share one store.

    A store is not carried over a fork: open another in the child.

    Parameters
    ----------
    url
        ``Settings.database_url``. A file that does not exist is made; tables are brought up to date.
    clock
        Gives seconds since 1970.

    Raises
    ------
    BadInput
        The URL cannot be used.
    Unavailable
        The database cannot be reached; every method may raise it.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        self._database = Database(url)
        self._clock = clock

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; twice is fine."""
        self._database.close()

    # Requests

    @again
    def submit(
        self,
        *,
        name: str,
        requester: str,
        recipe: Recipe,
        ps: int = 0,
        workers: int = 1,
        epochs: int | None = None,
        provider: str = "local",
        instance_type: str | None = None,
        cluster: str | None = None,
        price_per_hour: float | None = None,
        datasets: Mapping[str, DatasetPin] | None = None,
    ) -> int:
        """Queue a job; give its id.

        Parameters
        ----------
        datasets
            The versions of data sets that it is to use, by name.

        Raises
        ------
        BadInput
            A value that no job can have.
        """
        request = Submission(
            name,
            requester,
            ps,
            workers,
            epochs,
            provider,
            instance_type,
            cluster,
            price_per_hour,
            json.dumps({name: vars(pin) for name, pin in (datasets or {}).items()}),
        )
        with self._database.writing() as connection:
            return requests.submit(connection, request, recipe, self._clock())

    @again
    def restore(self, request: Submission, recipe: Recipe, before: Before) -> bool:
        """Put back a job whose store is lost and whose machines are at work; false if there is one of its number.

        Raises
        ------
        BadInput
            A recipe that no job can have.
        """
        with self._database.writing() as connection:
            return requests.restore(connection, request, recipe, before)

    @again
    def ask_terminate(self, id: int) -> bool:
        """Ask for the job's end: a waiting one is terminated here and now, a running one by its runner.

        False if it had ended already. Asking twice is fine. A job that was about to complete may still do so.

        Raises
        ------
        NotFound
        """
        with self._database.writing() as connection:
            return requests.ask_terminate(connection, id, self._clock())

    @again
    def retry(self, id: int, anew: bool = False) -> bool:
        """Queue a failed or terminated job again: to continue from its checkpoint, or ``anew`` from nothing.

        False if it is waiting or running, for instance because somebody else has just done the same.

        Raises
        ------
        NotFound
        BadInput
            The job is completed; its version stays as it is.
        """
        with self._database.writing() as connection:
            return requests.retry(connection, id, anew, self._clock())

    # Questions

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

    # Leases

    @again
    def claim(
        self, runner: str, cap: int, per_requester: int | None = None, *, provider: str = "local"
    ) -> Job | None:
        """Give the runner the job whose turn it is, with its lease, and set it to ``initializing``.

        ``None`` if nobody waits or no more may run: ``cap`` jobs of the provider in all, ``per_requester`` of one
        requester. A job counts until its runner has released it, so that its machines are gone.
        """
        now = self._clock()
        with self._database.writing() as connection:
            until = now + LEASE_S
            id = queue.claim(connection, provider, cap, per_requester, now, runner, until)
        return None if id is None else self.job(id)

    @again
    def heartbeat(self, id: int, runner: str) -> bool:
        """Hold the lease for another ``LEASE_S``; False if it is no longer this runner's, which then must stop."""
        return self._update(id, {"lease_until": self._clock() + LEASE_S}, jobs.c.runner == runner)

    @again
    def release(self, id: int, runner: str) -> bool:
        """Give the lease back; False if it is not this runner's.

        A job that is still active can then be taken over at once.
        """
        return self._update(id, {"runner": None, "lease_until": None}, jobs.c.runner == runner)

    @again
    def take_over(self, id: int, runner: str) -> bool:
        """Take the lease of a job that was abandoned; True for one caller at most."""
        now = self._clock()
        lease = {"runner": runner, "lease_until": now + LEASE_S}
        return self._update(id, lease, queue.abandoned(now))

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

    # What the runner records

    def move(
        self,
        id: int,
        from_states: Collection[str] | str,
        to: str,
        *,
        runner: str | None = None,
        accuracy: float | None = None,
        version: int | None = None,
        price_per_hour: float | None = None,
        error: Error | None = None,
    ) -> bool:
        """Bring the job from one of these states into another, if it is in one of them now: compare and set.

        Parameters
        ----------
        runner
            Only if this runner holds the lease: one that was taken for dead changes nothing any more.
        version, accuracy
            What was published, with ``completed``.
        error
            What ended it, with ``failed``: the cause, among all the errors that were reported.

        Returns
        -------
        Whether this call made the change.

        Raises
        ------
        NotFound
        ValueError
            The caller asks for a change that no job makes.
        """
        states = {from_states} if isinstance(from_states, str) else set(from_states)
        check_move(states, to, has_version=version is not None, has_error=error is not None)
        values = {"accuracy": accuracy, "version": version, "price_per_hour": price_per_hour}
        known = {name: value for name, value in values.items() if value is not None}
        return self._move(id, states, to, runner, known, error)

    @again
    def _move(
        self,
        id: int,
        states: Collection[str],
        to: str,
        runner: str | None,
        values: Mapping[str, object],
        error: Error | None,
    ) -> bool:
        with self._database.writing() as connection:
            job = hold(connection, id)
            if job["state"] not in states or runner not in (None, job["runner"]):
                return False
            set_state(connection, job, to, self._clock(), **values)
            if error is not None:
                blame(connection, job, error)
        return True

    @again
    def apply(self, id: int, events: Iterable[Event]) -> None:
        """Replay what machines reported into metrics, phases, errors and the progress.

        The same events, in whatever pieces and however often, give the same rows. What the leading machine says
        about its phase brings a claimed job to ``training`` and ``exporting``. Metrics of other machines and all
        logs stay in their files.

        Raises
        ------
        NotFound
        """
        events = list(events)
        with self._database.writing() as connection:
            job = hold(connection, id)
            for change in replay.apply(connection, job, events):
                set_state(connection, job, change.phase, change.t)

    @again
    def note_machines_since(self, id: int, t: float) -> None:
        """Note since when machines exist for the job's newest attempt; only the first time counts."""
        begun = (
            sa.select(sa.func.max(job_times.c.id))
            .where(job_times.c.job == id, job_times.c.state == "initializing")
            .scalar_subquery()
        )
        with self._database.writing() as connection:
            row = connection.scalar(sa.select(begun))
            if row is not None:
                change = job_times.update().where(job_times.c.id == row, job_times.c.machines_t.is_(None))
                connection.execute(change.values(machines_t=t))

    @again
    def keep_machines(self, id: int, found: Iterable[MachineRecord]) -> None:
        """Record what became of these machines; others stay as they were.

        Raises
        ------
        NotFound
        """
        found = list(found)
        with self._database.writing() as connection:
            hold(connection, id)
            keep_machines(connection, id, found)

    def _update(self, id: int, values: Mapping[str, object], condition: sa.ColumnElement[bool]) -> bool:
        with self._database.writing() as connection:
            done = connection.execute(jobs.update().where(jobs.c.id == id, condition).values(values))
            return done.rowcount == 1
