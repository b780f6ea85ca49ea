"""One job in the hands of its runner, from its turn in the queue to its end."""

import contextlib
import math
import time
import traceback
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from workbench import events
from workbench.errors import RecipeError, Unavailable, WorkbenchError
from workbench.events import Error
from workbench.jobs import ACTIVE, ENDED, Job, Store
from workbench.machines import Provider
from workbench.machines.local.provider import LocalProvider
from workbench.models import registry
from workbench.runner import budget, explain, faults, folders, publishing
from workbench.runner.attempt import JobAttempt, workplace_of
from workbench.runner.faults import Again, Fail, Hangs, Publish, Rules
from workbench.runner.lease import EndAsked, LeaseHolder, Lost
from workbench.runner.patience import Away, Patience
from workbench.runner.reports import shorten
from workbench.runner.tools import Check, Measure, Tools, check_with, measure_with, open_provider
from workbench.settings import Settings
from workbench.tasks.check import fetch_packages
from workbench.tasks.child import Stopped
from workbench.tasks.verification import Measured

POLL_S = 0.3
BUDGET_EVERY_S = 5.0

Ending = Callable[[], object]
"""Records how a job ended; called when its machines are gone."""


class Left(WorkbenchError):
    """The job has ended, its machines could not be ended; whoever takes it up next tries again."""


