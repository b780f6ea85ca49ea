"""A recipe that trains with visitors' corrections besides: another recipe, and a few lines at its end."""

from dataclasses import replace

from workbench import recipes
from workbench.errors import NotFound
from workbench.jobs import Store
from workbench.models import registry
from workbench.models.registry import Version
from workbench.recipes import Recipe
from workbench.settings import Settings

REPEATS = 20
"""Times that each correction comes in an epoch: a hundred drawings among sixty thousand pictures would go under."""
_MARK = "# Visitors' corrections, which the back end fitted as MNIST was made."
_ADDED = f'''

{_MARK}
import numpy as np

from workbench import datasets

load_without_corrections = load_data


def load_data():
    """The same data, and each accepted correction {REPEATS} times in the training part."""
    (x, y), test = load_without_corrections()
    drawn, digits = datasets.corrections()
    drawn = np.repeat(drawn, {REPEATS}, axis=0).reshape(-1, *x.shape[1:])
    if x.max() <= 1:
        drawn = drawn / 255
    return (np.concatenate([x, drawn.astype(x.dtype)]), np.concatenate([y, np.repeat(digits, {REPEATS})])), test
'''


def with_corrections(recipe: Recipe) -> Recipe:
    """The recipe, whose ``load_data()`` gives arrays of 28×28 pictures and whole numbers, with corrections added.

    Doing so again changes nothing.
    """
    if _MARK in recipe.preprocessing:
        return recipe
    return replace(recipe, preprocessing=recipe.preprocessing.rstrip("\n") + "\n" + _ADDED)


def recipe_of(version: Version, store: Store) -> Recipe:
    """Recipe that a version was trained with: its job's recipe, or the tutorial's."""
    job = version.manifest.job
    if job is None:
        return recipes.read(recipes.DEFAULT)
    found = store.job(job).recipe
    if found is None:
        raise NotFound(f"job {job} has no recipe any more")
    return found


def newest_for_digits(settings: Settings, name: str | None) -> Version | None:
    """The version to go on from: the newest one of ``name``, else of any model that takes 28×28 pictures."""
    there = [
        v for v in registry.versions(settings) if v.manifest.input and v.manifest.input.shape == (28, 28, 1)
    ]
    named = [v for v in there if v.name == name]
    by_time = sorted(named or there, key=lambda v: (v.manifest.created, v.version))
    return by_time[-1] if by_time else None
