"""Corrections of visitors: look at them, accept or reject them, and send them into a retraining."""

import threading
from collections.abc import Callable, Sequence
from html import escape
from typing import cast, get_args

import ipywidgets

from workbench.backends.correction_values import Correction, Counts, State, Verdict
from workbench.ui.as_code import AsCode
from workbench.ui.as_code import lines as as_code
from workbench.ui.serving.choice import BackEndChoice
from workbench.ui.serving.corrections import givers
from workbench.ui.serving.corrections.alike import AlikeTraining
from workbench.ui.serving.corrections.retraining import RetrainingForm
from workbench.ui.serving.corrections.review_grid import ReviewGrid, item
from workbench.ui.serving.snapshot import Snapshot
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.pieces import Html, banner, waiting
from workbench.ui.widgets.poll import Newest
from workbench.ui.widgets.visitor.browser import Browser
from workbench.verbs import models
from workbench.verbs.workbench import Workbench

STATES: tuple[State, ...] = get_args(State)
BACK: dict[State, Verdict] = {"waiting": "reopen", "accepted": "accept", "rejected": "reject"}
"""The verdict that brings a correction into a state."""
SHOWN = 120
"""Pictures that are fetched at first, and again with each "Show more"."""
MOST_UNDONE = 50
EVERY_CLASS = ("every class", "")
LEFT = "Those that the model clearly contradicts are left for you to judge one by one."


