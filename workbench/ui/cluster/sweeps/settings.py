"""The settings that a sweep may try, a field each, with what stands in the code and an example beside it."""

from collections.abc import Callable, Mapping

import ipywidgets

from workbench.recipes.capitals import KNOWN, Capital

LEFT_OUT = ("LABELS", "INPUT")
"""Capitals that say what a model is, not how it learns."""


class SettingFields:
    """A field for each setting of a recipe; what was typed stays while the code changes.

    Parameters
    ----------
    changed
        Called after each change by a visitor.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._fields: dict[str, ipywidgets.Text] = {}
        self._put: dict[str, str] = {}
        self._shown: tuple[tuple[str, str], ...] = ()
        self.widget = ipywidgets.Box([])
        self.widget.add_class("wb-form")

    def show(self, found: Mapping[str, Capital]) -> None:
        """Show fields for these settings, and for those that every recipe has."""
        told = {name: _placeholder(one) for name, one in found.items() if _is_setting(one)}
        told |= {name: EXAMPLES[name] for name in KNOWN if name not in told}
        if (shown := tuple(told.items())) == self._shown:
            return
        self._shown = shown
        for name, placeholder in told.items():
            if name not in self._fields:
                text = self._put.pop(name, "")
                self._fields[name] = ipywidgets.Text(text, description=name, continuous_update=False)
                self._fields[name].observe(lambda _: self._changed(), "value")
            self._fields[name].placeholder = placeholder
        self.widget.children = [self._fields[name] for name in told]

    def field(self, name: str) -> ipywidgets.Text:
        """The field of a setting that is shown."""
        return self._fields[name]

    def put(self, texts: Mapping[str, str]) -> None:
        """Put in what was typed before; of settings that are not shown yet, once they are."""
        for name, text in texts.items():
            if name in self._fields:
                self._fields[name].value = text
            else:
                self._put[name] = text

    @property
    def texts(self) -> dict[str, str]:
        """What was typed, of all settings, shown or not."""
        typed = {name: field.value.strip() for name, field in self._fields.items()}
        return {name: text for name, text in (self._put | typed).items() if text}

    @property
    def wanted(self) -> dict[str, str]:
        """What was typed, of the settings that are shown."""
        shown = {name for name, _ in self._shown}
        return {name: text for name, text in self.texts.items() if name in shown}


EXAMPLES = {"EPOCHS": "try 2,4,8", "BATCH_SIZE": "try 64,128,256", "PATIENCE": "try 2,4"}


def _is_setting(one: Capital) -> bool:
    return one.name not in LEFT_OUT and (one.written == "None" or isinstance(one.value, int | float | str))


def _placeholder(one: Capital) -> str:
    """What the code says, and values around it as one writes them.

    >>> [_placeholder(Capital("A", "training", 1, repr(v), v)) for v in (64, 0.001, "relu", True)]
    ['now 64; try 32,64,128', 'now 0.001; try 0.0001..0.01:log', "now 'relu'; try relu, …", 'now True; try True,False']
    """
    value = one.value
    if isinstance(value, bool):
        example = "True,False"
    elif isinstance(value, int):
        example = ",".join(dict.fromkeys(str(max(1, n)) for n in (value // 2, value, 2 * value)))
    elif isinstance(value, float) and 0 < value < 0.1:
        example = f"{value / 10:g}..{10 * value:g}:log"
    elif isinstance(value, float):
        example = f"{value / 2:g}..{min(2 * value, 1.0) if 0 <= value <= 1 else 2 * value:g}"
    else:
        example = f"{value}, …" if isinstance(value, str) else EXAMPLES.get(one.name, "1,2")[4:]
    return f"now {one.written}; try {example}"
