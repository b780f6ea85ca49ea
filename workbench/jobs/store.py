"""The store and its changes: each is one transaction, and none goes by what a caller last saw."""

import json
from collections.abc import Collection, Iterable, Mapping

import sqlalchemy as sa

from workbench.events import Error, Event
from workbench.jobs import queue, replay, requests
from workbench.jobs.changing import (
    blame,
    check_move,
    hold,
    keep_machines,
    set_state,
)
from workbench.jobs.database import again
from workbench.jobs.queries import Queries
from workbench.jobs.requests import Before, Submission
from workbench.jobs.tables import job_times, jobs
from workbench.jobs.values import Job, MachineRecord
from workbench.lineage import DatasetPin
from workbench.recipes import Recipe

LEASE_S = 30.0
"""A runner that has not sent a heartbeat for so long counts as dead."""


class Store(Queries):
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
