"""Ask a model and show what it answers: about a picture, or about values by name."""

import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import ipywidgets
import numpy as np

from workbench.backends.how import How
from workbench.backends.values import Deployment, Source
from workbench.errors import BadInput, WorkbenchError
from workbench.ui.as_code import AsCode, Line
from workbench.ui.as_code import lines as as_code
from workbench.ui.serving.asking import show_answer
from workbench.ui.serving.choice import BackEndChoice
from workbench.ui.serving.models.views import deployment_state
from workbench.ui.serving.predict.inputs import InputsForm
from workbench.ui.serving.predict.model_source import ModelSource
from workbench.ui.serving.predict.outputs import show_outputs
from workbench.ui.serving.predict.picture_source import PictureSource
from workbench.ui.serving.snapshot import Snapshot
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.pieces import Html, waiting
from workbench.ui.widgets.poll import Newest
from workbench.verbs.models import Version
from workbench.verbs.workbench import Workbench

BY_NAME = waiting("Press Ask, and what the model makes of the values stands here.")
NONE_YET = waiting("No model is published yet; bring one by URL or as a zip.")
SANDBOXED = (
    '<p class="wb-caption">It runs in a sandbox, in a process of its own. A zip of the workbench, a SavedModel, '
    "<code>.keras</code> or <code>.onnx</code>; more than 10 MB better by URL. Without a size, by the model's own input.</p>"
)
ON_AWS = '<p class="wb-caption">AWS is asked when you press Ask.</p>'


