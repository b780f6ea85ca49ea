"""Takes a job from its turn in the queue to a published version: ``python -m workbench.runner JOB RUNNER``.

One process a job, detached from whoever submitted it. It holds the job's lease, checks the recipe, launches the
machines, replays what they report into the store, does what ``faults`` decides, publishes, and ends the machines in
``finally``. A runner that dies leaves machines that go on; the next runner of the job takes both up again.
"""

import contextlib
import json
import math
import os
import secrets
import shutil
import signal
import socket
import stat
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from workbench import checks, detached, events, faults, jobs, registry
from workbench.errors import ModelRefused, NotFound, RecipeError, Unavailable, WorkbenchError
from workbench.events import Error, Event, Metric, Phase
from workbench.faults import Again, Fail, Hangs, Publish, Rules
from workbench.jobs import ACTIVE, ENDED, Job, Store
from workbench.providers import Layout, Machine, Place, Provider
from workbench.providers.local import LocalProvider
from workbench.settings import Settings

POLL_S = 0.3
WATCH_S = 0.5
PATIENCE_S = 120.0
"""How long a store that cannot be reached is asked again."""
MARK = "WORKBENCH_RUNNER"
LEFT_OUT = ("WORKBENCH_SERVICE", MARK)

Start = Callable[[int, str], object]
"""Starts a runner for a job, under the name in which it holds the lease."""
T = TypeVar("T")
E = TypeVar("E", bound=Event)


class Lost(WorkbenchError):
    """Another runner has the job: this one was taken for dead and must leave everything as it is."""


class Asked(WorkbenchError):
    """Somebody asked to terminate the job."""


# The queue


def tick(store: Store, settings: Settings, start: Start | None = None) -> list[int]:
    """Start runners for the jobs whose turn it is, and for those whose runner died; give their ids.

    Whoever calls it, and how many at a time, no job gets two runners and no more run than may.
    """
    start = start or (lambda id, runner: start_runner(id, runner, settings))
    begun = []
    for job in store.abandoned():
        name = runner_name()
        if store.take_over(job.id, name):
            _start_or_release(store, job.id, name, start)
            begun.append(job.id)
    while True:
        name = runner_name()
        claimed = store.claim(name, settings.max_jobs, settings.max_jobs_per_requester)
        if claimed is None:
            return begun
        _start_or_release(store, claimed.id, name, start)
        begun.append(claimed.id)


def _start_or_release(store: Store, id: int, name: str, start: Start) -> None:
    try:
        start(id, name)
    except BaseException:
        store.release(id, name)
        raise


def start_runner(id: int, runner: str, settings: Settings) -> int:
    """Start the detached process of a runner; give its process number."""
    environment = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    environment |= {
        "WORKBENCH_HOME": str(settings.home),
        "WORKBENCH_DATABASE_URL": settings.database_url,
        MARK: f"{id}@{settings.home}",
    }
    command = [sys.executable, "-m", "workbench.runner", str(id), runner]
    return detached.start(command, environment, settings.logs / "runners.log")


def runner_name() -> str:
    """A name that no other runner has, and that says where it runs."""
    return f"{socket.gethostname()[:40]}-{secrets.token_hex(6)}"


def end_orphans(store: Store, provider: Provider) -> list[str]:
    """End the clusters of jobs that have ended or never were; give their names.

    Those of active jobs stay: their runner, or the next one, takes them up.
    """
    ended = []
    born = {machine.cluster: machine.created for machine in provider.machines()}
    for name in sorted(born):
        id = job_of(name)
        if id is None:
            if name.startswith("task-") and time.time() - born[name] > checks.TIMEOUT_S + 60:
                provider.terminate(name)
                ended.append(name)
            continue
        with contextlib.suppress(NotFound):
            job = store.job(id)
            if job.state in ACTIVE or job.lease is not None:
                continue
        provider.terminate(name)
        ended.append(name)
    return ended


