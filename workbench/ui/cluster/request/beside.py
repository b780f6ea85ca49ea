"""The files beside a recipe's code on the page: each a tag with a cross, which takes it away."""

from collections.abc import Callable

import ipywidgets

from workbench.recipes import RecipeFile


class FilesBeside:
    """A row of the files that travel with the code; not there where there are none.

    Parameters
    ----------
    changed
        Called after a visitor took one away.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._files: tuple[RecipeFile, ...] = ()
        self._showing = False
        self.tags = ipywidgets.TagsInput(allow_duplicates=False)
        self.tags.observe(lambda change: self._take_away(change["new"]), "value")
        label = ipywidgets.Label("Beside the code")
        label.tooltip = "Files that travel with the code; open them by their names"
        self.widget = ipywidgets.HBox([label, self.tags])
        self.widget.add_class("wb-files")
        self.show(())

    @property
    def files(self) -> tuple[RecipeFile, ...]:
        return self._files

    def show(self, files: tuple[RecipeFile, ...]) -> None:
        """Replace the files."""
        self._files = files
        self._showing = True
        try:
            names = [one.path for one in files]
            self.tags.value = []
            self.tags.allowed_tags = names
            self.tags.value = names
        finally:
            self._showing = False
        self.widget.layout.display = "" if files else "none"

    def _take_away(self, names: list[str]) -> None:
        if self._showing:
            return
        left = tuple(one for one in self._files if one.path in names)
        if left != self._files:
            self.show(left)
            self._changed()
