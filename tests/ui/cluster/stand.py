"""The cluster's page in the kernel, on machines in memory, and what a visitor does there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.chain import wait_until
from workbench.jobs import Job
from workbench.machines.fake import FakeProvider
from workbench.recipes import Recipe
from workbench.tasks.check import Checked
from workbench.tasks.child import Stopped
from workbench.ui.cluster import ClusterPage
from workbench.verbs.requests import Requests

CHECKED = Checked(
    100, 10, (4,), (3,), steps_per_epoch=50, parameters=9, largest=6, epochs=2, batch_size=2, step_s=0.1
)


@dataclass
class Stand:
    """A page whose jobs are started by nobody, on machines in memory."""

    page: ClusterPage
    provider: FakeProvider
    started: list[int] = field(default_factory=list)

    @property
    def said(self) -> str:
        return self.page.request.message.html

    def arrive(self, **values: Any) -> None:
        """What the browser of a visitor tells."""
        self.page.browser._told({"kind": "here", "values": values, "visible": True})


class SaidRequests(Requests):
    """With a dry run that is said, not done."""

    checks: Exception | Checked | None = CHECKED
    """``None`` takes until it is stopped."""

    def check(self, recipe: Recipe, workers: int = 1, stop: Callable[[], bool] = lambda: False) -> Checked:
        if isinstance(self.checks, Exception):
            raise self.checks
        if self.checks is None:
            wait_until(stop, 60, "the wish to stop")
            raise Stopped("stopped")
        return self.checks


def job(stand: Stand) -> Job:
    (found,) = stand.page.workbench.store.jobs()
    return stand.page.workbench.store.job(found.id)


def opened(stand: Stand, id: int) -> Any:
    stand.page.jobs.open(id)
    panel = stand.page.jobs.page
    refreshing = stand.page.jobs._refreshing

    def there() -> bool:
        return panel.id == id and panel._job is not None and not refreshing._working

    wait_until(there, 60, "the job's page")
    return panel