def run(
    id: int,
    runner: str,
    store: Store,
    settings: Settings,
    *,
    provider: Provider | None = None,
    trials: Provider | None = None,
    check: Check | None = None,
    measure: Measure | None = None,
    rules: Rules | None = None,
    last_resort: Callable[[], object] | None = None,
) -> None:
    """Run a job whose lease ``runner`` holds until it has ended; the lease is given back.

    What is not given of ``Tools`` is what the job asks for: its provider, ``check_with`` and ``measure_with``.

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
            check=check or check_with(settings),
            measure=measure or measure_with(settings),
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


class _Work:
    def __init__(self, job: Job, runner: str, store: Store, settings: Settings, tools: Tools) -> None:
        self.job = job
        self.runner = runner
        self.store = store
        self.settings = settings
        self.tools = tools
        self.place = workplace_of(job, tools.provider, settings)
        self.lease = LeaseHolder(job.id, runner, store, tools.rules)
        self.patience = Patience(tools.provider.independent, self.lease.is_told, self.lease.wait, self._go_on)
        self.diary = events.Writer(settings.logs / f"job-{job.id}.jsonl", "runner", 0)
        self.attempt = JobAttempt(
            job, self.place, tools.trials, store, self.patience, self.diary.log, tools.rules
        )
        self._passed = settings.logs / f"job-{job.id}.checked"
        self.leaving = False
        self.budget_due = 0.0

    def run(self) -> None:
        """Bring the job to its end, whatever that is; afterwards it has no machines."""
        self.lease.start(self._end_by_force)
        ending: Ending = _nothing
        try:
            ending = self._work()
        except (EndAsked, Stopped):
            ending = self._terminated
        except Lost:
            self.diary.log("another runner has this job now")
            raise
        except Away as error:
            self.diary.log(str(error))
            self.leaving = True
            raise
        except SystemExit:
            self.leaving = self.patience.independent
            raise
        except RecipeError as error:
            ending = partial(self._failed, self._blame(str(error), error.field, error.line, error.traceback))
        except WorkbenchError as error:
            ending = partial(self._failed, self._blame(str(error)))
        except Exception as error:
            said = f"the runner failed: {type(error).__name__}: {error}"
            ending = partial(self._failed, self._blame(said, traceback=traceback.format_exc()))
        finally:
            try:
                if not self.lease.is_lost and not self.leaving:
                    self._end(ending)
            finally:
                self.lease.close()
                self.diary.close()

    def _work(self) -> Ending:
        """Everything up to the end; what is then to be recorded."""
        if self.job.state in ENDED:
            return _nothing
        self.lease.stop_if_told()
        if (published := publishing.find_published(self.job, self.settings)) is not None:
            self._keep(published)
            return partial(self._completed, published)
        if self.attempt.adopt():
            if folders.read_note(self.place.folder).unchecked:
                self._check()
        else:
            self._check_budget()
            remainder = self.patience.with_store(
                partial(budget.remainder, self.job.id, self.store, self.settings)
            )
            needed = self._fetch_packages()
            folders.prepare(self.place.folder, self.job, remainder, self.settings.recipe_files, needed)
            self._check()
            self.lease.stop_if_told()
            self.attempt.launch()
            self.budget_due = 0.0  # from now on it costs
        while True:
            self.lease.stop_if_told()
            self._check_budget()
            action = faults.decide(self.attempt.look(), self.tools.rules)
            if isinstance(action, Publish):
                return partial(self._completed, self._publish())
            if isinstance(action, Fail):
                return partial(self._failed, explain.explain_failure(action, self.place))
            if isinstance(action, Hangs):
                return partial(self._failed, explain.explain_silence(action, self.place))
            if isinstance(action, Again):
                self.attempt.start_again(action)
            self.lease.wait(POLL_S)

    def _fetch_packages(self) -> str:
        """Lock and install what the recipe needs besides ours, before anything costs; the name of the lock."""
        assert self.job.recipe is not None
        if self.job.recipe.requirements:
            self.diary.log("looks for the packages of the recipe")
        return fetch_packages(self.job.recipe, self.settings, self.lease.is_told)

    def _check(self) -> None:
        """Try the recipe, unless this very one has passed for this job before."""
        if self._read_passed()[0] == self.job.recipe_sha256:
            return
        self.diary.log("checks the recipe")
        held_out = self.tools.check(self.job, self.lease.is_told)
        self._passed.write_text(f"{self.job.recipe_sha256} {held_out}")
        self.diary.log("the recipe passed its check")

    def _read_passed(self) -> tuple[str, str]:
        """The digests of the recipe that has passed and of its held-out part; empty where none has, or nobody knows."""
        recipe, _, held_out = (self._passed.read_text() if self._passed.exists() else "").partition(" ")
        return recipe, held_out

    def _go_on(self) -> None:
        self.lease.stop_if_told()
        self._check_budget()

    def _check_budget(self) -> None:
        """Fail a job that has used up what it, or its requester, may cost; asked now and then."""
        if self.job.price_per_hour and time.monotonic() >= self.budget_due:
            self.budget_due = time.monotonic() + BUDGET_EVERY_S
            exceeded = partial(budget.exceeded, self.job.id, self.store, self.settings)
            if why := self.patience.with_store(exceeded):
                raise budget.Exceeded(why)

    def _publish(self) -> registry.Version:
        with contextlib.suppress(*((Unavailable, Away) if self.patience.independent else ())):
            # Where it cannot be done now, it is tried again at the end.
            self.patience.with_machines(self.attempt.end_machines)
        self.attempt.listen()
        self._move({"initializing", "training"}, "exporting")
        job = self.patience.with_store(lambda: self.store.job(self.job.id))

        def measure(folder: Path) -> Measured:
            folders.put_recipe(folder, job, self.settings.recipe_files)  # whatever its code has made of it
            found = self.tools.measure(folder, self._read_passed()[1], self.lease.is_told)
            if found.said:
                self.diary.log(f"warning: {found.said}")
            self.lease.stop_if_told()
            return found

        version = publishing.publish(job, self.place.folder, measure, self.settings)
        self.diary.log(f"published {version}")
        self._keep(version)
        return version

    def _keep(self, version: registry.Version) -> None:
        """Have a copy of it where the machines were; without one it is published all the same."""
        try:
            self.attempt.keep(version)
        except (Unavailable, Away) as error:
            self.diary.log(f"{version} has no copy with its provider: {error}")

    def _end(self, ending: Ending) -> None:
        """End the machines, then record how the job ended; the latter even where the former cannot be done.

        Raises
        ------
        Left
        """
        left: WorkbenchError | None = None
        try:
            self.patience.with_machines(self.attempt.end_machines)
        except (Unavailable, Away) as error:
            if not self.patience.independent:
                raise
            left = error
            self.diary.log(f"the machines could not be ended, and are to end themselves: {error}")
        ending()
        if left is not None:
            raise Left(f"the machines of job {self.job.id} are still to be ended: {left}") from left

    def _end_by_force(self) -> None:
        self.attempt.end_machines()
        self._terminated()
        self.store.release(self.job.id, self.runner)
        self.tools.last_resort()

    def _completed(self, version: registry.Version) -> None:
        accuracy = version.manifest.accuracy
        known = accuracy if accuracy is not None and math.isfinite(accuracy) else None
        self._move({"initializing", "training"}, "exporting")
        self._move({"exporting"}, "completed", version=version.version, accuracy=known)
        folders.clear(self.place.folder)
        self.diary.log("completed")

    def _terminated(self) -> None:
        self._move(ACTIVE, "terminated")
        self.diary.log("terminated, as asked")

    def _failed(self, error: Error) -> None:
        error = shorten(error, self.place.folder)
        self._move(ACTIVE, "failed", error=error)
        self.diary.log(f"failed: {error.role} {error.index}: {error.message}")

    def _blame(
        self, message: str, field: str | None = None, line: int | None = None, traceback: str = ""
    ) -> Error:
        return explain.blame(self.place.layout.leader, message, field, line, traceback)

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
        self.patience.with_store(lambda: change(version=version, accuracy=accuracy, error=error))


def _nothing() -> None:
    pass
