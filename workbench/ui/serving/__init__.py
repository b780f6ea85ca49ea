"""The serving page: models, pictures, drawing at a model that trains, corrections; kept up to date by one poll."""

from IPython.display import display

from workbench.settings import Settings, from_environment
from workbench.ui.draft import DRAFT
from workbench.ui.serving.choice import Application, BackEndChoice, OpenBackEnd
from workbench.ui.serving.corrections import CorrectionsPanel
from workbench.ui.serving.live import LivePanel
from workbench.ui.serving.models import ModelsPanel
from workbench.ui.serving.predict import PredictPanel
from workbench.ui.serving.snapshot import Looker, Snapshot
from workbench.ui.widgets import theme
from workbench.ui.widgets.address import Address
from workbench.ui.widgets.browser import Browser
from workbench.ui.widgets.pieces import Html, error_banner
from workbench.ui.widgets.poll import Poll
from workbench.ui.widgets.requester import Requester
from workbench.verbs import application as applications
from workbench.verbs import backends
from workbench.verbs.workbench import Workbench, open_store


class Problem(Html):
    """A place for the page to say that it cannot look; it brings the style sheets of the parts."""

    _css = theme.css("cluster") + theme.css("serving")


class ServingPage:
    """The parts of the page; each cell of the notebook shows one.

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
        self.poll.follow(self._show)
        self.poll.each(self.live.tick)
        self.poll.each(self._tick)
        self.poll.on_problem(self._tell)

    def show_models(self) -> None:
        """Show who asks, the choice of a back end, and the models."""
        parts = (self.browser, self.address, self.requester, self.problem)
        display(*parts, self.choice.widget, self.models.widget)

    def show_predict(self) -> None:
        """Show the form that asks about pictures."""
        display(self.predict.widget)

    def show_live(self) -> None:
        """Show the canvas for a model that trains."""
        display(self.live.widget)

    def show_corrections(self) -> None:
        """Show the corrections; from now on the page is kept up to date."""
        self.models.table.fetch_now()
        display(self.corrections.widget)
        self.poll.start()

    def _show(self, snapshot: Snapshot) -> None:
        if snapshot.turn == self.choice.turn:
            for panel in (self.models, self.predict, self.live, self.corrections):
                panel.show(snapshot)

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
