"""One job's page: what it is, how far it is, how it learns, what its machines say, and what may be done with it."""

from collections.abc import Callable
from html import escape

import ipywidgets

from workbench.errors import NotFound, WorkbenchError
from workbench.jobs import ACTIVE, ENDED, Job
from workbench.machines import Machine
from workbench.settings import Settings
from workbench.ui import evaluations
from workbench.ui.as_code import AsCode, Line
from workbench.ui.as_code import lines as as_code
from workbench.ui.cluster.hints import Hints
from workbench.ui.cluster.jobs import views as job_views
from workbench.ui.cluster.jobs.charts import JobCharts
from workbench.ui.deploying import deploy_action, deployed
from workbench.ui.job_film import JobFilm
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.logview import LogView
from workbench.ui.widgets.pieces import Html, ProgressBar, waiting
from workbench.ui.widgets.visitor.requester import Requester
from workbench.verbs import backends, logs, models
from workbench.verbs.models import Version
from workbench.verbs.requests import Request
from workbench.verbs.workbench import Workbench

CURVE_POINTS = 300


class JobPage:
    """Shows one job at a time, and acts on it for whoever it belongs to.

    Parameters
    ----------
    clone
        Called with a job to make a new request of.
    changed
        Called when something was done to a job, so that lists show it at once.
    closed
        Called when the visitor closes the page.
    """

    def __init__(
        self,
        workbench: Workbench,
        requester: Requester,
        *,
        clone: Callable[[Request], None],
        changed: Callable[[], None],
        closed: Callable[[], None],
    ) -> None:
        self._workbench, self._requester = workbench, requester
        self._clone_into, self._changed = clone, changed
        self.id: int | None = None
        self._job: Job | None = None
        self._there: tuple[object, list[Machine]] = (None, [])
        self._evaluated: tuple[int, int | None] | None = None
        self._found: Version | None = None
        self.message = Message()
        self._make_actions()
        close = ipywidgets.Button(description="Close", tooltip="Back to the list")
        close.on_click(lambda _: closed())
        self.head, self.figures, self.timeline = Hints(), Html(), Html()
        self.progress = ProgressBar(label="Job")
        self.as_code, self.why_not = AsCode(self._lines), Html()
        self.links, self.error, self.machines, self.evaluation = Hints(), Html(), Html(), Html()
        self.charts, self.film = JobCharts(), JobFilm(workbench.settings)
        self.logs = LogView(self._read_log)
        actions = (self.terminate, self.retry, self.anew, self.clone, self.deploy)
        buttons = ipywidgets.HBox([*(action.widget for action in actions), self.links, close])
        buttons.add_class("wb-buttons")
        self.widget = ipywidgets.VBox(
            [
                *(self.head, self.progress, buttons, self.why_not, self.as_code, self.message, self.error),
                *(self.figures, self.timeline, self.charts.widget, self.film.widget),
                *(self.evaluation, self.machines, self.logs),
            ]
        )
        self.widget.add_class("wb").add_class("wb-card").add_class("wb-job")
        self.widget.layout.display = "none"
        requester.on_name(lambda _: self._allow())

    @property
    def moving(self) -> bool:
        """Tell whether somebody works on the job that is open, as of the last refresh."""
        return self._job is not None and self._job.lease is not None

    def open(self, id: int | None) -> None:
        """Show the job of this id, or nothing."""
        if id == self.id:
            return
        self.id, self._job, self._evaluated = id, None, None
        self.message.clear()
        self.logs.text = ""
        self.evaluation.html = ""
        if id is None:
            self.widget.layout.display = "none"
            self.film.show(None, None)
            return
        self.head.html = waiting(f"Job {id} …", working=True)
        self.widget.layout.display = ""
        self.refresh()

    def come_into_sight(self) -> None:
        """Have the browser scroll to the job that is open."""
        self.head.come_into_sight()

    def refresh(self) -> None:
        """Show the job as it is now; sends nothing where nothing changed."""
        id = self.id
        if id is None:
            return
        try:
            job = self._workbench.store.job(id)
        except NotFound as error:
            self.message.fail(error, "Opening the job")
            self.head.html = f'<div class="wb-job-head"><h3>Job {id}</h3></div>'
            return
        progress = job_views.progress(job, self._workbench.store.position(id))
        curve = self._workbench.store.curve(id, CURVE_POINTS)
        there = self._machines(job)
        if id != self.id:
            return  # another job was opened meanwhile
        self._job = job
        self.head.html = job_views.head(job)
        self.progress.show(progress.state, progress.value, progress.text, progress.aside)
        self.error.html = job_views.error(job)
        self.figures.html, self.timeline.html = job_views.figures(job), job_views.timeline(job)
        self.machines.html = job_views.machines(job, there)
        self.charts.widget.layout.display = "" if curve.training else "none"
        self.charts.show_one(job, curve)
        version = self._show_version(job)
        self.links.html = job_views.links(job, version)
        self.film.show(job, version)
        self.refresh_logs()
        self._allow()
        self.as_code.refresh()

    def refresh_logs(self) -> None:
        """Look for what the machines have written since."""
        if self.id is not None:
            found = logs.list_logs(self.id, self._workbench.settings)
            # What a recipe prints comes first, what its check and its model's wrote last.
            found.sort(key=lambda log: (log.place.role == "task", log.place, log.stream != "stdout"))
            self.logs.offer([(f"{log.place} {log.stream}", f"{log.place}, {log.stream}") for log in found])
            self.logs.over = self._job is not None and self._job.state in ENDED and self._job.lease is None
            self.logs.refresh()

    def _read_log(self, key: str) -> tuple[str, bool]:
        if self.id is None:
            return "", True
        for log in logs.list_logs(self.id, self._workbench.settings):
            if f"{log.place} {log.stream}" == key:
                return logs.read_end(log)
        return "", True

    def _machines(self, job: Job) -> list[Machine]:
        """Ask the provider for the addresses of its machines, again only when their states change."""
        key = (job.id, job.attempt, tuple((m.role, m.index, m.state) for m in job.machines))
        if job.state not in ACTIVE or not job.machines:
            return []
        if self._there[0] != key:
            try:
                found = self._workbench.machines.find(job.provider, job.cluster or f"job-{job.id}")
            except WorkbenchError:
                return []  # the store says what they do; only where they are heard is missing
            self._there = (key, found)
        return self._there[1]

    def _show_version(self, job: Job) -> Version | None:
        """Show how good its version is; reads it once."""
        if self._evaluated == (job.id, job.version):
            return self._found
        self._evaluated = (job.id, job.version)
        version = self._found = find_version(job, self._workbench.settings)
        if version is None:
            self.evaluation.html = ""
            return None
        self.evaluation.html = evaluations.published(version)
        return version

    # What may be done

    def _make_actions(self) -> None:
        self.terminate = Action(
            "Terminate",
            self._terminate,
            self.message,
            working="Terminating …",
            doing="Ending the job and its machines …",
            tooltip="End the job and its machines; its checkpoint stays",
            confirm=lambda: f"End job {self.id} and its machines?",
            danger=True,
        )
        self.retry = Action(
            "Retry", lambda: self._retry(False), self.message, tooltip="Go on from its checkpoint"
        )
        self.anew = Action(
            "Retry anew", lambda: self._retry(True), self.message, tooltip="Begin again from nothing"
        )
        self.clone = Action("Clone", self._clone, self.message, tooltip="Make a new request of it")
        self.deploy = deploy_action(self._deploy, self.message)

    def _allow(self) -> None:
        job = self._job
        if job is None:
            return
        mine = job.requester == self._requester.name
        whose = f"This job is {job.requester}'s; you can look at it and clone it"
        ended = job.state in ENDED
        asked = job.terminate_asked is not None and not ended
        self._offer(
            self.terminate, not ended, mine and not asked, "It is being terminated" if mine else whose
        )
        again = ended and job.state != "completed"
        self._offer(self.retry, again, mine, whose)
        self._offer(self.anew, again, mine, whose)
        self._offer(self.deploy, job.version is not None, mine, whose)
        nameless = "Say who you are, at the top of the page, to end, repeat or deploy what is yours"
        why_not = "" if mine else whose if self._requester.name else nameless
        self.why_not.html = f'<p class="wb-caption">{escape(why_not)}</p>' if why_not else ""

    def _offer(self, action: Action, there: bool, allowed: bool, why_not: str) -> None:
        action.widget.layout.display = "" if there else "none"
        action.allow(allowed, why_not)

    def _lines(self) -> tuple[Line, ...]:
        job = self._known()
        ended = job.state in ENDED
        return as_code.job(job.id, goes_on=not ended, may_retry=ended and job.state != "completed")

    def _known(self) -> Job:
        if self._job is None:
            raise NotFound("no job is open")
        return self._job

    def _terminate(self) -> None:
        self._workbench.jobs.terminate(self._known().id)
        self._done()

    def _retry(self, anew: bool) -> None:
        self._workbench.jobs.retry(self._known().id, anew)
        self._done()

    def _clone(self) -> str:
        job = self._known()
        assert job.recipe is not None
        self._clone_into(
            Request(
                job.name,
                "",
                job.recipe,
                job.ps,
                job.workers,
                job.epochs,
                provider=job.provider,
                instance_type=job.instance_type,
            )
        )
        return "A new request stands in the form above"

    def _deploy(self) -> str:
        version = find_version(self._known(), self._workbench.settings)
        if version is None:
            raise NotFound("its version is not there any more")
        settings = self._workbench.settings
        backends.open_backend(None, settings).deploy(version, who=self._requester.name)
        return deployed(version)

    def _done(self) -> None:
        self.refresh()
        self._changed()


def find_version(job: Job, settings: Settings) -> Version | None:
    """Find the version that a job published; ``None`` where there is none, or none any more."""
    if job.version is None:
        return None
    try:
        return models.find(f"{job.name}:{job.version}", settings)
    except NotFound:
        return None
