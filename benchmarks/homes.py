"""A home of its own for a measurement that trains: with the pictures in it, and nothing left of it afterwards."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench import datasets
from workbench.machines.local.provider import LocalProvider, end_all
from workbench.settings import Settings, from_environment

SETS = ("mnist", "pen-strokes")
"""What recipes read; machines cannot fetch or draw it themselves."""


@contextmanager
def make_home() -> Iterator[tuple[Settings, LocalProvider]]:
    """Its settings, and its provider, whose machines are ended; fetches MNIST if it is not there."""
    settings = from_environment()
    for name in SETS:
        datasets.load(name, settings)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        (home / "data").mkdir(parents=True)
        for name in SETS:
            shutil.copy(settings.data / f"{name}.npz", home / "data")
        here = from_environment({"WORKBENCH_HOME": str(home)})
        try:
            yield here, LocalProvider(here)
        finally:
            end_all(here)
