"""A job in the hands of its runner, from its turn in the queue to a published version; with machines in memory."""

import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.chain import PATIENCE, wait_until
from tests.stub_tools import measures, passes
from workbench import events, runner
from workbench.errors import ModelRefused, RecipeError, Unavailable
from workbench.jobs import Job, Store
from workbench.machines import Layout, Machine, Place
from workbench.machines.fake import Behaviour, FakeProvider
from workbench.manifest import Manifest
from workbench.models import registry
from workbench.recipes import Recipe
from workbench.runner.faults import Rules
from workbench.runner.tools import Check, Measure
from workbench.settings import Settings
from workbench.tasks.verification import Measured

RECIPE = Recipe("", "def load_data(): ...", "def build_model(): ...")
RULES = Rules(silent_s=600.0, settle_s=0.1, restarts=2, heartbeat_s=0.1)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    settings.home.mkdir()
    settings.logs.mkdir()
    with Store(settings.database_url) as store:
        yield store


def submit(store: Store, **more: object) -> int:
    return store.submit(**{"name": "net", "requester": "ann", "recipe": RECIPE, **more})  # type: ignore[arg-type]


def writer(machine: Machine, folder: Path) -> events.Writer:
    place = f"{machine.role}-{machine.index}"
    return events.Writer(folder / "machines" / place / "events.jsonl", machine.role, machine.index)


def leads(machine: Machine, folder: Path) -> bool:
    job = json.loads((folder / "job.json").read_text())
    return machine.place == Layout(job["ps"], job["workers"]).leader


def train(machine: Machine, folder: Path, steps: int = 4, of: int = 4) -> None:
    """What a leading machine leaves: its events and, after all steps, an export."""
    with writer(machine, folder) as says:
        says.phase("training")
        for step in range(1, steps + 1):
            says.metric(events.Progress(step=step, of=of, epoch=1, loss=1 / step, accuracy=step / of))
        says.phase("exporting")
        export(folder)
        says.phase("done")


def export(folder: Path) -> None:
    (folder / "export").mkdir()
    (folder / "export" / "model.keras").write_text("weights")
    (folder / "fields.json").write_text(json.dumps({"metrics": {"accuracy": 0.75}, "labels": ["a"]}))


def works(provider: FakeProvider, machine: Machine, folder: Path) -> None:
    """Every machine does what it should, at once."""
    if leads(machine, folder):
        train(machine, folder)
    else:
        with writer(machine, folder) as says:
            says.phase("done")
    provider.end(machine.cluster, machine.place, 0)


def run(
    store: Store,
    settings: Settings,
    behaviour: Behaviour = works,
    *,
    provider: FakeProvider | None = None,
    check: Check = passes,
    measure: Measure = measures,
    rules: Rules = RULES,
) -> Job:
    """Give the next job its turn and run it to its end."""
    job = store.claim("me", cap=1)
    assert job is not None
    provider = provider or FakeProvider(behaviour)
    runner.run(job.id, "me", store, settings, provider=provider, check=check, measure=measure, rules=rules)
    ended = store.job(job.id)
    assert provider.machines() == []
    assert ended.lease is None
    return ended


@pytest.mark.parametrize(("ps", "workers"), [(0, 1), (0, 2), (1, 2)])
def test_a_job_ends_completed_with_a_published_version(
    store: Store, settings: Settings, ps: int, workers: int
) -> None:
    submit(store, ps=ps, workers=workers)

    job = run(store, settings)

    assert (job.state, job.version, job.accuracy, job.step, job.of) == ("completed", 1, 0.75, 4, 4)
    version = registry.find("net:1", settings)
    assert version.manifest.job == job.id
    assert (version.folder / "model.keras").read_text() == "weights"
    assert [m.state for m in job.machines] == ["terminated"] * len(Layout(ps, workers).places)
    assert list(job.times) == ["queued", "initializing", "training", "exporting", "completed"]


