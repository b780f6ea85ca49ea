"""Train Keras models on a cluster, serve them, and draw digits at them.

>>> import workbench
>>> job = workbench.submit("mnist-mlp", name="digits", workers=2)  # doctest: +SKIP
>>> job.wait().accuracy  # doctest: +SKIP
0.98
>>> workbench.model("digits").deploy(reason="the first")  # doctest: +SKIP

Errors are those of ``workbench.errors``. The import is instant: what a name needs comes with its first use.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.api.data import Dataset, add_dataset, dataset
    from workbench.api.forms import button, form
    from workbench.api.service import corrections
    from workbench.api.sweeps import Sweep, sweep
    from workbench.api.trainings import Job, Recipe, job, jobs, submit
    from workbench.api.versions import Version, model, models, predict, rollback

__version__ = "0.2.0"
_PLACES = {
    "trainings": ("Job", "Recipe", "job", "jobs", "submit"),
    "versions": ("Version", "model", "models", "predict", "rollback"),
    "data": ("Dataset", "add_dataset", "dataset", "datasets"),
    "service": ("corrections", "machines"),
    "forms": ("button", "form"),
    "sweeps": ("Sweep", "sweep"),
}
"""Modules of the API, and what is offered of each."""
__all__ = [
    "Dataset",
    "Job",
    "Recipe",
    "Sweep",
    "Version",
    "__version__",
    "add_dataset",
    "button",
    "corrections",
    "dataset",
    "datasets",
    "form",
    "job",
    "jobs",
    "machines",
    "model",
    "models",
    "predict",
    "rollback",
    "submit",
    "sweep",
]

_ROOMS = ("datasets", "jobs", "machines", "models")
"""Packages whose names are calls too."""


def _find(name: str) -> Any:
    place = next(place for place, names in _PLACES.items() if name in names)
    return getattr(importlib.import_module(f"{__name__}.api.{place}"), name)


class _Room(ModuleType):
    """A package that can be called as the function of its name in the API."""

    def __call__(self, *arguments: object, **options: object) -> object:
        return _find(self.__name__.rpartition(".")[2])(*arguments, **options)


class _Workbench(ModuleType):
    """Makes a room of a package as soon as the import system hangs it here, whoever imports it first."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in _ROOMS and isinstance(value, ModuleType):
            value.__class__ = _Room
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Workbench


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    if name in __all__:
        return _find(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
