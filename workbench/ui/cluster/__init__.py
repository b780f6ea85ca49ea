"""The cluster's page: request, jobs and machines, kept up to date by one poll."""

import ipywidgets

from workbench.jobs import Pulse
from workbench.settings import Settings, from_environment
from workbench.ui.cluster.hints import hand_over
from workbench.ui.cluster.jobs.panel import JobsPanel
from workbench.ui.cluster.machines.application import Functions
from workbench.ui.cluster.machines.panel import MachinesPanel
from workbench.ui.cluster.request.form import RequestForm
from workbench.ui.cluster.sweeps.panel import SweepsPanel
from workbench.ui.draft import DRAFT, HANDED, SWEEP
from workbench.ui.widgets.pieces import Html, error_banner
from workbench.ui.widgets.poll import Newest, Poll
from workbench.ui.widgets.visitor.address import Address
from workbench.ui.widgets.visitor.browser import Browser
from workbench.ui.widgets.visitor.requester import Requester
from workbench.verbs.application import Application
from workbench.verbs.sweeps import Sweeps
from workbench.verbs.workbench import Workbench, open_store

__all__ = ["ClusterPage", "hand_over", "open_cluster_page"]

MACHINES_EVERY = 3
"""Polls between two looks at the machines, which cost more than the jobs."""


class ClusterPage:
    """The parts of the page, each for a cell of the notebook.

    Whatever is shown comes from the store and the providers, so a reload, another browser or a server that was
    started again shows the same.
    """

    def __init__(self, workbench: Workbench, application: Functions | None = None) -> None:
        self.workbench = workbench
        self.browser, self.address = Browser(DRAFT, SWEEP, HANDED), Address()
        self.requester = Requester(workbench.settings.requester)
        self.problem = Html()
        self.poll = Poll(workbench.store.pulse, busy=lambda p: p.active + p.waiting > 0, browser=self.browser)
        known = Sweeps(workbench)
        self.request = RequestForm(
            workbench,
            self.requester,
            self.browser,
            self.address,
            known,
            submitted=self._submitted,
            begun=self._begun,
        )
        self.jobs = JobsPanel(workbench, self.requester, self.poll, self.address, clone=self.request.take)
        self.sweeps = SweepsPanel(known, open_job=self.jobs.lead_to)
        self.machines = MachinesPanel(
            workbench,
            application or Application(workbench.settings),
            self.request.wanted,
            self.request.offer,
        )
        self._asked_in = ""
        self._beats = 0
        self._looking = Newest(self.machines.refresh)
        self._changes = -1
        self.poll.follow(self._beat)
        self.poll.each(self._tick)
        self.poll.on_problem(self._tell)
        # A prepared kernel looked long before its visitor came.
        self.browser.observe(lambda _: self._look(), "visible")
        self.browser.observe(lambda _: self.request.code.offer_again(), "visible")
        asked = self.request.fields
        for field in (asked.ps, asked.workers, asked.provider, asked.type):
            field.observe(lambda _: self._looking.ask(), "value")

    def request_part(self) -> ipywidgets.Widget:
        """Who asks, and the request."""
        return self._part(*self._who("request"), self.request.widget)

    def jobs_part(self) -> ipywidgets.Widget:
        """The jobs."""
        self.jobs.table.fetch_now()
        self.sweeps.refresh_now()
        return self._part(*self._who("jobs"), self.sweeps.widget, self.jobs.widget)

    def machines_part(self) -> ipywidgets.Widget:
        """The machines."""
        self.machines.refresh()
        return self._part(self.machines.widget)

    def job_part(self, id: int) -> ipywidgets.Widget:
        """One job; a request that is cloned from it stands below."""
        self.jobs.open(id)
        request = self.request.widget
        request.layout.display = "none"
        self.request.message.observe(lambda _: setattr(request.layout, "display", ""), "called")
        return self._part(*self._who("job"), self.jobs.page.widget, request)

    def _who(self, part: str) -> tuple[ipywidgets.Widget, ...]:
        """Who asks: in one part of the page, the first that was shown."""
        self._asked_in = self._asked_in or part
        return (self.requester, self.problem) if part == self._asked_in else ()

    def _part(self, *widgets: ipywidgets.Widget) -> ipywidgets.Widget:
        """Put widgets together; from now on the page is kept up to date."""
        self.poll.start()
        part = ipywidgets.VBox([self.browser, self.address, *widgets])
        part.add_class("wb").add_class("wb-part-of-page")
        return part

    def _submitted(self, id: int) -> None:
        self.jobs.lead_to(id)
        self.poll.now()

    def _begun(self, id: str) -> None:
        self.sweeps.open(id)
        self.poll.now()

    def _beat(self, pulse: Pulse) -> None:
        """Look again, unless only metrics changed: they change neither machines nor the outlook of a request."""
        self.sweeps.refresh()
        if pulse.changes != self._changes:
            self._changes = pulse.changes
            self._look()

    def _look(self) -> None:
        self.request.refresh()
        self._looking.ask()

    def _tick(self) -> None:
        self._beats += 1
        if self.sweeps.moving:
            self.sweeps.refresh()
        if self._beats % MACHINES_EVERY == 0:
            self._looking.ask()

    def _tell(self, error: Exception | None) -> None:
        self.problem.html = "" if error is None else error_banner(error, "Reading the jobs")


def open_cluster_page(settings: Settings | None = None) -> ClusterPage:
    """Open the page of the workbench that the environment names."""
    settings = settings or from_environment()
    return ClusterPage(Workbench(settings, open_store(settings)))
