"""Drawing while a job trains: the probabilities come from the newest checkpoint of a running job."""

from collections.abc import Callable

import ipywidgets
import numpy as np

from workbench.errors import NotFound, Unavailable, WorkbenchError
from workbench.jobs import Job
from workbench.pictures.ink import fit
from workbench.ui.serving.asking import AskingCanvas
from workbench.ui.serving.snapshot import Snapshot
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.drawing.answer import Answer
from workbench.ui.widgets.pieces import Html, banner, waiting, when
from workbench.ui.widgets.poll import Newest
from workbench.verbs import previews
from workbench.verbs.previews import Preview, Wanted
from workbench.verbs.workbench import Workbench

NOTHING = (
    waiting("Nothing trains here now.")
    + '<p class="wb-empty"><a class="wb-button" href="deploy_cluster.ipynb">Ask for a training</a></p>'
)
TRAINING = ("initializing", "training")


class LivePanel:
    """One preview at a time, begun by a button, ended with its job or when nobody looks.

    Parameters
    ----------
    open_preview
        Makes the preview of a job.
    """

    def __init__(self, workbench: Workbench, open_preview: Callable[[Job], Preview] | None = None) -> None:
        self._workbench = workbench
        self._open_preview = open_preview or (lambda job: previews.open_preview(job, workbench.settings))
        self._preview: Preview | None = None
        self._wanted: Wanted | None = None
        self._ended: str = ""
        self._preferred: int | None = None
        self.canvas: AskingCanvas | None = None
        self.status, self.message = Html(NOTHING), Message()
        self.job = ipywidgets.Dropdown(options=[], description="Job")
        self.begin = Action(
            "Draw at it",
            self._begin,
            self.message,
            working="Loading …",
            doing="Building the job's model beside it, and reading its newest checkpoint. That takes some seconds …",
            tooltip="Load its newest checkpoint",
            primary=True,
        )
        self.end = Action("Stop drawing", self._end, self.message, tooltip="End the preview; the job goes on")
        choice = ipywidgets.HBox([self.job, self.begin.widget, self.end.widget])
        choice.add_class("wb-start")
        self._choice, self._place = choice, ipywidgets.VBox()
        self.widget = ipywidgets.VBox([self.status, choice, self.message, self._place])
        self.widget.add_class("wb").add_class("wb-card").add_class("wb-wide").add_class("wb-live")
        self._bringing = Newest(self._bring)
        self.job.observe(lambda _: self._switched(), "value")
        self._arrange()

    def show(self, _: Snapshot) -> None:
        """Offer the jobs that train here, the newest first; end what has lost its job."""
        jobs = [
            job for job in self._workbench.store.jobs(state=TRAINING, limit=50) if job.provider == "local"
        ]
        options = [(f"{job.id} {job.name}, {job.state}", job.id) for job in sorted(jobs, key=lambda j: -j.id)]
        if tuple(options) != tuple(self.job.options):
            kept, ids = self.job.value, [id for _, id in options]
            before = [id for _, id in self.job.options]
            self.job.options = options
            if self._preferred in ids and self._preferred not in before:
                kept = self._preferred
            self.job.value = kept if kept in ids else next(iter(ids), None)
        if self._preview is not None and self._preview.job.id not in [job.id for job in jobs]:
            self._tell_end(self._workbench.store.job(self._preview.job.id))
        self._arrange()

    def prefer(self, job: int | None) -> None:
        """Offer this job first, as soon as it trains."""
        self._preferred = job
        if job in [id for _, id in self.job.options]:
            self.job.value = job

    def lead_to(self, job: int) -> None:
        """Offer this job and have the browser scroll there; say so where it trains no more, and what became of it."""
        self.prefer(job)
        if job not in [id for _, id in self.job.options]:
            try:
                found = self._workbench.store.job(job)
            except NotFound as error:
                self.message.fail(error, "Drawing at it")
            else:
                if found.state not in TRAINING:
                    self._tell_end(found)
                    self._arrange()
        self.status.come_into_sight()

    def tick(self) -> None:
        """Bring a newer checkpoint and look at it; called while somebody looks."""
        if self._preview is not None and self._wanted is not None:
            self._bringing.ask()

    def close(self) -> None:
        """End the preview; twice is fine."""
        preview, self._preview, self._wanted = self._preview, None, None
        self.canvas = None
        self._place.children = ()
        if preview is not None:
            preview.close()

    # The preview

    def _begin(self) -> None:
        if self.job.value is None:
            raise Unavailable("nothing trains here now")
        self.close()
        self._ended = ""
        preview = self._preview = self._open_preview(self._workbench.store.job(self.job.value))
        try:
            wanted = preview.start(lambda: self._preview is not preview)
        except BaseException:
            if self._preview is preview:
                self.close()
            raise
        if not wanted.is_picture:
            self.close()
            shape = "×".join(map(str, wanted.shape))
            raise Unavailable(
                f"what job {preview.job.id} learns from is no picture ({shape}); choose another job"
            )
        labels = wanted.labels or tuple(map(str, range(10)))
        self._wanted = wanted
        self.canvas = AskingCanvas(self._look, labels)
        self._place.children = (self.canvas,)
        self._bring()

    def _end(self) -> None:
        self.close()
        self._arrange()

    def _switched(self) -> None:
        if (
            self._preview is not None
            and self.job.value is not None
            and self._preview.job.id != self.job.value
        ):
            self.close()
        self._arrange()

    def _tell_end(self, job: Job) -> None:
        self.close()
        if job.version is not None:
            model = f"{job.name}:{job.version}"
            text = f"Its model is published as {model}; open it above to deploy it, or ask it about pictures."
        elif job.state == "exporting":
            text = "It is being evaluated and published; soon it stands in the list above."
        else:
            text = "Its page says why."
        self._ended = banner(f"Job {job.id} trains no more: {job.state}", text, kind="note") + _its_page(
            job.id
        )

    def _bring(self) -> None:
        preview, canvas = self._preview, self.canvas
        if preview is None or canvas is None:
            return
        try:
            if preview.keep():
                canvas.again()
        except (WorkbenchError, OSError) as error:
            self.close()
            self.message.fail(error, "The preview")
        self._arrange()

    def _look(self, ink: np.ndarray) -> Answer | None:
        preview, wanted = self._preview, self._wanted
        if preview is None or wanted is None:
            raise Unavailable("the preview has ended; start it again")
        seen = picture(ink, wanted)
        if seen is None:
            return None
        if preview.checkpoint is None:
            raise Unavailable(
                "its first checkpoint is not there yet; it comes with the first epoch, or after 15 s"
            )
        said = preview.ask(np.ascontiguousarray(seen, np.uint8).tobytes())
        shown = seen[..., 0] if wanted.preprocessing == "mnist" else 255 - seen[..., 0]
        return Answer(said.probabilities, shown)

    def _arrange(self) -> None:
        there, preview = bool(self.job.options), self._preview
        self._choice.layout.display = "" if there else "none"
        begun = preview is not None and self._wanted is not None
        self.begin.widget.layout.display = "none" if begun else ""
        self.end.widget.layout.display = "" if begun else "none"
        if begun and preview is not None:
            self.status.html = _standing(preview)
        elif self._ended:
            self.status.html = self._ended + ("" if there else NOTHING)
        elif there:
            self.status.html = (
                '<p class="wb-caption">Draw at a model that is still learning, and see it getting surer.</p>'
            )
        else:
            self.status.html = NOTHING


