"""Models that a training goes on from: kept beside the data, where a job's machines may read them."""

import os
import shutil
from pathlib import Path

from workbench.errors import NotFound
from workbench.settings import Settings, from_environment

FOLDER = "parents"
"""Below a home's data; it travels to machines elsewhere as far as a recipe names what is in it."""


def add_parent(name: str, version: int, model: Path, settings: Settings) -> str:
    """Keep a version's ``model.keras`` for trainings to go on from; what such a recipe calls it.

    Versions never change, so one that is there is not written again.
    """
    reference = f"{name}:{version}"
    target = _path(reference, settings)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.parent.chmod(0o755)  # machines run as another user
    if not target.exists():
        aside = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copyfile(model, aside)
        aside.chmod(0o444)
        aside.rename(target)
    return reference


def find_parent(reference: str, settings: Settings | None = None) -> Path:
    """The model that was kept under this name.

    Raises
    ------
    NotFound
        There is none here.
    """
    path = _path(reference, settings or from_environment())
    if not path.is_file():
        raise NotFound(f"{reference}, from which the training was to go on, is not here: {path}")
    return path


def _path(reference: str, settings: Settings) -> Path:
    name, _, version = reference.partition(":")
    if not version.isdecimal() or not name or "/" in name or name.startswith("."):
        raise NotFound(f"a model to go on from is named NAME:VERSION. Received: {reference[:80]!r}")
    return settings.data / FOLDER / f"{name}:{version}.keras"
