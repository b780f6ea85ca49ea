"""The page of data sets: bring one, look at it, make a recipe of it, remove it."""

import html
from typing import TYPE_CHECKING

import ipywidgets

from workbench.settings import Settings, from_environment
from workbench.ui.as_code import AsCode
from workbench.ui.as_code import lines as as_code
from workbench.ui.datasets.adding import AddingForm
from workbench.ui.datasets.recipe_form import RecipeForm
from workbench.ui.draft import DRAFT
from workbench.ui.widgets import theme
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.formats import megabytes, unix_seconds
from workbench.ui.widgets.pieces import Html, error_banner, waiting, when
from workbench.ui.widgets.poll import Poll
from workbench.ui.widgets.visitor.browser import Browser
from workbench.verbs import datasets
from workbench.verbs.datasets import looking
from workbench.verbs.workbench import Workbench, open_store

if TYPE_CHECKING:
    from workbench.verbs.datasets import DatasetManifest


class Look(Html):
    """A data set as it is looked at."""

    _css = theme.css("cluster") + theme.css("serving") + theme.css("datasets")


class DatasetsPage:
    """The parts of the page, each for a cell of the notebook. What is shown comes from the store of data sets."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self._shown = ""
        self._there: tuple[DatasetManifest, ...] = ()
        self.browser = Browser(DRAFT)
        self.form = AddingForm(workbench, self._added)
        self.message, self.look = Message(), Look(waiting("No data set was added yet."))
        self.choice = ipywidgets.Dropdown(options=[], description="Data set")
        self.choice.add_class("wb-long")
        self.choice.observe(lambda _: self._show_chosen(), "value")
        self.recipe = RecipeForm(workbench.settings, self.message)
        self.remove = Action(
            "Remove",
            self._remove,
            self.message,
            confirm=lambda: f"Remove {html.escape(self.choice.value or '')} for good?",
            danger=True,
        )
        self.as_code = AsCode(lambda: as_code.dataset(self.choice.value) if self.choice.value else ())
        self.poll: Poll[tuple[DatasetManifest, ...]] = Poll(
            lambda: tuple(datasets.versions(workbench.settings)), browser=self.browser
        )
        self.poll.follow(self._follow)
        self.poll.on_problem(self._tell)

    def adding_part(self) -> ipywidgets.Widget:
        """The form that adds a data set."""
        return self._part(self.form.widget)

    def datasets_part(self) -> ipywidgets.Widget:
        """What there is."""
        form = ipywidgets.Box([self.choice])
        form.add_class("wb-form")
        buttons = ipywidgets.HBox([self.recipe.make.widget, self.remove.widget])
        buttons.add_class("wb-start")
        whole = ipywidgets.VBox([form, self.look, self.recipe.fields, buttons, self.as_code, self.message])
        for name in ("wb", "wb-card", "wb-wide", "wb-datasets"):
            whole.add_class(name)
        return self._part(whole)

    def _part(self, *widgets: ipywidgets.Widget) -> ipywidgets.Widget:
        """Put widgets together; from now on the page is kept up to date."""
        self.poll.start()
        part = ipywidgets.VBox([self.browser, *widgets])
        part.add_class("wb").add_class("wb-part-of-page")
        return part

    def _follow(self, there: "tuple[DatasetManifest, ...]") -> None:
        self._there = there
        options = [str(one) for one in reversed(there)]
        if tuple(options) != tuple(self.choice.options):
            kept = self.choice.value
            self.choice.options = options
            self.choice.value = kept if kept in options else next(iter(options), None)
        for action in (self.recipe.make, self.remove):
            action.allow(bool(options), "add a data set first")
        self._show_chosen()

    def _show_chosen(self) -> None:
        name = self.choice.value or ""
        found = next((one for one in self._there if str(one) == name), None)
        self.recipe.show(found)
        if found is None:
            self._shown, self.look.html = "", waiting("No data set was added yet.")
            return
        if name == self._shown:
            return
        self._shown = name
        self.as_code.refresh()
        self.look.html = waiting(f"Opening {name} …", working=True)
        try:
            shown = looking.look(found, self.workbench.settings).html
            made = datasets.made_of(found, self.workbench.settings, self.workbench.store)
        except Exception as error:
            self.look.html = error_banner(error, f"Opening {name}")
            return
        self.look.html = shown.removesuffix("</div>") + _about(found, made) + "</div>"

    def _added(self, made: "DatasetManifest") -> None:
        self._follow(tuple(datasets.versions(self.workbench.settings)))
        self.choice.value = str(made)

    def _remove(self) -> str:
        gone = datasets.remove(self.choice.value or "", self.workbench.settings, self.workbench.store)
        self._follow(tuple(datasets.versions(self.workbench.settings)))
        return f"{gone} is removed"

    def _tell(self, error: Exception | None) -> None:
        if error is not None:
            self.message.html = error_banner(error, "Reading the data sets")


def _about(found: "DatasetManifest", made: datasets.Made) -> str:
    twice = found.duplicates
    rows = [
        ("source", found.source),
        ("licence", found.licence or "not said"),
        ("size", f"{megabytes(found.bytes)} in {len(found.shards)} files"),
        ("test part", f"by {found.split.by} {found.split.column}".strip()),
        (
            "duplicates",
            "not compared, there are too many examples"
            if twice.train is None
            else f"{twice.train:,} in train, {twice.test:,} in test, {twice.between:,} of the test part in train too",
        ),
        ("made of it", str(made)),
        ("sha256", found.sha256),
        *(("note", note) for note in found.notes),
    ]
    cells = f"<dt>added</dt><dd>{when(unix_seconds(found.created))}</dd>"
    cells += "".join(f"<dt>{name}</dt><dd>{html.escape(text)}</dd>" for name, text in rows)
    use = html.escape(
        f'from workbench import datasets\n\n(x, y), (x_test, y_test) = datasets.load("{found.name}")'
    )
    return f"<dl>{cells}</dl><pre>{use}</pre>"


def open_datasets_page(settings: Settings | None = None) -> DatasetsPage:
    """Open the page of the workbench that the environment names."""
    settings = settings or from_environment()
    return DatasetsPage(Workbench(settings, open_store(settings)))
