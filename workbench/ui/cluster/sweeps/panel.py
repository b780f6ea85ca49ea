"""The sweeps of everybody: a table, and the one that is open, with its trials; stopped and gone on with."""

from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets

from workbench.errors import WorkbenchError
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.formats import money
from workbench.ui.widgets.pieces import Html, badge, banner, when
from workbench.ui.widgets.poll import Newest
from workbench.ui.widgets.table import Column, Page, Query, Table
from workbench.verbs.sweeps import MOVING, Entry, Sweeps, make_body

COLUMNS = (
    Column("name", "Sweep of"),
    Column("requester", "Requester", priority=3),
    Column("state", "State", "state"),
    Column("progress", "Trials", "progress", priority=2),
    Column("best", "Best", priority=2),
    Column("cost", "Cost", "money", priority=4),
    Column("asked", "Asked", "time", priority=5),
)


class SweepsPanel:
    """Not there before the first sweep.

    Parameters
    ----------
    open_job
        Called with the id of a job that a visitor wants to see.
    """

    def __init__(self, known: Sweeps, *, open_job: Callable[[int], None]) -> None:
        self._known, self._open_job = known, open_job
        self._entries: tuple[Entry, ...] = ()
        self.table = Table(
            COLUMNS, self._page, label="sweeps", empty="No sweeps yet.", sort="asked", descending=True
        )
        self.head, self.body, self.message = Html(), Html(), Message()
        self.stop = Action(
            "Stop sweep",
            lambda: self._do(known.stop),
            self.message,
            working="Stopping …",
            tooltip="End its trials; the best of those that completed becomes a version",
            confirm=lambda: "End its trials and begin no more?",
            danger=True,
        )
        self.go_on = Action(
            "Go on", lambda: self._do(known.go_on), self.message, tooltip="Begin the trials that are left"
        )
        buttons = ipywidgets.HBox([self.stop.widget, self.go_on.widget])
        buttons.add_class("wb-buttons")
        self.card = ipywidgets.VBox([self.head, self.message, buttons, self.body])
        self.card.add_class("wb").add_class("wb-card")
        title = Html('<h4 class="wb-part">Sweeps</h4>')
        self.widget = ipywidgets.VBox([title, self.table, self.card])
        self.widget.add_class("wb").add_class("wb-wide").add_class("wb-sweeps")
        self._refreshing = Newest(self.refresh_now)
        self.table.observe(lambda _: self._show(), "opened")
        self.body.on_open(self._opened_job)
        self._show()

    @property
    def moving(self) -> bool:
        """Tell whether any goes on."""
        return any(entry.state in MOVING for entry in self._entries)

    def refresh(self) -> None:
        """Look again, in a thread."""
        self._refreshing.ask()

    def refresh_now(self) -> None:
        """As ``refresh``, in this thread."""
        self._entries = tuple(self._known.entries())
        self.table.fetch_now()
        self._show()

    def open(self, id: str) -> None:
        """Open a sweep and have the browser scroll there."""
        self.refresh_now()
        self.table.opened = id
        self.head.come_into_sight()

    def _opened_job(self, told: str) -> None:
        if told.isdecimal():
            self._open_job(int(told))

    def _do(self, verb: Callable[[str], object]) -> None:
        if (id := self.table.opened) is not None:
            verb(id)
            self.refresh_now()

    def _page(self, query: Query) -> Page:
        found = [entry for entry in self._entries if query.text.casefold() in entry.id.casefold()]
        rows = sorted(map(_row, found), key=lambda row: _order(row[query.sort]), reverse=query.descending)
        return Page(rows[query.first : query.first + query.count], len(rows))

    def _show(self) -> None:
        self.widget.layout.display = "" if self._entries else "none"
        entry = next((one for one in self._entries if one.id == self.table.opened), None)
        self.card.layout.display = "" if entry else "none"
        if entry is None:
            self.message.clear()
            return
        self.stop.widget.layout.display = (
            "" if entry.state in MOVING and entry.state != "stopping" else "none"
        )
        can_go_on = entry.state in ("interrupted", "stopped", "failed")
        self.go_on.widget.layout.display = "" if can_go_on else "none"
        self.head.html = _head(entry)
        try:
            self.body.html = make_body(entry.sweep, lambda id: f"deploy_cluster.ipynb?job={id}")
        except WorkbenchError as error:  # an older version's record
            self.message.fail(error, "Showing the sweep")


def _row(entry: Entry) -> dict[str, Any]:
    sweep = entry.sweep
    over = sum(trial.is_over for trial in sweep.trials)
    best = sweep.best
    told = "–" if best is None or best.score is None else f"{100 * best.score:.2f} %"
    if best is not None and sweep.metric == "loss":
        told = f"{best.score:.4g}"
    return {
        "key": entry.id,
        "name": sweep.version or sweep.name,
        "requester": entry.asked.request.requester,
        "state": entry.state,
        "progress": [over / max(1, sweep.wanted), f"{over} of {sweep.wanted}"],
        "best": told,
        "cost": entry.cost,
        "asked": entry.t,
        "note": entry.said or entry.id,
    }


def _order(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def _head(entry: Entry) -> str:
    request = entry.asked.request
    where = "" if request.provider == "local" else f", on {escape(request.provider)}"
    cap = (
        "" if entry.asked.options.max_price is None else f" of at most {money(entry.asked.options.max_price)}"
    )
    cost = f", {money(entry.cost) if entry.cost else 'nothing'}{cap} so far" if entry.cost or cap else ""
    said = (
        banner("Why", entry.said, kind="error" if entry.state == "failed" else "note") if entry.said else ""
    )
    return (
        f'<div class="wb-job-head"><h3>Sweep of {escape(entry.sweep.name)}</h3>{badge(entry.state)}'
        f'<span class="wb-muted">{escape(entry.id)}, asked by {escape(request.requester)} {when(entry.t)}{where}{cost}'
        f"</span></div>{said}"
    )
