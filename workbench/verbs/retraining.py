"""A recipe that learns what visitors drew besides, and goes on from the version that serves: a few lines at its ends."""

import re
from dataclasses import dataclass, replace

from workbench import datasets, recipes
from workbench.backends.base import BackEnd
from workbench.errors import NotFound
from workbench.jobs import Store
from workbench.models import registry
from workbench.models.registry import Version
from workbench.recipes import Recipe
from workbench.settings import Settings
from workbench.verbs import backends

REPEATS = 20
"""Times, at most, that each drawing comes in an epoch: a hundred among sixty thousand pictures would go under."""
SHARE = 5
"""Only every so many of the pictures of an epoch is a drawing, however many there are."""
_MARK = "# Visitors' corrections, which the back end fitted as MNIST was made."
_ADDED = f'''

{_MARK}
import numpy as np

from workbench import datasets

load_without_corrections = load_data


def load_data():
    """The same data, and each accepted drawing up to {REPEATS} times in the training part."""
    (x, y), test = load_without_corrections()
    drawn, digits = datasets.corrections()
    times = max(1, min({REPEATS}, len(x) // ({SHARE} * max(1, len(drawn)))))
    drawn = np.repeat(drawn, times, axis=0).reshape(-1, *x.shape[1:])
    if x.max() <= 1:
        drawn = drawn / 255
    return (np.concatenate([x, drawn.astype(x.dtype)]), np.concatenate([y, np.repeat(digits, times)])), test
'''
_GOES_ON = "# The training goes on from the version that served when it was asked for."
_ADDED_TRAINING = f'''

{_GOES_ON}
from workbench.node.retraining import continue_from

build_model_anew = build_model


def build_model():
    """The same network, which begins with what {{parent}} has learned."""
    return continue_from("{{parent}}", build_model_anew())
'''


@dataclass(frozen=True)
class Retraining:
    """A request that is ready to be sent: what it learns besides, and what it goes on from."""

    recipe: Recipe
    parent: Version
    corrections: datasets.Corrected


def prepare(backend: BackEnd, settings: Settings, store: Store) -> Retraining:
    """Keep a back end's accepted drawings as a data set version, and make the recipe of what serves there learn them.

    Raises
    ------
    NotFound
        The version that serves is not one of this computer's, or no model takes 28×28 pictures.
    """
    exported = backends.keep_corrections(backend, settings)
    parent = version_to_go_on_from(backend, settings)
    recipe = continuing(with_corrections(recipe_of(parent, store)), parent, settings)
    return Retraining(recipe, parent, exported)


def with_corrections(recipe: Recipe) -> Recipe:
    """The recipe, whose ``load_data()`` gives arrays of 28×28 pictures and whole numbers, with corrections added.

    Doing so again changes nothing.
    """
    if _MARK in recipe.preprocessing:
        return recipe
    return replace(recipe, preprocessing=recipe.preprocessing.rstrip("\n") + "\n" + _ADDED)


def continuing(recipe: Recipe, parent: Version, settings: Settings) -> Recipe:
    """The recipe, whose model begins with the weights of a version, which is kept where a job's machines find it.

    A recipe that went on from another version goes on from this one.
    """
    reference = datasets.add_parent(parent.name, parent.version, parent.folder / "model.keras", settings)
    added = _ADDED_TRAINING.format(parent=reference)
    before = re.escape(_ADDED_TRAINING).replace(re.escape("{parent}"), r"[a-z0-9._-]+:\d+")
    alone = re.sub(before, "\n", recipe.training)
    return replace(recipe, training=alone.rstrip("\n") + "\n" + added)


def recipe_of(version: Version, store: Store) -> Recipe:
    """Recipe that a version was trained with: its job's recipe, or the tutorial's."""
    job = version.manifest.job
    if job is None:
        return recipes.read(recipes.DEFAULT)
    found = store.job(job).recipe
    if found is None:
        raise NotFound(f"job {job} has no recipe any more")
    return found


def version_to_go_on_from(backend: BackEnd, settings: Settings) -> Version:
    """The version that serves there, of the model that was activated last and takes 28×28 pictures.

    Where nothing serves: the newest one of this computer that takes such pictures.

    Raises
    ------
    NotFound
        The version that serves is not one of this computer's, or no model takes 28×28 pictures.
    """
    serving = backend.models()
    missing = None
    for now in reversed(serving):
        try:
            version = registry.find(f"{now.name}:{now.version}", settings)
        except NotFound:
            missing = missing or now
            continue
        if _takes_digits(version):
            return version
    if missing:
        raise NotFound(
            f"{missing} serves, but is not among this computer's versions, so its recipe is not known here; deploy "
            "one of them, or retrain where it was trained"
        )
    there = sorted(
        filter(_takes_digits, registry.versions(settings)), key=lambda v: (v.manifest.created, v.version)
    )
    if serving or not there:
        raise NotFound("no model that serves or was published takes 28×28 pictures; train one first")
    return there[-1]


def _takes_digits(version: Version) -> bool:
    return version.manifest.input is not None and version.manifest.input.shape == (28, 28, 1)