class PredictPanel:
    """A form around ``BackEnd.serve``."""

    def __init__(self, workbench: Workbench, choice: BackEndChoice) -> None:
        self._workbench, self._choice = workbench, choice
        self._turn = choice.turn
        self._served: tuple[Deployment, ...] = ()
        self._links: dict[tuple[str | None, str], str] = {}
        self._asking = threading.Lock()
        self._by_name = False
        """Whether what is asked takes several inputs, or none that is a picture."""
        self.message = Message()
        self.inputs = InputsForm(self._changed, self._lost)
        self.picture = PictureSource(
            ".wb-predict",
            drawn=self._drawn,
            uploaded=self._uploaded,
            switched=self._switched,
            lost=self._lost,
        )
        self.model = ModelSource(
            workbench.settings, switched=self._switched, chosen=self._chosen, lost=self._lost
        )
        self.answer = Html(self.picture.hint)
        self.ask = Action(
            "Ask",
            self._ask,
            self.message,
            working="Asking …",
            tooltip="What does the model say?",
            primary=True,
        )
        self._following = Newest(self._follow)
        self.as_code = AsCode(self._lines)
        self._lay_out()
        self._chosen()

    def show(self, snapshot: Snapshot) -> None:
        """Offer what is published, what serves first."""
        self._served = snapshot.models
        if snapshot.turn != self._turn:
            self._turn = snapshot.turn
            self._forget()
            self._chosen()
        if self.model.show(self._served):
            self._chosen()

    def prefer(self, reference: str) -> None:
        """Choose a version that is published here, as soon as it is offered."""
        self.model.prefer(reference)

    def _lay_out(self) -> None:
        self.hint = Html()
        self._left = ipywidgets.VBox([self.picture.widget])
        row = ipywidgets.HBox([self.ask.widget])
        row.add_class("wb-buttons")
        right = ipywidgets.VBox(
            [self.model.widget, self.model.sizes, self.hint, row, self.message, self.answer, self.as_code]
        )
        halves = ipywidgets.HBox([self._left, right])
        halves.add_class("wb-halves")
        self.widget = ipywidgets.VBox([halves])
        self.widget.add_class("wb").add_class("wb-card").add_class("wb-wide").add_class("wb-predict")

    # What is there to ask

    @property
    def _follows(self) -> bool:
        """Tell whether each change is asked about: of a model of ours, by a back end that answers at once."""
        return self.model.is_published and self._choice.is_here

    def _forget(self) -> None:
        """Take back what was answered about something else."""
        self.answer.html = BY_NAME if self._by_name else self.picture.hint
        self.message.clear()

    def _switched(self) -> None:
        self._forget()
        self._chosen()

    def _chosen(self) -> None:
        """Ask for what the model takes."""
        version = self.model.version
        given = version.manifest.input if version else None
        sizes = given.sizes if given and given.kind == "image" else ()
        by_name = version is not None and not sizes and bool(version.manifest.inputs or given)
        if version is not None and by_name and self.inputs.show(version):
            self._forget()
        if by_name != self._by_name:
            self._by_name = by_name
            self.picture.canvas.drawing = None  # a canvas that comes back is empty
            self._left.children = (self.inputs.widget if by_name else self.picture.widget,)
            self.model.sizes.layout.display = "none" if by_name else ""
            self._forget()
        self.model.fit(sizes)
        self.hint.html = self._say_of_the_model()
        self.as_code.refresh()
        if self._follows and not by_name and self.picture.is_drawn:
            self._following.ask()

    def _say_of_the_model(self) -> str:
        if not self.model.is_published:
            return SANDBOXED
        if self.model.published.value is None:
            return NONE_YET
        return "" if self._choice.is_here else ON_AWS

    def _lost(self, error: BadInput) -> None:
        self.answer.html = ""
        self.message.fail(error, "The upload")

    def _uploaded(self) -> None:
        if self.model.is_published:
            self.ask.press()

    def _changed(self) -> None:
        """Values were changed: what was answered is about others."""
        self._forget()
        self.as_code.refresh()
        if self._follows:
            self._following.ask()

    # Asking

    def _lines(self) -> tuple[Line, ...]:
        if self._by_name:
            reference, values = str(self.model.published.value), self.inputs.values()
            return (as_code.ask_by_name(reference, values, self._choice.where),)
        return (as_code.ask(self._choice.where),)

    def _drawn(self, ink: np.ndarray) -> None:
        """Ask about each change of a drawing at once, where the model is one of ours."""
        if not ink.any():
            self._forget()
        elif self._follows:
            self._following.ask()

    def _follow(self) -> None:
        try:
            self._ask()
        except WorkbenchError as error:
            self.message.fail(error, "Asking")
        else:
            self.message.clear()

    def _ask(self) -> None:
        try:
            with self._asking:  # a press beside a change that is asked about: one after the other
                self._answer()
        except Exception as error:
            blamed = self.inputs.blame(str(error)) if self._by_name else ""
            # No answer to another question stands below an error, and what a field says is said once.
            self.answer.html = waiting(f"The words in red at {blamed} say what to change.") if blamed else ""
            if not blamed:
                raise

    def _answer(self) -> None:
        version = self.model.version
        if version is None and self.model.is_published:
            raise BadInput("no model is published yet; train one, or bring one by URL or as a zip")
        how = How(inputs=self.inputs.values()) if self._by_name else self.model.how()
        with tempfile.TemporaryDirectory() as temporary:
            aside = Path(temporary)
            image = None if self._by_name else self._picture(aside, how)
            source, name = self._ours(version) if version else self.model.give(aside)
            began = time.perf_counter()
            said = self._choice.backend.serve(image, model=source, model_name=name, how=how)
            took_s = time.perf_counter() - began
        labels: Sequence[str] = version.manifest.labels if version else ()
        ink = version is not None and version.manifest.preprocessing == "mnist"
        self.answer.html = show_answer(said, labels, took_s, ink=ink) + show_outputs(said)

    def _picture(self, aside: Path, how: How) -> str | Path | None:
        try:
            return self.picture.give(aside)
        except BadInput:
            if how.inputs:  # which may be all that the model takes
                return None
            raise

    def _ours(self, version: Version) -> tuple[Source | None, str | None]:
        """Name a version that serves; else send it there, and ask it by a link."""
        state = deployment_state(version, self._served)
        if state == "deployed" or state.startswith("canary"):
            return None, str(version)
        key = (self._choice.where, str(version))
        if key not in self._links:
            self._links[key] = self._choice.backend.link(version)
        return self._links[key], None
