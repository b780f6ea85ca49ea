"""Which model is asked: one that is published here, one by its URL, or one that is uploaded; and what is said of its form."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

import ipywidgets

from workbench.backends.how import How
from workbench.backends.values import Deployment, Source
from workbench.errors import BadInput, WorkbenchError
from workbench.settings import Settings
from workbench.ui.file_button import FileButton
from workbench.ui.serving.models.views import deployment_state
from workbench.ui.serving.predict.given import filled, keep
from workbench.ui.widgets.pieces import Html
from workbench.verbs import models
from workbench.verbs.models import Version

PUBLISHED, BY_URL, ZIP = "Published here", "By its URL", "As a zip"
SETS = ("Mnist", "Cifar10", "FashionMnist")
"""Label sets that ``/serve`` knows."""


class ModelSource:
    """The fields that give a model.

    Parameters
    ----------
    switched
        Called after another way was chosen.
    chosen
        Called after another version was chosen.
    lost
        Called with the error where a file could not be taken.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        switched: Callable[[], None],
        chosen: Callable[[], None],
        lost: Callable[[BadInput], None],
    ) -> None:
        self._settings, self._switched_to, self._told = settings, switched, chosen
        self._preferred: str | None = None
        self._offering = self._is_chosen = False
        """Whether a version is put in here; whether a visitor, or an address, has chosen the one that stands there."""
        self.kind = ipywidgets.ToggleButtons(options=[PUBLISHED, BY_URL, ZIP], description="The model")
        self.kind.add_class("wb-choice")
        self.published = ipywidgets.Dropdown(options=[], description="Name and version")
        self.url = ipywidgets.Text(description="Model URL", placeholder="https://…/model.zip")
        self.file = FileButton("Choose a zip", lost, accept=".zip,.keras,.onnx")
        self.labels = ipywidgets.Dropdown(
            options=[("the model's own", ""), *((name, name) for name in SETS)], description="Labels"
        )
        self._make_form()
        self.widget = ipywidgets.VBox([self.kind, self._parts])
        self.kind.observe(lambda _: self._switched(), "value")
        self.published.observe(lambda _: self._choose(), "value")
        self.file.observe(lambda _: self._uploaded(), "value")
        self._arrange()

    @property
    def is_published(self) -> bool:
        """Tell whether it is one that is published here, of which the registry knows all."""
        return bool(self.kind.value == PUBLISHED)

    @property
    def version(self) -> Version | None:
        """The published version that is chosen, if it is still there."""
        if not self.is_published or not self.published.value:
            return None
        try:
            return models.find(self.published.value, self._settings)
        except WorkbenchError:
            return None

    def show(self, served: Sequence[Deployment]) -> bool:
        """Offer what is published, what serves first; whether anything changed. A visitor's choice stays."""

        def rank(version: Version) -> tuple[int, str, int]:
            order = {"deployed": 0, "previous": 2, "": 3}
            return order.get(deployment_state(version, served), 1), version.name, -version.version

        there = sorted(models.versions(self._settings), key=rank)
        options = [(_called(version, served), str(version)) for version in there]
        if tuple(options) == tuple(self.published.options):
            return False
        values = [value for _, value in options]
        kept = self.published.value if self._is_chosen else None
        if self._preferred in values:
            kept, self._preferred, self._is_chosen = self._preferred, None, True
        self._offering = True
        try:
            self.published.options = options
            self.published.value = kept if kept in values else next(iter(values), None)
        finally:
            self._offering = False
        return True

    def _choose(self) -> None:
        self._is_chosen = self._is_chosen or not self._offering
        self._told()

    def prefer(self, reference: str) -> None:
        """Choose a version, as soon as it is offered."""
        if reference in [value for _, value in self.published.options]:
            self.published.value = reference
        else:
            self._preferred = reference

    def fit(self, sizes: Sequence[int]) -> None:
        """Say which size the model takes; nothing where that is not known. That of a published model is its own."""
        height, width, channels = map(str, sizes) if len(sizes) == 3 else ("", "", "")
        self.width.value, self.height.value, self.channels.value = width, height, channels
        for field in (self.width, self.height, self.channels):
            field.disabled = self.is_published

    def how(self) -> How:
        """What ``serve`` is told of its form; a published one says the rest itself."""
        size = [field.value.strip() for field in (self.width, self.height, self.channels)]
        wanted = "x".join(size) if any(size) else ""
        if self.is_published:
            return How(wanted)
        texts = (field.value.strip() for field in (self.signature, self.output, self.range, self.inputs))
        return How(wanted, self.layout.value, *texts)

    def give(self, aside: Path) -> tuple[Source, str | None]:
        """A model that is brought along, as ``serve`` takes it: a URL or a file in a folder ``aside``, and a label set.

        Raises
        ------
        BadInput
            There is none yet.
        """
        labels = self.labels.value or None
        if self.kind.value == BY_URL:
            return filled(self.url.value, "give the model's URL"), labels
        return keep(self.file, aside / "model", "choose a zip first"), labels

    def _make_form(self) -> None:
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
        self.inputs = ipywidgets.Text(description="Inputs by name", placeholder='{"age": 31, "word": "so"}')
        for field in (self.published, self.url, self.inputs):
            field.add_class("wb-long")
        self.sizes = _form(self.width, self.height, self.channels)
        self.sizes.add_class("wb-sizes")
        self._shown = Html()
        more = ipywidgets.Accordion(
            [_form(self.layout, self.signature, self.output, self.range, self.inputs)],
            titles=["Inputs by name, and what the model does not say"],
        )
        more.add_class("wb-fold")
        self._ways: Mapping[str, list[ipywidgets.Widget]] = {
            PUBLISHED: [_form(self.published)],
            BY_URL: [_form(self.url, self.labels), more],
            ZIP: [self.file, self._shown, _form(self.labels), more],
        }
        self._parts = ipywidgets.VBox()

    def _uploaded(self) -> None:
        if self.file.value:
            file = self.file.value[0]
            size = f"{file['size'] / 1e3:,.0f} kB"
            self._shown.html = f'<p class="wb-caption">{escape(file["name"])}, {size}</p>'

    def _switched(self) -> None:
        self._arrange()
        self._switched_to()

    def _arrange(self) -> None:
        self._parts.children = tuple(self._ways[self.kind.value])


def _called(version: Version, served: Sequence[Deployment]) -> str:
    state = deployment_state(version, served)
    return f"{version} ({state})" if state else str(version)


def _form(*fields: ipywidgets.Widget) -> ipywidgets.Box:
    box = ipywidgets.Box(list(fields))
    box.add_class("wb-form")
    return box
