"""Curves of any length come back thinned, even, in one query and in milliseconds."""

import contextlib
import sqlite3
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
import sqlalchemy as sa

from tests.jobs import mariadb
from tests.jobs.conftest import Clock
from tests.jobs.test_replay import claimed
from workbench.events import Metric
from workbench.jobs import Store, tables
from workbench.jobs.replay import FIRST_LEVEL, level

MILLION = 1_000_000
NUMBERS = {
    "sqlite": f"WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < {MILLION - 1}) SELECT n FROM c",
    "mysql": f"SELECT seq AS n FROM seq_0_to_{MILLION - 1}",
}
LEVEL = {
    "sqlite": "level(n)",
    "mysql": f"CASE WHEN n = 0 THEN {FIRST_LEVEL} ELSE BIT_COUNT((n - 1) & ~n) END",
}


def report(store: Store, id: int, count: int, *, validate_every: int = 0) -> None:
    """Let the job's chief have reported so many metrics, one a second."""
    began = Clock().t
    store.apply(
        id,
        [
            Metric(
                began + n,
                "chief",
                0,
                step=7 * n,
                of=7 * count,
                epoch=n // 100,
                loss=1 / n,
                val_loss=2 / n if validate_every and n % validate_every == 0 else None,
            )
            for n in range(1, count + 1)
        ],
    )


@pytest.mark.parametrize("count", [0, 1, 2, 49, 50, 51, 100, 101, 102, 103, 128, 200, 201, 1000, 1500])
def test_a_curve_has_as_many_points_as_were_asked_for_if_there_are_so_many(store: Store, count: int) -> None:
    id = claimed(store)
    report(store, id, count)
    steps = [point.step for point in store.curve(id, points=50).training]
    assert len(steps) == min(count, 50)
    assert steps == sorted(set(steps))
    assert steps[:1] + steps[-1:] == ([7, 7 * count] if count else []), "the first and the newest are there"
    assert {step % 7 for step in steps} <= {0}, "points are what was reported, not means"


def test_a_thinned_curve_is_even(store: Store) -> None:
    id = claimed(store)
    report(store, id, 3000)
    steps = [point.step for point in store.curve(id, points=100).training]
    gaps = [b - a for a, b in pairwise(steps)]
    assert max(gaps) <= 3 * 7 * 3000 / 100


def test_validations_are_thinned_on_their_own(store: Store) -> None:
    id = claimed(store)
    report(store, id, 1000, validate_every=100)
    curve = store.curve(id, points=50)
    assert len(curve.training) == 50
    assert [(point.step, point.loss) for point in curve.validation] == [
        (700 * n, 2 / (100 * n)) for n in range(1, 11)
    ]


def test_a_curve_after_going_back_is_thinned_as_well(store: Store) -> None:
    id = claimed(store)
    report(store, id, 1000)
    later = [
        Metric(Clock().t + 2000 + n, "chief", 0, step=7 * n, of=7000, epoch=1, loss=5.0)
        for n in range(300, 900)
    ]
    store.apply(id, later)
    curve = store.curve(id, points=60).training
    assert 40 <= len(curve) <= 60
    assert curve[-1].step == 7 * 899
    assert {point.loss == 5.0 for point in curve if point.step >= 2100} == {True}
    assert {point.loss == 5.0 for point in curve if point.step < 2100} == {False}


def test_one_point_is_no_curve(store: Store) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        store.curve(1, points=1)


def test_a_million_metrics_are_a_curve_in_one_query_and_milliseconds(
    store: Store,
    url: str,
    request: pytest.FixtureRequest,
    count_queries: Callable[[], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    id = claimed(store)
    fill(url, request, id)
    best = 10.0
    for _ in range(50):  # other work on the computer may be in the way
        before, began = count_queries(), time.perf_counter()
        curve = store.curve(id)
        best = min(best, time.perf_counter() - began)
        assert count_queries() - before == 1
        if best < 0.2:
            break
    assert len(curve.training) == 500
    assert (curve.training[0].step, curve.training[-1].step) == (0, 10 * (MILLION - 1))
    gaps = [b.step - a.step for a, b in pairwise(curve.training)]
    assert max(gaps) <= 3 * 10 * MILLION / 500
    with capsys.disabled():
        print(f"\n{sa.make_url(url).drivername}: 500 of {MILLION:,} points in {1000 * best:.1f} ms")
    assert best < 0.2, "a scan of all rows takes longer"


def fill(url: str, request: pytest.FixtureRequest, id: int) -> None:
    """Insert a million metrics past the store, which is made for a few a second."""
    dialect = sa.make_url(url).get_dialect()()
    kind = dialect.name
    [index] = tables.metrics.indexes
    statements = (
        str(sa.schema.DropIndex(index).compile(dialect=dialect)),
        "INSERT INTO metrics (job, origin, validation, step, t, epoch, loss, live, level) "
        f"SELECT {id}, 1, 0, 10 * n, n, n / 1000, 1.0 / (n + 1), 1, {LEVEL[kind]} FROM ({NUMBERS[kind]}) AS numbers",
        str(sa.schema.CreateIndex(index).compile(dialect=dialect)),
    )
    if kind == "sqlite":
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.create_function("level", 1, level, deterministic=True)
            connection.execute("PRAGMA cache_size = -200000")
            for statement in statements:
                connection.execute(statement)
            connection.commit()
    else:
        server: mariadb.Server = request.getfixturevalue("server")
        server.execute(f"USE {sa.make_url(url).database}", *statements)
