"""The code of a request: begun with a recipe that is offered or uploaded, edited, and tried on one batch."""

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path

import ipywidgets

from workbench.errors import BadInput, RecipeError, WorkbenchError
from workbench.recipes import FIELDS, Recipe, checking
from workbench.recipes.importing import Proposal
from workbench.tasks.check import Checked
from workbench.tasks.child import Stopped
from workbench.ui.cluster.request.beside import FilesBeside
from workbench.ui.cluster.request.packages import PackagesNote
from workbench.ui.file_button import FileButton
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.editor import CodeEditor, Mark
from workbench.ui.widgets.pieces import banner
from workbench.verbs import recipes
from workbench.verbs.workbench import Workbench

TABS = {
    "preprocessing": "Data preprocessing",
    "training": "Training algorithm",
    "helpers": "Additional helpers",
    "requirements": "Packages",
}
ORIGINAL, CHANGED = "Back to the original", "Back to my changes"
CHECKING = "Trying the code on one batch. The first time TensorFlow is loaded, which takes a while …"


class RecipeForm:
    """Editors for the three pieces of code, and a button that tries them.

    Parameters
    ----------
    workers
        Gives for how many workers the code is tried; raises ``BadInput`` where that is no number.
    began
        Called with the name and the code of the recipe that a visitor chose to begin with.
    uploaded
        Called with code that a visitor uploaded.
    changed
        Called after each change of the code.
    """

    def __init__(
        self,
        workbench: Workbench,
        message: Message,
        *,
        workers: Callable[[], int],
        began: Callable[[str, Recipe], None],
        uploaded: Callable[[Recipe], None],
        changed: Callable[[], None],
    ) -> None:
        self._workbench, self._message, self._workers = workbench, message, workers
        self._began, self._uploaded = began, uploaded
        self._checked: dict[str, Checked] = {}
        self._showing = False
        self._slipped: str | None = None
        """The field that is marked for a fault of syntax."""
        self._origin = ""
        self._changes: dict[str, Recipe] = {}
        """What a visitor made of each recipe, by its name; ``""`` for code of their own."""
        self._originals: dict[str, Recipe] = {}
        self.offered: Mapping[str, Path] = recipes.offered(workbench.settings)
        self.start = ipywidgets.Dropdown(
            options=_options(self.offered),
            description="Begin with",
        )
        self.upload = FileButton(
            "Upload",
            lambda error: message.fail(error, "The upload"),
            most=recipes.MAX_UPLOAD,
            multiple=True,
            tooltip="A notebook (also one that trains with model.fit), a zip, or preprocessing.py and training.py take the place "
            "of the code; any other file, such as rows.csv or mylib.py, goes beside it",
        )
        self.beside = FilesBeside(self._change)
        self.editor = CodeEditor(TABS, label="Recipe", look=self._typed)
        self.check = Action(
            "Check",
            self._check,
            message,
            working="Checking …",
            doing=CHECKING,
            tooltip="Try the code on one batch",
            stoppable=True,
        )
        self.other = ipywidgets.Button(description=ORIGINAL)
        self.other.on_click(lambda _: self._switch())
        self.other.layout.display = "none"
        beginning = ipywidgets.HBox([self.start, self.upload, self.other])
        beginning.add_class("wb-start")
        self.packages = PackagesNote(self.editor)
        self.widgets = (beginning, self.editor, self.packages.widget, self.beside.widget)
        self._changed = changed
        self.editor.observe(lambda _: self._change(), "values")
        self.start.observe(lambda change: self._choose(change["new"]), "value")
        self.upload.observe(lambda _: self._take_upload(), "value")

    @property
    def recipe(self) -> Recipe:
        """The code in the editors."""
        code = {field: self.editor.values[field] for field in FIELDS}
        return Recipe(**code, requirements=self.editor.values["requirements"], files=self.beside.files)

    @property
    def unchanged(self) -> str:
        """The name of the recipe that stands there as it was; empty where it was changed."""
        return "" if self._is_changed() else self._origin

    def offer_again(self) -> None:
        """Offer the recipes that there are now; what was begun with stays."""
        found = recipes.offered(self._workbench.settings)
        if [*found] == [*self.offered]:
            return
        self.offered, kept = found, self.start.value
        self._showing = True
        try:
            self.start.options = _options(found)
            self.start.value = kept if kept in found else ""
        finally:
            self._showing = False
        self._origin = str(self.start.value)
        self._offer_other()

    def read(self, name: str) -> Recipe:
        """Read a recipe that is offered; raises ``BadInput`` where none has this name."""
        if name not in self.offered:
            raise BadInput(f"no recipe is called {name!r} here")
        return recipes.kept(recipes.read(self.offered[name]), self._workbench.settings)

    def show(self, recipe: Recipe, start: str) -> None:
        """Put code into the editors, and the name of the recipe that it began with.

        What a visitor had made of another one is there again when that is chosen.
        """
        if self._is_changed():
            self._changes[self._origin] = self.recipe
        self._showing = True
        try:
            self.start.value = start if start in self.offered else ""
        finally:
            self._showing = False
        self._origin = str(self.start.value)
        self.beside.show(recipes.located(recipe, self._workbench.settings).files)
        self.editor.show({field: getattr(recipe, field) for field in TABS})
        self._offer_other()

    def mark(self, error: RecipeError | None) -> None:
        """Mark the line that an error is about; ``None`` takes all marks away."""
        self.packages.offer("" if error is None else str(error))
        is_slip = error is not None and isinstance(error.__cause__, SyntaxError)
        self._slipped = error.field if error is not None and is_slip else None
        if error is None:
            self.editor.mark({})
        else:
            field = error.field if error.field in TABS else "training"
            self.editor.mark({field: [Mark(error.line, str(error))]})

    def _typed(self, field: str, text: str) -> Mark | None:
        """Find a fault of syntax in what is typed; where there is none, the mark of an earlier one goes."""
        slip = None if field == "requirements" else checking.find_slip(text, f"{field}.py")
        if slip is None and self._slipped == field:
            self.mark(None)
        return None if slip is None else Mark(slip.line, slip.message)

    def found(self, recipe: Recipe) -> Checked | None:
        """Give what a check of this very code found on this page."""
        return self._checked.get(recipe.sha256)

    def _choose(self, name: str) -> None:
        """Begin with another recipe; what was changed in this one is there when it is chosen again."""
        if self._showing:
            return
        kept = self._changes.get(name)
        if kept is not None:
            self._began(name, kept)
        elif name:
            self._began(name, self.read(name))
        else:
            self.show(self.recipe, "")

    def _is_changed(self) -> bool:
        """Tell whether the editors hold something else than the recipe that was begun with."""
        if not self._origin:
            return bool(self.beside.files) or any(self.editor.values[field].strip() for field in TABS)
        if self._origin not in self._originals:
            self._originals[self._origin] = self.read(self._origin)
        return self.recipe != self._originals[self._origin]

    def _change(self) -> None:
        self._offer_other()
        self._changed()

    def _switch(self) -> None:
        """Show the recipe as it was, or again as it was changed."""
        if self._is_changed():
            self._began(self._origin, self.read(self._origin))
        elif self._origin in self._changes:
            self._began(self._origin, self._changes[self._origin])

    def _offer_other(self) -> None:
        changed = bool(self._origin) and self._is_changed()
        self.other.description = ORIGINAL if changed else CHANGED
        self.other.layout.display = (
            "" if changed or (self._origin and self._origin in self._changes) else "none"
        )

    def _take_upload(self) -> None:
        files = {file["name"]: bytes(file["content"]) for file in self.upload.value}
        if not files:
            return
        settings = self._workbench.settings
        try:
            (name, content), *others = files.items()
            if not others and name.lower().endswith(".ipynb") and not recipes.is_tagged(content):
                self._import(recipes.import_notebook(content, name), name)
            elif recipes.is_code(files):
                self._uploaded(recipes.read_upload(files, settings))
                self._message.done(f"{', '.join(files)} is in the editors")
            else:
                self._take_beside(recipes.with_files(self.recipe, files, settings))
                self._message.done(f"With the code now: {', '.join(files)}")
        except WorkbenchError as error:
            self._message.fail(error, "The upload")
        self.upload.value = ()

    def _import(self, proposal: Proposal, name: str) -> None:
        """Put what a notebook became into the editors, and say what was made of it and what is left to do."""
        self._uploaded(proposal.recipe)
        went = "; ".join(
            f"cell {number}: {', '.join(fields)}" for number, fields in proposal.cells.items() if fields
        )
        notes = "".join(f"<li>{escape(note)}</li>" for note in proposal.notes)
        self._message.html = (
            banner(f"{name} became a recipe", f"Look it through, then press Check. {went}.", kind="done")
            + f'<ul class="wb-notes">{notes}</ul>'
        )

    def _take_beside(self, recipe: Recipe) -> None:
        self.beside.show(recipe.files)
        if recipe.requirements != self.editor.values["requirements"]:
            self.editor.show({"requirements": recipe.requirements})
        self._change()

    def _check(self) -> None:
        recipe = self.recipe
        try:
            found = self._workbench.requests.check(recipe, self._workers(), lambda: self.check.asked_to_stop)
        except Stopped:
            self._message.html = banner("Stopped", "Nothing was found out about the code.", kind="note")
            return
        except RecipeError as error:
            self.mark(error)
            raise
        self._checked[recipe.sha256] = found
        self.mark(None)
        self._message.html = banner("The code works", _describe(found), kind="done")


def _options(offered: Mapping[str, Path]) -> list[tuple[str, str]]:
    return [("your own code", ""), *((name, name) for name in offered)]


def model_name(recipe: str) -> str:
    """Suggest a name for what a recipe makes.

    >>> model_name("00-mnist-cnn")
    'mnist-cnn'
    """
    return recipe.lstrip("0123456789-_") or recipe


def _describe(found: Checked) -> str:
    shape = " × ".join(map(str, found.input_shape)) or "one number"
    examples = "an unknown number of" if found.examples is None else f"{found.examples:,}"
    return (
        f"{examples} examples to learn from, {found.test_examples:,} to be tested on; input {shape}; "
        f"{found.parameters:,} parameters; {found.epochs} epochs of {found.steps_per_epoch:,} steps; a step took "
        f"{1000 * found.step_s:.0f} ms."
    )
