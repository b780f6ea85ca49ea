"""Code editors in tabs: Python with line numbers and colours; errors stand at their lines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anywidget
import traitlets

from workbench.ui.widgets import theme


@dataclass(frozen=True)
class Mark:
    """An error at a line, from 1; ``None`` stands for the whole text."""

    line: int | None
    message: str


class CodeEditor(anywidget.AnyWidget):
    """Several texts, one in sight; each arrives byte for byte as it was typed or given.

    Tab indents; Escape and then Tab leaves the editor.

    Parameters
    ----------
    fields
        Names of the texts, and the titles of their tabs.
    look
        Called with a field and its text whenever typing rests; gives a fault of syntax, which then stands at its line. It
        runs in the kernel between other things, so it takes milliseconds and runs nothing of the text.
    """

    _esm = theme.esm("vendor/codemirror") + theme.esm("editor")
    _css = theme.css("editor")
    fields = traitlets.List(traitlets.List()).tag(sync=True)
    values: "traitlets.Dict[str, str]" = traitlets.Dict().tag(sync=True)
    """The texts; what is typed comes here a moment later, at the latest when the editor is left."""
    marks: "traitlets.Dict[str, Any]" = traitlets.Dict().tag(sync=True)
    shown = traitlets.Unicode().tag(sync=True)
    """The tab that is in sight."""
    label = traitlets.Unicode("Code").tag(sync=True)

    def __init__(
        self,
        fields: Mapping[str, str],
        *,
        label: str = "Code",
        look: Callable[[str, str], Mark | None] = lambda field, text: None,
    ) -> None:
        super().__init__(
            fields=[[key, title] for key, title in fields.items()],
            values=dict.fromkeys(fields, ""),
            shown=next(iter(fields)),
            label=label,
        )
        self._look = look
        self.on_msg(lambda _, message, buffers: self._typed(message))

    def _typed(self, message: Mapping[str, object]) -> None:
        field, text = message.get("field"), message.get("text")
        if message.get("kind") != "typed" or field not in self.values or not isinstance(text, str):
            return
        found = self._look(str(field), text)
        slip = found and {"line": found.line, "message": found.message}
        self.send({"kind": "slip", "question": message.get("question"), "field": field, "slip": slip})

    def show(self, values: Mapping[str, str]) -> None:
        """Replace the texts, and forget the marks."""
        self.marks = {}
        self.values = {**self.values, **values}

    def mark(self, marks: Mapping[str, Sequence[Mark]]) -> None:
        """Show errors at their lines, none for what is not named, and bring the first one into sight."""
        self.marks = {
            key: [{"line": mark.line, "message": mark.message} for mark in found]
            for key, found in marks.items()
            if found
        }
        if self.marks and self.shown not in self.marks:
            self.shown = next(iter(self.marks))
