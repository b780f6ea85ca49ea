"""Accepted drawings of visitors and writers: exported versions, for recipes to train with."""

import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.datasets.cached import Part
from workbench.datasets.writers import Drawing, Side, sides
from workbench.errors import NotFound, Unavailable
from workbench.settings import Settings, from_environment
from workbench.system.locks import locked


@dataclass(frozen=True)
class Corrected:
    """One exported version of visitors' accepted corrections."""

    version: int
    folder: Path
    drawings: tuple[Drawing, ...]
    """In the order of the arrays."""

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(drawing.id for drawing in self.drawings)

    def mask(self, side: Side) -> np.ndarray:
        """Tell which drawings are on a side: bool ``(n,)``."""
        return np.array([each == side for each in sides(self.drawings)], bool)


_used: dict[int, Corrected] = {}
"""The corrections that this process has read: what it trains from now on was trained with them."""


def corrections(version: int | None = None, settings: Settings | None = None) -> Part:
    """Load visitors' accepted corrections and collected digits, for a recipe to add to its training data.

    Some of each writer's digits, and some writers', are kept aside: see :mod:`workbench.datasets.writers`.

    Parameters
    ----------
    version
        The newest one that ``workbench corrections export`` made, if not said.

    Returns
    -------
    ``(x, y)``: ``x`` ``(n, 28, 28)`` uint8, drawings as the back end fits them, and ``y`` ``(n,)`` int64; n is 0
    where none was exported yet.

    Raises
    ------
    NotFound
        There is no such version.
    Unavailable
        It is damaged.
    """
    there = _corrected(settings or from_environment())
    if version is None and not there:
        return np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.int64)
    if version is not None and version not in there:
        raise NotFound(
            f"there is no version {version} of the corrections; there are: {sorted(there) or 'none'}"
        )
    chosen = there[max(there) if version is None else version]
    x, y, _ = read_corrections(chosen)
    _used[chosen.version] = chosen
    learned = chosen.mask("learned")
    return x[learned], y[learned]


def read_corrections(corrected: Corrected) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read drawings ``(n, 28, 28)``, true digits ``(n,)`` and what was predicted ``(n,)``, -1 where nothing was."""
    path = corrected.folder / "corrections.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            x, y, predicted = file["x"], file["y"].astype(np.int64), file["predicted"].astype(np.int64)
            if not len(x) == len(y) == len(predicted) == len(corrected.drawings):
                raise ValueError(f"{len(x)} drawings, {len(corrected.drawings)} in the manifest")
            return x, y, predicted
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise Unavailable(f"{path} cannot be read ({error}); export the corrections again") from error


def corrections_used() -> tuple[Corrected, ...]:
    """Tell what :func:`corrections` gave in this process so far."""
    return tuple(_used.values())


def add_corrections(exported: Path, settings: Settings) -> Corrected:
    """Keep a checked export as the next version; the same corrections are not kept twice."""
    home = settings.data / "corrections"
    home.mkdir(parents=True, exist_ok=True)
    with locked(home / ".lock"):
        there = _corrected(settings)
        manifest = json.loads((exported / "manifest.json").read_text())
        drawings = _drawings(manifest)
        for same in there.values():
            if same.drawings == drawings:
                return same
        number = max(there, default=0) + 1
        for left in home.glob(".new-*"):
            shutil.rmtree(left)
        aside = home / f".new-{number}"
        shutil.copytree(exported, aside)
        for path in (aside, *aside.iterdir()):
            path.chmod(0o755 if path.is_dir() else 0o444)  # machines run as another user
        aside.rename(home / str(number))
    return Corrected(number, home / str(number), drawings)


def _corrected(settings: Settings) -> dict[int, Corrected]:
    found = {}
    for path in (settings.data / "corrections").glob("*/manifest.json"):
        if path.parent.name.isdecimal():
            drawings = _drawings(json.loads(path.read_text()))
            found[int(path.parent.name)] = Corrected(int(path.parent.name), path.parent, drawings)
    return found


def _drawings(manifest: Any) -> tuple[Drawing, ...]:
    return tuple(map(Drawing.from_json, manifest["corrections"]))
