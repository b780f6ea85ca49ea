"""Data sets of ours put together as one, once, in a file that all processes of a computer map: a class holds it once."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workbench.datasets import cached, drawn
from workbench.datasets.cached import Part
from workbench.datasets.fetching import SOURCES, Progress
from workbench.errors import NotFound
from workbench.settings import Settings, from_environment
from workbench.system import files, scratch
from workbench.system.locks import locked

FOLDER = "joined"
"""Below the data sets'."""
_ARRAYS = "x_train", "y_train", "x_test", "y_test"
_MADE = "made.json"
_DAMAGED = OSError, ValueError, KeyError, TypeError


def joined(
    *names: str, settings: Settings | None = None, on_progress: Progress | None = None
) -> tuple[Part, Part]:
    """Load several data sets of ours as one: their training parts one after the other, and the first one's test part.

    The pictures stay in a file: what is never read takes no memory, and what is read is shared with whoever else reads it
    on this computer. An array may be changed as any other; the changes are its own.

    Parameters
    ----------
    names
        ``mnist``, ``fashion-mnist`` or ``pen-strokes``, at least one.
    on_progress
        As of :func:`~workbench.datasets.load`.

    Returns
    -------
    ``((x_train, y_train), (x_test, y_test))``, shaped as those of :func:`~workbench.datasets.load`.

    Raises
    ------
    NotFound
        One of the names is none of ours.
    Unavailable
        One of them is not here and cannot be fetched.
    """
    if not names or (wrong := [name for name in names if name not in cached.NAMES]):
        said = f"no data set of ours is called {wrong[0]!r}" if names else "name a data set"
        raise NotFound(f"{said}; there are: {', '.join(cached.NAMES)}")
    settings = settings or from_environment()
    place, of = settings.data / FOLDER / "+".join(names), [_identity(name) for name in names]
    arrays = _mapped(place, of)
    if arrays is None:
        together = _put_together(names, settings, on_progress)
        try:
            arrays = _kept(place, of, together)
        except OSError:  # a machine may not write here, or the disk is full: then they are in memory alone
            arrays = together
    x_train, y_train, x_test, y_test = arrays
    return (x_train, y_train), (x_test, y_test)


def _identity(name: str) -> str:
    return drawn.made_by() if name == drawn.NAME else SOURCES[name].sha256


def _put_together(names: Sequence[str], settings: Settings, on_progress: Progress | None) -> list[np.ndarray]:
    loaded = [cached.load(name, settings, on_progress) for name in names]
    train = [np.concatenate([train[part] for train, _ in loaded]) for part in (0, 1)]
    return [*train, *loaded[0][1]]


def _kept(place: Path, of: Sequence[str], arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Write them, unless another process did meanwhile, and give them mapped."""
    place.parent.mkdir(exist_ok=True)
    with locked(place.with_name(f".{place.name}.lock")):
        if (there := _mapped(place, of)) is not None:
            return there
        with scratch.folder(place.parent) as aside:
            for name, array in zip(_ARRAYS, arrays, strict=True):
                np.save(aside / f"{name}.npy", array, allow_pickle=False)
            files.write_json(aside / _MADE, {"of": list(of), "sha256": _digest(aside)})
            files.withdraw(place)
            files.publish(aside, place)
    if (there := _mapped(place, of)) is None:
        raise OSError(f"{place} does not hold what was written")
    return there


def _mapped(place: Path, of: Sequence[str]) -> list[np.ndarray] | None:
    """The arrays, or ``None`` where they are not there, made of other data, or damaged."""
    try:
        made = json.loads((place / _MADE).read_text())
        if made["of"] != list(of) or made["sha256"] != _digest(place):
            return None
        # Copy on write; as plain arrays, which have the mapping as their base.
        return [np.asarray(np.load(place / f"{name}.npy", mmap_mode="c")) for name in _ARRAYS]
    except _DAMAGED:
        return None


def _digest(place: Path) -> str:
    """Of the files, which are read past the mapping: what it does not touch takes no memory."""
    total = hashlib.sha256()
    for name in _ARRAYS:
        with (place / f"{name}.npy").open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()
