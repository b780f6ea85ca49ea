"""One version: what it is, how good, since when it serves; deploy it, start a canary, roll back, download."""

from collections.abc import Callable
from html import escape

import ipywidgets

from workbench.errors import BadInput, NotFound, WorkbenchError
from workbench.ui import evaluations
from workbench.ui.as_code import AsCode, Line
from workbench.ui.as_code import lines as as_code
from workbench.ui.deploying import deploy_action, deployed
from workbench.ui.film import Film
from workbench.ui.film import read as read_film
from workbench.ui.serving.choice import BackEndChoice
from workbench.ui.serving.models import views as version_views
from workbench.ui.serving.snapshot import Snapshot
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.pieces import Html, banner
from workbench.ui.widgets.visitor.requester import Requester
from workbench.verbs.models import Version

NEEDED = "Say why, in a few words, to deploy: the history keeps it"


class VersionPage:
    """Shows one version at a time, and changes what the chosen back end answers with.

    Parameters
    ----------
    changed
        Called when something was deployed or rolled back.
    closed
        Called when the visitor closes the page.
    """

    def __init__(
        self,
        choice: BackEndChoice,
        requester: Requester,
        changed: Callable[[], None],
        *,
        closed: Callable[[], None],
    ) -> None:
        self._choice, self._requester, self._changed = choice, requester, changed
        self._version: Version | None = None
        self.snapshot = Snapshot(choice.turn, asking=True)
        self.head, self.facts, self.links = Html(), Html(), Html()
        self.missing = Html()
        self.history, self.evaluation = Html(), Html()
        self.message = Message()
        self.film = Film()
        self._make_actions()
        self.as_code = AsCode(self._lines)
        for field in (self.reason, self.canary):
            field.observe(lambda _: self.as_code.refresh(), "value")
        self._lay_out(closed)
        requester.on_name(lambda _: self._allow())

    def show(self, version: Version | None) -> bool:
        """Show a version, or none; whether that is another one than before."""
        another = str(version or "") != str(self._version or "")
        if another:
            self.message.clear()
            kept = read_film(version) if version else None
            self.film.clear() if kept is None else self.film.show(kept)
        self._version = version
        self.widget.layout.display = "" if version else "none"
        if version is None:
            return another
        self._allow()  # before the version is in sight
        state = version_views.deployment_state(version, self.snapshot.models)
        self.canary.placeholder = "100; 0 ends the canary" if state.startswith("canary") else "100"
        if another:  # neither changes, and both read the form of a page
            self.facts.html, self.links.html = version_views.facts(version), version_views.links(version)
        found = evaluations.published(version)
        self.evaluation.html = (
            f'<details class="wb-more"><summary>Evaluation</summary>{found}</details>' if found else ""
        )
        self._show_history(version.name)
        self.as_code.refresh()
        # Last, so that nothing of the version before stands beneath it.
        self.head.html = version_views.head(version, state)
        return another

    def _show_history(self, name: str) -> None:
        if not any(m.name == name for m in self.snapshot.models):
            self.history.html = ""
            return
        try:
            self.history.html = version_views.history(self._choice.backend.history(name), name)
        except WorkbenchError as error:
            self.history.html = banner("The history cannot be read", str(error))

    # What may be done

    def _make_actions(self) -> None:
        self.reason = ipywidgets.Text(description="Why", placeholder="needed: better on sevens")
        self.reason.observe(lambda _: self._allow(), "value")
        self.canary = ipywidgets.Text(description="Percent of drawings", placeholder="100")
        self.anyway = ipywidgets.Checkbox(
            False, description="Also if it was retrained and is worse", indent=False
        )
        self.deploy = deploy_action(self._deploy, self.message)
        self.rollback = Action(
            "Roll back",
            self._roll_back,
            self.message,
            working="Rolling back …",
            confirm=self._ask_rollback,
            tooltip="Let the version answer again that did before",
        )

    def _lay_out(self, closed: Callable[[], None]) -> None:
        fields = ipywidgets.Box([self.reason, self.canary])
        self.reason.add_class("wb-name")
        fields.add_class("wb-form")
        close = ipywidgets.Button(description="Close", tooltip="Back to the list")
        close.on_click(lambda _: closed())
        buttons = ipywidgets.HBox([self.deploy.widget, self.rollback.widget, self.links, close])
        buttons.add_class("wb-buttons")
        parts = [self.head, self.facts, fields, self.anyway, buttons, self.missing]
        self.widget = ipywidgets.VBox(
            [*parts, self.as_code, self.message, self.history, self.film, self.evaluation]
        )
        self.widget.add_class("wb").add_class("wb-card").add_class("wb-version")
        self.widget.layout.display = "none"

    def _allow(self) -> None:
        version = self._version
        if version is None:
            return
        who = bool(self._requester.name)
        answers = not (self.snapshot.asking or self.snapshot.problem)
        why_not = "Say who you are first, at the top of the page"
        if who:
            why_not = (
                f"Asking {self._choice.name}" if self.snapshot.asking else "The back end does not answer"
            )
        needed = why_not if not (who and answers) else "" if self.reason.value.strip() else NEEDED
        self.deploy.allow(not needed, needed)
        self.missing.html = f'<p class="wb-caption">{escape(needed)}</p>' if needed else ""
        before = self._before(version.name)
        self.rollback.widget.layout.display = "" if before else "none"
        self.rollback.allow(who and answers, why_not)
        corrected = version.manifest.corrections is not None
        self.anyway.layout.display = "" if corrected else "none"

    def _before(self, name: str) -> tuple[int, int] | None:
        """Give the version that serves and the one that did before."""
        for model in self.snapshot.models:
            if model.name == name and model.previous:
                return model.version, model.previous
        return None

    def _deploy(self) -> str:
        version = self._known()
        share = percent_of(self.canary.value)
        reason = self.reason.value.strip()
        if not reason:
            raise BadInput("say why, in a few words: the history keeps it")
        page = self._choice.page
        self._choice.backend.deploy(
            version, who=self._requester.name, reason=reason, canary=share, anyway=self.anyway.value
        )
        self.reason.value = self.canary.value = ""
        self._changed()
        if share is None:
            return deployed(version, page)
        if share:
            return f"{version} answers {share:g} % of the drawings on {page}, as a canary"
        return f"{version} is no canary any more"

    def _lines(self) -> tuple[Line, ...]:
        share = percent_of(self.canary.value)
        where = self._choice.where
        return as_code.version(str(self._known()), reason=self.reason.value.strip(), canary=share, to=where)

    def _ask_rollback(self) -> str:
        there = self._before(self._known().name)
        if there is None:
            return "Nothing served before. Go on?"
        name = escape(self._known().name)
        where = "" if self._choice.is_here else " on AWS"
        return f"Let {name}:{there[1]} answer again{where} instead of {name}:{there[0]}?"

    def _roll_back(self) -> str:
        name = self._known().name
        page = self._choice.page
        now = self._choice.backend.rollback(name, who=self._requester.name, reason=self.reason.value.strip())
        self.reason.value = ""
        self._changed()
        return f"{now} answers on {page} again"

    def _known(self) -> Version:
        if self._version is None:
            raise NotFound("no version is open")
        return self._version


def percent_of(text: str) -> float | None:
    """Read a field: a share of the drawings, or ``None`` for all of them.

    >>> percent_of(" 10 % "), percent_of("")
    (10.0, None)
    """
    text = text.strip().removesuffix("%").strip().replace(",", ".")
    if not text:
        return None
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 100:
        raise BadInput(
            f"percent of the drawings: a number from 0 to 100, or nothing for all. Received: {text!r}"
        )
    return None if share == 100 else share
