"""A home of its own for a measurement that trains: with MNIST in it, and nothing left of it afterwards."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench import datasets
from workbench.machines.local.provider import LocalProvider, end_all
from workbench.settings import Settings, from_environment


@contextmanager
def make_home() -> Iterator[tuple[Settings, LocalProvider]]:
    """Its settings, and its provider, whose machines are ended; fetches MNIST if it is not there."""
    settings = from_environment()
    datasets.load("mnist", settings)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        (home / "data").mkdir(parents=True)
        shutil.copy(settings.data / "mnist.npz", home / "data")
        here = from_environment({"WORKBENCH_HOME": str(home)})
        try:
            yield here, LocalProvider(here)
        finally:
            end_all(here)
