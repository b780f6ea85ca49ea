"""The fields for what a version takes that takes no single picture, filled with an example that came with it."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets

from workbench.errors import BadInput
from workbench.manifest import Input
from workbench.models.registry import Version
from workbench.models.sample import read_examples, read_rows
from workbench.ui.serving.predict.fields import ColumnField, Field, PictureField, ValueField
from workbench.ui.widgets.pieces import Html


class InputsForm:
    """The fields; each has the value of one example, and a button puts in those of the next one.

    Parameters
    ----------
    changed
        Called after each change of a value.
    lost
        Called with the error where a file could not be read.
    """

    def __init__(self, changed: Callable[[], None], lost: Callable[[BadInput], None]) -> None:
        self._told_of_changes, self._lost = changed, lost
        self._version = ""
        self._examples: Sequence[Mapping[str, Any]] = ()
        self._at = 0
        self._fields: dict[str, Field] = {}
        self._form = ipywidgets.Box()
        self._form.add_class("wb-form").add_class("wb-inputs")
        self.another = ipywidgets.Button(
            description="Another example", tooltip="Put in the next example of those that came with it"
        )
        self.another.on_click(lambda _: self._next())
        self._told = Html()
        row = ipywidgets.HBox([self.another, self._told])
        row.add_class("wb-buttons")
        self._caption = Html()
        self.widget = ipywidgets.VBox([self._caption, self._form, row])

    def show(self, version: Version) -> bool:
        """Make the fields of a version; of the same one again they stay as they are, and it gives false."""
        if str(version) == self._version:
            return False
        self._version = str(version)
        columns, self._at = version.manifest.columns, 0
        caption = "A row of the table." if columns else "By name, as the model takes it."
        self._caption.html = f'<p class="wb-caption">{caption}</p>'
        self._examples = read_rows(version) if columns else read_examples(version)
        if columns:
            self._fields = {one.name: ColumnField(one, self._changed) for one in columns}
        else:
            self._fields = {name: self._field(one) for name, one in version.manifest.feeds.items()}
        self._form.children = tuple(field.widget for field in self._fields.values())
        self.another.layout.display = "" if len(self._examples) > 1 else "none"
        self._fill()
        return True

    def values(self) -> str:
        """The example as JSON.

        Raises
        ------
        BadInput
            A field does not hold what the model takes; each says so beside itself.
        """
        found: dict[str, Any] = {}
        wrong: list[BadInput] = []
        self.blame("")
        for name, field in self._fields.items():
            try:
                found[name] = field.read()
            except BadInput as error:
                wrong.append(error)
        if wrong:
            raise wrong[0]
        return json.dumps(found, ensure_ascii=False)

    def blame(self, why: str) -> str:
        """Say beside the input that was refused why that is, be it said here or by a back end; its name, or nothing."""
        return next((name for name, field in self._fields.items() if field.blame(why) and why), "")

    def _field(self, takes: Input) -> Field:
        if takes.kind == "image":
            return PictureField(takes, self._changed, self._lost)
        return ValueField(takes, self._changed)

    def _changed(self) -> None:
        """A visitor changed a value: it is no example any more."""
        self._told.html = ""
        self._told_of_changes()

    def _next(self) -> None:
        self._at = (self._at + 1) % max(1, len(self._examples))
        self._fill()
        self._told_of_changes()

    def _fill(self) -> None:
        example = self._examples[self._at] if self._examples else {}
        for name, field in self._fields.items():
            if name in example:
                field.fill(example[name])
        count = len(self._examples)
        where = f"example {self._at + 1} of {count} that came with it" if count else ""
        self._told.html = f'<span class="wb-muted">{where}</span>' if where else ""
