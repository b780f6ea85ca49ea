"""Buttons as code: a fold under a row of buttons with their calls, each to be copied."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

import anywidget
import traitlets

from workbench.errors import WorkbenchError
from workbench.ui.as_code.lines import Line
from workbench.ui.widgets import theme

__all__ = ["AsCode", "Line"]


class AsCode(anywidget.AnyWidget):
    """A fold; what is in it is asked for when somebody opens it, and again by ``refresh`` while it is open.

    Parameters
    ----------
    lines
        The calls as the form stands now; what it raises is said instead.
    of
        What the buttons are for, where another fold stands near.
    """

    _esm = theme.esm("as_code")
    _css = theme.css("as_code")
    lines = traitlets.List(traitlets.Dict()).tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)

    def __init__(self, lines: Callable[[], Sequence[Line]], of: str = "") -> None:
        super().__init__(title=f"{of} as code" if of else "As code")
        self._read, self._open = lines, False
        self.on_msg(lambda _, message, __: self._told(message))

    def refresh(self) -> None:
        """Say the calls anew; sends nothing where nobody looks or nothing changed."""
        if not self._open:
            return
        try:
            self.lines, self.problem = [asdict(line) for line in self._read()], ""
        except WorkbenchError as error:
            self.lines, self.problem = [], f"Not yet: {error}"

    def _told(self, message: Mapping[str, object]) -> None:
        if message.get("kind") == "open":
            self._open = bool(message.get("open"))
            self.refresh()
