"""One try at a job with its machines: launched or taken up, listened to, started again, ended."""

import contextlib
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from workbench.errors import NoMachineFree, NotFound, Unavailable, WorkbenchError
from workbench.jobs import Job, MachineRecord, Store
from workbench.machines import Layout, Machine, Place, Provider, standing
from workbench.models import registry
from workbench.runner import faults, folders
from workbench.runner.patience import Patience
from workbench.runner.reports import Reports
from workbench.runner.tools import end_trials
from workbench.settings import Settings

WAITING = "waiting"
"""State of a machine that the provider has not got yet."""


@dataclass(frozen=True)
class Workplace:
    """Where a job is carried out.

    Attributes
    ----------
    standing
        The cluster is not the job's own: it stands ready again when the job has ended.
    folder
        Where the machines find the recipe and leave what they report.
    """

    provider: Provider
    cluster: str
    standing: bool
    layout: Layout
    folder: Path


def workplace_of(job: Job, provider: Provider, settings: Settings) -> Workplace:
    """The workplace that a job asks for."""
    return Workplace(
        provider=provider,
        cluster=job.cluster or cluster_of(job.id),
        standing=job.cluster is not None,
        layout=Layout(job.ps, job.workers, job.instance_type),
        folder=settings.home / "jobs" / str(job.id),
    )


def cluster_of(id: int) -> str:
    """The name of a job's own cluster."""
    return f"job-{id}"


