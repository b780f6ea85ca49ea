"""A sweep that somebody asks for: checked, and named by what it is."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from workbench import artifact, recipes
from workbench.errors import BadInput
from workbench.recipes import Recipe, capitals
from workbench.runner import AWS_CAPS
from workbench.settings import Settings
from workbench.sweeps import METHODS, Space, parse_space, records, searching
from workbench.verbs.requests import Request

MOST = 1000
"""Trials of one sweep."""


@dataclass(frozen=True)
class Asked:
    """A sweep to be run.

    Attributes
    ----------
    request
        What each trial asks for, but for its settings and its name; the name is that of the model that the best becomes.
    metric
        ``accuracy`` or ``loss``; ``None`` for the accuracy where the recipe reports one, else the loss.
    at_once
        Trials at a time; ``None`` for as many as the queue lets run.
    max_price
        US dollars that all trials together may cost; ``None`` for no cap but those of jobs and requesters.
    wanted
        The values of each setting as they were asked for.
    """

    id: str
    request: Request
    space: Space
    method: str
    trials: int
    seed: int = 0
    metric: str | None = None
    early_stopping: bool = True
    at_once: int | None = None
    max_price: float | None = None
    wanted: Mapping[str, str | tuple[object, ...]] = field(default_factory=dict)

    def recipe(self, settings: Mapping[str, object]) -> Recipe:
        """The recipe of a trial with these settings."""
        return capitals.set_capitals(self.request.recipe, settings)

    def trial(self, recipe: Recipe) -> Request:
        """What a trial with this recipe asks for."""
        return dataclasses.replace(self.request, name=self.id, recipe=recipe)

    def jobs_at_once(self, settings: Settings) -> int:
        """How many trials may run at a time."""
        if self.request.cluster is not None:
            return 1  # whose jobs come one after the other
        cap = settings.max_jobs_per_requester if self.request.provider == "local" else AWS_CAPS[1]
        return min(cap, self.at_once or cap)


def ask(
    request: Request,
    settings: Mapping[str, str | Sequence[object]],
    *,
    method: str | None = None,
    trials: int | None = None,
    seed: int = 0,
    metric: str | None = None,
    early_stopping: bool = True,
    at_once: int | None = None,
    max_price: float | None = None,
) -> Asked:
    """Check what is asked for; the same request and settings give the same id, also with more trials.

    Parameters
    ----------
    settings
        By name: ``64,128``, ``1e-4..1e-1:log``, ``0..0.5``, ``16..256:16``, or a list of values.

    Raises
    ------
    BadInput
        What cannot be tried, in words.
    RecipeError
        The recipe cannot be parsed.
    """
    recipes.check(request.recipe)
    artifact.check_name(request.name)
    space = parse_space(settings, capitals.capitals(request.recipe))
    if request.epochs is not None and "EPOCHS" in space:
        raise BadInput("EPOCHS is swept and given by --epochs: leave one of them out")
    if method is not None and method not in METHODS:
        raise BadInput(f"a method is one of {', '.join(METHODS)}. Received: {method!r}")
    if metric not in (None, "accuracy", "loss"):
        raise BadInput(f"a metric is accuracy or loss. Received: {metric!r}")
    method = method or searching.usual_method(space)
    wanted = trials or searching.usual_trials(space, method)
    if method == "grid":
        wanted = min(wanted, searching.combinations(space))
    if not 1 <= wanted <= MOST:
        raise BadInput(
            f"a sweep has 1 to {MOST:,} trials. Received: {wanted:,}; take fewer values, or --trials N"
        )
    if at_once is not None and at_once < 1:
        raise BadInput(f"at least one trial runs at a time. Received: {at_once}")
    if max_price is not None and not 0 < max_price < math.inf:
        raise BadInput(f"a sweep's price has a cap above $0. Received: {max_price}")
    id = records.identify(
        request.name,
        request.recipe.sha256,
        {name: str(domain) for name, domain in space.items()},
        method,
        seed,
        request.ps,
        request.workers,
        request.epochs,
        request.provider,
        request.instance_type,
        request.cluster,
        metric,
    )
    said = {name: one if isinstance(one, str) else tuple(one) for name, one in settings.items()}
    return Asked(id, request, space, method, wanted, seed, metric, early_stopping, at_once, max_price, said)
