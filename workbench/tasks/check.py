"""A recipe tried on one batch, before anybody relies on it.

It is code that a user brought, so it runs as a machine does: in a sandboxed child (``child``).
"""

import ast
import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench import packages, recipes
from workbench.lineage import DatasetPin
from workbench.machines.local.provider import LocalProvider
from workbench.recipes import Recipe
from workbench.settings import Settings
from workbench.system import untrusted_changes
from workbench.tasks.child import TIMEOUT_S, Stopped, Task, run_child


@dataclass(frozen=True)
class Checked:
    """What the dry run found.

    Attributes
    ----------
    examples, test_examples
        In the training part, validation included, and in the test part; ``None`` where that is not known.
    input_shape, output_shape
        Of one example.
    steps_per_epoch
        Batches in an epoch.
    parameters, largest
        Of the model, and of its largest variable.
    epochs, batch_size
        As the recipe says.
    step_s
        Seconds that one step took here, on one machine, while whatever else ran beside it.
    held_out
        The digest of the test part that ``load_data`` gave.
    """

    examples: int | None
    test_examples: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    steps_per_epoch: int
    parameters: int
    largest: int
    epochs: int
    batch_size: int
    step_s: float
    held_out: str = ""


def check(
    recipe: Recipe,
    settings: Settings,
    *,
    workers: int = 1,
    provider: LocalProvider | None = None,
    timeout_s: float = TIMEOUT_S,
    name: str | None = None,
    stop: Callable[[], bool] = lambda: False,
    datasets: Mapping[str, DatasetPin] | None = None,
) -> Checked:
    """Try the recipe: load its data, build its model, take one training step, evaluate a few examples.

    Parameters
    ----------
    name
        Of the check: there is one of this name at a time, a new one ends it.
    stop
        Asked all the time; once it says yes the check ends.
    datasets
        The versions of data sets to use; the newest of those that are not named.

    Raises
    ------
    RecipeError
        With the user's own field, line and traceback.
    Unavailable
        No child can be begun, or a data set cannot be had.
    Stopped
        ``stop`` said so.
    """
    recipes.check(recipe)
    fetch_data(recipe, settings)
    needed = fetch_packages(recipe, settings, stop)
    with _folder(settings, name or f"check-{secrets.token_hex(8)}") as folder:
        recipe.write(folder / "recipe", settings.recipe_files)
        task = Task("recipe", workers, datasets=datasets or {}, packages=needed)
        return run_child(folder, task, Checked, provider or LocalProvider(settings), timeout_s, stop)


def fetch_packages(recipe: Recipe, settings: Settings, stop: Callable[[], bool] = lambda: False) -> str:
    """Lock and install what the recipe needs besides ours, for machines have no way out; the name of the lock.

    Raises
    ------
    RecipeError, Unavailable
        They cannot be had; nothing was started.
    Stopped
        ``stop`` said so.
    """
    try:
        return packages.provide(recipe.requirements, settings.packages, stop)
    except packages.Stopped as error:
        raise Stopped(str(error)) from error


def fetch_data(recipe: Recipe, settings: Settings) -> None:
    """Fetch or draw the data sets that the recipe names: machines have no way out, and may not write where they are kept.

    Raises
    ------
    Unavailable
        One of them cannot be had.
    """
    from workbench import datasets  # NumPy comes with it, which a machine that only serves the page has not

    texts = {
        n.value
        for t in recipes.trees(recipe).values()
        for n in ast.walk(t)
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }
    for name in sorted(texts & set(datasets.NAMES)):
        if not datasets.is_here(name, settings):
            datasets.load(name, settings)


@contextlib.contextmanager
def _folder(settings: Settings, name: str) -> Iterator[Path]:
    jobs = settings.home / "jobs"
    untrusted_changes.remove(jobs, name)
    (jobs / name).mkdir(parents=True)
    try:
        yield jobs / name
    finally:
        untrusted_changes.remove(jobs, name)