class CorrectionsPanel:
    """Shows one state at a time, the oldest first."""

    def __init__(
        self, workbench: Workbench, choice: BackEndChoice, browser: Browser, changed: Callable[[], None]
    ) -> None:
        self._workbench, self._choice, self._changed = workbench, choice, changed
        self._turn = choice.turn
        self._counts = Counts()
        self._problem, self._loaded, self._failed = "", False, False
        self._every: tuple[Correction, ...] = ()
        self._limit = SHOWN
        self._undone: list[tuple[list[str], State]] = []
        self.note, self.message = Html(), Message()
        self.grid = ReviewGrid(self.review, self.undo)
        self.state = ipywidgets.ToggleButtons(
            options=[(s.capitalize(), s) for s in STATES], description="Show"
        )
        self.digit = ipywidgets.Dropdown(options=[EVERY_CLASS], description="Said to be")
        self.giver = ipywidgets.Dropdown(options=[givers.EVERYBODY], description="Drawn by")
        self._alike = AlikeTraining(workbench.settings)
        self.retraining = RetrainingForm(workbench, choice, browser, self.message)
        self._loading, self._one_reads = Newest(self._load), threading.Lock()
        self._make_actions()
        self._lay_out()
        self.state.observe(lambda _: self._switched(), "value")
        self.digit.observe(lambda _: self._show_chosen(), "value")
        self.giver.observe(lambda _: self._show_chosen(), "value")
        self._arrange()

    def show(self, snapshot: Snapshot) -> None:
        """Show what a look found."""
        if snapshot.turn != self._turn:
            self._turn, self._undone = snapshot.turn, []
            self._loaded, self._every, self._limit = False, (), SHOWN
            self.message.clear()
            self._show_chosen()
        counts, problem = snapshot.counts, snapshot.problem
        again = counts != self._counts or problem != self._problem or not self._loaded
        self._counts, self._problem = counts, problem
        self.retraining.show(models.versions(self._workbench.settings))
        if again and not problem and not snapshot.asking:
            self._loading.ask()
        self._arrange()

    def tick(self) -> None:
        """Read again what could not be read at the look before."""
        if self._failed and not self._problem:
            self._loading.ask()

    def review(self, ids: Sequence[str], verdict: str, *, remember: bool = True) -> None:
        """Bring corrections into another state, and show what is left."""
        if verdict not in get_args(Verdict) or not ids:
            return
        self.grid.busy = True
        try:
            before = self._state
            self._choice.backend.review(ids, cast(Verdict, verdict))
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
            self.review(ids, BACK[before], remember=False)

    # What is shown

    @property
    def _state(self) -> State:
        return cast(State, self.state.value)

    def _switched(self) -> None:
        self._limit = SHOWN
        self._loading.ask()

    def _load(self) -> None:
        """Read and show, one after the other: what was read before a verdict is never shown after it."""
        with self._one_reads:
            self._read()

    def _read(self) -> None:
        state, turn = self._state, self._turn
        try:
            found = self._choice.backend.corrections(state, most=self._limit, pictures=True)
        except Exception as error:
            self._failed = True
            self.message.fail(error, "Reading the corrections")
            return
        if self._failed:
            self._failed = False
            self.message.clear()
        if state != self._state or turn != self._turn:
            return
        self._every, self._counts, self._loaded = found.corrections, found.counts, True
        digits = [str(c.digit) for c in self._every]
        labels = sorted(set(digits), key=int)
        _offer(self.digit, [EVERY_CLASS, *((f"{digit} ({digits.count(digit)})", digit) for digit in labels)])
        _offer(self.giver, givers.options(self._every))
        self.grid.state = state
        self._show_chosen()

    def _show_chosen(self) -> None:
        chosen = [c for c in self._every if self._is_chosen(c)]
        alike = self._alike.find(chosen)
        items = [item(c, alike[c.id]) for c in chosen]
        if items != self.grid.items:
            self.grid.items = items
        self._arrange()

    def _is_chosen(self, correction: Correction) -> bool:
        is_digit = not self.digit.value or str(correction.digit) == self.digit.value
        return is_digit and givers.is_by(correction, self.giver.value or "")

    def _arrange(self) -> None:
        options = [(f"{s.capitalize()} ({getattr(self._counts, s):,})", s) for s in STATES]
        if tuple(options) != tuple(self.state.options):
            kept = self.state.value
            self.state.options = options
            self.state.value = kept
        there, state, counts = bool(self.grid.items), self._state, self._counts
        total: int = getattr(counts, state)
        left = total - len(self._every)
        if self._problem:
            self.note.html = banner("The corrections cannot be read", self._problem)
        elif not self._loaded:
            self.note.html = waiting("Reading the corrections …", working=True)
        elif not there:
            self.note.html = waiting(_nothing(state, counts))
        else:
            more = f" {left:,} more come after these." if left > 0 else ""
            self.note.html = (
                '<p class="wb-caption">Arrows move, <kbd>A</kbd> accepts, <kbd>R</kbd> rejects, <kbd>U</kbd> undoes. '
                "Below each: the five training pictures most like it."
                f"{more}</p>"
            )
        self.grid.layout.display = "" if there and not self._problem else "none"
        self.more.widget.layout.display = "" if left > 0 and there else "none"
        for action, own in ((self.accept_all, "accepted"), (self.reject_all, "rejected")):
            action.allow(there and state != own and not self._problem, "There is nothing to review here")
        self.undo_last.allow(bool(self._undone), "Nothing was reviewed on this page yet")
        self.retraining.retrain.allow(
            counts.accepted > 0 and not self._problem, "Accept some corrections first"
        )

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

    def _lay_out(self) -> None:
        choice = ipywidgets.HBox([self.digit, self.giver])
        choice.add_class("wb-start")
        actions = (self.accept_all, self.reject_all, self.undo_last, self.more)
        buttons = ipywidgets.HBox([action.widget for action in actions])
        buttons.add_class("wb-buttons")
        self.state.add_class("wb-choice")
        code = AsCode(lambda: as_code.review(self._choice.where))
        parts = [
            self.state,
            choice,
            self.note,
            self.grid,
            buttons,
            code,
            self.message,
            *self.retraining.widgets,
        ]
        self.widget = ipywidgets.VBox(parts)
        self.widget.add_class("wb").add_class("wb-card").add_class("wb-wide").add_class("wb-corrections")

    def _sure(self, what: str) -> str:
        kind = f"said to be {escape(self.digit.value)}" if self.digit.value else "of every class"
        whose = {value: text for text, value in self.giver.options}[self.giver.value]
        where = "" if self._choice.is_here else " on AWS"
        return f"{what} all drawings {kind}, by {escape(whose)}, that are {escape(self._state)}{where}?" + (
            f" {LEFT}" if what == "Accept" else ""
        )

    def _review_all(self, verdict: Verdict) -> str | None:
        """Review all that are chosen, also those that are not shown; what is absurd is not accepted unseen."""
        every = self._choice.backend.corrections(self._state).corrections
        chosen = [c for c in every if self._is_chosen(c)]
        left = [c for c in chosen if verdict == "accept" and c.absurd]
        self.review([c.id for c in chosen if c not in left], verdict)
        return (
            f"{len(left):,} left for you to judge one by one: the model contradicts them." if left else None
        )

    def _show_more(self) -> None:
        self._limit += SHOWN
        self._load()


def _offer(dropdown: ipywidgets.Dropdown, options: Sequence[tuple[str, str]]) -> None:
    """Offer these, and keep what is chosen if it is among them."""
    kept = dropdown.value
    if tuple(options) != tuple(dropdown.options):
        dropdown.options = options
        dropdown.value = kept if kept in [value for _, value in options] else ""


def _nothing(state: State, counts: Counts) -> str:
    if state == "waiting":
        if counts.accepted or counts.rejected:
            return "Nothing waits: all corrections are reviewed."
        return "No visitor has corrected anything yet. On the drawing page, who is misunderstood can say which digit it is; on collect.html there a class gives its handwriting."
    return f"No correction is {state}."
