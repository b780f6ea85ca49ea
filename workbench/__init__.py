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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.verbs.api import (
        Dataset,
        Job,
        Recipe,
        Version,
        add_dataset,
        dataset,
        job,
        jobs,
        model,
        models,
        submit,
    )

__version__ = "0.2.0"
__all__ = [
    "Dataset",
    "Job",
    "Recipe",
    "Version",
    "__version__",
    "add_dataset",
    "dataset",
    "datasets",
    "job",
    "jobs",
    "model",
    "models",
    "submit",
]

_API = "workbench.verbs.api"
_ROOMS = ("datasets", "jobs", "models")
"""Packages whose names are calls too."""


class _Room(ModuleType):
    """A package that can be called as the function of its name in the API."""

    def __call__(self, *arguments: object, **options: object) -> object:
        call = getattr(importlib.import_module(_API), self.__name__.rpartition(".")[2])
        return call(*arguments, **options)


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
        return getattr(importlib.import_module(_API), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
