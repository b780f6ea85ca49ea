"""The requester: a name that jobs carry, asked for once and kept in the browser."""

from collections.abc import Callable, Mapping
from typing import Any

import anywidget
import traitlets

from workbench.errors import BadInput
from workbench.ui.widgets import theme
from workbench.ui.widgets.visitor.browser import Browser


class Requester(anywidget.AnyWidget):
    """Asks "Who are you?" until it knows, then stands in the page's corner with a way to change the name.

    Parameters
    ----------
    suggested
        The name that stands in the field when it asks for the first time, as ``settings.requester``.
    """

    _esm = theme.esm("requester")
    _css = theme.css("requester")
    name = traitlets.Unicode().tag(sync=True)
    """The requester; empty until known."""
    asking = traitlets.Bool(False).tag(sync=True)
    """True while the browser was asked and has no name."""
    suggested = traitlets.Unicode().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)

    def __init__(self, suggested: str = "") -> None:
        super().__init__(suggested=suggested)
        self._browser = Browser("requester")
        self._browser.observe_value("requester", self._told)
        self._browser.on_ready(lambda: self._told(self._browser["requester"]))
        self.on_msg(lambda _, message, __: self._entered(message))

    def on_name(self, callback: Callable[[str], None]) -> None:
        """Call ``callback(name)`` when the name is known and whenever it changes; at once if it is known."""
        self.observe(lambda change: callback(change["new"]), "name")
        if self.name:
            callback(self.name)

    def _entered(self, message: Mapping[str, object]) -> None:
        if message.get("kind") == "name":
            self._take(str(message.get("name", "")).strip())

    def _told(self, name: Any) -> None:
        """Take what the browser has; the first page that is opened in it has nothing."""
        if name:
            self._take(str(name))
        else:
            self.asking = not self.name

    def _take(self, name: str) -> None:
        # Here, because it brings SQLAlchemy along, which a page without a name does not need.
        from workbench.verbs.jobs import check_requester

        try:
            check_requester(name)
        except BadInput:
            self.problem = "Enter a name of 1 to 255 characters." if len(name) < 256 else "That is too long."
            self.asking = not self.name
            return
        self._browser["requester"] = name
        self.problem, self.asking, self.name = "", False, name
