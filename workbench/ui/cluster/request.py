"""The request: which code, on how many machines, under which name; checked, estimated, and trained."""

import time
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import ipywidgets

from workbench import recipes
from workbench.errors import BadInput, RecipeError, WorkbenchError
from workbench.machines import Layout
from workbench.recipes import FIELDS, Recipe
from workbench.tasks.check import Checked, Stopped
from workbench.ui.tutorial.training import duration
from workbench.ui.widgets import theme
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.address import Address
from workbench.ui.widgets.browser import Browser
from workbench.ui.widgets.editor import CodeEditor, Mark
from workbench.ui.widgets.pieces import Html, banner
from workbench.ui.widgets.poll import Newest
from workbench.ui.widgets.requester import Requester
from workbench.verbs import jobs
from workbench.verbs.jobs import Control, Request

TABS = {
    "preprocessing": "Data preprocessing",
    "training": "Training algorithm",
    "helpers": "Additional helpers",
}
PROVIDERS = {"This computer": "local", "Amazon Web Services": "aws"}
OWN = "own machines"
CHECKING = "Trying the code on one batch. The first time TensorFlow is loaded, which takes a while …"
TYPED = ("name", "ps", "workers", "epochs", "type")
"""The fields that one types into."""
INSTANCE_TYPES = ("c5.large", "c5.xlarge", "c5.2xlarge", "m5.large", "m5.xlarge", "g4dn.xlarge")
"""Offered, not required: any type that the provider knows can be typed."""
DRAFT = "draft"
"""What the browser keeps a request under that was not sent yet."""
HANDED = "handed"
"""... and the recipe that a link in JupyterLab led here with: ``{"recipe": name, "t": Unix seconds}``."""
HANDED_FOR_S = 600.0
"""Who comes later comes for something else."""


class Hints(Html):
    """What the request would become, in small words below the fields."""

    _css = theme.css("cluster")


