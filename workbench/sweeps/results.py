"""What came of a sweep: each trial with its score, the best one, and how much each setting matters."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from workbench.sweeps.searching import Tried
from workbench.sweeps.spaces import Choice, Space

MOST_GROUPS = 4
"""Into which the trials are put by a setting's value; fewer where there are few trials."""
LEAST = 4
"""Trials with a score from which on importances are told."""


@dataclass(frozen=True)
class Trial:
    """One trial: its settings, its job, and what that came to.

    Attributes
    ----------
    state
        Of its job, or ``stopped`` where the sweep ended it early.
    scores
        After each epoch, on the validation part, as the metric says: an accuracy or a loss.
    score
        Of the weights that its version has; ``None`` before, and where it came to nothing.
    accuracy
        Of its version on the held-out part, which no choice goes by.
    """

    number: int
    settings: Mapping[str, object]
    job: int | None = None
    state: str = "queued"
    scores: Mapping[int, float] = field(default_factory=dict)
    score: float | None = None
    accuracy: float | None = None
    version: int | None = None
    execution_s: float = 0.0
    cost: float | None = None
    error: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in ("completed", "failed", "terminated", "stopped")

    def as_json(self) -> dict[str, object]:
        """What ``--json`` prints."""
        return {
            "number": self.number,
            "job": self.job,
            "state": self.state,
            "settings": dict(self.settings),
            "score": self.score,
            "accuracy": self.accuracy,
            "version": self.version,
            "epochs": max(self.scores, default=0),
            "execution_s": self.execution_s,
            "cost": self.cost,
            "error": self.error or None,
        }


@dataclass(frozen=True)
class Sweep:
    """One recipe with other values of its settings, and what each came to.

    Attributes
    ----------
    id
        Also the name of the model whose versions the trials make.
    metric
        ``accuracy`` or ``loss`` on the validation part.
    wanted
        Trials in all.
    version
        ``NAME:V``, the best trial's version as one of the model; ``None`` before the end.
    """

    id: str
    name: str
    method: str
    metric: str
    space: Space
    wanted: int
    trials: tuple[Trial, ...] = ()
    version: str | None = None

    @property
    def best(self) -> Trial | None:
        """The completed trial with the best score, the earliest of equal ones."""
        done = [trial for trial in self.trials if trial.state == "completed" and trial.score is not None]
        return max(done, key=lambda trial: (self.worth(trial.score), -trial.number), default=None)

    @property
    def ranking(self) -> list[Trial]:
        """The trials, the best first; those without a score last."""
        return sorted(self.trials, key=lambda t: (t.score is None, -self.worth(t.score), t.number))

    @property
    def importances(self) -> dict[str, float]:
        """Share of the differences between scores that each setting explains by itself, 0 to 1, the largest first.

        Empty where there are too few trials to tell.
        """
        found = {name: self._explained(name) for name in self.space}
        known = {name: share for name, share in found.items() if share is not None}
        return dict(sorted(known.items(), key=lambda one: -one[1]))

    def worth(self, score: float | None) -> float:
        """The higher the better, whatever the metric."""
        return float("-inf") if score is None else -score if self.metric == "loss" else score

    def tried(self) -> list[Tried]:
        """The trials as a search sees them; of those that were stopped early the score that they had."""
        seen = []
        for trial in self.trials:
            score = (
                trial.scores[max(trial.scores)] if trial.state == "stopped" and trial.scores else trial.score
            )
            seen.append(Tried(trial.settings, None if score is None else self.worth(score), trial.is_over))
        return seen

    def as_json(self) -> dict[str, object]:
        """What ``--json`` prints."""
        best = self.best
        return {
            "id": self.id,
            "name": self.name,
            "method": self.method,
            "metric": self.metric,
            "space": {name: str(domain) for name, domain in self.space.items()},
            "wanted": self.wanted,
            "trials": [trial.as_json() for trial in self.trials],
            "best": best.number if best else None,
            "version": self.version,
            "importances": self.importances,
        }

    def _explained(self, name: str) -> float | None:
        """One-way analysis of variance: omega squared, which allows for chance (Hays 1963)."""
        known = [
            (t.settings[name], t.score) for t in self.trials if t.score is not None and not _is_nan(t.score)
        ]
        if len(known) < LEAST:
            return None
        groups = _groups(known, isinstance(self.space[name], Choice))
        scores = [score for _, score in known]
        mean, total = statistics.fmean(scores), statistics.pvariance(scores) * len(scores)
        if total <= 0 or len(groups) < 2 or len(groups) >= len(scores):
            return 0.0 if len(groups) < len(scores) else None
        between = sum(len(group) * (statistics.fmean(group) - mean) ** 2 for group in groups)
        noise = (total - between) / (len(scores) - len(groups))
        return min(1.0, max(0.0, (between - (len(groups) - 1) * noise) / (total + noise)))


def _groups(known: Sequence[tuple[object, float]], is_choice: bool) -> list[list[float]]:
    """The scores by value, or by neighbouring values of a range."""
    if is_choice or len({repr(value) for value, _ in known}) <= MOST_GROUPS:
        by_value: dict[str, list[float]] = {}
        for value, score in known:
            by_value.setdefault(repr(value), []).append(score)
        return list(by_value.values())
    count = min(MOST_GROUPS, len(known) // 2)
    ordered = [score for _, score in sorted(known, key=lambda one: float(str(one[0])))]
    return [ordered[n * len(ordered) // count : (n + 1) * len(ordered) // count] for n in range(count)]


def _is_nan(score: float) -> bool:
    return score != score
