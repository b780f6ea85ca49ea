"""A month's costs as a whole: of jobs, of requesters, of standing clusters; in rows that JSON and CSV have alike."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from workbench.jobs.costs import JobCosts
from workbench.jobs.standing_costs import StandingCosts

COLUMNS = (
    "month",
    "job",
    "name",
    "requester",
    "machines",
    "hours",
    "dollars",
    "idle",
    "kind",
    "idle_dollars",
)


@dataclass(frozen=True)
class MonthlyCosts:
    """The costs of a month; each list begins with the dearest.

    Attributes
    ----------
    month
        As ``2026-11``.
    requesters
        The jobs' costs again, one entry a requester.
    """

    month: str
    jobs: Sequence[JobCosts]
    requesters: Sequence[JobCosts]
    standing: Sequence[StandingCosts]

    @property
    def jobs_dollars(self) -> float:
        """For all jobs."""
        return sum(one.dollars for one in self.jobs)

    @property
    def standing_dollars(self) -> float:
        """For the hours of standing clusters without a job, which no job's costs have."""
        return sum(one.idle_dollars for one in self.standing)

    def rows(self) -> list[dict[str, object]]:
        """A row a job, then one a standing cluster, whose ``job`` is ``None``.

        What a month cost is the ``dollars`` of its jobs and the ``idle_dollars`` of its standing clusters: the rest of a standing
        cluster's are in its jobs'.
        """
        jobs = [{**asdict(one), "kind": "job", "idle_dollars": one.dollars * one.idle} for one in self.jobs]
        standing = [
            {
                **asdict(one),
                "job": None,
                "requester": "",
                "kind": "standing",
                "idle_dollars": one.idle_dollars,
            }
            for one in self.standing
        ]
        return [
            {
                name: round(value, 4) if isinstance(value, float) else value
                for name, value in ({"month": self.month} | one).items()
            }
            for one in (*jobs, *standing)
        ]

    def csv(self) -> str:
        """The rows as a spreadsheet reads them; no text is a formula there."""
        text = io.StringIO()
        table = csv.writer(text)
        table.writerow(COLUMNS)
        for row in self.rows():
            table.writerow([_plain(row[name]) for name in COLUMNS])
        return text.getvalue()


def _plain(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value
