"""What the trials of a sweep may cost in all: a cap looked at before each one is begun, and while they run."""

import statistics
from collections.abc import Sequence

from workbench.sweeps.results import Trial


def spent(trials: Sequence[Trial]) -> float:
    """US dollars that the trials have cost so far."""
    return sum(trial.cost or 0.0 for trial in trials)


def is_used_up(trials: Sequence[Trial], cap: float | None) -> bool:
    """Tell whether those that run have to end."""
    return cap is not None and spent(trials) >= cap


def may_begin(trials: Sequence[Trial], cap: float | None) -> bool:
    """Tell whether one more fits below the cap: those that run, and it, are taken to cost as much as those that completed."""
    if cap is None:
        return True
    if (usual := _usual(trials)) is None:
        return not is_used_up(trials, cap)
    running = sum(max(usual, trial.cost or 0.0) for trial in trials if not trial.is_over)
    over = sum(trial.cost or 0.0 for trial in trials if trial.is_over)
    return over + running + usual <= cap * (1 + 1e-9)


def said(trials: Sequence[Trial], cap: float | None, wanted: int) -> str:
    """Say why no more trials are begun; empty where the cap is no reason."""
    if cap is None or len(trials) >= wanted or may_begin(trials, cap):
        return ""
    usual = _usual(trials)
    more = f", one more takes about ${usual:.2f}" if usual is not None else ""
    return f"the trials have cost ${spent(trials):.2f}{more}, and all of them may cost ${cap:.2f}: give it a higher cap"


def _usual(trials: Sequence[Trial]) -> float | None:
    """What a trial costs that runs to its end; ``None`` while nobody knows."""
    done = [trial.cost for trial in trials if trial.state == "completed" and trial.cost is not None]
    return statistics.fmean(done) if done else None
