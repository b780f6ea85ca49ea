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
class Options:
    """How a sweep searches, and what it may take.

    Attributes
    ----------
    method
        One of ``METHODS``; ``None`` for a grid where all values are named and few, else ``tpe``.
    trials
        How many; ``None`` for all of a grid, else 20.
    metric
        ``accuracy`` or ``loss``; ``None`` for the accuracy where the recipe reports one, else the loss.
    early_stopping
        Whether trials below the median of those before are ended early.
    at_once
        Trials at a time; ``None`` for as many as the queue lets run.
    max_price
        US dollars that all trials together may cost; ``None`` for no cap but those of jobs and requesters.
    """

    method: str | None = None
    trials: int | None = None
    seed: int = 0
    metric: str | None = None
    early_stopping: bool = True
    at_once: int | None = None
    max_price: float | None = None


@dataclass(frozen=True)
class Asked:
    """A sweep to be run.

    Attributes
    ----------
    request
        What each trial asks for, but for its settings and its name; the name is that of the model that the best becomes.
    method, trials
        Those of the options, which name what is usual for this space where nothing was asked for.
    wanted
        The values of each setting as they were asked for.
    """

    id: str
    request: Request
    space: Space
    method: str
    trials: int
    options: Options
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
        return min(cap, self.options.at_once or cap)


def ask(
    request: Request,
    settings: Mapping[str, str | Sequence[object]],
    options: Options = Options(),
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
    if options.method is not None and options.method not in METHODS:
        raise BadInput(f"a method is one of {', '.join(METHODS)}. Received: {options.method!r}")
    if options.metric not in (None, "accuracy", "loss"):
        raise BadInput(f"a metric is accuracy or loss. Received: {options.metric!r}")
    method = options.method or searching.usual_method(space)
    wanted = options.trials or searching.usual_trials(space, method)
    if method == "grid":
        wanted = min(wanted, searching.combinations(space))
    if not 1 <= wanted <= MOST:
        raise BadInput(
            f"a sweep has 1 to {MOST:,} trials. Received: {wanted:,}; take fewer values, or --trials N"
        )
    if options.at_once is not None and options.at_once < 1:
        raise BadInput(f"at least one trial runs at a time. Received: {options.at_once}")
    if options.max_price is not None and not 0 < options.max_price < math.inf:
        raise BadInput(f"a sweep's price has a cap above $0. Received: {options.max_price}")
    id = records.identify(
        request.name,
        request.recipe.sha256,
        {name: str(domain) for name, domain in space.items()},
        method,
        options.seed,
        request.ps,
        request.workers,
        request.epochs,
        request.provider,
        request.instance_type,
        request.cluster,
        options.metric,
    )
    said = {name: one if isinstance(one, str) else tuple(one) for name, one in settings.items()}
    found = dataclasses.replace(options, method=method, trials=wanted)
    return Asked(id, request, space, method, wanted, found, said)
