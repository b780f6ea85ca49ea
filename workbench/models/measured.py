"""What was measured of a model on its held-out part, with the answers themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from workbench.manifest import ModelOutput, OutputKind
from workbench.models import charts, published_evaluation
from workbench.models.published_evaluation import (
    Calibration,
    ClassFigures,
    Miss,
    Mistake,
    PublishedClassification,
    PublishedRegression,
)


class _OnlyOutput:
    """What the manifest says of a model's only output."""

    outputs: np.ndarray
    output_kind: OutputKind

    @property
    def told(self) -> tuple[ModelOutput, ...]:
        """What the manifest says of each of several outputs."""
        return ()

    @property
    def main(self) -> ModelOutput:
        """What the manifest says of the output."""
        return ModelOutput(self.output_kind, self.outputs.shape[1:])


@dataclass(frozen=True)
class Evaluation(_OnlyOutput):
    """A classifier's answers to the held-out part, counted.

    Attributes
    ----------
    outputs
        float32 ``(n, k)``, what the model gave; ``(n, 1)`` for the second of two classes; ``(n, …, k)`` where each of
        several places of an example has a class.
    truth
        int64 ``(n,)``, of each place.
    accuracy, low, high
        0 to 1, and the ends of its 95 % interval (Wilson's score interval).
    loss
        Mean negative logarithm of the probability given to the truth.
    confusion
        int64 ``(k, k)``; a row a true class, a column a predicted one.
    worst
        The mistakes the model was surest of, worst first, ``evaluation.WORST`` at most.
    """

    outputs: np.ndarray
    truth: np.ndarray
    labels: tuple[str, ...]
    output_kind: OutputKind
    accuracy: float
    low: float
    high: float
    loss: float
    confusion: np.ndarray
    calibration: Calibration
    worst: tuple[Mistake, ...]

    @property
    def count(self) -> int:
        return len(self.truth)

    @property
    def metrics(self) -> dict[str, float]:
        """The figures that a version's manifest and a job show."""
        return {"accuracy": self.accuracy, "low": self.low, "high": self.high, "loss": self.loss}

    @property
    def per_class(self) -> tuple[ClassFigures, ...]:
        """Precision, recall and their harmonic mean for each class."""
        hits, true, predicted = np.diag(self.confusion), self.confusion.sum(1), self.confusion.sum(0)
        return tuple(
            ClassFigures(
                label=label,
                count=int(true[k]),
                precision=_divide(hits[k], predicted[k]),
                recall=_divide(hits[k], true[k]),
                f1=_divide(2 * hits[k], true[k] + predicted[k]),
            )
            for k, label in enumerate(self.labels)
        )

    def summary(self) -> PublishedClassification:
        """All of it but the outputs themselves."""
        return PublishedClassification(
            count=self.count,
            accuracy=self.accuracy,
            interval=(self.low, self.high),
            loss=self.loss,
            per_class=self.per_class,
            confusion=tuple(tuple(row) for row in self.confusion.tolist()),
            calibration=self.calibration,
            worst=self.worst,
        )

    def save(self, folder: Path, x: Any) -> None:
        """Write ``evaluation.json`` and its drawings, and where ``x`` are pictures ``worst.png`` with the mistakes."""
        published_evaluation.write(self.summary(), folder)
        (folder / "confusion.svg").write_text(charts.confusion(self.confusion, self.labels))
        (folder / "calibration.svg").write_text(charts.calibration(self.calibration.bins))
        if isinstance(x, np.ndarray) and self.worst and x.ndim == 4 and x.shape[-1] in (1, 3):
            import imageio.v3 as imageio

            span = (0.0, 255.0) if x.dtype == np.uint8 else (float(x.min()), float(x.max()))
            sheet = charts.contact_sheet([x[m.index] for m in self.worst], span=span)
            imageio.imwrite(folder / "worst.png", sheet)


