"""Buttons for what takes a while: never frozen, never pressed twice, an error is a banner; what ends things asks first."""

import threading
from collections.abc import Callable
from typing import Any

import ipywidgets

from workbench.errors import WorkbenchError
from workbench.ui.widgets.pieces import Html, banner, error_banner, waiting
from workbench.ui.widgets.poll import in_thread


class Message(Html):
    """A place for actions to say how they went; empty at first."""

    def fail(self, error: BaseException, doing: str) -> None:
        """Show what failed and why."""
        self.html = error_banner(error, doing)

    def done(self, title: str, text: str = "") -> None:
        """Say what was done."""
        self.html = banner(title, text, kind="done")

    def clear(self) -> None:
        """Say nothing any more."""
        self.html = ""


class Action:
    """A button and what it does, in a thread, one at a time.

    Parameters
    ----------
    label
        On the button, a verb.
    do
        Called without arguments; a text that it gives is shown as done.
    message
        Where errors are shown.
    working
        What the button says meanwhile.
    doing
        What is said below meanwhile, of what may take longer than a moment.
    confirm
        Gives the question that is asked first; ``None`` does it at once. What it raises is shown, and nothing is done.
    stoppable
        Whether a second button stands beside it meanwhile, which makes ``asked_to_stop`` true; ``do`` looks at that.
    """

    def __init__(
        self,
        label: str,
        do: Callable[[], Any],
        message: Message,
        *,
        working: str = "",
        doing: str = "",
        tooltip: str = "",
        confirm: Callable[[], str] | None = None,
        primary: bool = False,
        danger: bool = False,
        stoppable: bool = False,
    ) -> None:
        self._do, self._message, self._confirm = do, message, confirm
        self._label, self._working = label, working or f"{label} …"
        self._doing = waiting(doing, working=True) if doing else ""
        self._busy = threading.Lock()
        self._enabled, self._why_not, self._tooltip = True, "", tooltip
        self.button = ipywidgets.Button(description=label, tooltip=tooltip)
        self.button.on_click(lambda _: self.press())
        for name, wanted in (("wb-primary", primary), ("wb-danger", danger)):
            if wanted:
                self.button.add_class(name)
        self.widget: ipywidgets.Widget = self.button
        self._stop = threading.Event()
        self._stoppable = stoppable
        if stoppable:
            self.stop = ipywidgets.Button(description="Stop", tooltip=f"Stop: {label.lower()}")
            self.stop.on_click(lambda _: self.press_stop())
            self.widget = ipywidgets.HBox([self.button])
            self.widget.add_class("wb-action")
        if confirm is not None:
            self._question = Html()
            self.yes = ipywidgets.Button(description=f"Yes, {label.lower()}")
            self.yes.add_class("wb-danger" if danger else "wb-primary")
            self.yes.on_click(lambda _: self._answered(True))
            self.no = ipywidgets.Button(description="No, leave it")
            self.no.on_click(lambda _: self._answered(False))
            self.widget = ipywidgets.HBox([self.button])
            self.widget.add_class("wb-action")

    @property
    def busy(self) -> bool:
        return self._busy.locked()

    @property
    def asked_to_stop(self) -> bool:
        """Tell whether somebody pressed *Stop* since it began."""
        return self._stop.is_set()

    def pause(self, seconds: float) -> bool:
        """Let so many seconds pass, fewer where somebody presses *Stop* meanwhile; whether somebody has."""
        return self._stop.wait(seconds)

    def press_stop(self) -> None:
        """Do what a click on *Stop* does."""
        self._stop.set()
        self.stop.description, self.stop.disabled = "Stopping …", True

    def allow(self, allowed: bool, why_not: str = "") -> None:
        """Let the button be pressed, or say on hover why it cannot be."""
        self._enabled, self._why_not = allowed, why_not
        if not self.busy:
            self._rest()

    def press(self) -> None:
        """Do what a click does: ask first where that is wanted, else begin; while it works, nothing."""
        if not self._enabled or self.busy:
            return
        if self._confirm is None:
            self.start()
            return
        try:
            question = self._confirm()
        except WorkbenchError as error:
            self._message.fail(error, self._label)
            return
        self._question.html = f'<span class="wb-question">{question}</span>'
        self.widget.children = (self._question, self.yes, self.no)

    def start(self) -> None:
        """Begin in a thread; while it works, nothing."""
        if self._busy.acquire(blocking=False):
            self.button.description, self.button.disabled = self._working, True
            self._stop.clear()
            if self._stoppable:
                self.stop.description, self.stop.disabled = "Stop", False
                self.widget.children = (self.button, self.stop)
            in_thread(self._run)

    def _answered(self, yes: bool) -> None:
        self.widget.children = (self.button,)
        if yes and self._enabled:
            self.start()

    def _run(self) -> None:
        try:
            self._message.html = self._doing
            said = self._do()
            if isinstance(said, str):
                self._message.done(said)
            elif self._message.html == self._doing:
                self._message.clear()
        except Exception as error:
            self._message.fail(error, self._label)
        finally:
            self._busy.release()
            self._rest()

    def _rest(self) -> None:
        if self._stoppable:
            self.widget.children = (self.button,)
        self.button.description = self._label
        self.button.disabled = not self._enabled
        self.button.tooltip = self._tooltip if self._enabled else self._why_not
