"""Ask a model about a picture: drawn, uploaded or by URL; a published model, one by URL, or one that is uploaded."""

import base64
import tempfile
import time
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path, PurePosixPath
from typing import Any

import ipywidgets
import numpy as np

from workbench.backends.how import How
from workbench.backends.values import Deployment, Source
from workbench.errors import BadInput, WorkbenchError
from workbench.ui.as_code import AsCode
from workbench.ui.as_code import lines as as_code
from workbench.ui.file_button import FileButton
from workbench.ui.serving.asking import AskingCanvas, show_answer
from workbench.ui.serving.choice import BackEndChoice
from workbench.ui.serving.models.views import deployment_state
from workbench.ui.serving.predict.inputs import InputsForm, show_outputs
from workbench.ui.serving.snapshot import Snapshot
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.drawing.inline_pictures import data_url
from workbench.ui.widgets.pieces import Html, waiting
from workbench.ui.widgets.poll import Newest
from workbench.verbs import models
from workbench.verbs.models import Version
from workbench.verbs.workbench import Workbench

DRAWING, UPLOAD, URL = "Draw it", "Upload it", "Give its URL"
PUBLISHED, BY_URL, ZIP = "Published here", "By its URL", "As a zip"
SETS = ("", "Mnist", "Cifar10", "FashionMnist")
"""Label sets that ``/serve`` knows; the first stands for the model's own."""
HINTS = {
    DRAWING: waiting("Draw something, and what the model makes of it stands here."),
    UPLOAD: waiting("Choose a picture, and what the model makes of it stands here."),
    URL: waiting("Give a picture's URL and press Ask; what the model makes of it stands here."),
}
BY_NAME = waiting("Press Ask, and what the model makes of the values stands here.")
SHOWN = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}
"""Kinds of pictures that browsers show, by how their files begin."""
MOST_SHOWN = 3_000_000
"""Bytes of an uploaded picture that is shown beside its name."""


