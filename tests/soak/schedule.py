"""What is done when: decided before anything runs, by a seed."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

REST_S = {"gunicorn": 16.0, "apache": 16.0, "jupyter": 25.0, "queue": 16.0, "mariadb": 30.0}
"""Between two kills of the same: a service that dies five times within a minute is rightly given up."""
KINDS = (
    "gunicorn",
    "backend worker",
    "apache",
    "jupyter",
    "queue",
    "mariadb",
    "runner",
    "chief",
    "ps",
    "worker",
)
LAYOUTS = ((0, 1), (1, 1), (0, 2), (1, 2))
"""Parameter servers and workers."""


@dataclass(frozen=True)
class Pace:
    """Seconds between two acts of a kind; ``None``: none."""

    kill: float = 5.0
    submit: float = 14.0
    terminate: float = 45.0
    deploy: float = 11.0
    rollback: float = 37.0
    fill: float | None = 60.0
    full_s: float = 8.0
    """How long the disk stays full."""
    calm_s: float = 10.0
    """At the end, without any act: what was hit comes back."""


@dataclass(frozen=True)
class Act:
    """One thing to do. ``order``: of whom to kill, the first one that lives; ``number``: which layout or version."""

    at_s: float
    do: str
    number: int = 0
    order: tuple[str, ...] = ()


def plan(seed: int, seconds: float, pace: Pace = Pace(), kinds: Sequence[str] = KINDS) -> list[Act]:
    """The acts of a run of so many seconds, in the order of their times; the same seed gives the same acts.

    >>> plan(1, 60) == plan(1, 60)
    True
    """
    chance = random.Random(seed)
    acts = []
    last = seconds - pace.calm_s
    every = {
        "submit": pace.submit,
        "kill": pace.kill,
        "deploy": pace.deploy,
        "terminate": pace.terminate,
        "rollback": pace.rollback,
        "fill": pace.fill,
    }
    for do, period in every.items():
        at = 0.0 if do == "submit" else chance.uniform(0.5, 1.0) * (period or 0.0)
        while period is not None and at < last - (pace.full_s if do == "fill" else 0.0):
            order = tuple(chance.sample(list(kinds), len(kinds))) if do == "kill" else ()
            acts.append(Act(at, do, chance.randrange(1_000), order))
            if do == "fill":
                acts.append(Act(at + pace.full_s, "empty"))
            at += chance.uniform(0.7, 1.3) * period
    return sorted(acts, key=lambda act: act.at_s)


def choose(
    order: Sequence[str], living: Collection[str], killed: Mapping[str, float], now: float
) -> str | None:
    """Whom to kill now: the first of the order that lives and has had its rest."""
    rested = (kind for kind in order if now - killed.get(kind, float("-inf")) >= REST_S.get(kind, 0.0))
    return next((kind for kind in rested if kind in living), None)
