"""Values that a page keeps in the visitor's browser, and whether anybody looks at the page."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import anywidget
import traitlets

from workbench.errors import BadInput
from workbench.ui.widgets import theme

MAX_VALUE = 1_000_000
"""Characters of one value as JSON; browsers keep about five million in all."""


class Browser(anywidget.AnyWidget):
    """Named values in the browser's ``localStorage``; nothing is seen of it, and it need not be displayed.

    A kernel may have run its cells long before a visitor comes: until ``ready``, every value is ``None`` and
    ``visible`` is false. What is set before then is written when the browser is there. Tabs of one browser follow
    each other.

    Parameters
    ----------
    names
        Which values; a value is whatever JSON can hold, ``None`` where the browser has none.
    """

    _esm = theme.esm("browser")
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    ready = traitlets.Bool(False)
    """True once the browser has told its values."""
    visible = traitlets.Bool(False)
    """True while the page is in front of somebody; poll only then."""
    problem = traitlets.Unicode()
    """The reason why the browser does not keep what it is given, in its own words; empty while it does."""

    def __init__(self, *names: str) -> None:
        super().__init__(names=list(names))
        self._values: dict[str, object] = {}
        self._pending: dict[str, object] = {}
        self._callbacks: dict[str, list[Callable[[Any], None]]] = defaultdict(list)
        self._on_ready: list[Callable[[], None]] = []
        self.on_msg(lambda _, message, __: self._told(message))

    def __getitem__(self, name: str) -> Any:
        return self._values.get(self._known(name))

    def __setitem__(self, name: str, value: Any) -> None:
        size = len(json.dumps(value))
        if size > MAX_VALUE:
            raise BadInput(
                f"a browser keeps at most {MAX_VALUE:,} characters under one name. Received: {size:,} for {name!r}"
            )
        if self._values.get(self._known(name)) == value:
            return
        if self.ready:
            self.send({"kind": "set", "name": name, "value": value})
        else:
            self._pending[name] = value
        self._change(name, value)

    def observe_value(self, name: str, callback: Callable[[Any], None]) -> None:
        """Call ``callback(value)`` whenever the value changes: set here, told by the browser, or in another tab."""
        self._callbacks[self._known(name)].append(callback)

    def on_ready(self, callback: Callable[[], None]) -> None:
        """Call once the values are known; at once if they are."""
        if self.ready:
            callback()
        else:
            self._on_ready.append(callback)

    def _told(self, message: Mapping[str, object]) -> None:
        kind = message.get("kind")
        if kind == "visible":
            self.visible = bool(message.get("visible"))
        elif kind == "changed":
            self._change(self._known(message.get("name")), message.get("value"))
        elif kind == "problem":
            self.problem = str(message.get("text"))
        elif kind == "here":
            self._arrived(message)

    def _arrived(self, message: Mapping[str, object]) -> None:
        """A page shows this widget: the first one, or after a reload in JupyterLab another one."""
        values = message.get("values")
        told = {**(values if isinstance(values, dict) else {}), **self._pending}
        for name, value in self._pending.items():
            self.send({"kind": "set", "name": name, "value": value})
        self._pending.clear()
        for name, value in told.items():
            self._change(self._known(name), value)
        self.ready, self.visible = True, bool(message.get("visible"))
        waiting, self._on_ready = self._on_ready, []
        for callback in waiting:
            callback()

    def _change(self, name: str, value: Any) -> None:
        if self._values.get(name) != value:
            self._values[name] = value
            for callback in tuple(self._callbacks[name]):
                callback(value)

    def _known(self, name: Any) -> str:
        if name not in self.names:
            raise BadInput(f"this Browser keeps {', '.join(self.names) or 'nothing'}. Received: {name!r}")
        return str(name)