def terminate(id: int, store: Store, settings: Settings, *, wait_s: float = 10.0) -> Job:
    """Ask for the end of a job and wait for it; where its runner is dead, do what that would have done.

    Raises
    ------
    NotFound
    Unavailable
        It has not ended in this time.
    """
    give_up = time.monotonic() + wait_s
    store.ask_terminate(id)
    while (job := store.job(id)).state not in ENDED or job.lease is not None:
        dead = job.lease is None or not _lives(id, settings, job.lease.runner)
        name = runner_name()
        if dead and (job.lease is None or store.release(id, job.lease.runner)) and store.take_over(id, name):
            run(id, name, store, settings)
        elif time.monotonic() > give_up:
            raise Unavailable(f"job {id} has not ended within {wait_s:g} s; its runner is {job.lease}")
        else:
            time.sleep(0.1)
    return job


def _lives(id: int, settings: Settings, runner: str) -> bool:
    """Whether the runner's process is there; one of another computer is believed to be."""
    if not runner.startswith(f"{socket.gethostname()[:40]}-"):
        return True
    return any(f"{id}@{settings.home}" == value for value in _marks().values())


def runners(settings: Settings) -> dict[int, int]:
    """The living runners of the home: process number → job."""
    suffix = f"@{settings.home}"
    return {pid: int(mark.split("@")[0]) for pid, mark in _marks().items() if mark.endswith(suffix)}


def _marks() -> dict[int, str]:
    import psutil

    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            mark = process.environ().get(MARK)
            if mark and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = mark
    return found


def stop_all(settings: Settings, *, grace_s: float = 8.0) -> int:
    """End every runner of the home, its machines and the warm process; give how many processes there were.

    The jobs stay as they are: the next ``tick`` takes them up again from their checkpoints.
    """
    import psutil

    from workbench.providers.local import end_all

    found = runners(settings)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    give_up = time.monotonic() + grace_s
    while (left := runners(settings)) and time.monotonic() < give_up:
        time.sleep(0.05)
    for pid in left:
        with contextlib.suppress(psutil.Error):
            psutil.Process(pid).kill()
    return len(found) + end_all(settings)


def cluster_of(id: int) -> str:
    """The name of a job's own cluster."""
    return f"job-{id}"


def job_of(cluster: str) -> int | None:
    """The job whose own cluster has this name."""
    prefix, _, number = cluster.rpartition("-")
    return int(number) if prefix == "job" and number.isdecimal() else None


def open_provider(name: str, settings: Settings) -> Provider:
    """The provider of that name.

    Raises
    ------
    Unavailable
        There is none.
    """
    if name == "local":
        return LocalProvider(settings)
    raise Unavailable(f"there is no provider {name!r} here; submit the job to the provider 'local'")


# One job


def run(
    id: int,
    runner: str,
    store: Store,
    settings: Settings,
    *,
    provider: Provider | None = None,
    check: Callable[[Job, Callable[[], bool]], None] | None = None,
    verify: Callable[[Path, Callable[[], bool]], None] | None = None,
    rules: Rules | None = None,
    last_resort: Callable[[], None] | None = None,
) -> None:
    """Run a job whose lease ``runner`` holds until it has ended; the lease is given back.

    Parameters
    ----------
    check
        Tries the recipe; raises ``RecipeError``. The default is ``checks.check``.
    verify
        Loads the export in the job's folder back; raises ``ModelRefused``. The default is ``checks.verify``.
    last_resort
        Called when the job was asked to terminate and its machines are ended, but this thread does not react.
    """
    job = store.job(id)
    try:
        tools = _Tools(
            provider=provider or open_provider(job.provider, settings),
            check=check or (lambda job, stop: _check(job, stop, settings)),
            verify=verify or (lambda folder, stop: checks.verify(folder, LocalProvider(settings), stop=stop)),
            rules=rules or Rules(),
        )
        _Run(job, runner, store, settings, tools).run(last_resort or (lambda: None))
    except Unavailable as error:
        _fail(store, job, runner, Error(time.time(), *job.lead, str(error)))
    finally:
        store.release(id, runner)


def _check(job: Job, stop: Callable[[], bool], settings: Settings) -> None:
    assert job.recipe is not None
    checks.check(job.recipe, settings, workers=job.workers, name=_check_name(job.id), stop=stop)


