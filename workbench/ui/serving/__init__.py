"""The serving page: models, pictures, a drawing at a model that trains, corrections; kept up to date by one poll."""

from IPython.display import display

from workbench.settings import Settings, from_environment
from workbench.ui.draft import DRAFT
from workbench.ui.serving.corrections import CorrectionsPanel
from workbench.ui.serving.live import LivePanel
from workbench.ui.serving.look import BackEnd, Look, make_look
from workbench.ui.serving.models import ModelsPanel
from workbench.ui.serving.predict import PredictPanel
from workbench.ui.widgets import theme
from workbench.ui.widgets.address import Address
from workbench.ui.widgets.browser import Browser
from workbench.ui.widgets.pieces import Html, error_banner
from workbench.ui.widgets.poll import Poll
from workbench.ui.widgets.requester import Requester
from workbench.verbs import jobs
from workbench.verbs.jobs import Control


class Problem(Html):
    """Where the page says that it cannot look; it brings the style sheets of the parts."""

    _css = theme.css("cluster") + theme.css("serving")


class ServingPage:
    """The parts of the page; each cell of the notebook shows one.

    What is shown comes from the registry, the back end and the job store, so a reload shows the same.
    """

    def __init__(self, workbench: Control) -> None:
        self.workbench, self.backend = workbench, BackEnd(workbench.settings)
        self.browser, self.address = Browser(DRAFT), Address()
        self.requester = Requester(workbench.settings.requester)
        self.problem = Problem()
        self.poll: Poll[Look] = Poll(
            make_look(workbench, self.backend), busy=lambda look: look.busy, browser=self.browser
        )
        self.models = ModelsPanel(workbench, self.backend, self.requester, self.address, self.poll.now)
        self.predict = PredictPanel(workbench, self.backend)
        self.live = LivePanel(workbench)
        self.corrections = CorrectionsPanel(workbench, self.backend, self.browser, self.poll.now)
        for panel in (self.models, self.predict, self.live, self.corrections):
            self.poll.follow(panel.show)
        self.poll.each(self.live.tick)
        self.poll.on_problem(self._tell)

    def show_models(self) -> None:
        """Who asks, and the models."""
        display(self.browser, self.address, self.requester, self.problem, self.models.widget)

    def show_predict(self) -> None:
        """Ask about pictures."""
        display(self.predict.widget)

    def show_live(self) -> None:
        """Draw while it trains."""
        display(self.live.widget)

    def show_corrections(self) -> None:
        """The corrections; from now on the page is kept up to date."""
        self.models.table.fetch_now()
        display(self.corrections.widget)
        self.poll.start()

    def _tell(self, error: Exception | None) -> None:
        self.problem.html = "" if error is None else error_banner(error, "Reading the models")


def open_serving_page(settings: Settings | None = None) -> ServingPage:
    """Open the page of the workbench that the environment names."""
    settings = settings or from_environment()
    return ServingPage(Control(settings, jobs.open_store(settings)))
