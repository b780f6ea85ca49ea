"""Whose turn it is: runners that the queue starts, and clusters that no job needs any more."""

import time

import pytest

from tests.runner.stand import runner_settings, submit
from workbench import runner
from workbench.jobs import Store
from workbench.machines import Layout
from workbench.machines.fake import FakeProvider
from workbench.settings import Settings


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
