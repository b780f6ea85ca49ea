"""The table's side in the kernel: it gives what is in sight, and nothing where nothing changed."""

import threading
from typing import Any

from tests.chain import wait_until
from workbench.errors import Unavailable
from workbench.ui.widgets.table import MAX_COUNT, Column, Page, Query, Table

COLUMNS = [Column("id", "Id", "number"), Column("name", "Name")]
ROWS: list[dict[str, Any]] = [{"key": n, "id": n, "name": f"net-{n}"} for n in range(1000)]


def fetch(query: Query) -> Page:
    found = [row for row in ROWS if query.text in str(row["name"])]
    found.sort(key=lambda row: row[query.sort], reverse=query.descending)
    return Page(found[query.first : query.first + query.count], len(found), {"kind": {"a": 1, "b": 2}})


def make(fetching: Any = fetch) -> Table:
    return Table(COLUMNS, fetching, label="Nets", sort="id", descending=True)


def keys(table: Table) -> list[int]:
    assert table.page is not None
    return [row["key"] for row in table.page["rows"]]


def test_only_the_rows_in_sight_are_sent() -> None:
    table = make()
    table.fetch_now()
    assert keys(table) == list(range(999, 959, -1))
    assert table.page["total"] == 1000
    assert table.page["facets"] == {"kind": [["a", 1], ["b", 2]]}


def test_scrolling_sorting_and_filtering_fetch_other_rows() -> None:
    table = make()
    table.query = {**table.query, "first": 500, "count": 3}
    wait_until(lambda: table.page and table.page["first"] == 500, 60, "the rows")
    assert keys(table) == [499, 498, 497]
    table.query = {**table.query, "first": 0, "descending": False, "text": "99"}
    wait_until(lambda: table.page["first"] == 0, 60, "the rows")
    assert keys(table) == [99, 199, 299]


def test_what_a_browser_asks_for_is_kept_within_limits() -> None:
    table = make()
    table.query = {**table.query, "first": -5, "count": 10**6}
    assert (table.wanted.first, table.wanted.count) == (0, MAX_COUNT)


def test_nothing_is_sent_where_nothing_changed() -> None:
    table, changes = make(), list[Any]()
    table.observe(changes.append, "page")
    table.fetch_now()
    table.fetch_now()
    assert len(changes) == 1


def test_of_many_wishes_at_once_the_newest_is_fetched_last() -> None:
    gate, asked = threading.Event(), []

    def slow(query: Query) -> Page:
        gate.wait(60)
        asked.append(query.first)
        return fetch(query)

    table = make(slow)
    for first in (10, 20, 30, 40):
        table.query = {**table.query, "first": first}
    gate.set()
    wait_until(lambda: table.page and table.page["first"] == 40, 60, "the newest rows")
    assert len(asked) <= 2


def test_a_list_that_cannot_be_read_says_so_and_keeps_its_rows() -> None:
    away = False

    def sometimes(query: Query) -> Page:
        if away:
            raise Unavailable("the job store is away")
        return fetch(query)

    table = make(sometimes)
    table.fetch_now()
    away = True
    table.fetch_now()
    assert table.problem == "the job store is away"
    assert len(keys(table)) == 40
    away = False
    table.fetch_now()
    assert table.problem == ""
