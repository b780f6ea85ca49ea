"""The back end that the page shows: the one of this computer, or the application's on AWS where there is one."""

import threading
import time
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Protocol

import ipywidgets

from workbench.errors import WorkbenchError
from workbench.ui.widgets.pieces import Html, badge
from workbench.ui.widgets.poll import Newest
from workbench.ui.widgets.visitor.address import Address
from workbench.verbs.backends import BackEnd

if TYPE_CHECKING:
    from workbench.verbs.application import App

HERE, AWS = "", "aws"
LOOK_EVERY_S = 60.0
"""Pause between two looks for an application: without credentials a look takes seconds."""
OpenBackEnd = Callable[[str | None], BackEnd]


class Application(Protocol):
    """The application on AWS: ``workbench.verbs.application.Application``, or a stand-in."""

    def look(self) -> "App": ...


class BackEndChoice:
    """A choice between back ends; everything on the page asks the one that is chosen.

    The page's address keeps it, so that a reload or a link shows the same one.

    Parameters
    ----------
    open_backend
        Opens the back end here for ``None``, the application's for ``aws``.
    switched
        Called when another one was chosen.
    """

    def __init__(
        self,
        open_backend: OpenBackEnd,
        application: Application,
        address: Address,
        *,
        switched: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open, self._application, self._address = open_backend, application, address
        self._switched, self._clock = switched, clock
        self._opened: dict[str, BackEnd] = {}
        self._opening = threading.Lock()
        self._looked = float("-inf")
        self._looking = Newest(self.look)
        self.turn = 0
        """Counts the changes, so that an answer to an earlier choice is known as one."""
        self.buttons = ipywidgets.ToggleButtons(
            options=[("This computer", HERE), ("AWS", AWS)], description="Back end"
        )
        self.buttons.add_class("wb-choice")
        self.line = Html()
        self.widget = ipywidgets.VBox([self.buttons, self.line])
        self.widget.add_class("wb").add_class("wb-backend")
        self._offer(False)
        self._say()
        self.buttons.observe(lambda _: self._chosen(), "value")
        address.on_arrival(self._arrived)

    @property
    def where(self) -> str | None:
        """The chosen one as commands name it with ``--to``; ``None`` for the one here."""
        return self.buttons.value or None

    @property
    def is_here(self) -> bool:
        return bool(self.buttons.value == HERE)

    @property
    def name(self) -> str:
        """The back end in a sentence."""
        return "the back end of this computer" if self.is_here else "the back end on AWS"

    @property
    def page(self) -> str:
        """The page that it answers, in a sentence."""
        return "the drawing page" if self.is_here else "the drawing page on AWS"

    @property
    def backend(self) -> BackEnd:
        """The one that is chosen; raises ``Unavailable`` where it cannot be reached, with what to do."""
        chosen = str(self.buttons.value)
        with self._opening:
            if chosen not in self._opened:
                self._opened[chosen] = self._open(chosen or None)
            return self._opened[chosen]

    def tick(self) -> None:
        """Look for an application now and then, in a thread."""
        if self._clock() - self._looked >= LOOK_EVERY_S:
            self._looked = self._clock()
            self._looking.ask()

    def look(self) -> None:
        """Offer AWS where there is an application, and as long as it is chosen."""
        try:
            there = self._application.look().state != "absent"
        except WorkbenchError:
            there = False  # said where somebody chooses it, or on the cluster's page
        self._offer(there)

    def _offer(self, aws: bool) -> None:
        self.buttons.layout.display = "" if aws or not self.is_here else "none"

    def _arrived(self, values: dict[str, str]) -> None:
        if values.get("to") == AWS:
            self.buttons.value = AWS

    def _chosen(self) -> None:
        self.turn += 1
        self._address.put("to", self.where)
        if not self.is_here:
            self.buttons.layout.display = ""
        self._say()
        self._switched()

    def _say(self) -> None:
        word = "this computer" if self.is_here else "AWS"
        more = "" if self.is_here else " Each answer takes a second or two: commands go to its machine."
        self.line.html = (
            f'<p class="wb-caption" role="status">{badge("running" if self.is_here else "initializing", word)} '
            f"What is deployed, asked and reviewed below is that of {escape(self.name)}.{more}</p>"
        )
