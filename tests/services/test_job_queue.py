"""The queue asks the store while there are jobs, and leaves it alone while there are none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jobs.conftest import RECIPE
from workbench.jobs import Store
from workbench.services.job_queue import CALM_S, Queue


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(f"sqlite:///{tmp_path / 'jobs.db'}") as store:
        yield store


def test_a_store_without_jobs_is_asked_once_and_again_when_something_changes(store: Store) -> None:
    ticks: list[int] = []
    queue = Queue(store, lambda: ticks.append(1), clock=lambda: 0.0)
    assert queue.turn()
    assert [queue.turn() for _ in range(5)] == [False] * 5
    store.submit(name="a", requester="r", recipe=RECIPE)
    assert queue.turn()
    assert len(ticks) == 1
    assert queue.turn()  # a job that waits or is at work is looked after each time
    assert len(ticks) == 2


def test_it_is_calm_once_the_last_lease_is_given_back(store: Store) -> None:
    job = store.submit(name="a", requester="r", recipe=RECIPE)
    assert not store.is_calm()
    assert store.claim("runner", 4)
    assert not store.is_calm()
    store.ask_terminate(job)
    assert store.move(job, "initializing", "terminated", runner="runner")
    assert not store.is_calm()  # its machines may still be there
    store.release(job, "runner")
    assert store.is_calm()


def test_a_store_that_looks_unchanged_is_asked_again_after_a_while(store: Store) -> None:
    now = [0.0]
    queue = Queue(store, lambda: None, clock=lambda: now[0])
    assert queue.turn()
    now[0] = CALM_S - 1
    assert not queue.turn()
    now[0] = CALM_S + 1
    assert queue.turn()