def _check_name(id: int) -> str:
    return f"check-{id}"


@dataclass(frozen=True)
class _Tools:
    provider: Provider
    check: Callable[[Job, Callable[[], bool]], None]
    verify: Callable[[Path, Callable[[], bool]], None]
    rules: Rules


@dataclass
class _Heard:
    """What the machines have reported, and how far each file was read."""

    offsets: dict[Place, int] = field(default_factory=dict)
    phases: dict[Place, str] = field(default_factory=dict)
    errors: dict[Place, Error] = field(default_factory=dict)
    step: int = 0
    """The most that the leading machine has told of."""
    at: float = 0.0


class _Run:
    """One job in the hands of one runner."""

    def __init__(self, job: Job, runner: str, store: Store, settings: Settings, tools: _Tools) -> None:
        self.job = job
        self.runner = runner
        self.store = store
        self.settings = settings
        self.tools = tools
        self.provider = tools.provider
        self.layout = Layout(job.ps, job.workers, job.instance_type)
        self.cluster = cluster_of(job.id)
        self.folder = settings.home / "jobs" / str(job.id)
        self.heard = _Heard(at=time.time())
        self.restarts: list[faults.Restart] = []
        self.broken_since: float | None = None
        self.known: list[Machine] = []
        self.asked = threading.Event()
        self.lost = threading.Event()
        self.over = threading.Event()
        self.diary = events.Writer(settings.logs / f"job-{job.id}.jsonl", "runner", 0)

    def run(self, last_resort: Callable[[], None]) -> None:
        """Bring the job to its end, whatever that is; afterwards it has no machines."""
        if self.store.terminate_asked(self.job.id):
            self.asked.set()
        watch = threading.Thread(target=self._watch, args=(last_resort,), daemon=True)
        watch.start()
        ending: Callable[[], object] = lambda: None  # noqa: E731
        try:
            ending = self._work()
        except Asked:
            ending = self._terminated
        except checks.Stopped:
            ending = self._terminated
        except Lost:
            self._say("another runner has this job now")
            raise
        except RecipeError as error:
            ending = self._failed(_as_event(error, self.layout.leader))
        except WorkbenchError as error:
            ending = self._failed(Error(time.time(), *_pair(self.layout.leader), str(error)))
        except Exception as error:
            said = f"the runner failed: {type(error).__name__}: {error}"
            ending = self._failed(
                Error(time.time(), *_pair(self.layout.leader), said, traceback=traceback.format_exc())
            )
        finally:
            try:
                if not self.lost.is_set():
                    self._end_machines()
                    ending()
            finally:
                self.over.set()
                watch.join()
                self.diary.close()

    def _work(self) -> Callable[[], object]:
        """Everything up to the end; what is to be recorded once the machines are gone."""
        if self.job.state in ENDED:
            return lambda: None
        self._stop_if_told()
        if (known := self._published()) is not None:
            return partial(self._completed, known)
        if not self._adopt():
            self._prepare()
            self._check()
            self._launch()
        while True:
            action = faults.decide(self._look(), self.tools.rules)
            if isinstance(action, Publish):
                return partial(self._completed, self._publish())
            if isinstance(action, Fail):
                return self._failed(self._explain(action))
            if isinstance(action, Hangs):
                return self._failed(self._explain_silence(action))
            if isinstance(action, Again):
                self._start_again(action)
            self._pause(POLL_S)

    # Beginning

    def _adopt(self) -> bool:
        """Go on with machines that a runner before left at work in this very attempt."""
        written = _read_json(self.folder / "job.json")
        there = self.provider.machines(self.cluster)
        if written.get("attempt") != self.job.attempt or not there:
            self.provider.terminate(self.cluster)
            return False
        self._say(f"takes up {sum(m.state == 'running' for m in there)} running machines")
        return True

    def _prepare(self) -> None:
        """Write what the machines need; what an attempt before left stays only where it may be gone on from."""
        assert self.job.recipe is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_links(self.folder)
        written = _read_json(self.folder / "job.json")
        if written.get("attempt") != self.job.attempt:
            shutil.rmtree(self.folder / "export", ignore_errors=True)
            (self.folder / "fields.json").unlink(missing_ok=True)
        if written.get("origin") != self.job.origin:
            shutil.rmtree(self.folder / "checkpoints", ignore_errors=True)
        shutil.rmtree(self.folder / "recipe", ignore_errors=True)
        self.job.recipe.write(self.folder / "recipe")
        (self.folder / "job.json").write_text(
            json.dumps(
                {
                    "job": self.job.id,
                    "name": self.job.name,
                    "epochs": self.job.epochs,
                    "seed": 0,
                    "ps": self.job.ps,
                    "workers": self.job.workers,
                    "attempt": self.job.attempt,
                    "origin": self.job.origin,
                }
            )
        )

    def _check(self) -> None:
        """Try the recipe, unless this very one has passed for this job before."""
        passed = self.settings.logs / f"job-{self.job.id}.checked"
        if passed.exists() and passed.read_text() == self.job.recipe_sha256:
            return
        self._say("checks the recipe")
        self.tools.check(self.job, self._told_to_stop)
        passed.write_text(self.job.recipe_sha256)
        self._say("the recipe passed its check")

    def _launch(self) -> None:
        self._stop_if_told()
        for warning in self.provider.warnings:
            self._say(f"warning: {warning}")
        self.provider.launch(self.cluster, self.layout, self.folder)
        self.heard.at = time.time()
        self._say(f"launched {', '.join(map(str, self.layout.places))}")

    # Watching

    def _look(self) -> faults.View:
        """Take in what was reported and what exists."""
        self._stop_if_told()
        machines = self.provider.machines(self.cluster)
        self._listen()
        self._record(machines)
        view = faults.View(
            layout=self.layout,
            machines=machines,
            phases=self.heard.phases,
            errors=self.heard.errors,
            step=self.heard.step,
            restarts=self.restarts,
            now=time.time(),
            broken_since=self.broken_since,
            heard=self.heard.at,
            exported=(self.folder / "fields.json").exists(),
        )
        if faults.ended(view):
            self.broken_since = self.broken_since or view.now
        else:
            self.broken_since = None
        return view

    def _listen(self) -> None:
        """Replay what was reported since the last time; from the beginning after a runner died."""
        for place in self.layout.places:
            path = self.folder / "machines" / f"{place.role}-{place.index}" / "events.jsonl"
            while True:
                begin = self.heard.offsets.get(place, 0)
                found, end = events.read(path, begin)
                # A machine speaks for itself only.
                found = [self._shorten(e) for e in found if (e.role, e.index) == _pair(place)]
                if found:
                    self._patiently(partial(self.store.apply, self.job.id, found))
                    self._note(place, found)
                self.heard.offsets[place] = end
                if end == begin:
                    break

    def _note(self, place: Place, found: Collection[Event]) -> None:
        queued = self.job.times.get("queued", 0.0)
        for event in found:
            if event.t < queued:
                continue
            if isinstance(event, Phase):
                self.heard.phases[place] = event.phase
                if event.phase == "starting":
                    self.heard.errors.pop(place, None)
            elif isinstance(event, Error):
                self.heard.errors[place] = event
            elif isinstance(event, Metric) and place == self.layout.leader:
                self.heard.step = max(self.heard.step, event.step)
        self.heard.at = time.time()

    def _record(self, machines: list[Machine]) -> None:
        shown = [replace(machine, exit=None) for machine in machines]
        if shown != self.known:
            self.known = shown
            found = [jobs.Machine(m.role, m.index, m.state, m.pid, m.instance) for m in shown]
            self._patiently(lambda: self.store.machines(self.job.id, found))

    def _start_again(self, action: Again) -> None:
        self._say(f"{action.why}; starts {', '.join(map(str, sorted(action.start)))} again")
        if action.stop:
            self.provider.stop(self.cluster, action.stop)
        self.restarts.append(faults.Restart(time.time(), action.start, self.heard.step))
        for place in action.start:
            self.heard.phases.pop(place, None)
            self.heard.errors.pop(place, None)
        with contextlib.suppress(Unavailable):  # then they are seen to have ended again, and that is counted
            self.provider.start(self.cluster, action.start)
        self.heard.at, self.broken_since = time.time(), None

    # Ending

    def _publish(self) -> registry.Version:
        """Load back what was exported, then publish it; the machines are gone by then."""
        self._end_machines()
        self._listen()
        self._patiently(
            lambda: self.store.move(
                self.job.id, {"initializing", "training"}, "exporting", runner=self.runner
            )
        )
        fields = _read_json(self.folder / "fields.json")
        self._check_steps(fields)
        self.tools.verify(self.folder, self._told_to_stop)
        self._stop_if_told()
        export = self.folder / "export"

        def write(aside: Path) -> dict[str, Any]:
            copy_plain_files(export, aside)
            return {**fields, "job": self.job.id}

        version = registry.add(self.job.name, write, self.settings)
        self._say(f"published {version}")
        return version

    def _check_steps(self, fields: dict[str, Any]) -> None:
        """A model that was not trained to the end is not what was asked for."""
        progress = self._patiently(lambda: self.store.job(self.job.id)).progress
        training = fields.get("training", {})
        early = training.get("stopped") or training.get("best_epoch")
        if progress is None or (progress.step < progress.of and not early):
            done = "no step" if progress is None else f"{progress.step} of {progress.of} steps"
            raise ModelRefused(f"the model was exported after {done}; it is not published")

    def _published(self) -> registry.Version | None:
        """What a runner before published for this job without living to record it."""
        # Another database may have had a job of this number: its version is older than this job.
        submitted = datetime.fromtimestamp(int(self.job.changes[0].t), UTC)
        for version in registry.versions(self.settings, self.job.name):
            manifest = version.manifest
            if (
                manifest.get("job") == self.job.id
                and datetime.fromisoformat(manifest["created"]) >= submitted
            ):
                return version
        return None

    def _completed(self, version: registry.Version) -> None:
        accuracy = version.manifest.get("metrics", {}).get("accuracy")
        known = accuracy if isinstance(accuracy, int | float) and math.isfinite(accuracy) else None
        self._patiently(
            lambda: self.store.move(
                self.job.id, {"initializing", "training"}, "exporting", runner=self.runner
            )
        )
        self._patiently(
            lambda: self.store.move(
                self.job.id,
                "exporting",
                "completed",
                runner=self.runner,
                version=version.version,
                accuracy=known,
            )
        )
        for name in ("export", "checkpoints"):  # the version has all that is worth keeping
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self._say("completed")

    def _terminated(self) -> None:
        self._patiently(lambda: self.store.move(self.job.id, ACTIVE, "terminated", runner=self.runner))
        self._say("terminated, as asked")

    def _failed(self, error: Error) -> Callable[[], object]:
        error = self._shorten(error)

        def record() -> None:
            self._patiently(lambda: _fail(self.store, self.job, self.runner, error))
            self._say(f"failed: {error.role} {error.index}: {error.message}")

        return record

    def _explain(self, failure: Fail) -> Error:
        if failure.error is not None:
            return replace(failure.error, message=failure.message)
        folder = self.folder / "machines" / f"{failure.place.role}-{failure.place.index}"
        words = checks.last_lines(folder / "stderr.log", 20)
        last = words.splitlines()[-1] if words else "nothing"
        message = f"{failure.message}; its last words: {last}"
        field, line = checks.find_place(words, self.folder) or (None, None)
        return Error(time.time(), *_pair(failure.place), message, field, line, words)

    def _explain_silence(self, silence: Hangs) -> Error:
        """Blame the machine that hangs in the recipe's code; where none does, the leading one."""
        asked = {}
        for machine in self.provider.machines(self.cluster):
            if machine.state == "running":
                asked[machine.place] = checks.ask_where(machine, self.folder)
        places = {place: checks.find_place(stack, self.folder) for place, stack in asked.items()}
        # The chief waits in the recipe's code for nobody; a worker that hangs is rather the cause than one that waits.
        guilty = next((p for p in sorted(places, reverse=True) if places[p]), self.layout.leader)
        field, line = places.get(guilty) or (None, None)
        at = f" in {field}, line {line}" if field else ""
        message = f"nothing was heard of any machine for {silence.silent_s:.0f} s; {guilty} hangs{at}"
        return Error(time.time(), *_pair(guilty), message, field, line, asked.get(guilty, ""))

    def _end_machines(self) -> None:
        self.provider.terminate(self.cluster)
        gone = [jobs.Machine(m.role, m.index, "terminated") for m in self.known]
        if gone and self.known:
            self.known = []
            self._patiently(lambda: self.store.machines(self.job.id, gone))

    # Being told

    def _told_to_stop(self) -> bool:
        return self.asked.is_set() or self.lost.is_set()

    def _stop_if_told(self) -> None:
        if self.lost.is_set():
            raise Lost(f"another runner has job {self.job.id}")
        if self.asked.is_set():
            raise Asked(f"job {self.job.id} is to end")

    def _pause(self, seconds: float) -> None:
        self.asked.wait(seconds)

    def _watch(self, last_resort: Callable[[], None]) -> None:
        """In a thread of its own: hold the lease, hear the wish to end, and see to it that it is granted."""
        beat = time.monotonic()
        asked: float | None = None
        while not self.over.wait(WATCH_S):
            with contextlib.suppress(Unavailable):
                if time.monotonic() - beat >= self.tools.rules.heartbeat_s:
                    beat = time.monotonic()
                    if not self.store.heartbeat(self.job.id, self.runner):
                        self.lost.set()
                if self.store.terminate_asked(self.job.id):
                    asked = asked or time.monotonic()
                    self.asked.set()
            if asked and time.monotonic() - asked > self.tools.rules.last_resort_s and not self.over.is_set():
                for name in (
                    self.cluster,
                    *map(checks.task_of, (self.folder, Path(_check_name(self.job.id)))),
                ):
                    self.provider.terminate(name)
                self._terminated()
                self.store.release(self.job.id, self.runner)
                last_resort()
                return

    def _patiently(self, do: Callable[[], T]) -> T:
        """Do something with the store; one that cannot be reached is asked again for a while."""
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                return do()
            except Unavailable:
                if time.monotonic() > give_up or self._told_to_stop():
                    raise
                self._pause(1.0)

    def _say(self, line: str) -> None:
        self.diary.log(line)

    def _shorten(self, event: E) -> E:
        """An error names the recipe's files as the user knows them."""
        if not isinstance(event, Error):
            return event
        return replace(
            event,
            message=checks.shorten(event.message, self.folder),
            traceback=checks.shorten(event.traceback, self.folder),
        )


