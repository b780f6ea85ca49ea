"""A job whose machines or runner die or fall silent, and what the next runner makes of it."""

import json
import re
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.chain import wait_until
from tests.runner.stand import (
    RULES,
    elsewhere,
    run,
    submit,
    works,
)
from tests.stub_tools import measures, passes
from workbench import runner
from workbench.errors import Unavailable
from workbench.jobs import Store
from workbench.machines import Layout, Machine, Place
from workbench.machines.fake import FakeProvider
from workbench.manifest import Manifest
from workbench.models import registry
from workbench.settings import Settings


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
