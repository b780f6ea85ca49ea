"""A table for thousands of rows: the kernel gives the rows that are in sight, sorted and narrowed down elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import anywidget
import traitlets

from workbench.ui.widgets import theme
from workbench.ui.widgets.poll import Newest

MAX_COUNT = 300
"""Rows in one answer, whatever the browser asks for."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    key
        Which value of a row; also what ``Query.sort`` names.
    kind
        How a value is shown: ``text``, ``number``, ``share`` (0 to 1), ``duration`` (seconds), ``money`` (US dollars),
        ``time`` (seconds since 1970), ``state`` (a word in a coloured badge), ``progress`` (0 to 1, or
        ``[share, words]``).
    priority
        1 is always there; the higher, the sooner it leaves on a narrow page.
    """

    key: str
    title: str
    kind: str = "text"
    priority: int = 1
    sortable: bool = True


@dataclass(frozen=True)
class Facet:
    """A choice among the values of one key, shown as chips, or as a menu where there are many."""

    key: str
    title: str
    menu: bool = False


@dataclass(frozen=True)
class Query:
    """The question of the browser: rows ``first`` to ``first + count``, in which order, of which choice."""

    first: int = 0
    count: int = 40
    sort: str = ""
    descending: bool = False
    text: str = ""
    facets: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """The rows that a query asked for.

    Attributes
    ----------
    rows
        Values by column; each has a ``key`` that no other row has, and may have ``note``, said on hover.
    total
        How many rows there are under this text and these choices.
    facets
        For each facet how many rows each value has; in the order in which they are offered.
    """

    rows: Sequence[Mapping[str, Any]]
    total: int
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class Table(anywidget.AnyWidget):
    """Sorted by its heads, narrowed down by a text and by chips; arrows move, Enter opens, Space selects.

    Parameters
    ----------
    columns
    fetch
        Gives the page for a query; called in a thread, one call at a time, the newest query wins.
    label
        For who does not see the table.
    empty
        What is said where there are no rows at all; HTML of ours.
    selectable
        Whether several rows can be selected.
    """

    _esm = theme.esm("words") + theme.esm("table")
    _css = theme.css("table")
    columns = traitlets.List(traitlets.Dict()).tag(sync=True)
    offered = traitlets.List(traitlets.Dict()).tag(sync=True)
    label = traitlets.Unicode("Table").tag(sync=True)
    empty = traitlets.Unicode().tag(sync=True)
    selectable = traitlets.Bool(False).tag(sync=True)
    openable = traitlets.Bool(True).tag(sync=True)
    query = traitlets.Dict().tag(sync=True)
    page = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)
    opened = traitlets.Any(None, allow_none=True).tag(sync=True)
    """The key of the row that was opened."""
    selected: "traitlets.List[Any]" = traitlets.List().tag(sync=True)
    """The keys of the rows that are selected."""

    def __init__(
        self,
        columns: Sequence[Column],
        fetch: Callable[[Query], Page],
        *,
        label: str,
        empty: str = "Nothing here yet.",
        facets: Sequence[Facet] = (),
        sort: str = "",
        descending: bool = False,
        selectable: bool = False,
        openable: bool = True,
    ) -> None:
        super().__init__(
            columns=[asdict(column) for column in columns],
            offered=[asdict(facet) for facet in facets],
            label=label,
            empty=empty,
            selectable=selectable,
            openable=openable,
            query=asdict(Query(sort=sort or columns[0].key, descending=descending)),
        )
        self._fetch = fetch
        self._newest = Newest(self.fetch_now)
        self.observe(lambda _: self.refresh(), "query")

    @property
    def wanted(self) -> Query:
        """The rows that the browser shows now."""
        asked = {**asdict(Query()), **self.query}
        count = min(MAX_COUNT, max(1, int(asked["count"])))
        return Query(**{**asked, "first": max(0, int(asked["first"])), "count": count})

    def refresh(self) -> None:
        """Fetch the rows in sight again; sends nothing where nothing changed. Returns at once."""
        self._newest.ask()

    def fetch_now(self) -> None:
        """As ``refresh``, in this thread."""
        query = self.wanted
        try:
            page = self._fetch(query)
        except Exception as error:
            self.problem = str(error) or type(error).__name__
            return
        self.problem = ""
        rows = [dict(row) for row in page.rows]
        facets = {
            key: [[value, count] for value, count in counts.items()] for key, counts in page.facets.items()
        }
        self.page = {"first": query.first, "rows": rows, "total": page.total, "facets": facets}