def remove_links(folder: Path) -> None:
    """Remove symbolic links that a recipe's code may have left where we are about to write."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            path.unlink()


def copy_plain_files(source: Path, target: Path) -> None:
    """Copy a folder of plain files and folders; whatever else a recipe's code has put there is refused.

    Raises
    ------
    ModelRefused
    """
    for path in sorted(source.rglob("*")):
        mode = path.lstat().st_mode
        aim = target / path.relative_to(source)
        if stat.S_ISDIR(mode):
            aim.mkdir(parents=True, exist_ok=True)
        elif stat.S_ISREG(mode):
            aim.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, aim, follow_symlinks=False)
        else:
            raise ModelRefused(f"the export holds something that is no plain file: {aim.name}")


def _fail(store: Store, job: Job, runner: str, error: Error) -> bool:
    return store.move(job.id, ACTIVE, "failed", runner=runner, error=error)


def _as_event(error: RecipeError, place: Place) -> Error:
    return Error(time.time(), *_pair(place), str(error), error.field, error.line, error.traceback)


def _pair(place: Place) -> tuple[str, int]:
    return place.role, place.index


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _kill_group() -> None:
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Run one job, then let the next one have its turn."""
    from workbench.settings import from_environment

    signal.signal(signal.SIGTERM, _end)
    settings = from_environment()
    settings.logs.mkdir(parents=True, exist_ok=True)
    with Store(settings.database_url) as store:
        try:
            run(int(arguments[0]), arguments[1], store, settings, last_resort=_kill_group)
        except Lost as error:
            print(error, file=sys.stderr)
        tick(store, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