class JobAttempt:
    """What a runner sees of a job's machines, and does with them.

    Parameters
    ----------
    trials
        Where recipes are tried and exports are loaded back.
    say
        Writes a line into the job's log.
    """

    def __init__(
        self,
        job: Job,
        place: Workplace,
        trials: Provider,
        store: Store,
        patience: Patience,
        say: Callable[[str], object],
        rules: faults.Rules,
    ) -> None:
        self._job, self._place, self._trials = job, place, trials
        self._store, self._patience, self._say, self._rules = store, patience, say, rules
        self._provider = place.provider
        self._reports = Reports(place.folder, place.layout, since=job.times.get("queued", 0.0))
        self._heard = time.time()
        self._restarts: list[faults.Restart] = []
        self._broken_since: float | None = None
        self._shown: list[Machine] = []
        self._scarce: tuple[int, float] = (0, 0.0)
        """How often no machine was free in a row, and when to ask again."""

    def adopt(self) -> bool:
        """Go on with machines that a runner before left at work in this very attempt."""
        folder = self._place.folder
        there = self._there() if folders.has_machines(folder) else []
        if not there or not folders.is_prepared(folder, self._job):
            self.end_machines()
            return False
        self._patience.with_machines(partial(self._provider.collect, self._place.cluster, folder, whole=True))
        self._note_since(min(m.created or time.time() for m in there))
        self._say(f"takes up {sum(m.state == 'running' for m in there)} running machines")
        return True

    def launch(self) -> None:
        """Have the machines begin, new ones or those of the standing cluster."""
        place = self._place
        for warning in self._provider.warnings:
            self._say(f"warning: {warning}")
        folders.note_machines(place.folder, folders.BEGUN)
        if place.standing:
            standing.check_layout(self._provider.machines(place.cluster), place.cluster, place.layout)
            self._note_since(time.time())
            self._patience.until_free(
                partial(self._provider.assign, place.cluster, place.folder), self._note_scarcity, self._rules
            )
        else:
            try:
                made = self._patience.until_free(
                    partial(self._provider.launch, place.cluster, place.layout, place.folder),
                    self._note_scarcity,
                    self._rules,
                )
            except WorkbenchError as error:
                if error.machines_since is not None:
                    self._note_since(error.machines_since)
                raise
            self._note_since(min((m.created or time.time() for m in made), default=time.time()))
        folders.note_machines(place.folder, folders.WORKING)
        self._heard = time.time()
        self._say(f"launched {_list(place.layout.places)}")

    def _note_scarcity(self, line: str) -> None:
        """Say that no machine is free, in the log and wherever the job's machines are shown."""
        self._say(line)
        self._show(
            [Machine(self._place.cluster, p.role, p.index, WAITING) for p in self._place.layout.places]
        )

    def _note_since(self, t: float) -> None:
        """Have the store know since when the job's machines cost; only the first time counts."""
        self._patience.with_store(partial(self._store.note_machines_since, self._job.id, t))

    def look(self) -> faults.View:
        """Take in what exists and what was reported.

        Raises
        ------
        NotFound
            Somebody has ended the machines.
        """
        machines = self._there()
        if not machines:
            raise NotFound(f"the machines of {self._place.cluster} are gone: somebody has ended them")
        self._collect(machines)
        self.listen()
        self._show(machines)
        view = faults.View(
            layout=self._place.layout,
            machines=machines,
            phases=self._reports.phases,
            errors=self._reports.errors,
            step=self._reports.step,
            restarts=self._restarts,
            now=time.time(),
            broken_since=self._broken_since,
            heard=self._heard,
            exported=folders.has_export(self._place.folder),
        )
        self._broken_since = (self._broken_since or view.now) if faults.ended(view) else None
        return view

    def listen(self) -> None:
        """Have the store know what the machines reported."""
        replay = partial(self._store.apply, self._job.id)
        if self._reports.read(lambda found: self._patience.with_store(partial(replay, found))):
            self._heard = time.time()

    def start_again(self, action: faults.Again) -> None:
        """Stop and start the machines that the action names; where none is free, again later."""
        tries, again_at = self._scarce
        if time.monotonic() < again_at:
            return
        if not tries:
            self._say(f"{action.why}; starts {_list(action.start)} again")
        if action.stop:
            self._provider.stop(self._place.cluster, action.stop)
        try:
            self._provider.start(self._place.cluster, action.start)
        except NoMachineFree as error:
            pause_s = self._rules.free_pauses_s[min(tries, len(self._rules.free_pauses_s) - 1)]
            self._say(f"{error}; asked again in {pause_s:g} s, until there is one or the job is terminated")
            self._scarce = tries + 1, time.monotonic() + pause_s
            self._heard = time.time()
            return
        except Unavailable:  # then they are seen to have ended again, and that is counted
            pass
        self._scarce = 0, 0.0
        self._restarts.append(faults.Restart(time.time(), action.start, self._reports.step))
        self._reports.forget(action.start)
        self._heard, self._broken_since = time.time(), None

    def keep(self, version: registry.Version) -> None:
        """Have a copy of what was published where the machines were.

        Raises
        ------
        Unavailable
        Away
        """
        download = partial(registry.download, version)
        self._patience.with_machines(partial(self._provider.keep, self._place.folder, str(version), download))

    def end_machines(self) -> None:
        """End all that runs for the job; the store shows it as terminated. A standing cluster stands ready again."""
        place = self._place
        end_trials(self._job.id, place.folder, self._trials)
        if not place.standing:
            self._provider.terminate(place.cluster)
        elif folders.may_have_machines(place.folder):
            with contextlib.suppress(NotFound):  # somebody released it meanwhile
                self._provider.assign(place.cluster, None)
        folders.forget_machines(place.folder)
        gone = [MachineRecord(m.role, m.index, "terminated", instance=m.instance) for m in self._shown]
        if gone:
            self._patience.with_store(partial(self._store.keep_machines, self._job.id, gone))
            self._shown = []

    def _there(self) -> list[Machine]:
        return self._patience.with_machines(partial(self._provider.machines, self._place.cluster))

    def _collect(self, machines: Collection[Machine]) -> None:
        """Have here what the machines reported; of a leading one that does not run, its export too."""
        leader, folder = self._place.layout.leader, self._place.folder
        leads = any(m.place == leader and m.state == "running" for m in machines)
        whole = not leads and not folders.has_export(folder)
        self._patience.with_machines(
            partial(self._provider.collect, self._place.cluster, folder, whole=whole)
        )

    def _show(self, machines: list[Machine]) -> None:
        """Have the store know the machines."""
        found = [replace(machine, exit=None) for machine in machines]
        if found != self._shown:
            rows = [MachineRecord(m.role, m.index, m.state, m.pid, m.instance) for m in found]
            self._patience.with_store(partial(self._store.keep_machines, self._job.id, rows))
            self._shown = found


def _list(places: Collection[Place]) -> str:
    return ", ".join(map(str, sorted(places)))
