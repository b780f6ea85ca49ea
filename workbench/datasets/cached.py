"""Data sets by name, fetched once, checked, kept in ``WORKBENCH_HOME/data``."""

import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np

from workbench.datasets.fetching import SOURCES, Progress, Source, digest, fetch
from workbench.errors import NotFound
from workbench.settings import Settings, from_environment
from workbench.system import files
from workbench.system.locks import locked

Part = tuple[np.ndarray, np.ndarray]


def load(
    name: str, settings: Settings | None = None, on_progress: Progress | None = None
) -> tuple[Part, Part]:
    """Load the data set ``name`` as ``(train, test)``, fetched first if it is not here.

    Safe to call from several processes at once: one fetches, the others wait for it.

    Parameters
    ----------
    name
        ``mnist`` or ``fashion-mnist``.
    on_progress
        Gets a line of text now and then while something is fetched; the default writes to standard error.

    Returns
    -------
    ``((x_train, y_train), (x_test, y_test))`` with ``x`` ``(n, 28, 28)`` uint8, 0 = background, 255 = ink, and
    ``y`` ``(n,)`` int64, 0 to 9; n is 60,000 and 10,000.

    Raises
    ------
    NotFound
        No data set of that name.
    Unavailable
        Not in the cache and no source could be reached; the message names each and what it said.
    """
    if name not in SOURCES:
        raise NotFound(f"no data set is called {name!r}; there are: {', '.join(SOURCES)}")
    folder = (settings or from_environment()).data
    folder.mkdir(parents=True, exist_ok=True)
    cached = folder / f"{name}.npz"
    data = _read_cache(cached, SOURCES[name])
    if data is None:
        with locked(folder / f".{name}.lock"):
            _clear(folder, name)
            data = _read_cache(cached, SOURCES[name])
            if data is None:
                data = fetch(name, folder, on_progress or _print)
                _write_cache(cached, data)
    x_train, y_train, x_test, y_test = data
    return (x_train, y_train.astype(np.int64)), (x_test, y_test.astype(np.int64))


def _clear(folder: Path, name: str) -> None:
    """Remove what a killed fetch left; only for who holds the lock."""
    for left in (*folder.glob(f".{name}-*"), *folder.glob(f".{name}.npz.*")):
        shutil.rmtree(left) if left.is_dir() else left.unlink()


def _read_cache(path: Path, source: Source) -> list[np.ndarray] | None:
    """The four arrays, or ``None`` where the file is missing or not what it should be."""
    try:
        with path.open("rb") as raw, np.load(raw) as file:
            arrays = [file[key] for key in ("x_train", "y_train", "x_test", "y_test")]
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile):
        return None
    return arrays if digest(arrays) == source.sha256 else None


def _write_cache(path: Path, arrays: list[np.ndarray]) -> None:
    with files.replacing(path, synced=True) as aside, aside.open("wb") as file:
        np.savez(file, x_train=arrays[0], y_train=arrays[1], x_test=arrays[2], y_test=arrays[3])


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
