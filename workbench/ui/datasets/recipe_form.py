"""A recipe made of a data set: which kind of net, and where to go on with it."""

import html
from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets

from workbench.errors import BadInput
from workbench.settings import Settings
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.pieces import banner
from workbench.verbs import datasets

if TYPE_CHECKING:
    from workbench.verbs.datasets import DatasetManifest

WAYS = {
    "plain": "a small net of its own",
    "forecast": "a forecast of later rows, by their date",
    "backbone": "a net that has learned other pictures",
}


class RecipeForm:
    """The button that makes a recipe; where a data set allows more than one kind of net, the choice stands beside it."""

    def __init__(self, settings: Settings, message: Message) -> None:
        self._settings, self._message = settings, message
        self._name = ""
        self.way = ipywidgets.Dropdown(options=[], description="The recipe's net")
        self.backbone = ipywidgets.Text(
            description="Which net", placeholder="a published model, or the path here of a .keras file"
        )
        self.backbone.add_class("wb-long")
        self.way.observe(lambda _: self._arrange(), "value")
        self.fields = ipywidgets.Box([self.way, self.backbone])
        self.fields.add_class("wb-form")
        self.make = Action("Make a recipe", self._make, message)
        self.show(None)

    def show(self, manifest: "DatasetManifest | None") -> None:
        """Offer what can be made of this version."""
        self._name = manifest.name if manifest is not None else ""
        ways = datasets.ways(manifest) if manifest is not None else ()
        options = [(WAYS[way], way) for way in ways]
        if tuple(options) != tuple(self.way.options):
            self.way.options = options
            self.way.value = next(iter(ways), None)  # beginning without options, it has none of its own
        self._arrange()

    def _arrange(self) -> None:
        self.fields.layout.display = "" if len(self.way.options) > 1 else "none"
        self.backbone.layout.display = "" if self.way.value == "backbone" else "none"

    def _make(self) -> None:
        backbone = self.backbone.value.strip() if self.way.value == "backbone" else None
        if backbone == "":
            raise BadInput("say which net has learned other pictures: a published model, such as digits:3")
        top = self._settings.home / "recipes"
        top.mkdir(parents=True, exist_ok=True)
        folder = _free(top, self._name)
        datasets.recipe(
            self._name,
            folder,
            self._settings,
            forecast=self.way.value == "forecast",
            backbone=backbone,
        )
        made = html.escape(folder.name)
        self._message.html = banner(f"The recipe {folder.name} is made", kind="done") + (
            f'<p class="wb"><a href="deploy_cluster.ipynb?recipe={made}" data-recipe="{made}">Train {made} on a cluster</a></p>'
        )


def _free(top: Path, name: str) -> Path:
    """A folder that is not there yet."""
    folder, number = top / name, 2
    while folder.exists():
        folder, number = top / f"{name}-{number}", number + 1
    return folder
