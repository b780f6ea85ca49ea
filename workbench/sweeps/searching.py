"""What to try next: each combination in turn, by chance, or what the trials before speak for."""

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from workbench.errors import Unavailable
from workbench.sweeps.spaces import Choice, Domain, Space
from workbench.system import extras

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

METHODS = ("grid", "random", "tpe")
TRIALS = 20
"""Where nothing says how many, and there are more combinations."""
BY_CHANCE = 8
"""Trials before ``tpe`` relies on what it has seen."""
AGAIN = 100
"""Draws before all combinations count as tried."""


@dataclass(frozen=True)
class Tried:
    """A trial that was begun.

    Attributes
    ----------
    score
        The higher the better; ``None`` while it runs, and where it came to nothing.
    is_over
        Whether nothing more will come of it.
    """

    settings: Mapping[str, object]
    score: float | None = None
    is_over: bool = False


def combinations(space: Space) -> int:
    """How many a grid has."""
    return prod(len(domain.grid) for domain in space.values())


def usual_method(space: Space) -> str:
    """Choose a grid where every value is named and they are few, else ``tpe``, or chance where that is not installed."""
    if all(domain.is_listed for domain in space.values()) and combinations(space) <= TRIALS:
        return "grid"
    return "tpe" if extras.is_installed("sweep") else "random"


def usual_trials(space: Space, method: str) -> int:
    """How many trials there are unless told: all of a grid."""
    if method == "grid":
        return combinations(space)
    if all(domain.is_listed for domain in space.values()):
        return min(TRIALS, combinations(space))
    return TRIALS


def propose(method: str, space: Space, tried: Sequence[Tried], seed: int) -> dict[str, object] | None:
    """The settings of the next trial, never those of an earlier one; ``None`` when there is nothing left to try.

    The same trials before, and the same seed, give the same settings.

    Raises
    ------
    Unavailable
        ``tpe`` needs the extra ``sweep``.
    """
    before = {_key(one.settings) for one in tried}
    if method == "grid":
        for values in itertools.product(*(domain.grid for domain in space.values())):
            settings = dict(zip(space, values, strict=True))
            if _key(settings) not in before:
                return settings
        return None
    if all(domain.is_listed for domain in space.values()) and len(before) >= combinations(space):
        return None
    chance = random.Random(f"{seed}-{len(tried)}")  # noqa: S311 - no secret
    if method == "tpe" and sum(one.score is not None for one in tried) >= BY_CHANCE:
        settings = _by_tpe(space, tried, chance.randrange(2**31))
        if _key(settings) not in before:
            return settings
    elif method == "tpe":
        _require()
    for _ in range(AGAIN):
        settings = {name: domain.draw(chance) for name, domain in space.items()}
        if _key(settings) not in before:
            return settings
    return None


def _key(settings: Mapping[str, object]) -> str:
    return repr(sorted((name, repr(value)) for name, value in settings.items()))


def _require() -> None:
    if not extras.is_installed("sweep"):
        raise Unavailable(f"tpe needs Optuna: {extras.install('sweep')}; or take --method random")


def _by_tpe(space: Space, tried: Sequence[Tried], seed: int) -> dict[str, object]:
    """Ask Optuna's tree-structured Parzen estimator, which is given all trials anew: it keeps nothing between two calls."""
    _require()
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions: dict[str, BaseDistribution] = {}
    for name, domain in space.items():
        if isinstance(domain, Choice) or domain.step:
            distributions[name] = _listed(domain)
        elif domain.whole:
            distributions[name] = optuna.distributions.IntDistribution(
                int(domain.low), int(domain.high), domain.log
            )
        else:
            distributions[name] = optuna.distributions.FloatDistribution(domain.low, domain.high, domain.log)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    worst = min(one.score for one in tried if one.score is not None)
    for one in tried:
        # One that runs, or came to nothing, counts as the worst, so that its like is not tried beside it.
        study.add_trial(
            optuna.trial.create_trial(
                params={name: _number(space[name], value) for name, value in one.settings.items()},
                distributions=distributions,
                value=worst if one.score is None else one.score,
            )
        )
    asked = study.ask(distributions).params
    return {name: _value(domain, asked[name]) for name, domain in space.items()}


def _listed(domain: Domain) -> "BaseDistribution":
    """By place in the list: Optuna's own choices are texts and numbers alone, its steps not rounded."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    count = len(domain.grid)
    return (
        CategoricalDistribution(range(count)) if isinstance(domain, Choice) else IntDistribution(0, count - 1)
    )


def _number(domain: Domain, value: object) -> object:
    if isinstance(domain, Choice) or domain.step:
        return [repr(one) for one in domain.grid].index(repr(value))
    return value


def _value(domain: Domain, number: float) -> object:
    if isinstance(domain, Choice) or domain.step:
        return domain.grid[int(number)]
    return domain.fit(number)
