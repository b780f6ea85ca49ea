"""The examples that models learn from, by name: data sets that are fetched, and visitors' corrections."""

from workbench.datasets.cached import Part, load
from workbench.datasets.corrected import (
    Corrected,
    add_corrections,
    corrections,
    corrections_used,
    read_corrections,
)
from workbench.datasets.fetching import IDX, SOURCES

__all__ = [
    "IDX",
    "SOURCES",
    "Corrected",
    "Part",
    "add_corrections",
    "corrections",
    "corrections_used",
    "load",
    "read_corrections",
]
