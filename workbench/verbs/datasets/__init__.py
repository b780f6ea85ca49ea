"""Data sets: add, list, look at, export, remove; which a recipe names, and what was made of which."""

from typing import TYPE_CHECKING

from workbench.verbs.datasets.adding import add, how, read_size
from workbench.verbs.datasets.kept import Made, as_json, export, find, made_of, remove, versions
from workbench.verbs.datasets.pins import pins_of
from workbench.verbs.datasets.templates import recipe, ways

if TYPE_CHECKING:
    from workbench.datasets.kept.values import Column, DatasetManifest
    from workbench.datasets.sources import How

__all__ = [
    "Column",
    "DatasetManifest",
    "How",
    "Made",
    "add",
    "as_json",
    "export",
    "find",
    "how",
    "made_of",
    "pins_of",
    "read_size",
    "recipe",
    "remove",
    "versions",
    "ways",
]
