"""The examples that models learn from, by name: data sets that are fetched or drawn, those that were brought, and visitors'
corrections."""

from workbench.datasets.cached import NAMES, Part, is_here
from workbench.datasets.corrected import (
    Corrected,
    add_corrections,
    corrections,
    corrections_used,
    read_corrections,
)
from workbench.datasets.fetching import IDX, SOURCES
from workbench.datasets.joined import joined
from workbench.datasets.named import (
    columns,
    feature_names,
    input_columns,
    labels,
    load,
    manifest,
    pin,
    pinned,
    used,
)
from workbench.datasets.parents import add_parent, find_parent

__all__ = [
    "IDX",
    "NAMES",
    "SOURCES",
    "Corrected",
    "Part",
    "add_corrections",
    "add_parent",
    "columns",
    "corrections",
    "corrections_used",
    "feature_names",
    "find_parent",
    "input_columns",
    "is_here",
    "joined",
    "labels",
    "load",
    "manifest",
    "pin",
    "pinned",
    "read_corrections",
    "used",
]
