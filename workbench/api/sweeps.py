"""Sweeps as a script or a notebook asks for them: ``workbench.sweep(…)``."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from workbench.recipes import Recipe
from workbench.settings import from_environment
from workbench.sweeps import Sweep as Found
from workbench.sweeps import Trial
from workbench.sweeps.page import make_body, make_page
from workbench.system import files
from workbench.verbs import recipes, sweeps
from workbench.verbs.requests import Request
from workbench.verbs.workbench import opened


class Sweep:
    """What came of a sweep; a notebook shows it as a page of its own."""

    def __init__(self, found: Found) -> None:
        self._found = found

    def __repr__(self) -> str:
        return f"<Sweep {self._found.id}: {len(self._found.trials)} trials, {self._found.version or 'no version'}>"

    def _repr_html_(self) -> str:
        return f"<h3>Sweep of {self._found.name}</h3>{make_body(self._found)}"

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Each trial: ``number``, ``settings``, ``job`` (its id), ``state``, ``score``, ``accuracy``, ``scores`` by epoch."""
        return self._found.trials

    @property
    def best(self) -> Trial | None:
        """The completed trial with the best score on the validation part."""
        return self._found.best

    @property
    def version(self) -> str | None:
        """``NAME:V``, which the best trial's version has become."""
        return self._found.version

    @property
    def importances(self) -> dict[str, float]:
        """Share of the differences between scores that each setting explains by itself, 0 to 1."""
        return self._found.importances

    def save(self, path: str | Path) -> Path:
        """Write it as one HTML page; the file has it whole or is left as it was."""
        path = Path(path)
        files.write(path, make_page(self._found))
        return path


def sweep(
    recipe: str | Path | Recipe,
    *,
    name: str,
    settings: Mapping[str, str | Sequence[object]],
    method: str | None = None,
    trials: int | None = None,
    seed: int = 0,
    metric: str | None = None,
    early_stopping: bool = True,
    at_once: int | None = None,
    max_price: float | None = None,
    ps: int = 0,
    workers: int = 1,
    provider: str = "local",
    cluster: str | None = None,
    epochs: int | None = None,
    instance_type: str | None = None,
    requester: str | None = None,
) -> Sweep:
    """Train a recipe with other values of its settings, each trial a job, and make the best a version of ``name``.

    Returns when every trial has ended. Interrupted or killed, the same call goes on with what is there.

    Parameters
    ----------
    settings
        By name, such as ``{"UNITS": [64, 128], "RATE": "1e-4..1e-1:log", "DROPOUT": "0..0.5"}``.
    method
        ``grid``, ``random`` or ``tpe``; ``None`` for a grid where all values are named and few, else ``tpe``.
    trials
        How many; ``None`` for all of a grid, else 20.
    metric
        ``accuracy`` or ``loss`` of the validation part; ``None`` for the accuracy where there is one.
    early_stopping
        Whether trials below the median of those before are ended early.
    at_once
        Trials at a time, within the queue's limits.
    max_price
        US dollars that all trials together may cost; then those that run are ended.
    instance_type
        Of each machine, where there are types.

    Raises
    ------
    BadInput, RecipeError
        What cannot be tried.
    SweepFailed
        No trial came to a version.
    """
    environment = from_environment()
    request = Request(
        name=name,
        requester=requester or environment.requester,
        recipe=recipe if isinstance(recipe, Recipe) else recipes.read(recipe),
        ps=ps,
        workers=workers,
        epochs=epochs,
        provider=provider,
        cluster=cluster,
        instance_type=instance_type,
    )
    asked = sweeps.ask(
        request,
        settings,
        sweeps.Options(method, trials, seed, metric, early_stopping, at_once, max_price),
    )
    with opened(environment) as workbench:
        return Sweep(sweeps.run(asked, workbench))
