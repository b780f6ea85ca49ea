"""The row of numbers that a model gets of a table's row: the same from arrays, from a stream, and from what a client sends by
the columns of a version's manifest.

Numbers stay as they are (a model scales them itself), a missing one becomes the training part's mean and a 1 beside it; a
category becomes as many numbers, one of which is 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.datasets.kept.values import Column


@dataclass(frozen=True)
class Feature:
    """One number of the row: the value of a column, whether it is missing, or whether it is this category."""

    column: int
    """Its place among all columns."""
    name: str
    category: int | None = None
    is_missing: bool = False
    fill: float = 0.0


def features(columns: Sequence[Column]) -> tuple[Feature, ...]:
    """The features of a table, in their order."""
    found = []
    for place, column in enumerate(columns):
        if column.role != "input" or column.is_text or column.shape:
            continue
        if column.kind == "category":
            found += [
                Feature(place, f"{column.name} is {text}", category=n)
                for n, text in enumerate(column.categories)
            ]
        else:
            found.append(Feature(place, column.name, fill=float(column.mean or 0.0)))
        if column.missing and column.kind != "category":
            found.append(Feature(place, f"{column.name} is missing", is_missing=True))
    return tuple(found)


def input_columns(columns: Sequence[Column]) -> list[dict[str, object]]:
    """What a version's manifest has to say of a row, so that a client can send one by its columns."""
    found: list[dict[str, object]] = []
    for column in columns:
        if column.role != "input" or column.is_text or column.shape:
            continue
        told: dict[str, object] = {"name": column.name, "kind": column.kind}
        if column.kind == "category":
            found.append({**told, "categories": [*column.categories]})
        else:
            found.append({**told, "mean": float(column.mean or 0.0), "may_miss": bool(column.missing)})
    return found


def encode(fixed: np.ndarray, columns: Sequence[Column]) -> np.ndarray:
    """Float32 ``(n, features)`` of a structured array of the fixed columns."""
    made = np.empty((len(fixed), len(wanted := features(columns))), np.float32)
    for n, one in enumerate(wanted):
        values = fixed[f"c{one.column}"]
        if one.category is not None:
            made[:, n] = values == one.category
        elif one.is_missing:
            made[:, n] = ~np.isfinite(values) if values.dtype.kind == "f" else 0
        else:
            made[:, n] = np.where(np.isfinite(values), values, one.fill)
    return made
