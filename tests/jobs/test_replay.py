"""Events become the same rows, in whatever pieces, however damaged and however often they come."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.jobs.conftest import RECIPE, Clock
from workbench.events import Error, Event, Log, Metric, Phase, dump, read
from workbench.jobs import Store, tables

Submit = Callable[..., int]
shared = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
BEGAN = Clock().t
numbers = st.none() | st.floats(0, 10)


@st.composite
def lives(draw: st.DrawFn) -> list[Event]:
    """What the machines of a job with one worker and one ps say, through relaunches that go back to a checkpoint."""
    events: list[Event] = []
    t, step = BEGAN, 0
    for what in draw(st.lists(st.sampled_from("mmmmvrpel"), max_size=25)):
        t += draw(st.floats(0.001, 2))
        if what == "r":
            step = draw(st.integers(0, step))
        elif what == "p":
            role = draw(st.sampled_from(["chief", "ps", "worker"]))
            events.append(Phase(t, role, 0, draw(st.sampled_from(["initializing", "training", "exporting"]))))
        elif what == "e":
            events.append(
                Error(t, "worker", 0, draw(st.text(max_size=20).map(_printable)), "training", 3, "…")
            )
        elif what == "l":
            events.append(Log(t, "ps", 0, "hello"))
        else:
            step += draw(st.integers(1, 3))
            values = {"val_loss": draw(numbers), "val_accuracy": 0.5} if what == "v" else {}
            events.append(
                Metric(t, "chief", 0, step=step, of=99, epoch=step // 5, loss=draw(numbers), **values)
            )
    return events


def _printable(text: str) -> str:
    return text.encode(errors="replace").decode()


def claimed(store: Store) -> int:
    """A job that machines can report about."""
    id = store.submit(name="digits", requester="ann", recipe=RECIPE, ps=1, workers=1)
    job = store.claim("runner", cap=10**9)
    assert job is not None
    assert job.id == id
    return id


def rows(engine: sa.Engine, id: int, *, without: str = "") -> dict[str, list[dict[str, Any]]]:
    """Everything that events have become, but for what tells one job from another."""
    found = {}
    with engine.connect() as connection:
        for table in (tables.metrics, tables.phases, tables.errors, tables.job_times):
            query = sa.select(table).where(table.c.job == id)
            cells = [
                {k: v for k, v in row.items() if k not in ("id", "job", without)}
                for row in connection.execute(query).mappings()
            ]
            found[table.name] = sorted(cells, key=str)
    return found


@pytest.fixture
def engine(url: str, store: Store) -> sa.Engine:
    """The store's own way to its database, to look at the rows themselves."""
    return store._database._engine


