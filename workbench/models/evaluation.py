"""Measuring how good a model is on the held-out part."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from workbench import scores
from workbench.models.measured import Evaluated, Evaluation, Regression, SeveralOutputs
from workbench.models.published_evaluation import Calibration, CalibrationBin, Mistake

WORST = 25
"""Mistakes that are kept at most."""
BINS = 10


def evaluate(
    predict: Callable[[Any], Any],
    test: tuple[Any, Any],
    labels: Sequence[str] | Mapping[str, Sequence[str]] = (),
    *,
    says_logits: bool | Collection[str] = False,
    first: str = "",
) -> Evaluated:
    """Ask the model about each held-out example, once.

    Whole numbers and one-hot rows are classes; any other truth is a quantity. Of several outputs each that has a truth is
    measured; the model is judged by ``first``, else by the first one that tells classes, else by the first one.

    Parameters
    ----------
    predict
        Inputs ``(n, …)`` → outputs ``(n, k)``: probabilities, or logits; ``(n, 1)`` for the probability of the second
        of two classes, or its logit; ``(n,)`` or ``(n, m)`` for quantities; of several outputs a dict by name. With
        whole numbers as truth for each of several places, ``(n, …, k)``, each place counts.
    test
        ``(x, y)`` with ``y`` ``(n,)`` whole numbers 0 to k-1, one-hot ``(n, k)``, or float ``(n,)`` or ``(n, m)``; of
        several inputs or outputs dicts by name.
    labels
        k texts for the output that the model is judged by, or of each of several by its name; the class numbers where none
        are given.
    says_logits
        Whether the model says that its outputs are logits, or the names of those which it says it of; else they are
        taken for what they are measured to be.

    Raises
    ------
    ValueError
        The outputs do not fit the truth.
    """
    x, y = test
    answers = predict(x)
    if not isinstance(answers, Mapping):
        names = () if isinstance(labels, Mapping) else labels
        return _evaluate_one(np.asarray(answers, np.float32), np.asarray(y), names, bool(says_logits))
    outputs = {name: np.asarray(one, np.float32) for name, one in answers.items()}
    if not isinstance(y, Mapping) or not y or set(y) - set(outputs):
        told = ", ".join(y) if isinstance(y, Mapping) else "one array"
        raise ValueError(f"the model answers {', '.join(outputs)}, the truth is {told}")
    truth = {name: np.asarray(y[name]) for name in outputs if name in y}
    main = first if first in truth else _judged_by(truth, outputs)
    named = labels if isinstance(labels, Mapping) else {main: labels}
    logits = says_logits if isinstance(says_logits, Collection) else outputs if says_logits else ()
    of = {
        name: _evaluate_one(outputs[name], one, named.get(name, ()), name in logits)
        for name, one in truth.items()
    }
    return SeveralOutputs(main, of, outputs)


def _judged_by(truth: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]) -> str:
    classes = (name for name, one in truth.items() if _names_classes(one, outputs[name]))
    return next(classes, next(iter(truth)))


def _evaluate_one(
    outputs: np.ndarray, truth: np.ndarray, labels: Sequence[str], says_logits: bool
) -> Evaluation | Regression:
    if _names_classes(truth, outputs):
        return classify(outputs, truth, labels, says_logits=says_logits)
    return measure(outputs, truth)


def _names_classes(truth: np.ndarray, outputs: np.ndarray) -> bool:
    if truth.dtype.kind in "iub":  # of a picture in and out, each number is a quantity
        return (
            truth.shape != outputs.shape or truth.ndim == 1 or outputs.shape[1:] == (1,) or _is_one_hot(truth)
        )
    if truth.ndim == 2 and truth.shape[1] > 1:
        return truth.shape == outputs.shape and _is_one_hot(truth)
    if truth.ndim > 2:
        return False
    return bool(truth.size and np.isin(truth, (0, 1)).all())  # two classes, told as floats


def _is_one_hot(truth: np.ndarray) -> bool:
    return truth.ndim == 2 and bool(np.isin(truth, (0, 1)).all() and (truth.sum(1) == 1).all())


def measure(outputs: np.ndarray, truth: np.ndarray) -> Regression:
    """Measure a regressor's outputs ``(n,)`` or ``(n, m)`` against the truth of the same shape."""
    if len(outputs) != len(truth) or outputs.size != truth.size or truth.size == 0:
        raise ValueError(
            f"outputs and truth must be of one shape. Received: {outputs.shape} and {truth.shape}"
        )
    truth = truth.astype(np.float32).reshape(len(truth), -1)
    difference = (outputs.reshape(truth.shape) - truth).astype(np.float64)
    spread = float(((truth - truth.mean(0)) ** 2).sum())
    return Regression(
        outputs=outputs,
        truth=truth,
        mean_error=float(np.abs(difference).mean()),
        root_mean_square_error=float(np.sqrt((difference**2).mean())),
        explained=1 - float((difference**2).sum()) / spread if spread else None,
        worst=tuple(int(i) for i in np.argsort(-np.abs(difference).max(1), kind="stable")[:WORST]),
    )


def classify(
    outputs: np.ndarray, truth: np.ndarray, labels: Sequence[str], *, says_logits: bool = False
) -> Evaluation:
    """Count a classifier's outputs ``(n, k)`` against the true classes."""
    whole, places = outputs, 1
    if outputs.ndim > 2 and truth.size == outputs.size // outputs.shape[-1]:  # each place is an example
        places = truth.size // max(1, len(truth))
        outputs, truth = outputs.reshape(-1, outputs.shape[-1]), truth.reshape(-1)
    truth = truth.argmax(1) if truth.ndim == 2 and truth.shape[1] > 1 else truth.reshape(-1).astype(np.int64)
    if outputs.ndim != 2 or len(outputs) != len(truth) or len(truth) == 0:
        raise ValueError(
            f"outputs (n, k) and truth (n,) must fit. Received: {outputs.shape} and {truth.shape}"
        )
    kind = scores.measure(outputs, says_logits=says_logits)
    sure = scores.probabilities(outputs, kind)
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
        outputs=whole,
        truth=truth,
        labels=tuple(labels) if len(labels) == classes else tuple(str(k) for k in range(classes)),
        output_kind=kind,
        accuracy=hits / len(truth),
        low=low,
        high=high,
        loss=float(-np.log(np.maximum(sure[np.arange(len(truth)), truth], 1e-12)).mean()),
        confusion=confusion,
        calibration=_calibrate(sure, truth),
        worst=tuple(
            Mistake(int(i) // places, int(truth[i]), int(predicted[i]), float(sure[i, predicted[i]]))
            for i in wrong
        ),
    )


def _calibrate(sure: np.ndarray, truth: np.ndarray) -> Calibration:
    top, right = sure.max(1), sure.argmax(1) == truth
    place = np.minimum((top * BINS).astype(int), BINS - 1)
    bins = [
        CalibrationBin(
            low=b / BINS,
            high=(b + 1) / BINS,
            count=int((place == b).sum()),
            confidence=float(top[place == b].mean()),
            accuracy=float(right[place == b].mean()),
        )
        for b in range(BINS)
        if (place == b).any()
    ]
    gap = sum(b.count * abs(b.confidence - b.accuracy) for b in bins) / len(truth)
    return Calibration(gap, tuple(bins))


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
