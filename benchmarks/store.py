"""Server time of what the jobs page asks: a page of 10,000 jobs, and a curve of 1,000,000 metrics.

On SQLite and, where Debian's mariadb-server is installed, on a MariaDB of its own; in turns. A page is what the table
asks for each press of a key: the jobs, their number, the counts of its choices, and the places in the queue.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.measuring import Row
from benchmarks.store_filling import JOBS, POINTS, fill
from tests.jobs import mariadb
from workbench.jobs import JobFilter, Store
from workbench.jobs.listing import SORTS
from workbench.ui.cluster.jobs.job import CURVE_POINTS

ROUNDS = 5
ROWS = 50
"""More than a page of the table has on a large screen."""
GOAL_MS = 300.0

Ask = Callable[[Store], object]


def run() -> list[Row]:
    """Measure."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = {"SQLite": f"sqlite:///{folder / 'jobs.db'}"}
        if reason := mariadb.missing():
            print(f"store: not on MariaDB: {reason}", file=sys.stderr)
        else:
            urls["MariaDB"] = stack.enter_context(mariadb.run_server()).create_database()
        stores = {name: stack.enter_context(Store(url)) for name, url in urls.items()}
        trained = {name: fill(stores[name], url) for name, url in urls.items()}
        took: dict[tuple[str, str], list[float]] = {}
        for turn in range(ROUNDS + 1):
            for what, ask in questions().items():
                for name, store in stores.items():
                    ms = _time(partial(ask, store))
                    if turn:  # the first one warms the caches
                        took.setdefault((name, what), []).append(ms)
            for name, store in stores.items():
                ms = _time(partial(store.curve, trained[name], CURVE_POINTS))
                if turn:
                    took.setdefault((name, "curve"), []).append(ms)
    medians = {key: statistics.median(values) for key, values in took.items()}
    return [row for name in urls for row in _rows(name, {w: v for (n, w), v in medians.items() if n == name})]


def questions() -> dict[str, Ask]:
    """What the table asks, by a name: each sort both ways, each kind of filter, the last page."""
    asked: dict[str, Ask] = {"as it opens": _page()}
    for sort in SORTS:
        for descending in (False, True):
            asked[f"by {sort} {'down' if descending else 'up'}"] = _page(sort=sort, descending=descending)
    asked["text"] = _page(JobFilter("net-1"))
    asked["state"] = _page(JobFilter(states=["failed"]))
    asked["requester and text"] = _page(JobFilter("net", requesters=["r3"]), sort="accuracy")
    asked["last page"] = _page(sort="cost", offset=JOBS - ROWS)
    return asked


def _page(
    filter: JobFilter = JobFilter(),  # noqa: B008 - frozen
    *,
    sort: str = "id",
    descending: bool = True,
    offset: int = 0,
) -> Ask:
    def ask(store: Store) -> None:
        found = store.page(filter, sort=sort, descending=descending, offset=offset, limit=ROWS)
        if found.states.get("queued"):
            store.positions()
        store.pulse()

    return ask


def _rows(name: str, medians: dict[str, float]) -> list[Row]:
    pages = {what: ms for what, ms in medians.items() if what != "curve"}
    worst = max(pages, key=lambda what: pages[what])
    return [
        Row(f"store: page of {JOBS:,} jobs, {name}", pages["as it opens"], "ms", goal=GOAL_MS),
        Row(f"store: slowest page ({worst}), {name}", pages[worst], "ms", goal=GOAL_MS),
        Row(f"store: curve of {POINTS:,} points, {name}", medians["curve"], "ms", goal=GOAL_MS),
    ]


def _time(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return (time.perf_counter() - began) * 1e3
