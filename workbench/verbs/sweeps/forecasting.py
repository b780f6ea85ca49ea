"""Time and price of a sweep, before it is trained."""

import dataclasses
import math
from dataclasses import dataclass

from workbench.sweeps import Domain
from workbench.sweeps.spaces import Choice
from workbench.verbs.sweeps.asking import Asked
from workbench.verbs.sweeps.looking import look
from workbench.verbs.workbench import Workbench

__all__ = ["Forecast", "forecast"]


@dataclass(frozen=True)
class Forecast:
    """What a sweep may take in all; ``None`` where nobody knows.

    Attributes
    ----------
    trials, at_once
        Trials that are still to be run, and how many run at a time.
    """

    trials: int
    at_once: int
    seconds: float | None
    price: float | None
    basis: str


def forecast(asked: Asked, workbench: Workbench) -> Forecast:
    """Foretell time and price of the trials that are left: from former jobs, else from a dry run of the recipe."""
    left = asked.trials - sum(trial.is_over for trial in look(asked, workbench).trials)
    at_once = min(asked.jobs_at_once(workbench.settings), max(1, left))
    if left <= 0:
        return Forecast(0, at_once, 0.0, 0.0, "every trial has ended")
    epochs = asked.request.epochs
    if (domain := asked.space.get("EPOCHS")) is not None:
        epochs = _middle(domain)
    request = dataclasses.replace(asked.request, epochs=epochs)
    one = workbench.requests.estimate_or_try(request)
    seconds = None if one.seconds is None else one.seconds * math.ceil(left / at_once)
    if seconds is not None and asked.request.provider == "local":
        # They share the cores of one computer: together they are hardly sooner than one after the other.
        seconds = (one.seconds or 0.0) * left
    return Forecast(left, at_once, seconds, None if one.price is None else one.price * left, one.basis)


def _middle(domain: Domain) -> int:
    values: tuple[object, ...] = domain.values if isinstance(domain, Choice) else (domain.low, domain.high)
    numbers = [float(str(value)) for value in values]
    return max(1, round(sum(numbers) / len(numbers)))
