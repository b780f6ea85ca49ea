"""How good a model is on the held-out part: figures, and pictures where people would rather look."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workbench.models import charts
from workbench.models.summaries import (
    FILE,
    Bin,
    Calibration,
    ClassFigures,
    RegressionSummary,
    Summary,
    WorstDifference,
)

WORST = 25
BINS = 10


@dataclass(frozen=True)
class Mistake:
    """One example that the model got wrong."""

    index: int
    true: int
    predicted: int
    probability: float
    """That the model gave its wrong answer, 0 to 1."""


@dataclass(frozen=True)
class Evaluation:
    """A classifier's answers to the held-out part, counted.

    Attributes
    ----------
    outputs
        float32 ``(n, k)``, what the model gave; ``(n, 1)`` for the second of two classes.
    truth
        int64 ``(n,)``.
    accuracy, low, high
        0 to 1, and the ends of its 95 % interval (Wilson's score interval).
    loss
        Mean negative logarithm of the probability given to the truth.
    confusion
        int64 ``(k, k)``; a row a true class, a column a predicted one.
    worst
        The mistakes the model was surest of, worst first, ``WORST`` at most.
    """

    outputs: np.ndarray
    truth: np.ndarray
    labels: tuple[str, ...]
    output_kind: str
    accuracy: float
    low: float
    high: float
    loss: float
    confusion: np.ndarray
    worst: tuple[Mistake, ...]

    @property
    def count(self) -> int:
        return len(self.truth)

    @property
    def metrics(self) -> dict[str, float]:
        """The figures that a version's manifest and a job show."""
        return {"accuracy": self.accuracy, "low": self.low, "high": self.high, "loss": self.loss}

    @property
    def per_class(self) -> list[ClassFigures]:
        """Precision, recall and their harmonic mean for each class; ``None`` where nothing can be divided."""
        hits, true, predicted = np.diag(self.confusion), self.confusion.sum(1), self.confusion.sum(0)
        return [
            {
                "label": label,
                "count": int(true[k]),
                "precision": _divide(hits[k], predicted[k]),
                "recall": _divide(hits[k], true[k]),
                "f1": _divide(2 * hits[k], true[k] + predicted[k]),
            }
            for k, label in enumerate(self.labels)
        ]

    @property
    def calibration(self) -> Calibration:
        """Does "90 % sure" mean right 9 times in 10? Bins of the top probability, and the expected gap
        (Guo et al. 2017, "On Calibration of Modern Neural Networks", eq. 3)."""
        sure = probabilities(self.outputs)
        top, right = sure.max(1), sure.argmax(1) == self.truth
        place = np.minimum((top * BINS).astype(int), BINS - 1)
        bins: list[Bin] = []
        for b in range(BINS):
            here = place == b
            if here.any():
                bins.append(
                    {
                        "from": b / BINS,
                        "to": (b + 1) / BINS,
                        "count": int(here.sum()),
                        "confidence": float(top[here].mean()),
                        "accuracy": float(right[here].mean()),
                    }
                )
        gap = sum(b["count"] * abs(b["confidence"] - b["accuracy"]) for b in bins) / self.count
        return {"expected_error": gap, "bins": bins}

    def summary(self) -> Summary:
        """All of it as JSON, but for the outputs themselves."""
        return {
            "count": self.count,
            "accuracy": self.accuracy,
            "interval": [self.low, self.high],
            "loss": self.loss,
            "per_class": self.per_class,
            "confusion": self.confusion.tolist(),
            "calibration": self.calibration,
            "worst": [
                {"index": m.index, "true": m.true, "predicted": m.predicted, "probability": m.probability}
                for m in self.worst
            ],
        }

    def save(self, folder: Path, x: np.ndarray) -> None:
        """Write ``evaluation.json`` and its drawings, and where ``x`` are pictures ``worst.png`` with the mistakes."""
        summary = self.summary()
        (folder / FILE).write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
        (folder / "confusion.svg").write_text(charts.confusion(self.confusion, self.labels))
        (folder / "calibration.svg").write_text(charts.calibration(summary["calibration"]["bins"]))
        if self.worst and x.ndim == 4 and x.shape[-1] in (1, 3):
            import imageio.v3 as imageio

            imageio.imwrite(folder / "worst.png", contact_sheet([x[m.index] for m in self.worst]))


@dataclass(frozen=True)
class Regression:
    """A regressor's answers to the held-out part, measured.

    Attributes
    ----------
    outputs, truth
        float32 ``(n, m)``, in the truth's own unit.
    mean_error, root_mean_square_error
        Mean of the absolute differences, and root of the mean of their squares, in the truth's own unit.
    explained
        Share of the truth's variance that the model explains (R²): 1 is perfect, 0 no better than always saying the
        mean, below 0 worse; ``None`` where the truth never varies.
    worst
        Indices of the examples with the largest differences, worst first, ``WORST`` at most.
    """

    outputs: np.ndarray
    truth: np.ndarray
    mean_error: float
    root_mean_square_error: float
    explained: float | None
    worst: tuple[int, ...]
    output_kind: str = "values"

    @property
    def count(self) -> int:
        return len(self.truth)

    @property
    def metrics(self) -> dict[str, float]:
        """The figures that a version's manifest and a job show."""
        found = {"mean_error": self.mean_error, "root_mean_square_error": self.root_mean_square_error}
        return found if self.explained is None else {**found, "explained": self.explained}

    def summary(self) -> RegressionSummary:
        """All of it as JSON, but for the outputs themselves."""
        worst: list[WorstDifference] = [
            {"index": i, "true": self.truth[i].tolist(), "predicted": self.outputs[i].tolist()}
            for i in self.worst
        ]
        found: RegressionSummary = {
            "count": self.count,
            "mean_error": self.mean_error,
            "root_mean_square_error": self.root_mean_square_error,
            "worst": worst,
        }
        if self.explained is not None:
            found["explained"] = self.explained
        return found

    def save(self, folder: Path, x: np.ndarray) -> None:
        """Write ``evaluation.json`` and its drawing."""
        (folder / FILE).write_text(json.dumps(self.summary(), indent=2) + "\n")
        (folder / "scatter.svg").write_text(charts.scatter(self.truth, self.outputs))


def evaluate(
    predict: Callable[[np.ndarray], np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    labels: Sequence[str] = (),
) -> Evaluation | Regression:
    """Ask the model about each held-out example, once.

    Whole numbers and one-hot rows are classes; any other truth is a quantity.

    Parameters
    ----------
    predict
        Inputs ``(n, …)`` → outputs ``(n, k)``: probabilities, or logits; ``(n, 1)`` for the probability of the second
        of two classes, or its logit; ``(n,)`` or ``(n, m)`` for quantities.
    test
        ``(x, y)`` with ``y`` ``(n,)`` whole numbers 0 to k-1, one-hot ``(n, k)``, or float ``(n,)`` or ``(n, m)``.
    labels
        k texts; the class numbers where none are given.

    Raises
    ------
    ValueError
        The outputs do not fit the truth.
    """
    x, y = test
    outputs, truth = np.asarray(predict(x), np.float32), np.asarray(y)
    return classify(outputs, truth, labels) if _names_classes(truth, outputs) else measure(outputs, truth)


def _names_classes(truth: np.ndarray, outputs: np.ndarray) -> bool:
    if truth.dtype.kind in "iub":
        return True
    if truth.ndim == 2 and truth.shape[1] > 1:
        one_hot = np.isin(truth, (0, 1)).all() and (truth.sum(1) == 1).all()
        return bool(truth.shape == outputs.shape and one_hot)
    return bool(truth.size and np.isin(truth, (0, 1)).all())  # two classes, told as floats


def measure(outputs: np.ndarray, truth: np.ndarray) -> Regression:
    """Measure a regressor's outputs ``(n,)`` or ``(n, m)`` against the truth of the same shape."""
    if len(outputs) != len(truth) or outputs.size != truth.size or truth.size == 0:
        raise ValueError(
            f"outputs and truth must be of one shape. Received: {outputs.shape} and {truth.shape}"
        )
    truth = truth.astype(np.float32).reshape(len(truth), -1)
    outputs = outputs.reshape(truth.shape)
    difference = (outputs - truth).astype(np.float64)
    spread = float(((truth - truth.mean(0)) ** 2).sum())
    return Regression(
        outputs=outputs,
        truth=truth,
        mean_error=float(np.abs(difference).mean()),
        root_mean_square_error=float(np.sqrt((difference**2).mean())),
        explained=1 - float((difference**2).sum()) / spread if spread else None,
        worst=tuple(int(i) for i in np.argsort(-np.abs(difference).max(1), kind="stable")[:WORST]),
    )


def classify(outputs: np.ndarray, truth: np.ndarray, labels: Sequence[str]) -> Evaluation:
    """Count a classifier's outputs ``(n, k)`` against the true classes."""
    truth = truth.argmax(1) if truth.ndim == 2 and truth.shape[1] > 1 else truth.reshape(-1).astype(np.int64)
    if outputs.ndim != 2 or len(outputs) != len(truth) or len(truth) == 0:
        raise ValueError(
            f"outputs (n, k) and truth (n,) must fit. Received: {outputs.shape} and {truth.shape}"
        )
    sure = probabilities(outputs)
    classes = sure.shape[1]
    if truth.min() < 0 or truth.max() >= classes:
        raise ValueError(
            f"the truth has classes {truth.min()} to {truth.max()}, the model has {classes} outputs"
        )
    predicted = sure.argmax(1)
    wrong = np.flatnonzero(predicted != truth)
    wrong = wrong[np.argsort(-sure[wrong, predicted[wrong]], kind="stable")][:WORST]
    hits = int((predicted == truth).sum())
    low, high = wilson(hits, len(truth))
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (truth, predicted), 1)
    return Evaluation(
        outputs=outputs,
        truth=truth,
        labels=tuple(labels) if len(labels) == classes else tuple(str(k) for k in range(classes)),
        output_kind="probabilities" if sure is outputs else "values",
        accuracy=hits / len(truth),
        low=low,
        high=high,
        loss=float(-np.log(np.maximum(sure[np.arange(len(truth)), truth], 1e-12)).mean()),
        confusion=confusion,
        worst=tuple(
            Mistake(int(i), int(truth[i]), int(predicted[i]), float(sure[i, predicted[i]])) for i in wrong
        ),
    )


def _both(second: np.ndarray) -> np.ndarray:
    """Both classes' probabilities ``(n, 2)`` from the second one's, or from its logit, ``(n, 1)``."""
    if second.min() < 0 or second.max() > 1:
        second = 1 / (1 + np.exp(-second))
    return np.concatenate([1 - second, second], 1)


def wilson(hits: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """Score interval of a share (Wilson 1927); 95 % by default.

    >>> [round(end, 4) for end in wilson(9920, 10_000)]
    [0.9901, 0.9936]
    """
    share = hits / count
    middle = share + z * z / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    whole = 1 + z * z / count
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def probabilities(outputs: np.ndarray) -> np.ndarray:
    """The outputs themselves where they are probabilities, else their softmax; float ``(n, k)``.

    One output, ``(n, 1)``, is the probability of the second of two classes, or its logit: both are given.
    """
    if outputs.shape[1] == 1:
        return _both(outputs)
    if _are_probabilities(outputs):
        return outputs
    shifted = np.exp(outputs - outputs.max(1, keepdims=True))
    normalised: np.ndarray = shifted / shifted.sum(1, keepdims=True)
    return normalised


def contact_sheet(pictures: Sequence[np.ndarray], columns: int = 5, scale: int = 3) -> np.ndarray:
    """The pictures ``(h, w, c)``, side by side in rows, uint8, enlarged without smoothing."""
    tiles = [np.kron(p.astype(np.uint8), np.ones((scale, scale, 1), np.uint8)) for p in pictures]
    tiles = [np.pad(tile, ((1, 1), (1, 1), (0, 0)), constant_values=128) for tile in tiles]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.concatenate(tiles[i : i + columns], 1) for i in range(0, len(tiles), columns)]
    sheet = np.concatenate(rows)
    return sheet[..., 0] if sheet.shape[-1] == 1 else sheet


def _are_probabilities(outputs: np.ndarray) -> bool:
    return bool((outputs >= 0).all() and np.allclose(outputs.sum(1), 1, atol=1e-3))


def _divide(part: float, whole: float) -> float | None:
    return float(part) / float(whole) if whole else None
