"""What visitors corrected: look at it, accept or reject it, and send it into a retraining."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import anywidget
import ipywidgets
import traitlets

from workbench.errors import NotFound
from workbench.manifest import Share
from workbench.models import registry
from workbench.models.registry import Version
from workbench.ui.draft import DRAFT, Draft
from workbench.ui.serving.look import BackEnd, Look, Verdict
from workbench.ui.widgets import theme
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.browser import Browser
from workbench.ui.widgets.formats import percent, unix_seconds
from workbench.ui.widgets.pieces import Html, banner, waiting
from workbench.ui.widgets.poll import Newest, in_thread
from workbench.verbs import retraining
from workbench.verbs.jobs import Control

STATES = ("waiting", "accepted", "rejected")
SHOWN = 120
"""Pictures that are fetched at first, and again with each "Show more"."""
MOST_UNDONE = 50


class ReviewGrid(anywidget.AnyWidget):
    """A grid of drawings: arrows move, A accepts, R rejects, U undoes.

    Parameters
    ----------
    review
        Called in a thread with ids and a verdict.
    undo
        Called in a thread to take the last verdict back.
    """

    _esm = theme.esm("words") + theme.esm("review")
    _css = theme.css("review")
    items: "traitlets.List[dict[str, Any]]" = traitlets.List(traitlets.Dict()).tag(sync=True)
    state = traitlets.Unicode("waiting").tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)

    def __init__(self, review: Callable[[list[str], str], None], undo: Callable[[], None]) -> None:
        super().__init__()
        self._review, self._undo = review, undo
        self.on_msg(lambda _, message, __: self._told(message))

    def _told(self, message: Mapping[str, Any]) -> None:
        if message.get("kind") == "review":
            ids = [str(id) for id in message.get("ids", ())]
            in_thread(self._review, ids, str(message.get("verdict")))
        elif message.get("kind") == "undo":
            in_thread(self._undo)


class CorrectionsPanel:
    """Shows one state at a time, the oldest first."""

    def __init__(
        self, workbench: Control, backend: BackEnd, browser: Browser, changed: Callable[[], None]
    ) -> None:
        self._workbench, self._backend, self._browser, self._changed = workbench, backend, browser, changed
        self._counts: dict[str, int] = {}
        self._problem, self._loaded = "", False
        self._every: list[dict[str, Any]] = []
        self._limit = SHOWN
        self._undone: list[tuple[list[str], str]] = []
        self.note, self.versions, self.sent, self.message = Html(), Html(), Html(), Message()
        self.grid = ReviewGrid(self.review, self.undo)
        self.state = ipywidgets.ToggleButtons(
            options=[(s.capitalize(), s) for s in STATES], description="Show"
        )
        self.digit = ipywidgets.Dropdown(options=[("every class", "")], description="Visitors said")
        self._loading = Newest(self._load)
        self._make_actions()
        self._lay_out()
        self.state.observe(lambda _: self._switched(), "value")
        self.digit.observe(lambda _: self._show_chosen(), "value")
        self._arrange()

    def show(self, look: Look) -> None:
        """Show what a look found."""
        counts, problem = dict(look.counts), look.problem
        again = counts != self._counts or problem != self._problem or not self._loaded
        self._counts, self._problem = counts, problem
        self.versions.html = retrained(registry.versions(self._workbench.settings))
        if again and not problem:
            self._loading.ask()
        self._arrange()

    def review(self, ids: Sequence[str], verdict: str, *, remember: bool = True) -> None:
        """Bring corrections into another state, and show what is left."""
        verdicts: dict[str, Verdict] = {"accept": "accept", "reject": "reject", "reopen": "reopen"}
        if verdict not in verdicts or not ids:
            return
        self.grid.busy = True
        try:
            before = str(self.state.value)
            self._backend.review(ids, verdicts[verdict])
            if remember:
                self._undone = [*self._undone[1 - MOST_UNDONE :], (list(ids), before)]
            self.message.clear()
        except Exception as error:
            # Shown where the drawings are; what was not reviewed stays where it is.
            self.message.fail(error, "Reviewing")
        finally:
            self._load()
            self.grid.busy = False
        self._changed()

    def undo(self) -> None:
        """Take the last verdict back."""
        if self._undone:
            ids, before = self._undone.pop()
            back: dict[str, Verdict] = {"waiting": "reopen", "accepted": "accept", "rejected": "reject"}
            self.review(ids, back[before], remember=False)

    # What is shown

    def _switched(self) -> None:
        self._limit = SHOWN
        self._loading.ask()

    def _load(self) -> None:
        state = str(self.state.value)
        try:
            found = self._backend.corrections(state, self._limit)
            self._counts = self._backend.counts()
        except Exception as error:
            # The next look tries again.
            self.message.fail(error, "Reading the corrections")
            return
        if state != self.state.value:
            return
        self._every, self._loaded = found, True
        digits = [str(c["digit"]) for c in found]
        labels = sorted(set(digits), key=int)
        options = [("every class", ""), *((f"{digit} ({digits.count(digit)})", digit) for digit in labels)]
        kept = self.digit.value
        if tuple(options) != tuple(self.digit.options):
            self.digit.options = options
            self.digit.value = kept if kept in labels else ""
        self.grid.state = state
        self._show_chosen()

    def _show_chosen(self) -> None:
        chosen = [c for c in self._every if not self.digit.value or str(c["digit"]) == self.digit.value]
        items = [_item(c) for c in chosen]
        if items != self.grid.items:
            self.grid.items = items
        self._arrange()

    def _arrange(self) -> None:
        for n, state in enumerate(STATES):
            count = self._counts.get(state, 0)
            text = f"{state.capitalize()} ({count:,})"
            if self.state.options[n][0] != text:
                kept = self.state.value
                self.state.options = [(f"{s.capitalize()} ({self._counts.get(s, 0):,})", s) for s in STATES]
                self.state.value = kept
                break
        there, state = bool(self.grid.items), str(self.state.value)
        total = self._counts.get(state, 0)
        if self._problem:
            self.note.html = banner("The corrections cannot be read", self._problem)
        elif not self._loaded:
            self.note.html = waiting("Reading the corrections …", working=True)
        elif not there:
            self.note.html = waiting(_nothing(state, sum(self._counts.values())))
        else:
            left = total - len(self._every)
            more = f" {left:,} more come after these." if left > 0 else ""
            self.note.html = (
                '<p class="wb-caption">Arrows move, <kbd>A</kbd> accepts, <kbd>R</kbd> rejects, <kbd>U</kbd> undoes.'
                f"{more}</p>"
            )
        self.grid.layout.display = "" if there and not self._problem else "none"
        self.more.widget.layout.display = "" if total > len(self._every) and there else "none"
        for action, own in ((self.accept_all, "accepted"), (self.reject_all, "rejected")):
            action.allow(there and state != own and not self._problem, "There is nothing to review here")
        self.undo_last.allow(bool(self._undone), "Nothing was reviewed on this page yet")
        accepted = self._counts.get("accepted", 0)
        self.retrain.allow(accepted > 0 and not self._problem, "Accept some corrections first")

    # What may be done

    def _make_actions(self) -> None:
        self.accept_all = Action(
            "Accept all",
            lambda: self._review_all("accept"),
            self.message,
            confirm=lambda: self._sure("Accept"),
        )
        self.reject_all = Action(
            "Reject all",
            lambda: self._review_all("reject"),
            self.message,
            confirm=lambda: self._sure("Reject"),
        )
        self.undo_last = Action("Undo", self.undo, self.message, tooltip="Take the last verdict back")
        self.more = Action("Show more", self._show_more, self.message)
        self.retrain = Action(
            "Send into a retraining",
            self._retrain,
            self.message,
            doing="Fetching the accepted corrections …",
            confirm=lambda: (
                "This puts a request into the form of the cluster's page, in place of the draft there."
            ),
            tooltip="Keep the accepted ones as a data set, and prepare a request that trains with them",
            primary=True,
        )

    def _lay_out(self) -> None:
        choice = ipywidgets.HBox([self.digit])
        choice.add_class("wb-start")
        buttons = ipywidgets.HBox(
            [a.widget for a in (self.accept_all, self.reject_all, self.undo_last, self.more)]
        )
        last = ipywidgets.HBox([self.retrain.widget])
        for row in (buttons, last):
            row.add_class("wb-buttons")
        self.state.add_class("wb-choice")
        parts = (
            self.state,
            choice,
            self.note,
            self.grid,
            buttons,
            self.message,
            last,
            self.sent,
            self.versions,
        )
        self.widget = ipywidgets.VBox(list(parts))
        self.widget.add_class("wb").add_class("wb-card").add_class("wb-wide").add_class("wb-corrections")

    def _chosen_ids(self) -> list[str]:
        """All of the state and class, also those that are not shown."""
        every = self._backend.corrections(str(self.state.value))
        return [c["id"] for c in every if not self.digit.value or str(c["digit"]) == self.digit.value]

    def _sure(self, what: str) -> str:
        kind = f"that visitors said are {escape(self.digit.value)}" if self.digit.value else "of every class"
        return f"{what} all corrections {kind} that are {escape(str(self.state.value))}?"

    def _review_all(self, verdict: str) -> None:
        self.review(self._chosen_ids(), verdict)

    def _show_more(self) -> None:
        self._limit += SHOWN
        self._load()

    def _retrain(self) -> str:
        exported = self._backend.export()
        models = self._backend.models()
        version = retraining.newest_for_digits(
            self._workbench.settings, models[-1]["name"] if models else None
        )
        if version is None:
            raise NotFound("no published model takes 28×28 pictures; train one first")
        recipe = retraining.with_corrections(retraining.recipe_of(version, self._workbench.store))
        draft = Draft.of(recipe, name=version.name, provider="local")
        self._browser[DRAFT] = draft.keep()
        self.sent.html = (
            '<p class="wb-buttons-line"><a class="wb-button wb-primary" href="deploy_cluster.ipynb">Open the request</a> '
            f'<span class="wb-muted">the recipe of {escape(str(version))}, with the corrections added</span></p>'
        )
        count = len(exported.ids)
        return f"Version {exported.version} of the corrections has {count} drawing{'' if count == 1 else 's'}"


def _item(correction: Mapping[str, Any]) -> dict[str, Any]:
    model = f"{correction['model']}:{correction['version']}" if correction.get("model") else ""
    predicted = correction.get("predicted")
    return {
        "id": correction["id"],
        "picture": correction["picture"],
        "predicted": "nothing" if predicted is None else str(predicted),
        "digit": str(correction["digit"]),
        "model": model,
        "t": unix_seconds(correction["t"]),
    }


def _nothing(state: str, total: int) -> str:
    if state == "waiting":
        if total:
            return "Nothing waits: all corrections are reviewed."
        return "No visitor has corrected anything yet. On the drawing page, who is misunderstood can say which digit it is."
    return f"No correction is {state}."


def retrained(versions: Sequence[Version]) -> str:
    """What versions that were trained with corrections gained by it; empty where there are none."""
    rows = ""
    for version in reversed(versions):
        manifest, used = version.manifest, version.manifest.corrections
        if not used:
            continue
        rows += (
            f"<tr><td><b>{escape(str(version))}</b></td><td>{len(used.used)} (version {used.version})</td>"
            f"<td>{_right(used.told)} → {_right(used.after)}</td>"
            f"<td>{_accuracy(used.metrics_before)} → {_accuracy(used.metrics_after or manifest.metrics)}</td></tr>"
        )
    if not rows:
        return ""
    heads = "".join(
        f'<th scope="col">{h}</th>'
        for h in ("Version", "Corrections", "Of these right, before → after", "Test part, before → after")
    )
    return (
        '<h4 class="wb-part">Trained with corrections</h4><div class="wb-scroll" tabindex="0" role="region" '
        'aria-label="Trained with corrections"><table class="wb-list">'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _right(share: Share | None) -> str:
    return f"{share.right} of {share.of}" if share else "–"


def _accuracy(metrics: Mapping[str, float]) -> str:
    accuracy = metrics.get("accuracy")
    return "–" if accuracy is None else percent(accuracy)
