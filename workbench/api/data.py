"""Data sets: bring one, look at it, load it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput
from workbench.settings import Settings, from_environment
from workbench.verbs import datasets as dataset_verbs
from workbench.verbs.datasets import looking
from workbench.verbs.workbench import opened

if TYPE_CHECKING:
    from ipywidgets import Widget

    from workbench.verbs.datasets import DatasetManifest

__all__ = ["Dataset", "Datasets", "add_dataset", "dataset", "datasets"]


class Dataset:
    """One version of a data set. Versions never change."""

    def __init__(self, manifest: "DatasetManifest", settings: Settings) -> None:
        self._manifest, self._settings = manifest, settings

    def __repr__(self) -> str:
        train, test = self._manifest.train.examples, self._manifest.test.examples
        return f"<Dataset {self._manifest}: {self._manifest.kind}, {train:,} + {test:,} examples>"

    def __str__(self) -> str:
        return str(self._manifest)

    @property
    def name(self) -> str:
        """Its name."""
        return self._manifest.name

    @property
    def version(self) -> int:
        """Its number, from 1."""
        return self._manifest.version

    @property
    def manifest(self) -> "DatasetManifest":
        """Everything that is known of it."""
        return self._manifest

    def load(self, *, stream: bool | None = None) -> tuple[Any, Any]:
        """Load ``(train, test)``, each ``(x, y)`` arrays, or a ``tf.data.Dataset`` where it is large; as in a recipe."""
        from workbench.datasets import load  # NumPy comes with it

        return load(str(self), self._settings, stream=stream)

    def models(self) -> list[str]:
        """The model versions that were trained with it."""
        with opened(self._settings) as workbench:
            return list(dataset_verbs.made_of(self._manifest, self._settings, workbench.store).models)

    def show(self) -> looking.Shown:
        """What is in it, for a notebook: some examples, the balance of classes, each column's figures."""
        return looking.look(self._manifest, self._settings)

    def export(self, folder: str | Path) -> Path:
        """Write it into a new folder as files that other programs read."""
        return dataset_verbs.export(str(self), Path(folder), self._settings)

    def remove(self) -> None:
        """Remove it; raises ``Conflict`` while a model or a job names it."""
        with opened(self._settings) as workbench:
            dataset_verbs.remove(str(self), self._settings, workbench.store)


def add_dataset(name: str, source: str | Path, **how: Any) -> Dataset:
    """Add a version of a data set; the same data again give the version that is there.

    Parameters
    ----------
    source
        A folder or zip of pictures or texts by class, a ``.csv``, ``.tsv``, ``.parquet``, ``.npz`` or IDX file, or the URL of one.
    how
        What is not to be guessed: ``target``, ``classes``, ``kind``, ``unused``, ``size``, ``channels``, ``header``, ``licence``, and of
        the split ``by`` (``share``, ``column``, ``group``), ``share``, ``column``, ``seed``.

    Raises
    ------
    BadInput, NotFound, NotFetched, Full
        The source cannot be used; nothing was kept.
    """
    settings = from_environment()
    try:
        wanted = dataset_verbs.how(**how)
    except TypeError as error:
        raise BadInput(f"add_dataset: {error}") from error
    return Dataset(dataset_verbs.add(name, source, wanted, settings), settings)


def dataset(reference: str) -> Dataset:
    """The data set that ``NAME:V`` names, or the newest version of ``NAME``; raises ``NotFound``."""
    settings = from_environment()
    return Dataset(dataset_verbs.find(reference, settings), settings)


class Datasets(list[Dataset]):
    """Data sets by name and version; shown, they are the list of all, live."""

    def show(self) -> "Widget":
        """Show all data sets in a notebook: look into each, make a recipe of it, remove it."""
        from workbench.ui import parts

        return parts.datasets(from_environment())


def datasets(name: str | None = None) -> Datasets:
    """All data sets that were added, by name and version; only of ``name`` where one is given."""
    settings = from_environment()
    return Datasets(Dataset(found, settings) for found in dataset_verbs.versions(settings, name))