@given(events=lives(), data=st.data())
@shared
def test_cut_lines_duplicates_and_replays_give_the_same_rows(
    store: Store, engine: sa.Engine, tmp_path: Path, events: list[Event], data: st.DataObject
) -> None:
    plain = claimed(store)
    store.apply(plain, events)
    damaged = claimed(store)
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"")
    seen = 0
    for event in events:
        line = dump(event)
        cut = line[: data.draw(st.integers(1, len(line) - 3))] + b"\n" if data.draw(st.booleans()) else b""
        with path.open("ab") as file:
            file.write(cut + line * data.draw(st.integers(1, 2)))
        if data.draw(st.booleans()):
            found, seen = read(path, data.draw(st.sampled_from([0, seen // 2, seen])))
            store.apply(damaged, found)
    for _ in range(2):
        store.apply(damaged, read(path)[0])
    assert rows(engine, damaged) == rows(engine, plain)
    assert store.job(damaged).progress == store.job(plain).progress
    assert store.curve(damaged) == store.curve(plain)


@given(events=lives(), data=st.data())
@shared
def test_the_order_in_which_news_arrives_does_not_matter(
    store: Store, engine: sa.Engine, events: list[Event], data: st.DataObject
) -> None:
    events = [event for event in events if not isinstance(event, Phase)]
    plain, shuffled = claimed(store), claimed(store)
    store.apply(plain, events)
    left = data.draw(st.permutations(events))
    while left:
        count = data.draw(st.integers(1, len(left)))
        store.apply(shuffled, left[:count])
        left = left[count:]
    assert rows(engine, shuffled, without="level") == rows(engine, plain, without="level")
    assert store.job(shuffled).progress == store.job(plain).progress


@given(events=lives())
@shared
def test_the_curve_is_what_was_done_last_at_each_step(store: Store, events: list[Event]) -> None:
    id = claimed(store)
    store.apply(id, events)
    metrics = [event for event in events if isinstance(event, Metric)]
    last = [
        event for n, event in enumerate(metrics) if all(event.step < later.step for later in metrics[n + 1 :])
    ]
    curve = store.curve(id)
    assert [(point.step, point.t, point.loss) for point in curve.training] == [
        (event.step, event.t, event.loss) for event in last
    ]
    assert [(point.step, point.loss, point.accuracy) for point in curve.validation] == [
        (event.step, event.val_loss, event.val_accuracy) for event in last if event.validated
    ]


def test_late_news_of_two_relaunches_overtakes_what_each_did_again(store: Store) -> None:
    id = claimed(store)
    for news in ([(6, 8), (10, 10)], [(5, 3), (7, 6)]):
        store.apply(id, [Metric(BEGAN + t, "chief", 0, step=step, of=99, epoch=1) for t, step in news])
    assert [point.step for point in store.curve(id).training] == [3, 6, 10]


def test_late_news_of_what_was_done_again_is_not_in_the_curve(store: Store) -> None:
    id = claimed(store)
    for news in ([(9, 4), (10, 5)], [(8, 7)], [(11, 6)]):
        store.apply(id, [Metric(BEGAN + t, "chief", 0, step=step, of=99, epoch=1) for t, step in news])
    assert [point.step for point in store.curve(id).training] == [4, 5, 6]


def test_progress_is_the_newest_metric_and_the_newest_validation(store: Store) -> None:
    id = claimed(store)
    store.apply(id, [Metric(BEGAN + 1, "chief", 0, 10, 30, 1, 0.9, 0.7, 0.8, 0.75, 1000.0, 20.0)])
    store.apply(id, [Metric(BEGAN + 2, "chief", 0, 11, 30, 2, 0.5, None, None, None, 900.0, 19.0)])
    store.apply(id, [Metric(BEGAN + 3, "worker", 0, 12, 30, 2, 0.1)])
    progress = store.job(id).progress
    assert progress is not None
    assert (progress.step, progress.of, progress.epoch) == (11, 30, 2)
    assert (progress.loss, progress.accuracy) == (0.5, None)
    assert (progress.val_loss, progress.val_accuracy) == (0.8, 0.75)
    assert (progress.images_per_s, progress.eta_s) == (900, 19)
    assert (store.job(id).step, store.job(id).of, store.job(id).accuracy) == (11, 30, None)


def test_an_attempt_from_nothing_has_a_curve_of_its_own_and_hears_nothing_of_the_one_before(
    store: Store, engine: sa.Engine, clock: Clock
) -> None:
    id = claimed(store)
    old = [Metric(BEGAN + n, "chief", 0, step=n, of=9, epoch=1, loss=1.0) for n in range(1, 6)]
    store.apply(id, old)
    store.move(id, "initializing", "terminated")
    store.release(id, "runner")
    clock.t += 100
    store.retry(id, anew=True)
    assert store.curve(id).training == []
    assert store.job(id).progress is None
    store.claim("runner", cap=10**9)
    store.apply(id, [*old, Metric(clock.t + 1, "chief", 0, step=1, of=9, epoch=1, loss=0.5)])
    assert [(point.step, point.loss) for point in store.curve(id).training] == [(1, 0.5)]
    assert len(rows(engine, id)["metrics"]) == 6, "what was measured before is kept"


def test_an_attempt_that_continues_goes_on_with_the_curve(store: Store, clock: Clock) -> None:
    id = claimed(store)
    store.apply(id, [Metric(BEGAN + n, "chief", 0, step=n, of=9, epoch=1, loss=1.0) for n in range(1, 6)])
    store.move(id, "initializing", "terminated")
    store.release(id, "runner")
    clock.t += 100
    store.retry(id)
    assert store.job(id).step == 5
    store.claim("runner", cap=10**9)
    store.apply(id, [Metric(clock.t + 1, "chief", 0, step=4, of=9, epoch=1, loss=0.5)])
    assert [(point.step, point.loss) for point in store.curve(id).training] == [
        (1, 1.0),
        (2, 1.0),
        (3, 1.0),
        (4, 0.5),
    ]
