"""A request as a sweep: which settings, which values, how many trials; estimated first, then started."""

from collections.abc import Callable, Mapping

import ipywidgets

from workbench.errors import BadInput, RecipeError
from workbench.recipes import Recipe, capitals
from workbench.ui.as_code import AsCode
from workbench.ui.as_code import lines as as_code
from workbench.ui.cluster.fields import whole_number
from workbench.ui.cluster.sweeps.settings import SettingFields
from workbench.ui.draft import SWEEP
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.formats import duration, money
from workbench.ui.widgets.pieces import Html, banner
from workbench.ui.widgets.visitor.browser import Browser
from workbench.verbs import sweeps
from workbench.verbs.requests import Request
from workbench.verbs.sweeps import Asked, Forecast, Sweeps
from workbench.verbs.workbench import Workbench

METHODS = {
    "as fits": "",
    "grid: each combination": "grid",
    "random": "random",
    "TPE: learns from trials": "tpe",
}
FIRST = "Press Estimate sweep first: it says how long all of it takes, and what it costs"
HELP = (
    '<p class="wb-caption">Trains this request again and again with other values of the recipe\'s settings, each time as a '
    "job, and makes the best a version of the model. Write values as <code>32,64</code>, a range as "
    "<code>0..0.5</code> or <code>1e-4..1e-2:log</code>, in steps as <code>16..256:16</code>.</p>"
)


