"""The serving page: models, pictures, drawing at a model that trains, corrections; kept up to date by one poll."""

import ipywidgets

from workbench.settings import Settings, from_environment
from workbench.ui.draft import DRAFT
from workbench.ui.serving.choice import Application, BackEndChoice, OpenBackEnd
from workbench.ui.serving.corrections.panel import CorrectionsPanel
from workbench.ui.serving.live import LivePanel
from workbench.ui.serving.models.panel import ModelsPanel
from workbench.ui.serving.predict.panel import PredictPanel
from workbench.ui.serving.snapshot import Looker, Snapshot
from workbench.ui.widgets import theme
from workbench.ui.widgets.pieces import Html, error_banner
from workbench.ui.widgets.poll import Poll
from workbench.ui.widgets.visitor.address import Address
from workbench.ui.widgets.visitor.browser import Browser
from workbench.ui.widgets.visitor.requester import Requester
from workbench.verbs import application as applications
from workbench.verbs import backends
from workbench.verbs.workbench import Workbench, open_store


class Problem(Html):
    """A place for the page to say that it cannot look; it brings the style sheets of the parts."""

    _css = theme.css("cluster") + theme.css("serving")


class ServingPage:
    """The parts of the page, each for a cell of the notebook.

    What is shown comes from the registry, the chosen back end and the job store, so a reload shows the same.

    Parameters
    ----------
    open_backend, application
        Stand-ins for the back ends and for AWS.
    """

    def __init__(
        self,
        workbench: Workbench,
        *,
        open_backend: OpenBackEnd | None = None,
        application: Application | None = None,
    ) -> None:
        self.workbench = workbench
        settings = workbench.settings
        self.browser, self.address = Browser(DRAFT), Address()
        self.requester = Requester(settings.requester)
        self.problem = Problem()
        self.choice = BackEndChoice(
            open_backend or (lambda where: backends.open_backend(where, settings)),
            application or applications.Application(settings),
            self.address,
            switched=self._switched,
        )
        self._looker = Looker(workbench, self.choice)
        self.poll: Poll[Snapshot] = Poll(
            self._looker.look, busy=lambda snapshot: snapshot.busy, browser=self.browser
        )
        self.models = ModelsPanel(workbench, self.choice, self.requester, self.address, self._changed)
        self.predict = PredictPanel(workbench, self.choice)
        self.live = LivePanel(workbench)
        self.corrections = CorrectionsPanel(workbench, self.choice, self.browser, self._changed)
        self.address.on_arrival(self._arrived)
        self.poll.follow(self._show)
        self.poll.each(self.live.tick)
        self.poll.each(self.corrections.tick)
        self.poll.each(self._tick)
        self.poll.on_problem(self._tell)

    def models_part(self) -> ipywidgets.Widget:
        """Who asks, the choice of a back end, and the models."""
        self.models.table.fetch_now()
        return self._part(self.requester, self.problem, self.choice.widget, self.models.widget)

    def version_part(self, reference: str) -> ipywidgets.Widget:
        """One version."""
        self.models.table.opened = reference
        version = self.models.version.widget
        return self._part(self.requester, self.problem, self.choice.widget, version)

    def predict_part(self) -> ipywidgets.Widget:
        """The form that asks about pictures."""
        return self._part(self.predict.widget)

    def live_part(self, job: int | None = None) -> ipywidgets.Widget:
        """The canvas for a model that trains, of this job where one is named."""
        self.live.prefer(job)
        return self._part(self.live.widget)

    def corrections_part(self) -> ipywidgets.Widget:
        """The corrections."""
        return self._part(self.corrections.widget)

    def _part(self, *widgets: ipywidgets.Widget) -> ipywidgets.Widget:
        """Put widgets together; from now on the page is kept up to date."""
        self.poll.start()
        part = ipywidgets.VBox([self.browser, self.address, *widgets])
        part.add_class("wb").add_class("wb-part-of-page")
        return part

    def _show(self, snapshot: Snapshot) -> None:
        if snapshot.turn == self.choice.turn:
            for panel in (self.models, self.predict, self.live, self.corrections):
                panel.show(snapshot)

    def _arrived(self, values: dict[str, str]) -> None:
        """Lead to the model that a link names: to draw at a job's while it trains, or at a version's."""
        if (job := values.get("job", "")).isdecimal():
            self.live.lead_to(int(job))
        if model := values.get("model"):
            self.predict.prefer(model)

    def _tick(self) -> None:
        if self.browser.visible:
            self.choice.tick()

    def _switched(self) -> None:
        self._show(Snapshot(self.choice.turn, asking=True))
        self.poll.now()

    def _changed(self) -> None:
        self._looker.forget()
        self.poll.now()

    def _tell(self, error: Exception | None) -> None:
        self.problem.html = "" if error is None else error_banner(error, "Reading the models")


def open_serving_page(settings: Settings | None = None) -> ServingPage:
    """Open the page of the workbench that the environment names."""
    settings = settings or from_environment()
    return ServingPage(Workbench(settings, open_store(settings)))
