"""One job in the hands of its runner, from its turn in the queue to its end."""

import contextlib
import math
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from workbench import events
from workbench.errors import NotFound, RecipeError, Unavailable, WorkbenchError
from workbench.events import Error
from workbench.jobs import ACTIVE, ENDED, Job, MachineRecord, Store
from workbench.machines import Layout, Machine, Place, Provider, standing
from workbench.machines.local.provider import LocalProvider
from workbench.models import registry
from workbench.runner import budget, faults, folders, publishing
from workbench.runner.faults import Again, Fail, Hangs, Publish, Rules
from workbench.runner.reports import Reports, shorten
from workbench.settings import Settings
from workbench.tasks import check as checks

POLL_S = 0.3
WATCH_S = 0.5
PATIENCE_S = 120.0
"""How long a store, or machines elsewhere, that cannot be reached are asked again."""
AWAY_PAUSE_S = 2.0
BUDGET_EVERY_S = 5.0

Stop = Callable[[], bool]
"""Asked again and again by what takes long; yes means that it is to end."""
Ending = Callable[[], object]
"""Records how a job ended; called when its machines are gone."""
T = TypeVar("T")


class Lost(WorkbenchError):
    """Another runner has the job: this one was taken for dead and must leave everything as it is."""


class Away(WorkbenchError):
    """The machines cannot be reached but go on without us; whoever takes the job up next asks them again."""


class Left(WorkbenchError):
    """The job has ended, its machines could not be ended; whoever takes it up next tries again."""


class Asked(WorkbenchError):
    """Somebody asked to terminate the job."""


@dataclass(frozen=True)
class Tools:
    """What a runner works with."""

    provider: Provider
    trials: Provider
    """Where recipes are tried and exports are loaded back: always this computer."""
    check: Callable[[Job, Stop], object]
    """Tries the recipe; raises ``RecipeError``."""
    verify: Callable[[Path, Stop], object]
    """Loads the export in the job's folder back; raises ``ModelRefused``."""
    rules: Rules
    last_resort: Callable[[], object]
    """Called when the job was terminated but the runner's main thread does not react."""


def run(
    id: int,
    runner: str,
    store: Store,
    settings: Settings,
    *,
    provider: Provider | None = None,
    trials: Provider | None = None,
    check: Callable[[Job, Stop], object] | None = None,
    verify: Callable[[Path, Stop], object] | None = None,
    rules: Rules | None = None,
    last_resort: Callable[[], object] | None = None,
) -> None:
    """Run a job whose lease ``runner`` holds until it has ended; the lease is given back.

    What is not given of ``Tools`` is what the job asks for: its provider, ``checks.check`` and ``checks.verify``.

    Raises
    ------
    Lost
        Another runner has the job meanwhile.
    """
    job = store.job(id)
    done = True
    try:
        tools = Tools(
            provider=provider or open_provider(job.provider, settings),
            trials=trials or provider or LocalProvider(settings),
            check=check or partial(_check, settings),
            verify=verify or (lambda folder, stop: checks.verify(folder, LocalProvider(settings), stop=stop)),
            rules=rules or Rules(),
            last_resort=last_resort or (lambda: None),
        )
        _Work(job, runner, store, settings, tools).run()
    except Unavailable as error:
        store.move(id, ACTIVE, "failed", runner=runner, error=Error(time.time(), *job.lead, str(error)))
    except (Away, Left):
        done = False  # the lease runs out by itself, which gives the next runner a pause
    finally:
        if done:
            store.release(id, runner)


def open_provider(name: str, settings: Settings) -> Provider:
    """The provider of that name.

    Raises
    ------
    Unavailable
        There is none.
    """
    if name == "local":
        return LocalProvider(settings)
    if name == "aws":
        from workbench.machines.aws.controller.provider import AwsProvider  # boto3 takes its time

        return AwsProvider(settings)
    raise Unavailable(f"there is no provider {name!r} here; submit the job to the provider 'local'")


def cluster_of(id: int) -> str:
    """The name of a job's own cluster."""
    return f"job-{id}"


def _check(settings: Settings, job: Job, stop: Stop) -> None:
    assert job.recipe is not None
    checks.check(job.recipe, settings, workers=job.workers, name=_check_name(job.id), stop=stop)


def _check_name(id: int) -> str:
    return f"check-{id}"