class SweepForm:
    """A fold below the request.

    Parameters
    ----------
    recipe
        Gives the code as it stands in the editors.
    request
        Gives what each trial asks for; raises ``BadInput`` where that cannot be.
    begun
        Called with the id of each sweep that was started.
    failed
        Called with an error of the recipe, so that its line is marked.
    offered
        Gives the name of the recipe that the code is, where it was not changed; else an empty text.
    """

    def __init__(
        self,
        workbench: Workbench,
        known: Sweeps,
        *,
        recipe: Callable[[], Recipe],
        request: Callable[[], Request],
        begun: Callable[[str], None],
        failed: Callable[[RecipeError], None],
        offered: Callable[[], str] = lambda: "",
    ) -> None:
        self._workbench, self._known, self._offered = workbench, known, offered
        self._recipe, self._request, self._begun, self._failed = recipe, request, begun, failed
        self._foretold: Asked | None = None
        self.message = Message()
        self.settings = SettingFields(self._changed)
        self._browser: Browser | None = None
        self.as_code = AsCode(lambda: [as_code.sweep(self._read(), self._offered())], "This sweep")
        self.method = ipywidgets.Dropdown(options=METHODS, description="Search")
        self.trials = ipywidgets.Text("", description="Trials", placeholder="all of a grid, else 20")
        self.at_once = ipywidgets.Text("", description="At a time", placeholder="as the queue lets")
        self.max_price = ipywidgets.Text("", description="At most, in all ($)", placeholder="no cap")
        self.estimate = Action(
            "Estimate sweep",
            self._estimate,
            self.message,
            working="Estimating …",
            doing="Without a former job of this code, it is tried on one batch, which takes a while …",
            tooltip="How long all trials take, and what they cost",
        )
        self.start = Action(
            "Start sweep",
            self._start,
            self.message,
            working="Starting …",
            tooltip="Queue the trials, one after the other; it goes on when you close this page",
        )
        self._more = {
            "method": self.method,
            "trials": self.trials,
            "at_once": self.at_once,
            "max_price": self.max_price,
        }
        for field in self._more.values():
            field.observe(lambda _: self._changed(), "value")
        how = ipywidgets.Box([*self._more.values()])
        how.add_class("wb-form")
        buttons = ipywidgets.HBox([self.estimate.widget, self.start.widget])
        buttons.add_class("wb-buttons")
        parts = [Html(HELP), self.settings.widget, how, self.message, buttons, self.as_code]
        inside = ipywidgets.VBox(parts)
        self.widget = ipywidgets.Accordion([inside], titles=["Sweep: try other values of its settings"])
        self.widget.add_class("wb-fold")
        self.widget.observe(lambda _: self.refresh(), "selected_index")
        self.forget()

    def keep_in(self, browser: Browser) -> None:
        """Keep what is typed in the visitor's browser from now on, and put in what it kept."""
        browser.on_ready(lambda: self._restore(browser))

    def refresh(self) -> None:
        """Read the recipe's settings again, if anybody looks; of code that is half typed the last ones stay."""
        if self.widget.selected_index is None:
            return
        try:
            self.settings.show(capitals.capitals(self._recipe()))
        except (BadInput, SyntaxError, ValueError):
            return
        finally:
            self.as_code.refresh()

    def forget(self) -> None:
        """Take back what was estimated: something else is asked for now."""
        self._foretold = None
        self.start.allow(False, FIRST)

    def _restore(self, browser: Browser) -> None:
        self._browser = None  # what is put in here is there already
        kept = browser[SWEEP]
        if isinstance(kept, Mapping):
            settings = kept.get("settings")
            if isinstance(settings, Mapping):
                self.settings.put({str(name): str(text) for name, text in settings.items()})
            for name, field in self._more.items():
                text = str(kept.get(name) or "")
                if not isinstance(field, ipywidgets.Dropdown) or text in METHODS.values():
                    field.value = text
        self._browser = browser

    def _changed(self) -> None:
        self.forget()
        self.as_code.refresh()
        if self._browser is not None:
            told = {name: str(field.value or "") for name, field in self._more.items()}
            self._browser[SWEEP] = {"settings": self.settings.texts, **told}

    def _asked(self) -> Asked:
        """Read what is asked for, and have the line of the code marked where that is to blame."""
        try:
            return self._read()
        except RecipeError as error:
            self._failed(error)
            raise

    def _read(self) -> Asked:
        def number(field: ipywidgets.Text) -> int | None:
            text = field.value.strip()
            return whole_number(field.description.lower(), text, 1) if text else None

        wanted = self.settings.wanted
        if not wanted:
            raise BadInput("say what to try: write values beside at least one setting")
        return sweeps.ask(
            self._request(),
            wanted,
            sweeps.Options(
                method=self.method.value or None,
                trials=number(self.trials),
                at_once=number(self.at_once),
                max_price=_dollars(self.max_price.value),
            ),
        )

    def _estimate(self) -> None:
        asked = self._asked()
        found = sweeps.forecast(asked, self._workbench)
        self._foretold = asked
        self.start.allow(True)
        self.message.html = describe(asked, found)

    def _start(self) -> None:
        asked = self._asked()
        if asked != self._foretold:
            self.forget()
            raise BadInput("the request has changed since it was estimated; press Estimate sweep again")
        id = self._known.begin(asked)
        self.forget()
        self.message.done(
            f"{id} has begun", "It stands above the jobs, and goes on when you close this page."
        )
        self._begun(id)


def describe(asked: Asked, found: Forecast) -> str:
    """Show what a sweep takes in all, and how that is known."""
    if not found.trials:
        return banner("Every trial of this sweep has ended", "It stands above the jobs.", kind="note")
    time = "time unknown" if found.seconds is None else f"about {duration(found.seconds)} in all"
    price = "price unknown" if found.price is None else f"about {money(found.price)}"
    if found.price == 0:
        price = "costs nothing: this computer"
    said = f"By {asked.method}, {found.at_once} at a time. {found.basis[0].upper()}{found.basis[1:]}."
    if asked.options.max_price is not None:
        said += f" It ends when the trials have cost {money(asked.options.max_price)}."
    return banner(f"{found.trials} trials: {time}; {price}", said, kind="note")


def _dollars(text: str) -> float | None:
    text = text.strip().removeprefix("$").strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise BadInput(f"what it may cost: US dollars, such as 2.50. Received: {text[:40]!r}") from None
