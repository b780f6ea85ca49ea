"""The models that are asked: published ones, and recipes, which are trained for it."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.deployments import loading
from benchmarks.writers import in_parts
from workbench import doubt, recipes
from workbench.doubt import Detector
from workbench.models import registry
from workbench.settings import Settings

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Pictures ``(n, 28, 28, 1)`` to probabilities ``(n, 10)``."""


@dataclass(frozen=True)
class Asked:
    """A model, and what tells that a drawing is no single digit."""

    told: str
    predict: Predict
    detector: Detector | None = None


def open_model(model: str, settings: Settings) -> Asked:
    """Open a published model ``NAME[:V]``, or train the recipe in a folder or notebook, with seed 0."""
    if not Path(model).exists():
        version = registry.find(model, settings)
        loaded = loading.load(version.folder, version.manifest)
        return Asked(str(version), in_parts(loaded.engine.predict), loaded.detector)
    from workbench.node import training
    from workbench.node.companions import doubting

    with tempfile.TemporaryDirectory() as folder:
        program = recipes.load(recipes.read(model), Path(folder))
        trained = training.train(program, program.load_data()[0], seed=0)
    detector = doubting.find(doubt.DIGITS, "mnist", settings)
    return Asked(Path(model).stem, trained.predict, detector)
