"""Which trial is not worth going on with: the median rule (Golovin et al. 2017, "Google Vizier", section 3.1)."""

from collections.abc import Mapping, Sequence
from statistics import median

FIRST = 4
"""Trials that run to their end before any is stopped."""
WARM_UP = 1
"""Epochs that every trial has."""


def should_stop(scores: Mapping[int, float], ended: Sequence[Mapping[int, float]]) -> bool:
    """Tell whether the best score so far is below the median of what others had reached by the same epoch, on average.

    Parameters
    ----------
    scores
        Of the trial by epoch, the higher the better.
    ended
        Those of the trials that ran to their end.

    >>> others = [{1: 0.8, 2: 0.9}] * 4
    >>> should_stop({1: 0.1, 2: 0.2}, others), should_stop({1: 0.1, 2: 0.95}, others), should_stop({1: 0.1}, others)
    (True, False, False)
    """
    if len(ended) < FIRST or not scores or max(scores) <= WARM_UP:
        return False
    epoch = max(scores)
    reached = [
        _mean([s for e, s in other.items() if e <= epoch])
        for other in ended
        if min(other, default=epoch + 1) <= epoch
    ]
    return len(reached) >= FIRST and max(scores.values()) < median(reached)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