def test_the_machines_get_the_recipe_byte_for_byte_and_nothing_of_an_attempt_before(
    store: Store, settings: Settings
) -> None:
    source = "x = 'ä\\'\"'\n\tdef"
    id = submit(store, recipe=Recipe("", source, "#"), epochs=7)
    folder = settings.home / "jobs" / str(id)
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "fields.json").write_text("{}")
    seen: list[object] = []

    def look(provider: FakeProvider, machine: Machine, folder: Path) -> None:
        seen.append((folder / "recipe" / "preprocessing.py").read_bytes().decode())
        seen.append(json.loads((folder / "job.json").read_text())["epochs"])
        seen.append(sorted(path.name for path in folder.iterdir()))
        works(provider, machine, folder)

    assert run(store, settings, look).state == "completed"
    assert seen == [source, 7, ["job.json", "machines", "recipe"]]


def test_a_recipe_that_fails_its_check_gets_no_machine(store: Store, settings: Settings) -> None:
    submit(store)

    def check(job: Job, stop: Callable[[], bool]) -> str:
        raise RecipeError("training, line 2: no", field="training", line=2, traceback="Traceback …")

    job = run(store, settings, lambda *_: pytest.fail("a machine was begun"), check=check)

    assert job.state == "failed"
    assert job.error is not None
    assert (job.error.message, job.error.field, job.error.line) == ("training, line 2: no", "training", 2)
    assert job.machines == ()


def test_a_machine_whose_recipe_code_fails_fails_the_job_with_its_role_and_reason(
    store: Store, settings: Settings
) -> None:
    submit(store, workers=2)

    def raises(provider: FakeProvider, machine: Machine, folder: Path) -> None:
        if machine.index == 1:
            with writer(machine, folder) as says:
                path = folder / "machines" / "worker-1" / "recipe" / "training.py"
                says.error("ValueError: no", field="training", line=3, traceback=f'File "{path}", line 3')
            provider.end(machine.cluster, machine.place, 3)

    job = run(store, settings, raises)

    assert job.state == "failed"
    assert job.error is not None
    assert (job.error.role, job.error.index, job.error.message) == ("worker", 1, "ValueError: no")
    assert job.error.traceback == 'File "training.py", line 3'


def test_a_model_that_was_not_trained_to_the_end_is_never_published(store: Store, settings: Settings) -> None:
    submit(store)

    def half(provider: FakeProvider, machine: Machine, folder: Path) -> None:
        train(machine, folder, steps=2)
        provider.end(machine.cluster, machine.place, 0)

    job = run(store, settings, half)

    assert job.state == "failed"
    assert job.error is not None
    assert "after 2 of 4 steps" in job.error.message
    assert registry.versions(settings) == []


def test_a_model_that_cannot_be_loaded_back_is_never_published(store: Store, settings: Settings) -> None:
    submit(store)

    def refuses(folder: Path, expected: str, stop: Callable[[], bool]) -> Measured:
        raise ModelRefused("saved_model answers otherwise")

    job = run(store, settings, measure=refuses)

    assert job.state == "failed"
    assert job.error is not None
    assert job.error.message == "saved_model answers otherwise"
    assert registry.versions(settings) == []


def test_a_link_in_the_export_is_refused(store: Store, settings: Settings) -> None:
    submit(store)
    (settings.home / "token").write_text("secret")

    def steals(provider: FakeProvider, machine: Machine, folder: Path) -> None:
        train(machine, folder)
        (folder / "export" / "stolen").symlink_to(settings.home / "token")
        provider.end(machine.cluster, machine.place, 0)

    job = run(store, settings, steals)

    assert job.state == "failed"
    assert job.error is not None
    assert "no plain file: stolen" in job.error.message


def test_a_machine_that_dies_is_started_again_and_goes_on(store: Store, settings: Settings) -> None:
    submit(store)
    starts: list[Place] = []

    def dies_once(provider: FakeProvider, machine: Machine, folder: Path) -> None:
        starts.append(machine.place)
        if len(starts) == 1:
            provider.end(machine.cluster, machine.place, -9)
        else:
            works(provider, machine, folder)

    assert run(store, settings, dies_once).state == "completed"
    assert len(starts) == 2


def test_a_machine_that_dies_again_and_again_fails_the_job(store: Store, settings: Settings) -> None:
    submit(store, ps=1, workers=1)

    def dies(provider: FakeProvider, machine: Machine, folder: Path) -> None:
        if machine.role == "worker":
            provider.end(machine.cluster, machine.place, -11)

    job = run(store, settings, dies)

    assert job.state == "failed"
    assert job.error is not None
    assert (job.error.role, job.error.index) == ("worker", 0)
    assert job.error.message.endswith("signal SIGSEGV; 2 new starts came no step further; it left no words")


