"""What a visitor may say about a source instead of leaving it to be guessed."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import ipywidgets

from workbench.verbs import datasets

if TYPE_CHECKING:
    from workbench.verbs.datasets import How

KINDS = {"guessed": None, "pictures": "pictures", "a table": "table", "texts": "text", "arrays": "arrays"}
TARGETS = {"guessed": None, "classes": True, "a number": False}
HEADERS = {"guessed": None, "names the columns": True, "is an example": False}
SPLITS = {
    "drawn by its share": "share",
    "said by a column": "column",
    "drawn by groups": "group",
}
COLOURS = {"colours": 3, "ink alone": 1}


class Choices:
    """Fields that need not be filled in: the usual ones, and under a fold those that most sources do without.

    Parameters
    ----------
    changed
        Called after each change.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.target = ipywidgets.Text(description="Target column", placeholder="guessed")
        self.classes = _choice("Target is", TARGETS)
        self.share = ipywidgets.BoundedFloatText(0.2, min=0.01, max=0.99, step=0.05, description="Test share")
        self.licence = ipywidgets.Text(description="Licence", placeholder="optional")
        self.usual = (self.target, self.classes, self.share, self.licence)
        self.kind = _choice("It is", KINDS)
        self.header = _choice("First line", HEADERS)
        self.unused = ipywidgets.Text(description="Columns left out", placeholder="none; id, remarks")
        self.split = _choice("Test part", SPLITS)
        self.column = ipywidgets.Text(description="By the column", placeholder="for a column or groups")
        self.size = ipywidgets.Text(description="Picture size", placeholder="guessed; 96x96")
        self.colours = _choice("Pictures have", COLOURS)
        rare = (self.kind, self.header, self.unused, self.split, self.column, self.size, self.colours)
        for field in (*self.usual, *rare):
            field.observe(lambda _: changed(), "value")
        form = ipywidgets.Box(rare)
        form.add_class("wb-form")
        self.fold = ipywidgets.Accordion([form], titles=["More that need not be guessed"])
        self.fold.add_class("wb-fold")

    def read(self) -> "How":
        """Read what was said; raises ``BadInput`` where a value cannot be."""
        size = self.size.value.strip()
        by = SPLITS[self.split.value]
        return datasets.how(
            kind=KINDS[self.kind.value],
            target=self.target.value.strip() or None,
            classes=TARGETS[self.classes.value],
            unused=[name.strip() for name in self.unused.value.split(",") if name.strip()],
            by=by,
            share=self.share.value,
            column="" if by == "share" else self.column.value.strip(),
            size=datasets.read_size(size) if size else None,
            channels=COLOURS[self.colours.value],
            header=HEADERS[self.header.value],
            licence=self.licence.value.strip(),
        )


def _choice(description: str, options: Mapping[str, object]) -> ipywidgets.Dropdown:
    return ipywidgets.Dropdown(options=list(options), description=description)
