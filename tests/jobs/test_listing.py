"""Pages of the list of jobs: sorted, narrowed down, counted, and quick with thousands of them."""

import contextlib
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.jobs.conftest import RECIPE, Clock
from workbench.errors import BadInput
from workbench.events import Error, Metric
from workbench.jobs import JobFilter, Store
from workbench.jobs.listing import SORTS

Submit = Callable[..., int]


def finish(store: Store, clock: Clock, after_s: float = 0.0, accuracy: float = 0.9) -> int:
    """Let the next waiting job train for so long and complete."""
    job = store.claim("runner", cap=1000)
    assert job is not None
    store.move(job.id, "initializing", "training")
    clock.t += after_s
    store.move(job.id, "training", "exporting")
    store.move(job.id, "exporting", "completed", version=1, accuracy=accuracy)
    return job.id


def ids(store: Store, filter: JobFilter = JobFilter(), **how: object) -> list[int]:  # noqa: B008
    return [job.id for job in store.page(filter, **how).jobs]  # type: ignore[arg-type]


def test_an_empty_store_has_an_empty_page(store: Store) -> None:
    listing = store.page()
    assert (listing.jobs, listing.total, listing.states, listing.requesters) == ([], 0, {}, {})


def test_the_newest_come_first_and_pages_follow_each_other(store: Store, submit: Submit) -> None:
    every = [submit() for _ in range(5)]
    assert ids(store) == every[::-1]
    assert ids(store, offset=1, limit=2) == every[::-1][1:3]
    assert ids(store, descending=False, limit=2) == every[:2]
    assert store.page(offset=10).jobs == []
    assert store.page(offset=10).total == 5


def test_text_finds_names_requesters_and_whole_ids_in_any_case(store: Store, submit: Submit) -> None:
    digits, clothes = submit(name="digits", requester="Ann"), submit(name="clothes_1", requester="bob")
    assert ids(store, JobFilter("DIGI")) == [digits]
    assert ids(store, JobFilter("ann")) == [digits]
    assert ids(store, JobFilter(f" {clothes} ")) == [clothes]
    assert ids(store, JobFilter("s_1")) == [clothes]
    assert ids(store, JobFilter("_")) == [clothes], "an underscore is no wildcard"
    assert ids(store, JobFilter("%")) == []


def test_each_choice_says_how_many_jobs_it_would_show(store: Store, submit: Submit, clock: Clock) -> None:
    for requester in ("ann", "ann", "bob"):
        submit(requester=requester)
    done = finish(store, clock)
    listing = store.page(JobFilter(states=["completed"]))
    assert [job.id for job in listing.jobs] == [done]
    assert listing.total == 1
    assert listing.states == {"queued": 2, "completed": 1}
    assert listing.requesters == {"ann": 1}
    assert store.page(JobFilter(requesters=["bob"])).states == {"queued": 1}


def test_jobs_are_sorted_by_whatever_is_shown(store: Store, submit: Submit, clock: Clock) -> None:
    a = submit(name="a", requester="zoe", ps=0, workers=1, price_per_hour=1.0)
    assert finish(store, clock, 100, 0.9) == a
    b = submit(name="b", requester="ann", ps=2, workers=4, price_per_hour=9.0)
    assert finish(store, clock, 50, 0.99) == b
    c = submit(name="c", requester="bob", ps=1, workers=2)
    assert ids(store, sort="name", descending=False) == [a, b, c]
    assert ids(store, sort="requester", descending=False) == [b, c, a]
    assert ids(store, sort="layout", descending=False) == [a, c, b]
    assert ids(store, sort="state", descending=False) == [c, b, a]
    assert ids(store, sort="execution_s", descending=True) == [a, b, c]
    assert ids(store, sort="execution_s", descending=False) == [b, a, c], "what has no value comes last"
    assert ids(store, sort="accuracy", descending=False) == [a, b, c]
    assert ids(store, sort="cost", descending=True) == [b, a, c]
    assert ids(store, sort="progress", descending=True) == [b, a, c]


@pytest.mark.parametrize(
    "asked", [{"sort": "colour"}, {"limit": 0}, {"offset": -1}], ids=lambda asked: next(iter(asked))
)
def test_a_page_that_cannot_be_is_refused(store: Store, asked: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="Received"):
        store.page(**asked)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="a state is one of"):
        JobFilter(states=["asleep"])


def test_the_pulse_beats_with_every_change_and_rests_otherwise(
    store: Store, submit: Submit, clock: Clock, count_queries: Callable[[], int]
) -> None:
    pulses = [store.pulse()]

    def beats() -> bool:
        pulses.append(store.pulse())
        return pulses[-1] != pulses[-2]

    id = submit()
    assert beats()
    assert not beats()
    assert store.claim("runner", cap=1)
    assert beats()
    store.move(id, "initializing", "training")
    store.apply(id, [Metric(clock.t + 1, "chief", 0, step=1, of=9, epoch=1)])
    assert beats()
    store.ask_terminate(id)
    assert beats()
    store.move(id, "training", "failed", error=Error(2.0, "chief", 0, "boom"))
    assert beats()
    before = count_queries()
    assert not beats()
    assert count_queries() - before == 1


def test_former_jobs_of_the_same_recipe_and_layout_are_found(
    store: Store, submit: Submit, clock: Clock
) -> None:
    submit(ps=0, workers=1)
    other = finish(store, clock)
    submit(ps=1, workers=2)
    same = finish(store, clock)
    submit(ps=1, workers=2)
    assert [job.id for job in store.newest(RECIPE.sha256, 1, 2)] == [same]
    assert [job.id for job in store.newest(RECIPE.sha256, 0, 1)] == [other]
    assert [job.id for job in store.newest(RECIPE.sha256)] == [same, other]
    assert store.newest("0" * 64, 1, 2) == []


def test_ten_thousand_jobs_open_quickly_however_they_are_sorted(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path / 'many.db'}") as store:
        store.submit(name="first", requester="ann", recipe=RECIPE)
        fill(tmp_path / "many.db", 10_000)

        def took(ask: Callable[[], object]) -> float:
            began = time.process_time()
            ask()
            return time.process_time() - began

        for sort in SORTS:
            ask = partial(store.page, JobFilter("1"), sort=sort, limit=60)
            assert len(ask().jobs) == 60
            assert min(took(ask) for _ in range(5)) < 0.3, sort
        assert min(took(store.pulse) for _ in range(5)) < 0.1


def fill(path: Path, count: int) -> None:
    """Put many jobs in at once, as years of work leave them: the store's own verbs take one commit a change."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        row = dict(connection.execute("SELECT * FROM jobs ORDER BY id DESC").fetchone())
        jobs, times = [], []
        for n in range(row["id"] + 1, row["id"] + count):
            more = {"id": n, "name": f"net-{n % 97}", "requester": f"r{n % 11}", "state": "failed"}
            jobs.append({**row, **more})
            times += [
                (n, state, 1e9 + n + k)
                for k, state in enumerate(("queued", "initializing", "training", "failed"))
            ]
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join(f":{name}" for name in row)
        connection.executemany(f"INSERT INTO jobs ({names}) VALUES ({marks})", jobs)
        connection.executemany("INSERT INTO job_times (job, attempt, state, t) VALUES (?, 1, ?, ?)", times)
        connection.commit()
