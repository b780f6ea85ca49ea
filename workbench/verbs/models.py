"""The published model versions: list, find, download."""

from collections.abc import Sequence
from pathlib import Path

from workbench.errors import BadInput
from workbench.manifest import OutputKind
from workbench.models import at_home, registry
from workbench.models.registry import Damaged, Version
from workbench.settings import Settings

__all__ = [
    "Damaged",
    "Version",
    "damaged",
    "download",
    "find",
    "sure",
    "take_home",
    "versions",
    "why_not_home",
]


def versions(settings: Settings, name: str | None = None) -> list[Version]:
    """All versions, by name and number, but for damaged ones; only of ``name`` where one is given."""
    return registry.versions(settings, name)


def damaged(settings: Settings) -> list[Damaged]:
    """The versions whose manifest cannot be believed, which nobody can use."""
    return registry.damaged(settings)


def find(reference: str, settings: Settings) -> Version:
    """The version that ``NAME:V`` names, or the newest one of ``NAME``; raises ``NotFound``."""
    return registry.find(reference, settings)


def download(reference: str, file: Path, settings: Settings) -> Path:
    """Write a version as a zip; the file has it whole or is left as it was.

    Raises
    ------
    NotFound
        There is no such version.
    BadInput
        There is no folder for the file.
    """
    if not file.parent.is_dir():
        raise BadInput(f"there is no folder {file.parent}; make it first")
    return registry.download(registry.find(reference, settings), file)


def take_home(reference: str, file: Path, settings: Settings) -> Path:
    """Write a version as one HTML file that draws, fits and answers by itself; whole, or not at all.

    Raises
    ------
    NotFound
        There is no such version.
    BadInput
        There is no folder for the file, or the version has what such a page cannot compute.
    """
    if not file.parent.is_dir():
        raise BadInput(f"there is no folder {file.parent}; make it first")
    return at_home.write(registry.find(reference, settings), file)


def why_not_home(version: Version) -> str:
    """Say why a version cannot be taken home as a page; nothing where it can."""
    try:
        at_home.read(version)
    except BadInput as error:
        return str(error)
    return ""


def sure(said: Sequence[float | None], kind: OutputKind | None) -> list[float]:
    """How sure a model is of each class, of the scores that ``/serve`` answered: of two classes where it gave one."""
    import numpy as np

    from workbench import scores

    row = np.array([said], np.float64)
    return [float(p) for p in scores.probabilities(row, kind or scores.measure(row))[0]]
