"""The examples that models learn from, by name: data sets that are fetched or drawn, and visitors' corrections."""

from workbench.datasets.cached import NAMES, Part, is_here, load
from workbench.datasets.corrected import (
    Corrected,
    add_corrections,
    corrections,
    corrections_used,
    read_corrections,
)
from workbench.datasets.fetching import IDX, SOURCES
from workbench.datasets.parents import add_parent, find_parent

__all__ = [
    "IDX",
    "NAMES",
    "SOURCES",
    "Corrected",
    "Part",
    "add_corrections",
    "add_parent",
    "corrections",
    "corrections_used",
    "find_parent",
    "is_here",
    "load",
    "read_corrections",
]
