"""Packages on the page: what is here already, and the line that a missing module is offered as."""

from html import escape

import ipywidgets

from workbench import packages
from workbench.recipes import advice
from workbench.ui.widgets.editor import CodeEditor

TAB = "requirements"


class PackagesNote:
    """A note below the editor while packages are in sight, and a button where one is missing."""

    def __init__(self, editor: CodeEditor) -> None:
        self._editor = editor
        self._line = ""
        self.note = ipywidgets.HTML()
        self.add = ipywidgets.Button(icon="plus")
        self.add.on_click(lambda _: self._add())
        self.widget = ipywidgets.HBox([self.note, self.add])
        self.widget.add_class("wb-packages")
        self.offer("")
        editor.observe(lambda _: self._show(), "shown")
        self._show()

    def offer(self, error: str) -> None:
        """Offer the package of the module which an error says is missing; none for any other error."""
        self._line = packages.missing_in(error) or ""
        self.add.description = f"Add {self._line} to the packages"
        self.add.tooltip = "It is installed beside ours when the code is checked or trained"
        self.add.layout.display = "" if self._line else "none"

    def _add(self) -> None:
        text = self._editor.values[TAB]
        before = text if not text or text.endswith("\n") else f"{text}\n"
        self._editor.show({TAB: f"{before}{self._line}\n"})
        self._editor.shown = TAB
        self.offer("")

    def _show(self) -> None:
        if self._editor.shown != TAB:
            self.note.layout.display = "none"
            return
        if not self.note.value:
            here = ", ".join(f"<code>{escape(name)}</code>" for name in advice.modules())
            self.note.value = (
                "<p>One package a line, as in <code>requirements.txt</code>: <code>pandas</code>, "
                "<code>scikit-learn&gt;=1.5</code>. They are locked to what fits beside ours and fetched before anything "
                f"costs; the code itself has no network.</p><p>Here already: {here}.</p>"
            )
        self.note.layout.display = ""
