"""Data sets: add, list, look at, export, remove; which a recipe names, and what was made of which."""

from typing import TYPE_CHECKING

from workbench.verbs.datasets.actions import (
    Made,
    add,
    as_json,
    export,
    find,
    how,
    made_of,
    pins_of,
    recipe,
    remove,
    versions,
)

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
    "recipe",
    "remove",
    "versions",
]