class RequestForm:
    """A form around ``Control.submit``; what stands in it survives a reload.

    Parameters
    ----------
    workbench
        Checks, estimates and submits.
    submitted
        Called with the id of each new job.
    """

    def __init__(
        self,
        workbench: Control,
        requester: Requester,
        browser: Browser,
        address: Address,
        *,
        submitted: Callable[[int], None] = lambda id: None,
    ) -> None:
        self._workbench, self._requester, self._browser = workbench, requester, browser
        self._address, self._submitted = address, submitted
        self._offered = jobs.offered_recipes()
        self._checked: dict[str, Checked] = {}
        self._asked_for = False
        self._filling = False
        self._there: Mapping[str, Mapping[str, Layout]] = {}
        self._make_fields()
        self.message = Message()
        self.check = Action(
            "Check",
            self._check,
            self.message,
            working="Checking …",
            doing=CHECKING,
            tooltip="Try the code on one batch",
            stoppable=True,
        )
        self.estimate = Action(
            "Estimate", self._estimate, self.message, tooltip="How long, and what it costs"
        )
        self.train = Action(
            "Train",
            self._train,
            self.message,
            working="Sending …",
            tooltip="Queue this training",
            primary=True,
        )
        self._lay_out()
        self._hinting = Newest(self._hint)
        self.load(recipes.DEFAULT.stem)
        for field in (*(getattr(self, name) for name in TYPED), self.provider, self.cluster):
            field.observe(lambda _: self._changed(), "value")
        self.editor.observe(lambda _: self._changed(), "values")
        self.cluster.observe(lambda change: self._placed(change["new"]), "value")
        self.provider.observe(lambda _: self._offer(), "value")
        self.start.observe(lambda change: self._chosen(change["new"]), "value")
        self.upload.observe(lambda _: self._uploaded(), "value")
        requester.on_name(lambda _: self._hinting.ask())
        browser.on_ready(self._restore)
        address.on_arrival(self._arrived)
        self._hinting.ask()

    @property
    def recipe(self) -> Recipe:
        """The code in the editors."""
        return Recipe(**{field: self.editor.values[field] for field in FIELDS})

    def load(self, name: str) -> None:
        """Begin with one of the recipes that are offered."""
        self.fill(Request(_model_name(name), "", recipes.read(self._offered[name])), start=name)

    def fill(self, request: Request, start: str = "") -> None:
        """Put a request into the form, as when a job is cloned."""
        self._fill(
            {
                "name": request.name,
                "ps": str(request.ps),
                "workers": str(request.workers),
                "epochs": "" if request.epochs is None else str(request.epochs),
                "provider": request.provider,
                "type": request.instance_type or "",
                "start": start,
                **{field: getattr(request.recipe, field) for field in FIELDS},
            }
        )

    def wanted(self) -> tuple[str, Layout]:
        """The provider and the layout; raises ``BadInput`` where they cannot be."""
        return str(self.provider.value), self._layout()

    def offer(self, standing: Mapping[str, Mapping[str, Layout]]) -> None:
        """The standing clusters, by provider and name, on which the job may run."""
        if standing != self._there:
            self._there = standing
            self._offer()

    def _offer(self) -> None:
        self.type.layout.display = "none" if self.provider.value == "local" else ""
        names = ["", *self._there.get(str(self.provider.value), {})]
        options = tuple((name or OWN, name) for name in names)
        if options != tuple(self.cluster.options):
            kept = self.cluster.value
            self.cluster.options = options
            self.cluster.value = kept if kept in names else ""

    def _placed(self, name: str) -> None:
        """A standing cluster has its own layout."""
        layout = self._there.get(str(self.provider.value), {}).get(name)
        if layout is not None:
            self.ps.value, self.workers.value = str(layout.ps), str(layout.workers)

    def refresh(self) -> None:
        """Say again what would become of the request: others may have taken the name or the machines."""
        self._hinting.ask()

    def _make_fields(self) -> None:
        self.start = ipywidgets.Dropdown(
            options=[("your own code", ""), *((name, name) for name in self._offered)],
            description="Begin with",
        )
        self.upload = ipywidgets.FileUpload(accept=".ipynb,.zip,.py", multiple=True, description="Upload")
        self.upload.tooltip = "A notebook, a zip, or helpers.py, preprocessing.py and training.py"
        self.editor = CodeEditor(TABS, label="Recipe")
        self.name = ipywidgets.Text(description="Model name")
        self.ps = ipywidgets.Text("0", description="Parameter servers")
        self.workers = ipywidgets.Text("1", description="Workers")
        self.epochs = ipywidgets.Text("", description="Epochs", placeholder="as the code says")
        self.provider = ipywidgets.Dropdown(options=PROVIDERS, description="Machines")
        self.type = ipywidgets.Combobox(
            description="Instance type",
            placeholder="the usual one",
            options=INSTANCE_TYPES,
            ensure_option=False,
        )
        self.type.layout.display = "none"
        self.cluster = ipywidgets.Dropdown(options=[(OWN, "")], description="Run on")
        self.name.add_class("wb-name")
        self.hints = Hints()

    def _lay_out(self) -> None:
        start = ipywidgets.HBox([self.start, self.upload])
        start.add_class("wb-start")
        form = ipywidgets.Box(
            [self.name, self.ps, self.workers, self.epochs, self.provider, self.type, self.cluster]
        )
        form.add_class("wb-form")
        buttons = ipywidgets.HBox([a.widget for a in (self.train, self.check, self.estimate)])
        buttons.add_class("wb-buttons")
        self.widget = ipywidgets.VBox([start, self.editor, form, self.hints, buttons, self.message])
        self.widget.add_class("wb").add_class("wb-card").add_class("wb-wide")

    # What stands in the form

    def _request(self) -> Request:
        """The request as it stands; raises ``BadInput`` with words for the field that is wrong."""
        if not self._requester.name:
            raise BadInput("say who you are first, at the top of the page: jobs carry a name")
        epochs = self.epochs.value.strip()
        return Request(
            name=self.name.value.strip(),
            requester=self._requester.name,
            recipe=self.recipe,
            ps=whole("parameter servers", self.ps.value, 0),
            workers=whole("workers", self.workers.value, 1),
            epochs=whole("epochs", epochs, 1) if epochs else None,
            provider=str(self.provider.value),
            cluster=self.cluster.value or None,
            instance_type=self._type(),
        )

    def _changed(self) -> None:
        if self._filling:
            return
        if self._browser.ready:
            self._browser[DRAFT] = self._draft()
        self._hinting.ask()

    def _draft(self) -> dict[str, str]:
        fields = {name: getattr(self, name).value for name in (*TYPED, "provider")}
        return {**fields, "start": self.start.value, **self.editor.values}

    def _fill(self, draft: Mapping[str, Any]) -> None:
        self._filling = True
        try:
            for name in TYPED:
                getattr(self, name).value = str(draft.get(name, ""))
            if draft.get("provider") in PROVIDERS.values():
                self.provider.value = draft["provider"]
            self.start.value = draft["start"] if draft.get("start") in self._offered else ""
            self.editor.show({field: str(draft.get(field, "")) for field in FIELDS})
        finally:
            self._filling = False
        self._changed()

    def _restore(self) -> None:
        handed, draft = self._browser[HANDED], self._browser[DRAFT]
        self._browser[HANDED] = None
        if isinstance(handed, dict) and _is_new(handed.get("t")):
            self._arrived({"recipe": str(handed.get("recipe"))})
        if isinstance(draft, dict) and not self._asked_for:
            self._fill(draft)

    def _arrived(self, values: dict[str, str]) -> None:
        if (name := values.get("recipe")) is None:
            return
        self._address.put("recipe", None)
        if name in self._offered:
            self._asked_for = True
            self.load(name)
        else:
            self.message.fail(BadInput(f"no recipe is called {name!r} here"), "Loading the recipe")

    def _chosen(self, name: str) -> None:
        if self._filling or not name:
            return
        kept = {n: getattr(self, n).value for n in (*TYPED, "provider") if n != "name"}
        recipe = recipes.read(self._offered[name])
        code = {field: getattr(recipe, field) for field in FIELDS}
        self._fill({**kept, "name": _model_name(name), "start": name, **code})
        self.message.clear()

    def _uploaded(self) -> None:
        files = {file["name"]: bytes(file["content"]) for file in self.upload.value}
        if not files:
            return
        try:
            recipe = jobs.read_upload(files)
        except WorkbenchError as error:
            self.message.fail(error, "The upload")
        else:
            code = {field: getattr(recipe, field) for field in FIELDS}
            self._fill({**self._draft(), "start": "", **code})
            self.message.done(f"{', '.join(files)} is in the editors")
        self.upload.value = ()

    # What the buttons do

    def _check(self) -> None:
        try:
            workers = whole("workers", self.workers.value, 1)
            found = self._try(workers)
        except Stopped:
            self.message.html = banner("Stopped", "Nothing was found out about the code.", kind="note")
            return
        except RecipeError as error:
            self._mark(error)
            raise
        self.editor.mark({})
        self.message.html = banner("The code works", _describe(found), kind="done")

    def _try(self, workers: int) -> Checked:
        recipe = self.recipe
        found = self._workbench.check(recipe, workers, lambda: self.check.asked_to_stop)
        self._checked[recipe.sha256] = found
        return found

    def _estimate(self) -> None:
        request = self._request()
        found = self._workbench.estimate(request, self._checked.get(request.recipe.sha256))
        time = "Nobody knows how long" if found.seconds is None else f"About {duration(found.seconds)}"
        price = "price unknown" if found.price is None else f"about ${found.price:.2f}"
        if found.price == 0:
            price = "costs nothing: this computer"
        said = " ".join(f"{text[0].upper()}{text[1:]}." for text in (found.basis, found.hint) if text)
        self.message.html = banner(f"{time}; {price}", said, kind="note")

    def _train(self) -> None:
        try:
            request = self._request()
            id = self._workbench.submit(request)
        except RecipeError as error:
            self._mark(error)
            raise
        self.editor.mark({})
        self.message.html = banner(f"Job {id} is in the queue", "It is opened below.", kind="done")
        self._submitted(id)
        self._hinting.ask()

    def _mark(self, error: RecipeError) -> None:
        field = error.field if error.field in FIELDS else "training"
        self.editor.mark({field: [Mark(error.line, str(error))]})

    # What it would become

    def _hint(self) -> None:
        lines = [self._hint_name(), self._hint_machines(), self._hint_limits()]
        wrong = [line for line in lines if "wb-bad" in line]
        if not self._requester.name:
            lines.append("<b>Say who you are</b>, at the top of the page, to train")
        self.hints.html = f'<ul class="wb-hints">{"".join(f"<li>{line}</li>" for line in lines)}</ul>'
        if not self._requester.name:
            self.train.allow(False, "Say who you are first, at the top of the page")
        else:
            self.train.allow(not wrong, "Something above cannot be: see the words in red")

    def _hint_name(self) -> str:
        name = self.name.value.strip()
        try:
            return f"Will become <b>{escape(name)}:{self._workbench.next_version(name)}</b>"
        except WorkbenchError as error:
            return _bad(error if name else "give the model a name")

    def _hint_machines(self) -> str:
        try:
            layout = self._layout()
            plan = self._workbench.plan(str(self.provider.value), layout)
        except WorkbenchError as error:
            return _bad(error)
        kinds = [("chief", min(1, layout.ps)), ("parameter server", layout.ps), ("worker", layout.workers)]
        machines = ", ".join(f"{n} {kind}{'' if n == 1 else 's'}" for kind, n in kinds if n)
        how = "asynchronous" if layout.ps else "one process" if layout.workers == 1 else "synchronous"
        return f"<b>{machines}</b>, {how}, {plan.price}"

    def _layout(self) -> Layout:
        if epochs := self.epochs.value.strip():
            whole("epochs", epochs, 1)
        ps, workers = whole("parameter servers", self.ps.value, 0), whole("workers", self.workers.value, 1)
        return Layout(ps, workers, self._type())

    def _type(self) -> str | None:
        """The instance type, where the provider has types and one is asked for."""
        return (self.type.value.strip() or None) if self.provider.value != "local" else None

    def _hint_limits(self) -> str:
        try:
            limits = self._workbench.limits(self._requester.name)
        except WorkbenchError as error:
            return _bad(error)
        most = f"{_jobs(limits.cap)} at a time, {limits.per_requester} of each requester"
        if limits.running >= limits.cap:
            return f"{most}: <b>would wait</b>, {limits.running} run and {limits.waiting} wait"
        if limits.mine_running >= limits.per_requester:
            return f"{most}: <b>would wait</b> for yours that runs"
        return f"{most}: <b>starts at once</b>"


