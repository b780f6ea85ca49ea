"""``costs``: what the jobs of a month cost, by requester and by job, as a table with bars, as CSV or as JSON."""

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.cli import output
from workbench.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.verbs.jobs import JobCosts, StandingCosts

BAR = 24
"""Characters of the longest bar."""
REST = (
    "at list prices; the application and traffic are on the bill besides: AWS Cost Explorer has them by the tags project, "
    "cluster and requester"
)


def add(verbs: output.Verbs) -> None:
    """Add the command to the parser."""
    costs = verbs.add("costs", _costs, "what the jobs of a month cost, by requester and job", json=True)
    costs.add_argument("--month", metavar="YYYY-MM", help="another one than this, in UTC")
    costs.add_argument(
        "--csv", type=Path, metavar="FILE.csv", help="write them, a row a job or standing cluster"
    )


def _costs(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs.workbench import opened

    with opened(settings) as workbench:
        found = workbench.jobs.costs(arguments.month, time.time())
    rows = found.rows()
    if arguments.csv:
        arguments.csv.write_text(found.csv(), encoding="utf-8", newline="")
        print(f"{len(rows)} rows are written to {arguments.csv}", file=sys.stderr)
    if arguments.json:
        output.json(rows)
        return
    if found.jobs:
        _show(found.jobs, found.requesters)
    else:
        print(f"no job has cost anything in {found.month}")
    if found.standing:
        print()
        _show_standing(found.standing)
    if rows:
        print()
        without = (
            f", and ${found.standing_dollars:.2f} for standing clusters without a job"
            if found.standing
            else ""
        )
        print(f"{found.month}: ${found.jobs_dollars:.2f} for jobs{without}, {REST}")


def _show_standing(standing: "Sequence[StandingCosts]") -> None:
    rows = [
        (
            one.name,
            str(one.machines),
            f"{one.hours:.2f}",
            f"${one.dollars:.2f}",
            output.percent(one.idle),
            f"${one.idle_dollars:.2f}",
        )
        for one in standing
    ]
    print(output.columns([("STANDING", "MACHINES", "HOURS", "COST", "IDLE", "IDLE COST"), *rows]))


def _show(found: "Sequence[JobCosts]", requesters: "Sequence[JobCosts]") -> None:
    most = requesters[0].dollars
    rows = [
        (one.requester, str(one.job), f"${one.dollars:.2f}", output.percent(one.idle), bar(one.dollars, most))
        for one in requesters
    ]
    print(output.columns([("REQUESTER", "JOBS", "COST", "IDLE", ""), *rows]))
    print()
    most = found[0].dollars
    each = [
        (
            str(one.job),
            one.name,
            one.requester,
            str(one.machines),
            f"{one.hours:.2f}",
            f"${one.dollars:.2f}",
            output.percent(one.idle),
            bar(one.dollars, most),
        )
        for one in found
    ]
    print(output.columns([("JOB", "MODEL", "REQUESTER", "MACHINES", "HOURS", "COST", "IDLE", ""), *each]))


def bar(value: float, most: float) -> str:
    """A bar as long as the value is, of the largest.

    >>> bar(1.0, 2.0)
    '████████████'
    """
    return "█" * max(1, round(BAR * value / most))
