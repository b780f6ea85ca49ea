"""A field for each input of a version that takes no single picture, filled with an example that came with it."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import ipywidgets
import numpy as np

from workbench.backends.values import Classified, OutputSaid
from workbench.errors import BadInput
from workbench.models.registry import Version
from workbench.models.sample import read_examples, read_rows
from workbench.ui.file_button import FileButton
from workbench.ui.widgets.pieces import Html

SHOWN = 6
"""Numbers of an output."""


class InputsForm:
    """The fields; each has the value of one example, and a button puts in those of the next one.

    Parameters
    ----------
    lost
        Called with the error where a file could not be read.
    """

    def __init__(self, lost: Callable[[BadInput], None]) -> None:
        self._lost = lost
        self._version = ""
        self._examples: Sequence[Mapping[str, Any]] = ()
        self._at = 0
        self._takes: dict[str, tuple[str, tuple[int | None, ...]]] = {}
        self._by_column = False
        """Whether each field is a column of a table's row."""
        self._fields: dict[str, ipywidgets.Text | ipywidgets.Dropdown | FileButton] = {}
        self._form = ipywidgets.Box()
        self._form.add_class("wb-form").add_class("wb-inputs")
        self.another = ipywidgets.Button(
            description="Another example", tooltip="Put in the next example of those that came with it"
        )
        self.another.on_click(lambda _: self._next())
        row = ipywidgets.HBox([self.another])
        row.add_class("wb-buttons")
        self._caption = Html()
        self.widget = ipywidgets.VBox([self._caption, self._form, row])

    def show(self, version: Version) -> None:
        """Make the fields of a version; of the same one again they stay as they are."""
        if str(version) == self._version:
            return
        self._version = str(version)
        columns = version.manifest.columns
        self._by_column, self._at = bool(columns), 0
        told = "A row of the table." if columns else "By name, as the model takes it."
        self._caption.html = f'<p class="wb-caption">{told}</p>'
        self._examples = read_rows(version) if columns else read_examples(version)
        if columns:
            self._fields = {one.name: _column_field(one.name, one.kind, one.categories) for one in columns}
        else:
            self._make_fields(version)
        self._form.children = tuple(self._fields.values())
        self.another.layout.display = "" if len(self._examples) > 1 else "none"
        self._fill()

    def _make_fields(self, version: Version) -> None:
        self._takes = {name: (one.kind, one.shape) for name, one in version.manifest.feeds.items()}
        self._fields = {
            name: self._field(name, kind, one.show_shape())
            for (name, (kind, _)), one in zip(
                self._takes.items(), version.manifest.feeds.values(), strict=True
            )
        }

    def values(self) -> str:
        """The example as JSON.

        Raises
        ------
        BadInput
            A field does not hold what the model takes.
        """
        if self._by_column:
            return json.dumps(
                {name: str(field.value) for name, field in self._fields.items()}, ensure_ascii=False
            )
        return json.dumps({name: self._read(name) for name in self._fields}, ensure_ascii=False)

    def _field(self, name: str, kind: str, shape: str) -> Any:
        if kind == "image":
            return FileButton(f"{name}: choose a picture ({shape})", self._lost, accept="image/*")
        hint = "text" if kind == "text" else "a number" if shape in ("1", "one value") else f"{shape} numbers"
        field = ipywidgets.Text(description=name, placeholder=hint, tooltip=hint, continuous_update=False)
        if kind == "text" or hint.endswith("numbers"):
            field.add_class("wb-long")
        return field

    def _next(self) -> None:
        self._at = (self._at + 1) % max(1, len(self._examples))
        self._fill()

    def _fill(self) -> None:
        example = self._examples[self._at] if self._examples else {}
        for name, field in self._fields.items():
            if self._by_column:
                value = example.get(name)
                field.value = (
                    "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
                )
            elif isinstance(field, FileButton):
                field.value = ()
            elif name in example:
                field.value = _write(example[name])

    def _read(self, name: str) -> Any:
        field, (kind, shape) = self._fields[name], self._takes[name]
        if isinstance(field, FileButton):
            if field.value:
                return "data:;base64," + base64.b64encode(bytes(field.value[0]["content"])).decode()
            if self._examples:
                return np.asarray(self._examples[self._at][name]).tolist()
            raise BadInput(f"choose a picture for {name}")
        text = str(field.value)
        if kind == "text":
            return [text] if shape == (1,) else text
        return _numbers(text, name, shape)


def _column_field(name: str, kind: str, categories: Sequence[str]) -> ipywidgets.Text | ipywidgets.Dropdown:
    """A field for a column of a table's row; empty where it is missing."""
    if kind in ("category", "flag"):
        known = categories or ("true", "false")
        return ipywidgets.Dropdown(
            options=[("missing", ""), *((one, one) for one in known)], description=name
        )
    hint = "a date, such as 2026-03-31" if kind == "date" else "a number"
    return ipywidgets.Text(
        description=name,
        placeholder="missing",
        tooltip=f"{hint}; empty where it is missing",
        continuous_update=False,
    )


def _write(value: Any) -> str:
    array = np.asarray(value)
    if array.dtype.kind in "US":
        return " ".join(map(str, array.ravel().tolist()))
    return ", ".join(f"{one:.6g}" if isinstance(one, float) else str(one) for one in array.ravel().tolist())


def _numbers(text: str, name: str, shape: tuple[int | None, ...]) -> Any:
    """Numbers separated by commas or spaces, in the input's shape.

    >>> _numbers("1, 2 3.5", "a", (3,)), _numbers("7", "a", ())
    ([1, 2, 3.5], 7)
    """
    try:
        found = [
            json.loads(one) for one in text.replace(",", " ").replace("[", " ").replace("]", " ").split()
        ]
    except ValueError as error:
        raise BadInput(f"{name} takes numbers, separated by commas. Received: {text[:60]!r}") from error
    open_sides = sum(side is None for side in shape)
    wanted = [-1 if side is None else side for side in shape]
    size = int(np.prod([side for side in shape if side is not None], dtype=int))
    if not found or open_sides > 1 or (len(found) % max(1, size) if open_sides else len(found) != size):
        told = f"a multiple of {size}" if open_sides else f"{size:,}"
        raise BadInput(f"{name} takes {told} numbers, separated by commas. Received: {len(found):,}")
    return np.array(found, object).reshape(wanted).tolist() if shape else found[0]


def show_outputs(said: Classified) -> str:
    """Show what each output says besides the one that the answer is; nothing where there is no other."""
    others = [one for one in said.outputs if one.name != said.output]
    rows = "".join(f"<li><b>{escape(one.name)}</b> {escape(_say(one))}</li>" for one in others)
    return f'<ul class="wb-outputs" aria-label="The other outputs">{rows}</ul>' if rows else ""


def _say(one: OutputSaid) -> str:
    numbers = ", ".join("–" if value is None else f"{value:.6g}" for value in one.scores[:SHOWN])
    more = f", … ({len(one.scores):,})" if len(one.scores) > SHOWN else ""
    return f"class {one.index} ({numbers}{more})" if one.index is not None else numbers + more