def _jobs(count: int) -> str:
    return f"{count} job{'' if count == 1 else 's'}"


def _bad(error: object) -> str:
    return f'<span class="wb-bad">{escape(str(error))}</span>'


def whole(what: str, text: str, least: int) -> int:
    """The number in a field, with words for what is wrong with it: raises ``BadInput``."""
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 7) or int(text) < least:
        raise BadInput(f"{what}: a whole number from {least}. Received: {text or 'nothing'}")
    return int(text)


def _model_name(recipe: str) -> str:
    """A name for what a recipe makes: ``00-mnist-cnn`` makes ``mnist-cnn``."""
    return recipe.lstrip("0123456789-_") or recipe


def _describe(found: Checked) -> str:
    shape = " × ".join(map(str, found.input_shape)) or "one number"
    examples = "an unknown number of" if found.examples is None else f"{found.examples:,}"
    return (
        f"{examples} examples to learn from, {found.test_examples:,} to be tested on; input {shape}; "
        f"{found.parameters:,} parameters; {found.epochs} epochs of {found.steps_per_epoch:,} steps; a step took "
        f"{1000 * found.step_s:.0f} ms."
    )


def _is_new(t: Any) -> bool:
    return isinstance(t, int | float) and abs(time.time() - t) < HANDED_FOR_S