def test_silence_fails_the_job(store: Store, settings: Settings) -> None:
    submit(store)

    job = run(store, settings, lambda *_: None, rules=replace(RULES, silent_s=1.0))

    assert job.state == "failed"
    assert job.error is not None
    assert re.search(r"nothing was heard of any machine for \d+ s", job.error.message)


def test_a_provider_that_is_not_there_fails_the_job(store: Store, settings: Settings) -> None:
    id = submit(store, provider="moon")
    assert store.claim("me", cap=1, provider="moon")

    runner.run(id, "me", store, settings)

    error = store.job(id).error
    assert error is not None
    assert "'moon'" in error.message


@pytest.mark.parametrize("when", ["the check", "training", "the export's check"])
def test_a_job_can_be_terminated_at_any_moment(store: Store, settings: Settings, when: str) -> None:
    id = submit(store)
    reached = threading.Event()

    def wait(stop: Callable[[], bool]) -> None:
        reached.set()
        while not stop():
            time.sleep(0.01)

    def check_waits(job: Job, stop: Callable[[], bool]) -> str:
        wait(stop)
        return ""

    def measure_waits(folder: Path, expected: str, stop: Callable[[], bool]) -> Measured:
        wait(stop)
        return measures(folder, expected, stop)

    def machine_waits(provider: FakeProvider, machine: Machine, folder: Path) -> None:
        reached.set()

    def ask() -> None:
        assert reached.wait(60)
        store.ask_terminate(id)

    asking = threading.Thread(target=ask)
    asking.start()
    began = time.monotonic()
    job = run(
        store,
        settings,
        machine_waits if when == "training" else works,
        check=check_waits if when == "the check" else passes,
        measure=measure_waits if when == "the export's check" else measures,
    )
    asking.join()

    assert job.state == "terminated"
    assert time.monotonic() - began < 20 * PATIENCE
    assert registry.versions(settings) == []


def test_a_job_is_terminated_although_its_runner_is_stuck(store: Store, settings: Settings) -> None:
    """For instance in a download that nothing interrupts."""
    id = submit(store)
    assert store.claim("me", cap=1)
    freed, states = threading.Event(), []

    def check(job: Job, stop: Callable[[], bool]) -> str:
        store.ask_terminate(id)
        assert freed.wait(60)
        return ""

    def last_resort() -> None:
        states.append((store.job(id).state, store.job(id).lease))
        freed.set()

    with pytest.raises(runner.Lost):
        runner.run(
            id,
            "me",
            store,
            settings,
            provider=FakeProvider(),
            check=check,
            rules=replace(RULES, last_resort_s=0.2),
            last_resort=last_resort,
        )

    assert states == [("terminated", None)]
    assert store.job(id).state == "terminated"


def test_a_job_that_was_asked_to_end_before_its_runner_began_has_no_machine(
    store: Store, settings: Settings
) -> None:
    id = submit(store)
    job = store.claim("me", cap=1)
    assert job
    store.ask_terminate(id)

    runner.run(
        id, "me", store, settings, provider=FakeProvider(lambda *_: pytest.fail("a machine was begun"))
    )

    assert store.job(id).state == "terminated"


def test_a_retry_goes_on_from_the_checkpoint_and_a_retry_anew_does_not(
    store: Store, settings: Settings
) -> None:
    id = submit(store)
    seen = []

    def fails(provider: FakeProvider, machine: Machine, folder: Path) -> None:
        seen.append((folder / "checkpoints").exists())
        (folder / "checkpoints").mkdir(exist_ok=True)
        provider.end(machine.cluster, machine.place, 3)

    for anew in (False, True):
        assert run(store, settings, fails).state == "failed"
        store.retry(id, anew=anew)
    assert run(store, settings, works).state == "completed"

    assert seen == [False, True]