def _standing(preview: Preview) -> str:
    checkpoint = preview.checkpoint
    if checkpoint is None:
        said = "its first checkpoint is not there yet"
    else:
        said = f"from step <b>{checkpoint.step:,}</b>, {when(checkpoint.t)}"
    return f'<p class="wb-from" role="status">Job {preview.job.id}: {said}</p>{_its_page(preview.job.id)}'


def _its_page(job: int) -> str:
    return f'<p class="wb-caption"><a href="deploy_cluster.ipynb?job={job}">The page of job {job}</a></p>'


def picture(ink: np.ndarray, wanted: Wanted) -> np.ndarray | None:
    """Ink ``(h, w)`` as the model takes it, uint8 of its shape; ``None`` where nothing is drawn."""
    if not ink.any():
        return None
    height, width, channels = wanted.shape
    if wanted.preprocessing == "mnist":
        fitted = fit(ink)
        return None if fitted is None else np.asarray(fitted, np.uint8).reshape(wanted.shape)
    paper = 255 - shrink(ink, height, width)
    return np.repeat(paper[..., None], channels, axis=2)


def shrink(ink: np.ndarray, height: int, width: int) -> np.ndarray:
    """The mean over each area; where there are fewer pixels than wanted, the nearest one.

    >>> shrink(np.array([[0, 4], [8, 12]], np.uint8), 1, 2)
    array([[4, 8]], dtype=uint8)
    """
    values = ink.astype(np.float64)
    for axis, side in enumerate((height, width)):
        starts = np.arange(side) * values.shape[axis] // side
        if side < values.shape[axis]:
            counts = np.diff([*starts, values.shape[axis]])
            summed = np.add.reduceat(values, starts, axis=axis)
            values = summed / (counts[:, None] if axis == 0 else counts)
        else:
            values = np.take(values, starts, axis=axis)
    return values.round().astype(np.uint8)
