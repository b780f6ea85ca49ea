"""A curve of at most so many points from any number of rows, in one query that reads about twice as many."""

from itertools import groupby
from typing import Any

import sqlalchemy as sa

from workbench.jobs.reading import Row
from workbench.jobs.tables import jobs, metrics
from workbench.jobs.values import Curve, Point


def read_curve(connection: sa.Connection, job: int, points: int) -> Curve:
    """The job's live metrics, thinned; see ``Store.curve``."""
    if points < 2:
        raise ValueError(f"a curve has at least 2 points. Received: {points}")
    parts = [part for validation in (False, True) for part in _parts(job, validation, points)]
    rows = connection.execute(sa.union_all(*parts)).mappings().all()
    return Curve(
        training=_thin([row for row in rows if not row["validation"]], points),
        validation=_thin([row for row in rows if row["validation"]], points),
    )


def _parts(job: int, validation: bool, points: int) -> list[sa.Select[Any]]:
    """The rows of the highest levels, one more than are wanted of them, and the newest row.

    Each is the end of one index. MariaDB has to be told, and sorts all rows if it is given a join.
    """
    c = metrics.c
    origin = sa.select(jobs.c.origin).where(jobs.c.id == job).scalar_subquery()
    live = sa.select(c.validation, c.level, c.step, c.t, c.epoch, c.loss, c.accuracy, c.images_per_s).where(
        c.job == job, c.origin == origin, c.validation == validation, c.live == sa.true()
    )
    highest = live.with_hint(metrics, "FORCE INDEX (ix_metrics_level)", "mysql").order_by(c.level.desc())
    newest = live.with_hint(metrics, "FORCE INDEX (PRIMARY)", "mysql").order_by(c.step.desc(), c.t.desc())
    return [sa.select(highest.limit(2 * points + 1).subquery()), sa.select(newest.limit(1).subquery())]


def _thin(rows: list[Row], points: int) -> list[Point]:
    if len(rows) > 2 * points + 1:
        # The query's limit cut the lowest level somewhere; without it the rest is even.
        newest, lowest = rows[-1], min(row["level"] for row in rows[:-1])
        rows = [*(row for row in rows if row["level"] > lowest), newest]
    rows = [next(same) for _, same in groupby(sorted(rows, key=_place), key=_place)]
    if len(rows) > points:
        rows = [rows[round(n * (len(rows) - 1) / (points - 1))] for n in range(points)]
    fields = ("step", "t", "epoch", "loss", "accuracy", "images_per_s")
    return [Point(**{name: row[name] for name in fields}) for row in rows]


def _place(row: Row) -> tuple[int, float]:
    return row["step"], row["t"]