def test_a_runner_that_was_taken_for_dead_touches_nothing(store: Store, settings: Settings) -> None:
    id = submit(store)
    job = store.claim("dead", cap=1)
    assert job
    provider = FakeProvider()

    def loses(provider: FakeProvider, machine: Machine, folder: Path) -> None:
        store.release(id, "dead")
        assert store.take_over(id, "living")

    provider.behaviour = loses
    with pytest.raises(runner.Lost):
        runner.run(id, "dead", store, settings, provider=provider, check=passes, rules=RULES)

    assert [m.state for m in provider.machines()] == ["running"]
    lease = store.job(id).lease
    assert lease is not None
    assert lease.runner == "living"


def test_the_next_runner_takes_up_machines_that_a_dead_one_left(store: Store, settings: Settings) -> None:
    id = submit(store, ps=1, workers=1)
    provider = FakeProvider()
    job = store.claim("dead", cap=1)
    assert job
    folder = settings.home / "jobs" / str(id)
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps({"attempt": 1, "origin": 1, "ps": 1, "workers": 1}))
    provider.launch(f"job-{id}", Layout(1, 1), folder)
    pids = [machine.pid for machine in provider.machines()]
    store.release(id, "dead")
    assert store.take_over(id, "me")

    def finish() -> None:
        job = wait_until(lambda: len(store.job(id).machines) == 3, 5, "the machines in the store")
        assert job
        for machine in provider.machines():
            works(provider, machine, folder)

    finishing = threading.Thread(target=finish)
    finishing.start()
    runner.run(
        id,
        "me",
        store,
        settings,
        provider=provider,
        check=lambda *_: pytest.fail("it was checked before"),
        measure=measures,
        rules=RULES,
    )
    finishing.join()

    assert store.job(id).state == "completed"
    assert pids == [1, 2, 3]


def test_a_version_that_a_dead_runner_had_published_is_not_published_twice(
    store: Store, settings: Settings
) -> None:
    id = submit(store)

    def write(folder: Path) -> Manifest:
        (folder / "model.keras").write_text("weights")
        return Manifest(job=id, metrics={"accuracy": 0.5})

    registry.add("net", write, settings)

    job = run(store, settings, lambda *_: pytest.fail("a machine was begun"))

    assert (job.state, job.version, job.accuracy) == ("completed", 1, 0.5)
    assert len(registry.versions(settings)) == 1


def test_the_queue_starts_as_many_as_may_run_and_those_whose_runner_died(
    store: Store, settings: Settings
) -> None:
    ids = [submit(store, requester=name) for name in ("ann", "ann", "bob")]
    started: list[tuple[int, str]] = []

    def start(id: int, name: str) -> None:
        started.append((id, name))

    settings = runner_settings(settings, 2, 1)
    assert runner.tick(store, settings, start) == [ids[0], ids[2]]
    assert runner.tick(store, settings, start) == []
    id, name = started[0]
    store.release(id, name)
    assert runner.tick(store, settings, start) == [id]
    assert len({name for _, name in started}) == 3


def test_a_runner_that_cannot_be_started_gives_its_job_back(store: Store, settings: Settings) -> None:
    id = submit(store)

    def fails(id: int, name: str) -> None:
        raise OSError("no more processes")

    with pytest.raises(OSError, match="no more processes"):
        runner.tick(store, settings, fails)

    assert store.job(id).lease is None
    assert [job.id for job in store.abandoned()] == [id]


def test_clusters_of_jobs_that_have_ended_are_ended(store: Store, settings: Settings) -> None:
    running, over = submit(store), submit(store)
    store.claim("me", cap=1)
    store.ask_terminate(over)
    provider = FakeProvider()
    for name in (f"job-{running}", f"job-{over}", "job-99", "somebodys", "task-of-old"):
        provider.launch(name, Layout())
    provider.now = time.time
    provider.launch("task-of-today", Layout())

    assert runner.end_orphans(store, provider) == [f"job-{over}", "job-99", "task-of-old"]

    assert {machine.cluster for machine in provider.machines()} == {
        f"job-{running}",
        "somebodys",
        "task-of-today",
    }


def runner_settings(settings: Settings, cap: int, per_requester: int) -> Settings:
    return replace(settings, max_jobs=cap, max_jobs_per_requester=per_requester)


