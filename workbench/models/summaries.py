"""An evaluation as it is kept with a version: the JSON of ``evaluation.json``."""

import json
from pathlib import Path
from typing import NotRequired, TypedDict, cast, final

FILE = "evaluation.json"

Bin = TypedDict("Bin", {"from": float, "to": float, "count": int, "confidence": float, "accuracy": float})
"""Examples of which the model was about equally sure, from ``from`` to ``to``."""


class ClassFigures(TypedDict):
    """How well one class is recognised; ``None`` where nothing can be divided."""

    label: str
    count: int
    precision: float | None
    recall: float | None
    f1: float | None


class Calibration(TypedDict):
    """How often the model is right where it is so sure."""

    expected_error: float
    bins: list[Bin]


class WorstMistake(TypedDict):
    """A mistake that the model was sure of."""

    index: int
    true: int
    predicted: int
    probability: float


@final
class Summary(TypedDict):
    """A classifier's figures."""

    count: int
    accuracy: float
    interval: list[float]
    loss: float
    per_class: list[ClassFigures]
    confusion: list[list[int]]
    calibration: Calibration
    worst: list[WorstMistake]


class WorstDifference(TypedDict):
    """An example that a regressor was far from."""

    index: int
    true: list[float]
    predicted: list[float]


@final
class RegressionSummary(TypedDict):
    """A regressor's figures; ``explained`` is missing where the truth never varies."""

    count: int
    mean_error: float
    root_mean_square_error: float
    explained: NotRequired[float]
    worst: list[WorstDifference]


def read(folder: Path) -> Summary | RegressionSummary | None:
    """Read the evaluation that lies in a version's folder; ``None`` where there is none."""
    path = folder / FILE
    return cast(Summary | RegressionSummary, json.loads(path.read_text())) if path.exists() else None
