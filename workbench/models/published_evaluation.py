"""What is kept of an evaluation with its version, ``evaluation.json``: written once, parsed once, typed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import ModelRefused
from workbench.fields import Fields

FILE = "evaluation.json"
OUTPUTS = "outputs"
"""The folder with the evaluations of the outputs that a model is not judged by."""


@dataclass(frozen=True)
class ClassFigures:
    """How well one class is recognised; ``None`` where nothing can be divided."""

    label: str
    count: int
    """Examples that are of this class."""
    precision: float | None
    recall: float | None
    f1: float | None
    """The harmonic mean of precision and recall."""


@dataclass(frozen=True)
class CalibrationBin:
    """The examples for which the model's top probability is between ``low`` and ``high``."""

    low: float
    high: float
    count: int
    confidence: float
    """Mean top probability, 0 to 1."""
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """Does "90 % sure" mean right 9 times in 10? Bins of the top probability, and the expected gap
    (Guo et al. 2017, "On Calibration of Modern Neural Networks", eq. 3)."""

    expected_error: float
    bins: tuple[CalibrationBin, ...]

    def as_json(self) -> dict[str, object]:
        """As it stands in the file."""
        bins = [
            {
                "from": b.low,
                "to": b.high,
                "count": b.count,
                "confidence": b.confidence,
                "accuracy": b.accuracy,
            }
            for b in self.bins
        ]
        return {"expected_error": self.expected_error, "bins": bins}


@dataclass(frozen=True)
class Mistake:
    """One example that the model got wrong."""

    index: int
    true: int
    predicted: int
    probability: float
    """That the model gave its wrong answer, 0 to 1."""


@dataclass(frozen=True)
class Miss:
    """One example whose quantities the model missed by far."""

    index: int
    true: tuple[float, ...]
    predicted: tuple[float, ...]


@dataclass(frozen=True)
class PublishedClassification:
    """A classifier's answers to the held-out part, counted.

    Attributes
    ----------
    interval
        The ends of the accuracy's 95 % interval.
    confusion
        k rows of k counts; a row a true class, a column a predicted one.
    worst
        The mistakes the model was surest of, worst first; their classes are rows of ``confusion``.
    """

    count: int
    accuracy: float
    interval: tuple[float, float]
    loss: float
    per_class: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]
    calibration: Calibration
    worst: tuple[Mistake, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the model's outputs."""
        return tuple(one.label for one in self.per_class)

    @property
    def wrong(self) -> int:
        """How many of the examples were mistaken."""
        return self.count - sum(row[k] for k, row in enumerate(self.confusion))

    def as_json(self) -> dict[str, object]:
        """As it stands in the file."""
        return {
            "count": self.count,
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "loss": self.loss,
            "per_class": [vars(one) for one in self.per_class],
            "confusion": [list(row) for row in self.confusion],
            "calibration": self.calibration.as_json(),
            "worst": [vars(mistake) for mistake in self.worst],
        }


@dataclass(frozen=True)
class PublishedRegression:
    """A regressor's answers to the held-out part, measured; see ``measured.Regression``."""

    count: int
    mean_error: float
    root_mean_square_error: float
    explained: float | None
    worst: tuple[Miss, ...]

    def as_json(self) -> dict[str, object]:
        """As it stands in the file."""
        told: dict[str, object] = {
            "count": self.count,
            "mean_error": self.mean_error,
            "root_mean_square_error": self.root_mean_square_error,
        }
        if self.explained is not None:
            told["explained"] = self.explained
        worst = [{"index": m.index, "true": list(m.true), "predicted": list(m.predicted)} for m in self.worst]
        return {**told, "worst": worst}


PublishedEvaluation = PublishedClassification | PublishedRegression


def read(folder: Path) -> PublishedEvaluation | None:
    """Read the evaluation in a version's folder; ``None`` where there is none.

    Raises
    ------
    ModelRefused
        It is not whole.
    """
    try:
        told = json.loads((folder / FILE).read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise ModelRefused(f"{FILE} is not JSON: {error}") from error
    if not isinstance(told, dict):
        raise ModelRefused(f"{FILE} must be an object. Received: {type(told).__name__}")
    return parse(told)


def write(evaluation: PublishedEvaluation, folder: Path) -> None:
    """Write ``evaluation.json`` into a version's folder."""
    text = json.dumps(evaluation.as_json(), indent=2, ensure_ascii=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def parse(told: Mapping[str, object]) -> PublishedEvaluation:
    """Parse what the file says: a classification where it has a ``confusion``, else a regression.

    Raises
    ------
    ModelRefused
        A value is missing or of another kind than it should be.
    """
    fields = Fields(told, f"{FILE}: ")
    return _classification(fields) if "confusion" in fields else _regression(fields)


def _classification(fields: Fields) -> PublishedClassification:
    per_class, confusion = fields.parts("per_class"), fields.rows("confusion")
    if not all(len(row) == len(confusion) == len(per_class) for row in confusion):
        fields.refuse("confusion", f"a row and a column for each of the {len(per_class)} classes")
    return PublishedClassification(
        count=fields.count("count"),
        accuracy=fields.number("accuracy"),
        interval=fields.range("interval"),
        loss=fields.number("loss"),
        per_class=tuple(map(_class_figures, per_class)),
        confusion=confusion,
        calibration=_calibration(fields.part("calibration")),
        worst=tuple(_mistake(part, len(confusion)) for part in fields.parts("worst")),
    )


def _class_figures(fields: Fields) -> ClassFigures:
    shares = (fields.optional(name, fields.number) for name in ("precision", "recall", "f1"))
    return ClassFigures(fields.text("label"), fields.count("count"), *shares)


def _calibration(fields: Fields) -> Calibration:
    bins = [
        CalibrationBin(
            low=part.number("from"),
            high=part.number("to"),
            count=part.count("count"),
            confidence=part.number("confidence"),
            accuracy=part.number("accuracy"),
        )
        for part in fields.parts("bins")
    ]
    return Calibration(fields.number("expected_error"), tuple(bins))


def _mistake(fields: Fields, classes: int) -> Mistake:
    for name in ("true", "predicted"):
        if fields.count(name) >= classes:
            fields.refuse(name, f"one of {classes} classes, 0 to {classes - 1}")
    return Mistake(
        index=fields.count("index"),
        true=fields.count("true"),
        predicted=fields.count("predicted"),
        probability=fields.number("probability"),
    )


def _regression(fields: Fields) -> PublishedRegression:
    return PublishedRegression(
        count=fields.count("count"),
        mean_error=fields.number("mean_error"),
        root_mean_square_error=fields.number("root_mean_square_error"),
        explained=fields.optional("explained", fields.number),
        worst=tuple(
            Miss(part.count("index"), part.row("true"), part.row("predicted"))
            for part in fields.parts("worst")
        ),
    )
