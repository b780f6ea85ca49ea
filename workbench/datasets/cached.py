"""Data sets by name, fetched or drawn once, checked, kept in ``WORKBENCH_HOME/data``."""

import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np

from workbench.datasets import drawn
from workbench.datasets.fetching import SOURCES, Progress, digest, fetch
from workbench.errors import NotFound
from workbench.settings import Settings, from_environment
from workbench.system import files
from workbench.system.locks import locked

Part = tuple[np.ndarray, np.ndarray]

NAMES = (*SOURCES, drawn.NAME)
_ARRAYS = "x_train", "y_train", "x_test", "y_test"
_DAMAGED = OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile


def load(
    name: str, settings: Settings | None = None, on_progress: Progress | None = None
) -> tuple[Part, Part]:
    """Load the data set ``name`` as ``(train, test)``, fetched or drawn first if it is not here.

    Safe to call from several processes at once: one makes it, the others wait for it.

    Parameters
    ----------
    name
        ``mnist``, ``fashion-mnist``, or ``pen-strokes``: digits as many hands draw them with a pen, which are drawn here.
    on_progress
        Gets a line of text now and then while something is fetched; the default writes to standard error.

    Returns
    -------
    ``((x_train, y_train), (x_test, y_test))`` with ``x`` ``(n, 28, 28)`` uint8, 0 = background, 255 = ink, and
    ``y`` ``(n,)`` int64, 0 to 9; n is 60,000 and 10,000, of ``pen-strokes`` 40,000 and 5,000.

    Raises
    ------
    NotFound
        No data set of that name.
    Unavailable
        Not in the cache and no source could be reached; the message names each and what it said.
    """
    if name not in NAMES:
        raise NotFound(f"no data set is called {name!r}; there are: {', '.join(NAMES)}")
    folder = (settings or from_environment()).data
    folder.mkdir(parents=True, exist_ok=True)
    cached = folder / f"{name}.npz"
    data = _read_cache(cached, name)
    if data is None:
        with locked(folder / f".{name}.lock"):
            _clear(folder, name)
            data = _read_cache(cached, name)
            if data is None:
                say = on_progress or _print
                data = _draw(say) if name == drawn.NAME else fetch(name, folder, say)
                _write_cache(cached, name, data)
    x_train, y_train, x_test, y_test = data
    return (x_train, y_train.astype(np.int64)), (x_test, y_test.astype(np.int64))


def is_here(name: str, settings: Settings) -> bool:
    """Tell whether the data set can be had without fetching or drawing it; what it contains is checked by ``load``."""
    path = settings.data / f"{name}.npz"
    if name != drawn.NAME:
        return path.exists()
    try:
        with path.open("rb") as raw, np.load(raw) as file:
            return str(file["made_by"]) == drawn.made_by()
    except _DAMAGED:
        return False


def _draw(say: Progress) -> list[np.ndarray]:
    say(f"{drawn.NAME}: drawing {drawn.TRAIN + drawn.TEST:,} digits")
    return drawn.draw()


def _clear(folder: Path, name: str) -> None:
    """Remove what a killed fetch left; only for who holds the lock."""
    for left in (*folder.glob(f".{name}-*"), *folder.glob(f".{name}.npz.*")):
        shutil.rmtree(left) if left.is_dir() else left.unlink()


def _read_cache(path: Path, name: str) -> list[np.ndarray] | None:
    """The four arrays, or ``None`` where the file is missing or not what it should be."""
    try:
        with path.open("rb") as raw, np.load(raw) as file:
            if name == drawn.NAME and str(file["made_by"]) != drawn.made_by():
                return None
            arrays = [file[key] for key in _ARRAYS]
    except _DAMAGED:
        return None
    return arrays if name == drawn.NAME or digest(arrays) == SOURCES[name].sha256 else None


def _write_cache(path: Path, name: str, arrays: list[np.ndarray]) -> None:
    made_by = {"made_by": np.array(drawn.made_by())} if name == drawn.NAME else {}
    with files.replacing(path, synced=True) as aside, aside.open("wb") as file:
        np.savez(file, allow_pickle=False, **dict(zip(_ARRAYS, arrays, strict=True)), **made_by)


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