@dataclass(frozen=True)
class Regression(_OnlyOutput):
    """A regressor's answers to the held-out part, measured.

    Attributes
    ----------
    outputs
        float32 ``(n, …)`` of m numbers each, what the model gave, in the truth's own unit.
    truth
        float32 ``(n, m)``.
    mean_error, root_mean_square_error
        Mean of the absolute differences, and root of the mean of their squares, in the truth's own unit.
    explained
        Share of the truth's variance that the model explains (R²): 1 is perfect, 0 no better than always saying the
        mean, below 0 worse; ``None`` where the truth never varies.
    worst
        Indices of the examples with the largest differences, worst first, ``evaluation.WORST`` at most.
    """

    outputs: np.ndarray
    truth: np.ndarray
    mean_error: float
    root_mean_square_error: float
    explained: float | None
    worst: tuple[int, ...]
    output_kind: OutputKind = "values"

    @property
    def count(self) -> int:
        return len(self.truth)

    @property
    def metrics(self) -> dict[str, float]:
        """The figures that a version's manifest and a job show."""
        found = {"mean_error": self.mean_error, "root_mean_square_error": self.root_mean_square_error}
        return found if self.explained is None else {**found, "explained": self.explained}

    def summary(self) -> PublishedRegression:
        """All of it but the outputs themselves."""
        return PublishedRegression(
            count=self.count,
            mean_error=self.mean_error,
            root_mean_square_error=self.root_mean_square_error,
            explained=self.explained,
            worst=tuple(
                Miss(i, tuple(self.truth[i].tolist()), tuple(self.outputs[i].ravel().tolist()))
                for i in self.worst
            ),
        )

    def save(self, folder: Path, x: Any) -> None:
        """Write ``evaluation.json`` and its drawing."""
        published_evaluation.write(self.summary(), folder)
        (folder / "scatter.svg").write_text(
            charts.scatter(self.truth, self.outputs.reshape(self.truth.shape))
        )


@dataclass(frozen=True)
class SeveralOutputs:
    """A model of several outputs, each that has a truth measured by itself.

    Attributes
    ----------
    judged_by
        The output that the model's own figures are of.
    of
        What was measured, by output, in the model's order.
    outputs
        float32 ``(n, …)``, what the model gave, of each output.
    """

    judged_by: str
    of: Mapping[str, Evaluation | Regression]
    outputs: Mapping[str, np.ndarray]

    @property
    def count(self) -> int:
        return self.of[self.judged_by].count

    @property
    def metrics(self) -> dict[str, float]:
        """The figures that a version's manifest and a job show: those of the output that the model is judged by."""
        return self.of[self.judged_by].metrics

    @property
    def output_kind(self) -> OutputKind:
        """Kind of the output that the model is judged by."""
        return self.of[self.judged_by].output_kind

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """What the classes of each output are called, where they are called more than their numbers."""
        found = {name: one.labels for name, one in self.of.items() if isinstance(one, Evaluation)}
        return {name: one for name, one in found.items() if one != tuple(map(str, range(len(one))))}

    @property
    def told(self) -> tuple[ModelOutput, ...]:
        """What the manifest says of each output."""
        return tuple(
            ModelOutput(
                self.of[name].output_kind if name in self.of else "values",
                answers.shape[1:],
                name,
                self.of[name].metrics if name in self.of else {},
                self.labels.get(name, ()),
            )
            for name, answers in self.outputs.items()
        )

    @property
    def main(self) -> ModelOutput:
        """What the manifest says of the output that the model is judged by."""
        main = next(one for one in self.told if one.name == self.judged_by)
        return replace(main, metrics={}, labels=())

    def save(self, folder: Path, x: Any) -> None:
        """Write the files of the output that the model is judged by, and in ``outputs/NAME`` those of each other one."""
        for name, one in self.of.items():
            place = folder if name == self.judged_by else folder / published_evaluation.OUTPUTS / name
            place.mkdir(parents=True, exist_ok=True)
            one.save(place, x)


Evaluated = Evaluation | Regression | SeveralOutputs


def _divide(part: float, whole: float) -> float | None:
    return float(part) / float(whole) if whole else None
