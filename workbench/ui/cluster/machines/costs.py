"""What a month cost: by requester, by job, for standing clusters, with bars; and as CSV."""

import base64
import time
from collections.abc import Callable, Sequence
from html import escape

import ipywidgets

from workbench.ui.cluster.hints import Hints
from workbench.ui.widgets.actions import Message
from workbench.ui.widgets.formats import percent
from workbench.verbs.jobs import Jobs, MonthlyCosts

MONTHS = 12
"""That can be chosen: this one and those before."""
MOST_JOBS = 50
"""Shown; the CSV has all."""


class CostsFold:
    """Shows a month's costs whenever it is opened, or another month chosen.

    Parameters
    ----------
    clock
        Seconds since the epoch.
    """

    def __init__(self, jobs: Jobs, clock: Callable[[], float] = time.time) -> None:
        self._jobs, self._clock = jobs, clock
        self.month = ipywidgets.Dropdown(options=_months(clock()), description="Month")
        self.report, self.message = Hints(), Message()
        self.month.observe(lambda _: self.refresh(), "value")
        choice = ipywidgets.HBox([self.month])
        choice.add_class("wb-start")
        body = ipywidgets.VBox([choice, self.report, self.message])
        self.widget = ipywidgets.Accordion([body], titles=["What a month cost"])
        self.widget.add_class("wb-fold")
        self.widget.observe(lambda change: self.refresh() if change["new"] == 0 else None, "selected_index")

    def refresh(self) -> None:
        """Count again."""
        now = self._clock()
        if (months := _months(now)) != self.month.options:
            self.month.options = months  # which chooses the newest, and comes here again
            return
        try:
            self.report.html = show(self._jobs.costs(self.month.value, now))
        except Exception as error:
            self.message.fail(error, "Counting the costs")


def _months(now: float) -> tuple[str, ...]:
    """This month and those before it, in UTC.

    >>> _months(0.0)[:2]
    ('1970-01', '1969-12')
    """
    told = time.gmtime(now)
    count = told.tm_year * 12 + told.tm_mon - 1
    return tuple(f"{n // 12:04}-{n % 12 + 1:02}" for n in range(count, count - MONTHS, -1))


def show(found: MonthlyCosts) -> str:
    """A month's costs as HTML."""
    if not found.jobs and not found.standing:
        return (
            f"<p>Nothing has cost anything in {escape(found.month)}: machines of this computer are free.</p>"
        )
    without = (
        f", and ${found.standing_dollars:.2f} for standing clusters without a job" if found.standing else ""
    )
    parts = [
        f"<p><b>${found.jobs_dollars:.2f}</b> for jobs{without}, at list prices. The application and traffic are on the bill "
        f"besides. {_csv(found)}</p>"
    ]
    most = max([one.dollars for one in found.requesters] + [one.dollars for one in found.standing])
    if found.requesters:
        rows = [
            (escape(one.requester), str(one.job), *_figures(one.hours, one.dollars, one.idle, most))
            for one in found.requesters
        ]
        parts.append(_table("Costs by requester", ("Requester", "Jobs"), rows))
    if found.standing:
        rows = [
            (escape(one.name), str(one.machines), *_figures(one.hours, one.dollars, one.idle, most))
            for one in found.standing
        ]
        parts.append(_table("Costs of standing clusters", ("Standing cluster", "Machines"), rows))
    if found.jobs:
        most = found.jobs[0].dollars
        rows = [
            (
                f"{one.job} {escape(one.name)}",
                escape(one.requester),
                *_figures(one.hours, one.dollars, one.idle, most),
            )
            for one in found.jobs[:MOST_JOBS]
        ]
        left = len(found.jobs) - len(rows)
        parts.append(_table("Costs by job", ("Job", "Requester"), rows))
        if left > 0:
            parts.append(f"<p class=wb-muted>{left} cheaper jobs are in the CSV.</p>")
    return "".join(parts)


def _figures(hours: float, dollars: float, idle: float, most: float) -> tuple[str, ...]:
    """Hours, cost and idle share, and a bar whose lighter end is the idle part."""
    whole, worked = 100 * dollars / most, 100 * (1 - idle)
    bar = f'<span class="wb-cost" style="--whole: {whole:.1f}%; --worked: {worked:.1f}%"></span>'
    return f"{hours:.2f}", f"${dollars:.2f}", percent(idle, 0), bar


def _table(label: str, first: tuple[str, str], rows: Sequence[Sequence[str]]) -> str:
    heads = "".join(f'<th scope="col">{head}</th>' for head in (*first, "Hours", "Cost", "Idle"))
    cells = "".join(
        "<tr>"
        + "".join(f"<td>{cell}</td>" for cell in row[:-1])
        + f'<td aria-hidden="true">{row[-1]}</td></tr>'
        for row in rows
    )
    return (
        f'<div class="wb-scroll" tabindex="0" role="region" aria-label="{label}"><table class="wb-list wb-costs">'
        f'<thead><tr>{heads}<td aria-hidden="true"></td></tr></thead><tbody>{cells}</tbody></table></div>'
    )


def _csv(found: MonthlyCosts) -> str:
    told = base64.b64encode(found.csv().encode()).decode()
    name = f"costs-{escape(found.month)}.csv"
    return f'<a download="{name}" href="data:text/csv;base64,{told}">As CSV</a>'
