"""Jobs: submit, watch, end, try again."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from workbench import recipes, runner
from workbench.errors import BadInput, Unavailable
from workbench.jobs import ACTIVE, ENDED, Job, JobFilter, Store, costs, standing_costs
from workbench.jobs import MachineRecord as JobMachine
from workbench.jobs.changing import check_requester
from workbench.jobs.costs import JobCosts
from workbench.jobs.monthly import MonthlyCosts
from workbench.jobs.standing_costs import StandingCosts
from workbench.settings import Settings
from workbench.system import extras
from workbench.verbs import datasets
from workbench.verbs import recipes as recipe_verbs
from workbench.verbs.clusters import Clusters
from workbench.verbs.machines import Machines
from workbench.verbs.requests import Request

__all__ = [
    "ENDED",
    "Job",
    "JobCosts",
    "JobMachine",
    "Jobs",
    "MonthlyCosts",
    "QueueLimits",
    "Request",
    "StandingCosts",
    "check_requester",
    "has_ended",
]


@dataclass(frozen=True)
class QueueLimits:
    """Jobs that may run at once, and those that run and wait now."""

    cap: int
    per_requester: int
    running: int
    mine_running: int
    waiting: int
    mine_waiting: int


class Jobs:
    """The jobs of one workbench. Threads may share it.

    Parameters
    ----------
    start
        Starts a runner; see ``runner.tick``.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        machines: Machines,
        clusters: Clusters,
        start: runner.Start | None = None,
    ) -> None:
        self._settings, self._store = settings, store
        self._machines, self._clusters, self._start = machines, clusters, start

    def submit(self, request: Request) -> int:
        """Queue a job after a look at its syntax, and start it if it is its turn; its id.

        Raises
        ------
        RecipeError
            With the field and line.
        BadInput
            A value that no job can have.
        NotFound
            It names a data set that is not there.
        Unavailable
            There is no such provider here.
        """
        recipes.check(request.recipe)
        if request.provider == "local" and not extras.is_installed("train"):
            raise Unavailable(f"nothing can be trained here: {extras.install('train')}")
        if request.cluster is not None:
            self._clusters.check_layout(request.cluster, request.layout, request.provider)
        price = self._machines.plan(request.provider, request.layout).price_per_hour
        id = self._store.submit(
            name=request.name,
            requester=request.requester,
            recipe=recipe_verbs.kept(request.recipe, self._settings),
            ps=request.ps,
            workers=request.workers,
            epochs=request.epochs,
            provider=request.provider,
            instance_type=request.instance_type,
            cluster=request.cluster,
            price_per_hour=price,
            datasets=datasets.pins_of(request.recipe, self._settings),
        )
        self.tick()
        return id

    def tick(self) -> None:
        """Start the jobs whose turn it is."""
        runner.tick(self._store, self._settings, self._start)

    def follow(self, id: int, *, every_s: float = 0.5) -> Iterator[Job]:
        """Yield the job again and again until it has ended, also as it then is; meanwhile the queue goes on."""
        while True:
            job = self._store.job(id)
            yield job
            if has_ended(job):
                return
            self.tick()
            time.sleep(every_s)

    def terminate(self, id: int) -> Job:
        """End the job and wait until it has ended; one that has ended already stays as it is."""
        job = runner.terminate(id, self._store, self._settings)
        self.tick()
        return job

    def costs(self, month: str | None, now: float) -> MonthlyCosts:
        """What the jobs and the standing clusters of a month cost; of this month for ``None``.

        Raises
        ------
        BadInput
            It is no month.
        """
        told, settings = costs.read_month(month, now), self._settings
        jobs = self._store.jobs(limit=100_000)
        found = costs.report(jobs, told, now)
        idle_s = settings.aws_idle_minutes * 60.0 if settings.aws_idle_minutes else None
        limits = standing_costs.Limits(idle_s, settings.aws_hours * 3600.0)
        changes = standing_costs.Ledger(settings.home).read()
        standing = standing_costs.report(changes, jobs, told, now, limits)
        return MonthlyCosts(told.name, found, costs.by_requester(found), standing)

    def retry(self, id: int, anew: bool = False) -> None:
        """Queue a failed or terminated job again.

        Raises
        ------
        BadInput
            It waits, runs or is completed.
        """
        if not self._store.retry(id, anew=anew):
            state = self._store.job(id).state
            raise BadInput(f"job {id} is {state}: only one that has ended can be tried again")
        self.tick()

    def link(self, job: Job) -> str | None:
        """An address from which anybody can download the job's version for a while.

        ``None`` where the provider keeps no copy, or cannot be reached: it is in the registry here all the same.
        """
        if job.version is None or job.provider == "local":
            return None
        try:
            return self._machines.provider(job.provider).link(f"{job.name}:{job.version}")
        except Unavailable:
            return None

    def limits(self, requester: str) -> QueueLimits:
        """Count the jobs that may run, and those of this requester and of all that do."""
        every = self._store.page(limit=1).states
        mine = self._store.page(JobFilter(requesters=[requester]), limit=1).states if requester else {}
        return QueueLimits(
            cap=self._settings.max_jobs,
            per_requester=self._settings.max_jobs_per_requester,
            running=sum(every.get(state, 0) for state in ACTIVE),
            mine_running=sum(mine.get(state, 0) for state in ACTIVE),
            waiting=every.get("queued", 0),
            mine_waiting=mine.get("queued", 0),
        )


def has_ended(job: Job) -> bool:
    """Tell whether nothing of the job is under way any more."""
    return job.state in ENDED and job.lease is None
