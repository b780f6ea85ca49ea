"""A job that somebody ends or has tried again, whatever its runner is doing."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chain import PATIENCE
from tests.runner.stand import RULES, run, submit, works
from tests.stub_tools import measures, passes
from workbench import runner
from workbench.jobs import Job, Store
from workbench.machines import Machine
from workbench.machines.fake import FakeProvider
from workbench.models import registry
from workbench.settings import Settings
from workbench.tasks.verification import Measured


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
