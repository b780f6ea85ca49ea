"""A field for one input of a model: what is typed or chosen, read as JSON, with what is wrong with it below."""

import base64
import json
from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Protocol

import ipywidgets
import numpy as np

from workbench.errors import BadInput
from workbench.manifest import Input
from workbench.manifest.columns import InputColumn
from workbench.pictures.decoders import MAX_BYTES
from workbench.ui.file_button import FileButton
from workbench.ui.serving.predict.picture_source import preview
from workbench.ui.widgets.pieces import Html, sentence

FEW = 8
"""Numbers that are typed into one line; more into several."""


class Field(Protocol):
    """What stands for an input on the page."""

    widget: ipywidgets.Widget

    def fill(self, value: Any) -> None:
        """Put in an example's value."""

    def read(self) -> Any:
        """The value as JSON; raises ``BadInput``, and says beside itself why."""

    def blame(self, why: str) -> bool:
        """Say beside itself why it was refused, if that is about this input; nothing more to say where ``why`` is empty."""


class Entry:
    """A widget with a caption, and what is wrong with its value below.

    Parameters
    ----------
    changed
        Called after each change by a visitor.
    """

    def __init__(self, entry: ipywidgets.DOMWidget, caption: str, changed: Callable[[], None]) -> None:
        self._entry, self._changed, self._filling = entry, changed, False
        self._wrong = Html()
        parts = [
            entry,
            *([Html(f'<p class="wb-caption">{escape(caption)}</p>')] if caption else []),
            self._wrong,
        ]
        self.widget: ipywidgets.Widget = ipywidgets.VBox(parts)
        self.widget.add_class("wb-field")
        entry.observe(lambda _: self._touched(), "value")

    @property
    def value(self) -> Any:
        return self._entry.value

    def put(self, value: Any) -> None:
        """Fill it in, which is no change by a visitor."""
        self._filling = True
        try:
            self._entry.value = value
        finally:
            self._filling = False
        self.tell("")

    def tell(self, why: str) -> None:
        """Say what is wrong, or nothing."""
        self._wrong.html = f'<p class="wb-problem" role="alert">{escape(sentence(why))}</p>' if why else ""
        (self._entry.add_class if why else self._entry.remove_class)("wb-wrong")

    def _touched(self) -> None:
        if not self._filling:
            self.tell("")
            self._changed()


class ValueField:
    """A text, or numbers separated by commas or spaces."""

    def __init__(self, takes: Input, changed: Callable[[], None]) -> None:
        self._takes = takes
        count = int(np.prod([side for side in takes.shape if side is not None], dtype=int))
        is_long = takes.kind == "text" or count > FEW or None in takes.shape
        made = ipywidgets.Textarea if is_long else ipywidgets.Text
        hint = _hint(takes, count)
        self._entry = Entry(
            made(description=takes.name, placeholder=hint, tooltip=hint, continuous_update=False),
            hint if count > 1 or None in takes.shape else "",
            changed,
        )
        self.widget = self._entry.widget
        if is_long or count > 3:
            self.widget.add_class("wb-long")

    def fill(self, value: Any) -> None:
        array = np.asarray(value)
        if self._takes.kind == "text":
            self._entry.put("\n".join(map(str, array.ravel().tolist())))
        else:
            self._entry.put(write_numbers(array))

    def read(self) -> Any:
        try:
            if self._takes.kind == "text":
                return read_texts(str(self._entry.value), self._takes)
            return read_numbers(str(self._entry.value), self._takes)
        except BadInput as error:
            self._entry.tell(str(error))
            raise

    def blame(self, why: str) -> bool:
        about = not why or why.startswith(f"{self._takes.name} ")
        if about:
            self._entry.tell(why)
        return about


class ColumnField:
    """A column of a table's row, whose categories are offered; what is empty is missing."""

    def __init__(self, column: InputColumn, changed: Callable[[], None]) -> None:
        self._column = column
        self._entry = Entry(_offer(column), "", changed)
        self.widget = self._entry.widget

    def fill(self, value: Any) -> None:
        text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        self._entry.put(text)

    def read(self) -> str:
        text = str(self._entry.value or "")
        try:
            self._column.encode(text)
        except BadInput as error:
            self._entry.tell(str(error))
            raise
        return text

    def blame(self, why: str) -> bool:
        about = not why or why.startswith(f"{self._column.name} ")
        if about:
            self._entry.tell(why)
        return about