class _Work:
    def __init__(self, job: Job, runner: str, store: Store, settings: Settings, tools: Tools) -> None:
        self.job = job
        self.runner = runner
        self.store = store
        self.settings = settings
        self.tools = tools
        self.provider = tools.provider
        self.layout = Layout(job.ps, job.workers, job.instance_type)
        self.cluster = job.cluster or cluster_of(job.id)
        self.folder = settings.home / "jobs" / str(job.id)
        self.reports = Reports(self.folder, self.layout, since=job.times.get("queued", 0.0))
        self.heard = time.time()
        self.restarts: list[faults.Restart] = []
        self.broken_since: float | None = None
        self.shown: list[Machine] = []
        self.asked = threading.Event()
        self.lost = threading.Event()
        self.over = threading.Event()
        self.leaving = False
        self.budget_due = 0.0
        self.diary = events.Writer(settings.logs / f"job-{job.id}.jsonl", "runner", 0)

    def run(self) -> None:
        """Bring the job to its end, whatever that is; afterwards it has no machines."""
        if self.store.terminate_asked(self.job.id):
            self.asked.set()
        watch = threading.Thread(target=self._watch, daemon=True)
        watch.start()
        ending: Ending = _nothing
        try:
            ending = self._work()
        except (Asked, checks.Stopped):
            ending = self._terminated
        except Lost:
            self._say("another runner has this job now")
            raise
        except Away as error:
            self._say(str(error))
            self.leaving = True
            raise
        except SystemExit:
            self.leaving = self.provider.independent
            raise
        except RecipeError as error:
            ending = partial(self._failed, self._error(str(error), error.field, error.line, error.traceback))
        except WorkbenchError as error:
            ending = partial(self._failed, self._error(str(error)))
        except Exception as error:
            said = f"the runner failed: {type(error).__name__}: {error}"
            ending = partial(self._failed, self._error(said, traceback=traceback.format_exc()))
        finally:
            try:
                if not self.lost.is_set() and not self.leaving:
                    self._end(ending)
            finally:
                self.over.set()
                watch.join()
                self.diary.close()

    def _end(self, ending: Ending) -> None:
        """End the machines, then record how the job ended; the latter even where the former cannot be done.

        Raises
        ------
        Left
        """
        left: WorkbenchError | None = None
        try:
            self._reach(self._end_machines)
        except (Unavailable, Away) as error:
            if not self.provider.independent:
                raise
            left = error
            self._say(f"the machines could not be ended, and are to end themselves: {error}")
        ending()
        if left is not None:
            raise Left(f"the machines of job {self.job.id} are still to be ended: {left}") from left

    def _work(self) -> Ending:
        """Everything up to the end; what is then to be recorded."""
        if self.job.state in ENDED:
            return _nothing
        self._stop_if_told()
        if (published := publishing.find_published(self.job, self.settings)) is not None:
            self._keep(published)
            return partial(self._completed, published)
        if not self._adopt():
            self._check_budget()
            folders.prepare(self.folder, self.job)
            self._check()
            self._launch()
        while True:
            action = faults.decide(self._look(), self.tools.rules)
            if isinstance(action, Publish):
                return partial(self._completed, self._publish())
            if isinstance(action, Fail):
                return partial(self._failed, self._explain(action))
            if isinstance(action, Hangs):
                return partial(self._failed, self._explain_silence(action))
            if isinstance(action, Again):
                self._start_again(action)
            self.asked.wait(POLL_S)

    def _adopt(self) -> bool:
        """Go on with machines that a runner before left at work in this very attempt."""
        there = self._there() if folders.has_machines(self.folder) else []
        if not there or not folders.is_prepared(self.folder, self.job):
            self._end_machines()
            return False
        self._reach(partial(self.provider.collect, self.cluster, self.folder, whole=True))
        self._say(f"takes up {sum(m.state == 'running' for m in there)} running machines")
        return True

    def _check(self) -> None:
        """Try the recipe, unless this very one has passed for this job before."""
        passed = self.settings.logs / f"job-{self.job.id}.checked"
        if passed.exists() and passed.read_text() == self.job.recipe_sha256:
            return
        self._say("checks the recipe")
        self.tools.check(self.job, self._is_told)
        passed.write_text(self.job.recipe_sha256)
        self._say("the recipe passed its check")

    def _launch(self) -> None:
        self._stop_if_told()
        for warning in self.provider.warnings:
            self._say(f"warning: {warning}")
        folders.note_machines(self.folder, folders.BEGUN)
        if self.job.cluster is None:
            self.provider.launch(self.cluster, self.layout, self.folder)
        else:
            standing.check_layout(self.provider.machines(self.cluster), self.cluster, self.layout)
            self.provider.assign(self.cluster, self.folder)
        folders.note_machines(self.folder, folders.WORKING)
        self.heard = time.time()
        self._say(f"launched {_list(self.layout.places)}")

    def _look(self) -> faults.View:
        """Take in what exists and what was reported."""
        self._stop_if_told()
        self._check_budget()
        machines = self._there()
        if not machines:
            raise NotFound(f"the machines of {self.cluster} are gone: somebody has ended them")
        self._collect(machines)
        self._listen()
        self._show(machines)
        view = faults.View(
            layout=self.layout,
            machines=machines,
            phases=self.reports.phases,
            errors=self.reports.errors,
            step=self.reports.step,
            restarts=self.restarts,
            now=time.time(),
            broken_since=self.broken_since,
            heard=self.heard,
            exported=folders.has_export(self.folder),
        )
        self.broken_since = (self.broken_since or view.now) if faults.ended(view) else None
        return view

    def _check_budget(self) -> None:
        """Fail a job that has used up what it, or its requester, may cost; asked now and then."""
        if self.job.price_per_hour and time.monotonic() >= self.budget_due:
            self.budget_due = time.monotonic() + BUDGET_EVERY_S
            if why := self._patiently(partial(budget.exceeded, self.job.id, self.store, self.settings)):
                raise budget.Exceeded(why)

    def _there(self) -> list[Machine]:
        return self._reach(partial(self.provider.machines, self.cluster))

    def _collect(self, machines: Collection[Machine] = ()) -> None:
        """Have here what the machines reported; of a leading one that does not run, its export too."""
        leads = any(m.place == self.layout.leader and m.state == "running" for m in machines)
        whole = not leads and not folders.has_export(self.folder)
        self._reach(partial(self.provider.collect, self.cluster, self.folder, whole=whole))

    def _listen(self) -> None:
        if self.reports.read(lambda found: self._patiently(partial(self.store.apply, self.job.id, found))):
            self.heard = time.time()

    def _show(self, machines: list[Machine]) -> None:
        """Have the store know the machines."""
        found = [replace(machine, exit=None) for machine in machines]
        if found != self.shown:
            rows = [MachineRecord(m.role, m.index, m.state, m.pid, m.instance) for m in found]
            self._patiently(lambda: self.store.keep_machines(self.job.id, rows))
            self.shown = found

    def _start_again(self, action: Again) -> None:
        self._say(f"{action.why}; starts {_list(action.start)} again")
        if action.stop:
            self.provider.stop(self.cluster, action.stop)
        self.restarts.append(faults.Restart(time.time(), action.start, self.reports.step))
        self.reports.forget(action.start)
        with contextlib.suppress(Unavailable):  # then they are seen to have ended again, and that is counted
            self.provider.start(self.cluster, action.start)
        self.heard, self.broken_since = time.time(), None

    def _publish(self) -> registry.Version:
        with contextlib.suppress(*((Unavailable, Away) if self.provider.independent else ())):
            self._reach(self._end_machines)  # where it cannot be done now, it is tried again at the end
        self._listen()
        self._move({"initializing", "training"}, "exporting")
        job = self._patiently(lambda: self.store.job(self.job.id))

        def verify(folder: Path) -> None:
            self.tools.verify(folder, self._is_told)
            self._stop_if_told()

        version = publishing.publish(job, self.folder, verify, self.settings)
        self._say(f"published {version}")
        self._keep(version)
        return version

    def _keep(self, version: registry.Version) -> None:
        """Have a copy of what was published where the machines were; without one it is published all the same."""
        try:
            self._reach(
                partial(self.provider.keep, self.folder, str(version), partial(registry.download, version))
            )
        except (Unavailable, Away) as error:
            self._say(f"{version} has no copy with its provider: {error}")

    def _completed(self, version: registry.Version) -> None:
        accuracy = version.manifest.accuracy
        known = accuracy if accuracy is not None and math.isfinite(accuracy) else None
        self._move({"initializing", "training"}, "exporting")
        self._move({"exporting"}, "completed", version=version.version, accuracy=known)
        folders.clear(self.folder)
        self._say("completed")

    def _terminated(self) -> None:
        self._move(ACTIVE, "terminated")
        self._say("terminated, as asked")

    def _failed(self, error: Error) -> None:
        error = shorten(error, self.folder)
        self._move(ACTIVE, "failed", error=error)
        self._say(f"failed: {error.role} {error.index}: {error.message}")

    def _explain(self, failure: Fail) -> Error:
        if failure.error is not None:
            return replace(failure.error, message=failure.message)
        words = checks.last_lines(self.folder, failure.place, 20)
        field, line = checks.find_place(words, self.folder) or (None, None)
        message = f"{failure.message}; {_last_words(words, self.folder)}"
        return self._error(message, field, line, words, failure.place)

    def _explain_silence(self, silence: Hangs) -> Error:
        """Blame a machine that hangs in the recipe's code; where none does, the leading one."""
        running = [m for m in self.provider.machines(self.cluster) if m.state == "running"]
        asked = (10.0, self.provider) if self.provider.independent else (2.0, None)
        stacks = {machine.place: checks.ask_where(machine, self.folder, *asked) for machine in running}
        where = {place: checks.find_place(stack, self.folder) for place, stack in stacks.items()}
        # A worker that hangs is rather the cause than a chief that waits for it in the same code.
        guilty = next((place for place in sorted(where, reverse=True) if where[place]), self.layout.leader)
        field, line = where.get(guilty) or (None, None)
        at = f" in {field}, line {line}" if field else ""
        message = f"nothing was heard of any machine for {silence.silent_s:.0f} s; {guilty} hangs{at}"
        return self._error(message, field, line, stacks.get(guilty, ""), guilty)

    def _error(
        self,
        message: str,
        field: str | None = None,
        line: int | None = None,
        traceback: str = "",
        place: Place | None = None,
    ) -> Error:
        place = place or self.layout.leader
        return Error(time.time(), place.role, place.index, message, field, line, traceback)

    def _end_machines(self) -> None:
        """End all that runs for the job; the store shows it as terminated. A standing cluster stands ready again."""
        for folder in (self.folder, self.folder.with_name(_check_name(self.job.id))):
            self.tools.trials.terminate(checks.task_of(folder))
        if self.job.cluster is None:
            self.provider.terminate(self.cluster)
        elif folders.may_have_machines(self.folder):
            with contextlib.suppress(NotFound):  # somebody released it meanwhile
                self.provider.assign(self.cluster, None)
        folders.forget_machines(self.folder)
        gone = [MachineRecord(m.role, m.index, "terminated", instance=m.instance) for m in self.shown]
        if gone:
            self._patiently(lambda: self.store.keep_machines(self.job.id, gone))
            self.shown = []

    def _move(
        self,
        states: Collection[str],
        to: str,
        *,
        version: int | None = None,
        accuracy: float | None = None,
        error: Error | None = None,
    ) -> None:
        change = partial(self.store.move, self.job.id, states, to, runner=self.runner)
        self._patiently(lambda: change(version=version, accuracy=accuracy, error=error))

    def _is_told(self) -> bool:
        return self.asked.is_set() or self.lost.is_set()

    def _stop_if_told(self) -> None:
        if self.lost.is_set():
            raise Lost(f"another runner has job {self.job.id}")
        if self.asked.is_set():
            raise Asked(f"job {self.job.id} is to end")

    def _watch(self) -> None:
        """In a thread of its own: hold the lease, hear the wish to end, and see to it that it is granted."""
        rules, beaten, asked = self.tools.rules, time.monotonic(), math.inf
        try:
            while not self.over.wait(WATCH_S):
                with contextlib.suppress(Unavailable):
                    if time.monotonic() - beaten >= rules.heartbeat_s:
                        beaten = time.monotonic()
                        if not self.store.heartbeat(self.job.id, self.runner):
                            return
                    if not self.asked.is_set() and self.store.terminate_asked(self.job.id):
                        self.asked.set()
                    asked = min(asked, time.monotonic()) if self.asked.is_set() else asked
                if time.monotonic() - asked > rules.last_resort_s and not self.over.is_set():
                    self._end_machines()
                    self._terminated()
                    self.store.release(self.job.id, self.runner)
                    self.tools.last_resort()
                    return
        finally:
            if not self.over.is_set():
                self.lost.set()

    def _reach(self, do: Callable[[], T]) -> T:
        """Do something with machines that go on without us: while they cannot be reached, ask again for a while.

        Raises
        ------
        Unavailable
            Asking again does not help.
        Away
            It may later.
        """
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                return do()
            except Unavailable as error:
                if not (self.provider.independent and error.passing) or self._is_told():
                    raise
                if time.monotonic() > give_up:
                    raise Away(f"the machines cannot be reached now: {error}") from error
                self.asked.wait(AWAY_PAUSE_S)

    def _patiently(self, do: Callable[[], T]) -> T:
        """Do something with the store; one that cannot be reached is asked again for a while."""
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                return do()
            except Unavailable:
                if time.monotonic() > give_up or self._is_told():
                    raise
                self.asked.wait(1.0)

    def _say(self, line: str) -> None:
        self.diary.log(line)


def _list(places: Collection[Place]) -> str:
    return ", ".join(map(str, sorted(places)))


def _last_words(words: str, folder: Path) -> str:
    if words:
        return f"its last words: {words.splitlines()[-1]}"
    full = shutil.disk_usage(folder).free < 1024 * 1024
    return "it left no words" + (", and the disk is full" if full else "")


def _nothing() -> None:
    pass