class PredictPanel:
    """A form around ``BackEnd.serve``."""

    def __init__(self, workbench: Workbench, choice: BackEndChoice) -> None:
        self._workbench, self._choice = workbench, choice
        self._turn = choice.turn
        self._served: tuple[Deployment, ...] = ()
        self._links: dict[tuple[str | None, str], str] = {}
        self._preferred: str | None = None
        self._by_name = False
        """Whether what is asked takes several inputs, or none that is a picture."""
        self.answer, self.message = Html(HINTS[DRAWING]), Message()
        self.inputs = InputsForm(lambda error: self._lost(error))
        self.canvas = AskingCanvas(self._drawn, [])
        self._make_fields()
        self.ask = Action(
            "Ask",
            self._ask,
            self.message,
            working="Asking …",
            tooltip="What does the model say?",
            primary=True,
        )
        self._following = Newest(self._follow)
        self._lay_out()
        for buttons in (self.picture, self.source):
            buttons.observe(lambda _: self._switched(), "value")
        self.published.observe(lambda _: self._chosen(), "value")
        self._arrange()

    def show(self, snapshot: Snapshot) -> None:
        """Offer what is published, what serves first."""
        self._served = snapshot.models
        if snapshot.turn != self._turn:
            self._turn = snapshot.turn
            self._forget()
            self._arrange()
        there = models.versions(self._workbench.settings)
        options = [(self._name(v), str(v)) for v in sorted(there, key=self._rank)]
        if tuple(options) == tuple(self.published.options):
            return
        kept, values = self.published.value, [value for _, value in options]
        self.published.options = options
        if self._preferred in values:
            kept, self._preferred = self._preferred, None
        self.published.value = kept if kept in values else next(iter(values), None)
        self._arrange()

    def prefer(self, reference: str) -> None:
        """Choose a version that is published here, as soon as it is offered."""
        if reference in [value for _, value in self.published.options]:
            self.published.value = reference
        else:
            self._preferred = reference

    def _rank(self, version: Version) -> tuple[int, str, int]:
        order = {"deployed": 0, "previous": 2, "": 3}
        state = deployment_state(version, self._served)
        return order.get(state, 1), version.name, -version.version

    def _name(self, version: Version) -> str:
        state = deployment_state(version, self._served)
        return f"{version} ({state})" if state else str(version)

    # The form

    def _make_fields(self) -> None:
        self.picture = ipywidgets.ToggleButtons(options=[DRAWING, UPLOAD, URL], description="The picture")
        self.file = FileButton("Choose a picture", self._lost, accept="image/*")
        self.url = ipywidgets.Text(description="Picture URL", placeholder="https://…/seven.png")
        self.source = ipywidgets.ToggleButtons(options=[PUBLISHED, BY_URL, ZIP], description="The model")
        self.published = ipywidgets.Dropdown(options=[], description="Name and version")
        self.model_url = ipywidgets.Text(description="Model URL", placeholder="https://…/model.zip")
        self.model_file = FileButton("Choose a zip", self._lost, accept=".zip,.keras,.onnx")
        self.labels = ipywidgets.Dropdown(
            options=[("the model's own", ""), *((name, name) for name in SETS if name)], description="Labels"
        )
        self.width, self.height, self.channels = (
            ipywidgets.Text(description=name) for name in ("Width", "Height", "Channels")
        )
        self.layout = ipywidgets.Dropdown(
            options=[("as its sizes say", ""), ("channels last", "NHWC"), ("channels first", "NCHW")],
            description="Layout",
        )
        self.signature, self.output, self.range = (
            ipywidgets.Text(description=name, placeholder=hint)
            for name, hint in (
                ("Signature", "serving_default"),
                ("Output", "the only one"),
                ("Black, white", "0,255"),
            )
        )
        for upload in (self.file, self.model_file):
            upload.observe(lambda _, u=upload: self._uploaded(u), "value")

    def _lay_out(self) -> None:
        def form(*fields: ipywidgets.Widget) -> ipywidgets.Box:
            box = ipywidgets.Box(list(fields))
            box.add_class("wb-form")
            return box

        self.sizes = form(self.width, self.height, self.channels)
        self.sizes.add_class("wb-sizes")
        self.uploaded, self.model_uploaded, self.hint = Html(), Html(), Html()
        self._pictures = {
            DRAWING: [self.canvas],
            UPLOAD: [self.file, self.uploaded],
            URL: [form(self.url)],
        }
        more = ipywidgets.Accordion(
            [form(self.layout, self.signature, self.output, self.range)],
            titles=["What the model does not say"],
        )
        self._models = {
            PUBLISHED: [form(self.published)],
            BY_URL: [form(self.model_url, self.labels), more],
            ZIP: [self.model_file, self.model_uploaded, form(self.labels), more],
        }
        self.url.add_class("wb-long")
        self.model_url.add_class("wb-long")
        self.published.add_class("wb-long")
        for buttons in (self.picture, self.source):
            buttons.add_class("wb-choice")
        self._picture, self._model = ipywidgets.VBox(), ipywidgets.VBox()
        self._left = ipywidgets.VBox([self.picture, self._picture])
        row = ipywidgets.HBox([self.ask.widget])
        row.add_class("wb-buttons")
        code = AsCode(lambda: (as_code.ask(self._choice.where),))
        right = ipywidgets.VBox(
            [self.source, self._model, self.sizes, self.hint, row, self.message, self.answer, code]
        )
        halves = ipywidgets.HBox([self._left, right])
        halves.add_class("wb-halves")
        self.widget = ipywidgets.VBox([halves])
        self.widget.add_class("wb").add_class("wb-card").add_class("wb-wide").add_class("wb-predict")

    def _forget(self) -> None:
        """Take back what was answered about another picture or another model."""
        self.answer.html = BY_NAME if self._by_name else HINTS[self.picture.value]
        self.message.clear()

    def _switched(self) -> None:
        """Another way to give the picture or the model; its canvas begins empty."""
        self.canvas.drawing = None
        self._forget()
        self._arrange()

    def _arrange(self) -> None:
        self._picture.children = tuple(self._pictures[self.picture.value])
        self._model.children = tuple(self._models[self.source.value])
        if self._is_live and self.published.value is None:
            self.hint.html = waiting("No model is published yet; bring one by URL or as a zip.")
        elif self.source.value != PUBLISHED:
            self.hint.html = (
                '<p class="wb-caption">It runs in a sandbox, in a process of its own. A zip of the workbench, a SavedModel, '
                "<code>.keras</code> or <code>.onnx</code>; more than 10 MB better by URL. Without a size, by the model's own input.</p>"
            )
        elif not self._choice.is_here:
            self.hint.html = '<p class="wb-caption">AWS is asked when you press Ask.</p>'
        else:
            self.hint.html = ""
        self._chosen()

    @property
    def _is_live(self) -> bool:
        return bool(self.source.value == PUBLISHED)

    @property
    def _follows(self) -> bool:
        """Tell whether each change of a drawing is asked about: of a model of ours, by a back end that answers at once."""
        return self._is_live and self._choice.is_here

    def _chosen(self) -> None:
        """Fill in the size that the model takes."""
        shape: Sequence[Any] = ()
        by_name = False
        if self._is_live and self.published.value:
            try:
                found = models.find(self.published.value, self._workbench.settings)
            except WorkbenchError:
                return
            given = found.manifest.input
            shape = given.sizes if given and given.kind == "image" else ()
            by_name = not shape and bool(found.manifest.inputs or given)
            if by_name:
                self.inputs.show(found)
        if by_name != self._by_name:
            self._by_name = by_name
            self._left.children = (self.inputs.widget,) if by_name else (self.picture, self._picture)
            self.sizes.layout.display = "none" if by_name else ""
            self._forget()
        height, width, channels = (*shape,) if len(shape) == 3 else ("", "", "")
        self.width.value, self.height.value, self.channels.value = str(width), str(height), str(channels)
        for field in (self.width, self.height, self.channels):  # those of a published model are its own
            field.disabled = self._is_live
        if (
            self._follows
            and not by_name
            and self.picture.value == DRAWING
            and self.canvas.drawing is not None
        ):
            self._following.ask()

    def _lost(self, error: BadInput) -> None:
        self.message.fail(error, "The upload")

    def _uploaded(self, upload: FileButton) -> None:
        target = self.uploaded if upload is self.file else self.model_uploaded
        if upload.value:
            file = upload.value[0]
            size = f"{file['size'] / 1e3:,.0f} kB"
            target.html = f'<p class="wb-caption">{escape(file["name"])}, {size}</p>' + _preview(file)
        if upload is self.file and self._is_live and upload.value:
            self.ask.press()

    # Asking

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
            self._answer()
        except Exception:
            self.answer.html = ""  # no answer to another question stands below an error
            raise

    def _answer(self) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            aside = Path(temporary)
            image = None if self._by_name else self._image(aside)
            model, name = self._asked_model(aside)
            how = self._how()
            began = time.perf_counter()
            said = self._choice.backend.serve(image, model=model, model_name=name, how=how)
            took_s = time.perf_counter() - began
        labels: Sequence[str] = ()
        ink = False
        if self._is_live:
            manifest = models.find(str(self.published.value), self._workbench.settings).manifest
            labels, ink = manifest.labels, manifest.preprocessing == "mnist"
        self.answer.html = show_answer(said, labels, took_s, ink=ink) + show_outputs(said)

    def _how(self) -> How:
        size = [field.value.strip() for field in (self.width, self.height, self.channels)]
        wanted = "x".join(size) if any(size) else ""
        if self._by_name:
            return How(inputs=self.inputs.values())
        if self._is_live:  # ours says all else itself
            return How(wanted)
        texts = (field.value.strip() for field in (self.signature, self.output, self.range))
        return How(wanted, self.layout.value, *texts)

    def _image(self, aside: Path) -> str | Path:
        kind = self.picture.value
        if kind == URL:
            return _filled(self.url.value, "give the picture's URL")
        if kind == UPLOAD:
            return _keep(self.file, aside / "picture", "choose a picture first")
        ink = self.canvas.drawing
        if ink is None:
            raise BadInput("draw something first")
        return data_url(ink)

    def _asked_model(self, aside: Path) -> tuple[Source | None, str | None]:
        """Give the model as ``serve`` takes it: a URL or a file, and a name."""
        kind = self.source.value
        if kind == PUBLISHED:
            if self.published.value is None:
                raise BadInput("no model is published yet; train one, or bring one by URL or as a zip")
            return self._ours(models.find(self.published.value, self._workbench.settings))
        labels = self.labels.value or None
        if kind == BY_URL:
            url = _filled(self.model_url.value, "give the model's URL")
            return url, labels
        return _keep(self.model_file, aside / "model", "choose a zip first"), labels

    def _ours(self, version: Version) -> tuple[Source | None, str | None]:
        """Name a version that serves; else send it there, and ask it by a link."""
        state = deployment_state(version, self._served)
        if state == "deployed" or state.startswith("canary"):
            return None, str(version)
        key = (self._choice.where, str(version))
        if key not in self._links:
            self._links[key] = self._choice.backend.link(version)
        return self._links[key], None


def _preview(file: Mapping[str, Any]) -> str:
    """Show an uploaded picture, if it is one that browsers show."""
    content = bytes(file["content"])
    kind = next((kind for magic, kind in SHOWN.items() if content.startswith(magic)), "")
    if not kind or len(content) > MOST_SHOWN:
        return ""
    url = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return f'<img class="wb-uploaded" alt="The picture that you chose" src="{url}">'


def _filled(text: str, otherwise: str) -> str:
    if not text.strip():
        raise BadInput(otherwise)
    return text.strip()


def _keep(upload: FileButton, folder: Path, otherwise: str) -> Path:
    """The uploaded file, written into a folder."""
    if not upload.value:
        raise BadInput(otherwise)
    file = upload.value[0]
    folder.mkdir()
    path = folder / (PurePosixPath(file["name"]).name or "file")
    path.write_bytes(bytes(file["content"]))
    return path