class PictureField:
    """A picture, or the example's."""

    def __init__(self, takes: Input, changed: Callable[[], None], lost: Callable[[BadInput], None]) -> None:
        self._takes = takes
        self._example: Any = None
        self._button = FileButton(
            "Choose a picture", lost, accept="image/*", most=MAX_BYTES, zone=".wb-field"
        )
        self._shown = Html()
        label = Html(
            f'<span class="widget-label">{escape(takes.name)}</span>'
            f'<p class="wb-caption">a picture, brought to {escape(takes.show_shape())}</p>'
        )
        self._entry = Entry(self._button, "", changed)
        self.widget: ipywidgets.Widget = ipywidgets.VBox([label, self._entry.widget, self._shown])
        self.widget.add_class("wb-long")
        self._button.observe(lambda _: self._show(), "value")

    def fill(self, value: Any) -> None:
        self._example = value
        self._entry.put(())
        self._show()

    def read(self) -> Any:
        if self._button.value:
            return "data:;base64," + base64.b64encode(bytes(self._button.value[0]["content"])).decode()
        if self._example is not None:
            return np.asarray(self._example).tolist()
        why = f"choose a picture for {self._takes.name}"
        self._entry.tell(why)
        raise BadInput(why)

    def blame(self, why: str) -> bool:
        about = not why or self._takes.name in why
        if about:
            self._entry.tell(why)
        return about

    def _show(self) -> None:
        chosen: Mapping[str, Any] | None = self._button.value[0] if self._button.value else None
        if chosen:
            self._shown.html = f'<p class="wb-caption">{escape(chosen["name"])}</p>{preview(chosen)}'
        else:
            self._shown.html = (
                '<p class="wb-caption">The example\'s picture.</p>' if self._example is not None else ""
            )


def _offer(column: InputColumn) -> ipywidgets.DOMWidget:
    if column.kind in ("category", "flag"):
        known = column.categories or ("true", "false")
        options = [*((one, one) for one in known), ("missing", "")]
        return ipywidgets.Dropdown(options=options, description=column.name)
    hint = "a date, such as 2026-03-31" if column.kind == "date" else "a number"
    return ipywidgets.Text(
        description=column.name,
        placeholder="missing",
        tooltip=f"{hint}; empty where it is missing",
        continuous_update=False,
    )


def _hint(takes: Input, count: int) -> str:
    if takes.kind == "text":
        return "text" if count == 1 else f"{count} texts, one a line"
    numbers = "whole number" if takes.dtype.startswith(("int", "uint")) else "number"
    if None in takes.shape:
        return f"{numbers}s, as many as fit {takes.show_shape()}, separated by commas"
    return f"a {numbers}" if count == 1 else f"{count:,} {numbers}s, separated by commas"


def write_numbers(array: np.ndarray) -> str:
    """Numbers as they are typed.

    >>> write_numbers(np.array([1.5, 2.0])), write_numbers(np.array(7))
    ('1.5, 2', '7')
    """
    return ", ".join(f"{one:.6g}" if isinstance(one, float) else str(one) for one in array.ravel().tolist())


def read_numbers(text: str, takes: Input) -> Any:
    """Numbers separated by commas or spaces, in the input's shape.

    >>> read_numbers("1, 2 3.5", Input((3,))), read_numbers("7", Input(()))
    ([1, 2, 3.5], 7)
    """
    name, shape = takes.name, takes.shape
    try:
        found = [json.loads(one) for one in text.translate(_APART).split()]
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{name} takes numbers, separated by commas. Received: {text[:60]!r}") from error
    if not all(isinstance(one, int | float) for one in found):
        raise BadInput(f"{name} takes numbers, separated by commas. Received: {text[:60]!r}")
    open_sides = sum(side is None for side in shape)
    wanted = [-1 if side is None else side for side in shape]
    size = int(np.prod([side for side in shape if side is not None], dtype=int))
    if not found or open_sides > 1 or (len(found) % max(1, size) if open_sides else len(found) != size):
        told = f"a multiple of {size}" if open_sides else f"{size:,}"
        raise BadInput(f"{name} takes {told} numbers, separated by commas. Received: {len(found):,}")
    return np.array(found, object).reshape(wanted).tolist() if shape else found[0]


def read_texts(text: str, takes: Input) -> Any:
    """A text in the input's shape; several are lines.

    >>> read_texts("a b", Input((), "text")), read_texts("a b", Input((1,), "text")), read_texts("a\\nb", Input((2,), "text"))
    ('a b', ['a b'], ['a', 'b'])
    """
    if takes.shape in ((), (1,)):
        return [text] if takes.shape else text
    lines = text.splitlines()
    count = int(np.prod([side for side in takes.shape if side is not None], dtype=int))
    if None not in takes.shape and len(lines) != count:
        raise BadInput(f"{takes.name} takes {count} texts, one a line. Received: {len(lines)}")
    return np.array(lines, object).reshape([-1 if side is None else side for side in takes.shape]).tolist()


_APART = str.maketrans(",[];", "    ")