def elsewhere(behaviour: Behaviour, home: Path) -> FakeProvider:
    """Machines that write into a folder of their own, which only ``collect`` brings here."""
    there = home / "there"

    def collect(name: str, folder: Path, whole: bool) -> None:
        shutil.copytree(there / "machines", folder / "machines", dirs_exist_ok=True)
        if whole and (there / "fields.json").exists():
            shutil.copytree(there / "export", folder / "export", dirs_exist_ok=True)
            shutil.copy(there / "fields.json", folder / "fields.json")

    def work(provider: FakeProvider, machine: Machine, folder: Path) -> None:
        there.mkdir(exist_ok=True)
        shutil.copy(folder / "job.json", there / "job.json")
        shutil.copytree(folder / "machines", there / "machines", dirs_exist_ok=True)
        behaviour(provider, machine, there)

    return FakeProvider(work, independent=True, collecting=collect)


def test_what_machines_elsewhere_left_is_brought_here_and_the_version_is_kept_there(
    store: Store, settings: Settings
) -> None:
    submit(store, ps=1, workers=1)
    provider = elsewhere(works, settings.home)

    job = run(store, settings, provider=provider)

    assert (job.state, job.accuracy, job.step) == ("completed", 0.75, 4)
    assert provider.kept == {"net:1": settings.home / "jobs" / str(job.id)}


def test_a_job_that_was_done_while_nobody_looked_is_published(store: Store, settings: Settings) -> None:
    id = submit(store)
    provider = elsewhere(works, settings.home)
    job = store.claim("dead", cap=1)
    assert job
    folder = settings.home / "jobs" / str(id)
    (folder / "recipe").mkdir(parents=True)
    values = {"attempt": 1, "origin": 1, "ps": 0, "workers": 1}
    (folder / "job.json").write_text(json.dumps(values))
    provider.launch(f"job-{id}", Layout(), folder)
    store.release(id, "dead")
    assert store.take_over(id, "me")

    runner.run(id, "me", store, settings, provider=provider, measure=measures, check=passes)

    assert (store.job(id).state, provider.machines()) == ("completed", [])


def test_a_runner_that_is_told_to_end_leaves_machines_that_go_on_without_it(
    store: Store, settings: Settings
) -> None:
    for independent, left in ((False, []), (True, ["running"])):
        id = submit(store)
        assert store.claim("me", cap=1)
        provider = FakeProvider(independent=independent)

        def end(name: str, folder: Path, whole: bool) -> None:
            raise SystemExit(143)

        provider.collecting = end
        with pytest.raises(SystemExit):
            runner.run(id, "me", store, settings, provider=provider, check=passes, rules=RULES)

        assert [machine.state for machine in provider.machines()] == left
        assert (store.job(id).state, store.job(id).lease) == ("initializing", None)
        store.ask_terminate(id)
        assert runner.terminate(id, store, settings).state == "terminated"


def test_a_job_whose_machines_cannot_be_ended_ends_and_the_next_runner_tries_again(
    store: Store, settings: Settings
) -> None:
    id = submit(store)
    assert store.claim("me", cap=1)

    class Denied(Unavailable):
        passing = False

    class Stubborn(FakeProvider):
        def terminate(self, name: str) -> None:
            if name in self.clusters:
                raise Denied("not allowed")

    provider = Stubborn(works, independent=True)
    run_it = partial(runner.run, measure=measures, check=passes, rules=RULES)
    run_it(id, "me", store, settings, provider=provider, trials=FakeProvider())

    assert store.job(id).state == "completed"
    assert store.job(id).lease is not None, "so it will be seen as abandoned"
    assert [job.id for job in store.abandoned(time.time() + 3600)] == [id]


def test_a_job_that_has_cost_what_it_may_fails_and_says_so(store: Store, settings: Settings) -> None:
    for caps, word in (
        ({"max_price_per_job": 1.0}, "one job may cost $1.00"),
        ({"max_price_per_requester": 2.5}, "jobs of one requester that are at work may cost $2.50"),
    ):
        submit(store, price_per_hour=3.6e7)
        job = run(store, replace(settings, **caps), lambda *_: None)  # type: ignore[arg-type]

        assert job.state == "failed"
        assert job.error is not None
        assert word in job.error.message
