"""The application on AWS: its machines, what it costs, a diagram of its network, and launch, start, stop, release."""

import threading
import time
from collections.abc import Callable, Collection, Sequence
from html import escape
from typing import TYPE_CHECKING, Protocol

import ipywidgets

from workbench.errors import Unavailable, WorkbenchError
from workbench.ui.cluster.hints import Hints
from workbench.ui.cluster.machines.application_views import (
    an_hour,
    count_resources,
    describe_plan,
    machines_table,
    page_link,
    state_words,
)
from workbench.ui.cluster.machines.network_diagram import draw_network
from workbench.ui.widgets.actions import Action, Message

if TYPE_CHECKING:
    from workbench.machines import Machine
    from workbench.verbs.application import App, AppPlan, Tell

LOOK_EVERY_S = 15.0
"""Pause between two looks at AWS that nobody asked for; while something is under way or coming, a third of it."""
LINES = 8
"""Newest lines of what is being done."""
COMING = ("pending", "stopping", "shutting-down", "installing")


class Functions(Protocol):
    """The verbs that the panel calls: ``workbench.verbs.application.Application``, or a stand-in."""

    def look(self) -> "App": ...
    def plan(self) -> "AppPlan": ...
    def launch(self, tell: "Tell") -> "App": ...
    def start(self, tell: "Tell", only: Collection[str] = ...) -> "App | None": ...
    def stop(self, tell: "Tell", only: Collection[str] = ...) -> "App | None": ...
    def release(self, tell: "Tell") -> None: ...


class ApplicationPanel:
    """Shows what AWS says, never a memory of its own; hidden where there are no credentials.

    Parameters
    ----------
    clock
        Seconds, as ``time.monotonic``.
    """

    def __init__(self, application: Functions, clock: Callable[[], float] = time.monotonic) -> None:
        self._application, self._clock = application, clock
        self._app: App | None = None
        self._looked = float("-inf")
        self._looking = threading.Lock()
        self._lines: list[str] = []
        self._changing = False
        self.state, self.progress, self.details = Hints(), Hints(), Hints()
        self.message = Message()
        self._make_actions()
        self.buttons = ipywidgets.HBox([])
        self.buttons.add_class("wb-buttons")
        body = ipywidgets.VBox([self.state, self.buttons, self.progress, self.message, self.details])
        self.widget = ipywidgets.Accordion([body], titles=["The application on AWS"])
        self.widget.add_class("wb-fold")
        self.widget.layout.display = "none"

    @property
    def line(self) -> str:
        """A line for the list of providers: whose account, and what is there."""
        app = self._app
        if app is None:
            return ""
        place = f"account {escape(app.account)}, {escape(app.region)}"
        return f"{place}; {escape(state_words(app))}{an_hour(app.price_per_hour)}"

    def refresh(self, machines: Sequence["Machine"] = ()) -> None:
        """Look again if it is time to; ``machines`` are the clusters' for the diagram. Raises ``Unavailable``."""
        with self._looking:
            if self._clock() - self._looked >= self._every():
                try:
                    self._app = self._application.look()
                except WorkbenchError:
                    self._app = None
                    self.widget.layout.display = "none"
                    raise
                finally:
                    self._looked = self._clock()
            self._show(machines)

    def _every(self) -> float:
        return LOOK_EVERY_S / 3 if self._changing or _is_coming(self._app) else LOOK_EVERY_S

    def _make_actions(self) -> None:
        make = self._action
        self.plan = make(
            "Plan", self._plan, "What a launch would make, what that costs, and whether the account allows it"
        )
        self.launch = make("Launch", self._launch, "Make the application", confirm=self._price, primary=True)
        self.start = make("Start", self._start, "Start the machines that are stopped")
        self.stop = make(
            "Stop",
            self._stop,
            "Stop the machines; disks and addresses are kept, and cost a little",
            confirm=lambda: "Stop all three machines?",
        )
        self.release = make(
            "Release", self._release, "End everything but the bucket with the models", confirm=lambda: "Release the application and its clusters? The bucket with the models is kept.", danger=True
        )  # fmt: skip
        self.actions = (self.plan, self.launch, self.start, self.stop, self.release)

    def _action(self, label: str, do: Callable[[], str | None], tooltip: str, **more: object) -> Action:
        return Action(label, do, self.message, tooltip=tooltip, **more)  # type: ignore[arg-type]

    # What the buttons do

    def _plan(self) -> None:
        self.details.html = describe_plan(self._application.plan())

    def _price(self) -> str:
        plan = self._application.plan()
        refused = [check.what for check in plan.checks if check.ok is False]
        but = f" The account does not allow it yet: {escape(', '.join(refused))}." if refused else ""
        return f"Launch {count_resources(plan)} for ${plan.price_per_hour:.2f} an hour?{but}"

    def _launch(self) -> str:
        app = self._with_progress(self._application.launch)
        return f"The application runs: {app.page_url}" if app else "The application runs"

    def _start(self) -> str:
        self._with_progress(self._application.start)
        return "The machines run"

    def _stop(self) -> str:
        self._with_progress(self._application.stop)
        return "The machines are stopped; their disks and addresses are kept"

    def _release(self) -> str:
        self._with_progress(self._application.release)
        self.details.html = ""
        return "The application is released; the bucket with the models is kept"

    def _with_progress(self, do: Callable[["Tell"], "App | None"]) -> "App | None":
        self._lines, self._changing = [], True
        try:
            return do(self._tell)
        finally:
            self._lines, self._changing = [], False
            self.progress.html = ""
            self._looked = float("-inf")
            self._try_to_look()

    def _tell(self, line: str) -> None:
        self._lines = [*self._lines, line][-LINES:]
        shown = "".join(f"<li>{escape(one)}</li>" for one in self._lines)
        self.progress.html = f'<div role="log"><ol class="wb-told">{shown}</ol></div>'
        self._looked = float("-inf")

    def _try_to_look(self) -> None:
        try:
            self.refresh()
        except Unavailable as error:
            self.message.fail(error, "Looking at AWS")

    # What is shown

    def _show(self, machines: Sequence["Machine"]) -> None:
        app = self._app
        if app is None:
            return
        self.widget.layout.display = ""
        absent, stopped = app.state == "absent", app.state == "stopped"
        shown = (
            (self.plan, self.launch)
            if absent
            else (self.start, self.release)
            if stopped
            else (self.stop, self.release)
        )
        buttons = tuple(action.widget for action in shown)
        if tuple(self.buttons.children) != buttons:
            self.buttons.children = buttons
        for action in self.actions:
            action.allow(not self._changing, "Something is under way")
        if absent:
            text = "Three machines in a network of their own: a working machine with this dashboard, a front end with the drawing page, a back end that answers it. Clusters for training are put beside them."
            self.state.html = (
                f'<p class="wb-muted">There is no application in this account and region. {text}</p>'
            )
        else:
            clusters = [machine for machine in machines if machine.instance]
            self.state.html = draw_network(app, clusters) + machines_table(app.machines) + page_link(app)


def _is_coming(app: "App | None") -> bool:
    return app is not None and any(m.state in COMING or m.service in COMING for m in app.machines)
