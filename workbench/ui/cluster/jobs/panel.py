"""The list of all jobs, the comparison of those that are selected, and the page of the one that is open."""

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from workbench.errors import WorkbenchError
from workbench.jobs import STATES, Job, JobFilter, Pulse
from workbench.ui.cluster.jobs.charts import JobCharts
from workbench.ui.cluster.jobs.compared_code import difference
from workbench.ui.cluster.jobs.compared_figures import figures
from workbench.ui.cluster.jobs.job import CURVE_POINTS, JobPage, find_version
from workbench.ui.cluster.jobs.views import progress
from workbench.ui.widgets.formats import narrow_layout, ordinal
from workbench.ui.widgets.pieces import Html, waiting
from workbench.ui.widgets.poll import Newest, Poll
from workbench.ui.widgets.table import Column, Facet, Page, Query, Table
from workbench.ui.widgets.visitor.address import Address
from workbench.ui.widgets.visitor.requester import Requester
from workbench.verbs.requests import Request
from workbench.verbs.workbench import Workbench

COLUMNS = (
    Column("id", "Job", "number"),
    Column("name", "Name"),
    Column("requester", "Requester", priority=3),
    Column("layout", "Layout", priority=4),
    Column("state", "State", "state"),
    Column("progress", "Progress", "progress", priority=2),
    Column("accuracy", "Accuracy", "share", priority=2),
    Column("execution_s", "Time", "duration", priority=3),
    Column("cost", "Cost", "money", priority=5),
)
FACETS = (Facet("state", "State"), Facet("requester", "All requesters", menu=True))
MOST_COMPARED = 8
EMPTY = waiting("No jobs yet. Choose a recipe above and press Train.")


class JobsPanel:
    """The list of jobs, their comparison, and one that is open.

    Parameters
    ----------
    poll
        Beats when any job changed.
    clone
        Called with what a cloned job asks for.
    """

    def __init__(
        self,
        workbench: Workbench,
        requester: Requester,
        poll: "Poll[Pulse]",
        address: Address,
        *,
        clone: Callable[[Request], None],
    ) -> None:
        self._workbench, self._poll, self._address = workbench, poll, address
        self.table = Table(
            COLUMNS,
            self._fetch,
            label="jobs",
            empty=EMPTY,
            facets=FACETS,
            sort="id",
            descending=True,
            selectable=True,
        )
        self.page = JobPage(
            workbench, requester, clone=clone, changed=poll.now, closed=lambda: self.open(None)
        )
        self.compared = JobCharts()
        self.compared_title, self.compared_figures, self.compared_code = Html(), Html(), Html()
        told = (self.compared_figures, self.compared_code)
        compare = ipywidgets.VBox([self.compared_title, self.compared.widget, *told])
        self._compare = compare
        compare.add_class("wb").add_class("wb-card")
        compare.layout.display = "none"
        self.widget = ipywidgets.VBox([self.table, compare, self.page.widget])
        self.widget.add_class("wb").add_class("wb-wide").add_class("wb-jobs")
        self._refreshing = Newest(self._refresh_page)
        self._comparing = Newest(self._show_compared)
        self.table.observe(lambda change: self._opened(change["new"]), "opened")
        self.table.observe(lambda _: self._comparing.ask(), "selected")
        address.on_arrival(self._arrived)
        poll.follow(lambda _: self._beat())
        poll.each(self._between)

    def open(self, id: int | None) -> None:
        """Open the page of a job, or close it."""
        self.table.opened = id

    def lead_to(self, id: int) -> None:
        """Open the page of a job and have the browser scroll there."""
        self.open(id)
        self.page.come_into_sight()

    def _opened(self, id: Any) -> None:
        self._address.put("job", id)
        self._refreshing.ask()

    def _refresh_page(self) -> None:
        try:
            self.page.open(self.table.opened)
        except WorkbenchError as error:
            self.page.message.fail(error, "Opening the job")

    def _arrived(self, values: dict[str, str]) -> None:
        if (id := values.get("job", "")).isdecimal():
            self.open(int(id))

    def _beat(self) -> None:
        self.table.fetch_now()
        self.page.refresh()
        if self.table.selected:
            self._show_compared()

    def _between(self) -> None:
        """Refresh what changes without a beat: the time that a running job takes, its machines, its logs."""
        if self.page.moving:
            self.page.refresh()
        else:
            self.page.refresh_logs()

    def _fetch(self, query: Query) -> Page:
        chosen = query.facets
        filter = JobFilter(query.text, chosen.get("state", ()), chosen.get("requester", ()))
        found = self._workbench.store.page(
            filter, sort=query.sort, descending=query.descending, offset=query.first, limit=query.count
        )
        states = {state: found.states[state] for state in STATES if state in found.states}
        positions = self._workbench.store.positions() if found.states.get("queued") else {}
        rows = [_row(job, positions.get(job.id)) for job in found.jobs]
        return Page(rows, found.total, {"state": states, "requester": found.requesters})

    def _show_compared(self) -> None:
        ids = self.table.selected[:MOST_COMPARED]
        jobs = [(self._workbench.store.job(id), self._workbench.store.curve(id, CURVE_POINTS)) for id in ids]
        self._compare.layout.display = "" if jobs else "none"
        left_out = len(self.table.selected) - len(ids)
        more = f" {left_out} more are selected than are shown." if left_out > 0 else ""
        self.compared_title.html = f'<h4 class="wb-part">Compared</h4><p class="wb-caption">A line is training, dots are validation.{more}</p>'
        self.compared.show_several(jobs)
        self._show_differences([job for job, _ in jobs])

    def _show_differences(self, jobs: Sequence[Job]) -> None:
        """Show what was asked for and what came of it, and where the code of the first two differs."""
        self.compared_figures.html = (
            figures(jobs, [find_version(job, self._workbench.settings) for job in jobs]) if jobs else ""
        )
        first, second = jobs[:2] if len(jobs) > 1 else (None, None)
        if first is None or second is None or first.recipe is None or second.recipe is None:
            self.compared_code.html = ""
            return
        names = (f"job {first.id}", f"job {second.id}")
        only = " of the first two" if len(jobs) > 2 else ""
        found = difference(first.recipe, second.recipe, names)
        self.compared_code.html = f'<h4 class="wb-part">The code{only}</h4>{found}'


def _row(job: Job, position: int | None) -> dict[str, Any]:
    now = progress(job, position)
    share = None if job.state == "queued" else now.value
    words = f"{ordinal(position)} in the queue" if position else "" if share is not None else "…"
    return {
        "key": job.id,
        "id": job.id,
        "name": job.name + (f":{job.version}" if job.version is not None else ""),
        "requester": job.requester,
        "layout": narrow_layout(job.ps, job.workers),
        "state": job.state,
        "progress": [share, words],
        "accuracy": job.accuracy,
        "execution_s": job.execution_s or None,
        "cost": job.cost,
        "note": job.error.message.splitlines()[0] if job.error and job.error.message else now.text,
    }
