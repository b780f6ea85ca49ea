"""The values behind the question mark of a page's address, so that a link or a reload leads to the same place."""

from collections.abc import Callable, Mapping
from typing import Any

import anywidget
import traitlets

from workbench.ui.widgets import theme


class Address(anywidget.AnyWidget):
    """The values in the address of a Voilà page; in JupyterLab, whose addresses are its own, there are none.

    Nothing is seen of it, and it need not be displayed. ``values`` is empty until a visitor is there.
    """

    _esm = theme.esm("address")
    values: "traitlets.Dict[str, str]" = traitlets.Dict().tag(sync=True)
    """As the kernel wants them; what the visitor came with is told to ``on_arrival``."""

    def __init__(self) -> None:
        super().__init__()
        self._arrivals: list[Callable[[dict[str, str]], None]] = []
        self.on_msg(lambda _, message, __: self._told(message))

    def on_arrival(self, callback: Callable[[dict[str, str]], None]) -> None:
        """Call ``callback(values)`` when a page with this address has been opened."""
        self._arrivals.append(callback)

    def put(self, name: str, value: Any) -> None:
        """Let the address carry the value; ``None`` takes it out."""
        rest = {k: v for k, v in self.values.items() if k != name}
        self.values = rest if value is None else {**rest, name: str(value)}

    def _told(self, message: Mapping[str, object]) -> None:
        if message.get("kind") == "here":
            values = message.get("values")
            came_with = {str(k): str(v) for k, v in values.items()} if isinstance(values, dict) else {}
            self.values = came_with
            for callback in tuple(self._arrivals):
                callback(came_with)
