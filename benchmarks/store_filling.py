"""A job store as years of work leave it: filled past its verbs, which are made for a few jobs a second."""

from typing import Any

import sqlalchemy as sa

from workbench.jobs import Store
from workbench.jobs.replay import FIRST_LEVEL, level
from workbench.jobs.tables import errors, job_times, jobs, machines, metrics
from workbench.recipes import Recipe

JOBS = 10_000
POINTS = 1_000_000
BEGAN = 1_750_000_000
WAITING = 20

_NUMBERS = {
    "sqlite": "WITH RECURSIVE c(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM c WHERE n < {last}) SELECT n FROM c",
    "mysql": "SELECT seq AS n FROM seq_{first}_to_{last}",
}
_LEVEL = {
    "sqlite": "level(n)",
    "mysql": f"CASE WHEN n = 0 THEN {FIRST_LEVEL} ELSE BIT_COUNT((n - 1) & ~n) END",
}
_STATE = (
    f"CASE WHEN n > {JOBS - WAITING} THEN 'queued' WHEN n % 10 < 7 THEN 'completed'"
    " WHEN n % 10 < 9 THEN 'failed' ELSE 'terminated' END"
)


def fill(store: Store, url: str) -> int:
    """Fill the empty store; the id of the job with ``POINTS`` metrics."""
    first = store.submit(
        name="net", requester="ann", recipe=Recipe("", "", "# the recipe\n" * 200), ps=1, workers=2
    )
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def prepare(connection: Any, _: Any) -> None:
            connection.create_function("level", 1, level, deterministic=True)

    try:
        with engine.begin() as connection:
            _fill_jobs(connection, first)
            _fill_metrics(connection, first)
    finally:
        engine.dispose()
    return first


def _fill_jobs(connection: sa.Connection, first: int) -> None:
    row = dict(connection.execute(sa.select(jobs).where(jobs.c.id == first)).mappings().one())
    more = {
        "id": "n",
        "name": _text("'net-'", "n % 97", connection),
        "requester": _text("'r'", "n % 11", connection),
        "state": _STATE,
        "accuracy": "CASE WHEN n % 10 < 7 THEN 0.9 + (n % 89) / 1000.0 ELSE NULL END",
        "step": "n % 1000",
        "of": "1000",
        "price_per_hour": "(n % 13) / 10.0",
        "queued_t": f"{BEGAN} + 600 * n",
    }
    values = {name: sa.literal_column(more[name]) if name in more else sa.literal(row[name]) for name in row}
    _insert(connection, jobs, values, 2, JOBS)
    ended = _STATE
    for state, after_s in (("'queued'", 0), ("'initializing'", 5), ("'training'", 12), (ended, 90)):
        _insert(
            connection, job_times, _columns(job="n", attempt="1", state=state, t=f"{BEGAN} + 600 * n + {after_s}"),
            2, JOBS if after_s == 0 else JOBS - WAITING,
        )  # fmt: skip
    for role, index in (("chief", 0), ("ps", 0), ("worker", 0), ("worker", 1)):
        place = _columns(job="n", role=f"'{role}'", index=f"{index}", state="'terminated'")
        _insert(connection, machines, place, 2, JOBS - WAITING)
    said = _columns(
        job="n", role="'worker'", index="0", t=f"{BEGAN} + 600 * n + 90", message="'it failed'", traceback="'…'",
        ended="CASE WHEN n % 10 IN (7, 8) THEN 1 ELSE NULL END",
    )  # fmt: skip
    _insert(connection, errors, said, 2, JOBS - WAITING)


def _fill_metrics(connection: sa.Connection, job: int) -> None:
    [index] = metrics.indexes
    index.drop(connection)
    values = _columns(
        job=f"{job}", origin="1", validation="0", step="10 * n", t=f"{BEGAN} + n", epoch="n / 1000",
        loss="1.0 / (n + 1)", live="1", level=_LEVEL[connection.dialect.name],
    )  # fmt: skip
    _insert(connection, metrics, values, 0, POINTS - 1)
    index.create(connection)


def _insert(
    connection: sa.Connection, table: sa.Table, values: dict[str, Any], first: int, last: int
) -> None:
    numbers = sa.text(_NUMBERS[connection.dialect.name].format(first=first, last=last))
    rows = sa.select(*values.values()).select_from(
        numbers.columns(sa.column("n", sa.Integer)).subquery("numbers")
    )
    connection.execute(sa.insert(table).from_select(list(values), rows))


def _columns(**expressions: str) -> dict[str, Any]:
    return {name: sa.literal_column(text) for name, text in expressions.items()}


def _text(word: str, number: str, connection: sa.Connection) -> str:
    return f"{word} || ({number})" if connection.dialect.name == "sqlite" else f"CONCAT({word}, {number})"
