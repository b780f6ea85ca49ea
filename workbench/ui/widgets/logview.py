"""The end of a log that grows; one of several, followed or held still."""

from collections.abc import Callable, Sequence

import anywidget
import traitlets

from workbench.ui.widgets import theme


class LogView(anywidget.AnyWidget):
    """Shows the last part of one log among several, as text and nothing but text.

    Parameters
    ----------
    read
        Gives the end of the log of that key, and whether that is all of it.
    """

    _esm = theme.esm("logview")
    _css = theme.css("logview")
    logs = traitlets.List(traitlets.List()).tag(sync=True)
    """Keys and titles."""
    chosen = traitlets.Unicode().tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)
    whole = traitlets.Bool(True).tag(sync=True)
    following = traitlets.Bool(True).tag(sync=True)
    """True while it grows as one looks; the browser switches it."""
    over = traitlets.Bool(False).tag(sync=True)
    """True once nothing more will be written, so that there is nothing to follow."""
    unfolded = traitlets.Bool(False).tag(sync=True)
    """True while it is unfolded; a log that nobody sees is not sent."""

    def __init__(self, read: Callable[[str], tuple[str, bool]]) -> None:
        super().__init__()
        self._read = read
        self.observe(lambda _: self.refresh(), ["chosen", "following", "unfolded"])

    def offer(self, logs: Sequence[tuple[str, str]]) -> None:
        """Offer the logs there are, as keys and titles; what was chosen stays chosen."""
        self.logs = [[key, title] for key, title in logs]
        if self.chosen not in dict(logs):
            self.chosen = logs[0][0] if logs else ""

    def refresh(self) -> None:
        """Read the chosen log again, if it is seen and followed."""
        if self.unfolded and self.following:
            text, whole = self._read(self.chosen) if self.chosen else ("", True)
            with self.hold_sync():
                self.text, self.whole = text, whole
