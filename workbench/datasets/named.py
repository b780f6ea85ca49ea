"""Data sets as recipes ask for them: by name, ours and those that were brought, of the version that a job was given."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from workbench.datasets import cached
from workbench.datasets.fetching import SOURCES, Progress
from workbench.datasets.kept import loading, store
from workbench.datasets.kept.values import DatasetManifest
from workbench.errors import NotFound
from workbench.lineage import DatasetPin
from workbench.settings import Settings, from_environment

_pins: dict[str, DatasetPin] = {}
"""The versions that this process was told to use; of all others the newest."""
_used: dict[str, DatasetManifest] = {}
"""What was read in this process: what it trains from now on was trained with that."""


def load(
    name: str,
    settings: Settings | None = None,
    on_progress: Progress | None = None,
    *,
    stream: bool | None = None,
) -> tuple[Any, Any]:
    """Load the data set ``NAME`` or ``NAME:V`` as ``(train, test)``.

    Parameters
    ----------
    name
        ``mnist``, ``fashion-mnist``, ``pen-strokes``, or one that was added with ``workbench data add``.
    on_progress
        Gets a line of text now and then while one of ours is fetched.
    stream
        Whether each part is to be a ``tf.data.Dataset``; if not said, where there are more than 256 MB.

    Returns
    -------
    Each part is ``(x, y)``: pictures are uint8 ``(n, h, w, channels)``, texts are strings ``(n,)``, arrays are as they came, and a
    table's rows are float32 ``(n, features)``, whose names :func:`feature_names` tells; ``y`` is the class, int64, or a number.

    Raises
    ------
    NotFound
        No data set of that name.
    Unavailable
        One of ours is not here and cannot be fetched.
    """
    if name in cached.NAMES:
        return cached.load(name, settings, on_progress)
    settings = settings or from_environment()
    return loading.load(_find(name, settings), settings, stream=stream)


def columns(
    name: str, settings: Settings | None = None
) -> tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]:
    """Each column of both parts as it came: numbers with NaN where one is missing, categories and texts as text."""
    settings = settings or from_environment()
    found = _find(name, settings)
    return (loading.columns(found, found.train, settings), loading.columns(found, found.test, settings))


def manifest(name: str, settings: Settings | None = None) -> DatasetManifest:
    """All that is known of a data set that was brought; of the version that :func:`load` gives."""
    return _find(name, settings or from_environment())


def labels(name: str, settings: Settings | None = None) -> tuple[str, ...]:
    """The name of each class, in the order of their numbers."""
    if name in SOURCES:
        return SOURCES[name].labels
    if name in cached.NAMES:
        return tuple("0123456789")
    return manifest(name, settings).labels


def feature_names(name: str, settings: Settings | None = None) -> tuple[str, ...]:
    """What each number of a table's row is, in the order in which a model gets them."""
    from workbench.datasets.kept import features

    return tuple(one.name for one in features.features(manifest(name, settings).columns))


def input_columns(name: str, settings: Settings | None = None) -> list[dict[str, object]]:
    """What a table's row is made of, for ``INPUT`` of a recipe: who asks the model then sends a row by its columns."""
    from workbench.datasets.kept import features

    return features.input_columns(manifest(name, settings).columns)


def pin(pins: Mapping[str, DatasetPin]) -> None:
    """Let this process use these versions and no others."""
    _pins.clear()
    _pins.update(pins)


@contextmanager
def pinned(pins: Mapping[str, DatasetPin]) -> Iterator[None]:
    """Within it, these versions are used."""
    before = dict(_pins)
    pin({**before, **pins})
    try:
        yield
    finally:
        pin(before)


def used() -> Mapping[str, DatasetPin]:
    """The versions that this process has read so far."""
    return {name: DatasetPin(one.version, one.sha256) for name, one in sorted(_used.items())}


def find(reference: str, settings: Settings) -> DatasetManifest:
    """The version that a reference means here, the pinned one where there is one; not noted as used."""
    name, _ = store.split_reference(reference)
    if (at := _pins.get(reference)) is not None:
        return store.pinned(name, at, settings)
    return store.find(reference, settings)


def _find(reference: str, settings: Settings) -> DatasetManifest:
    try:
        found = find(reference, settings)
    except NotFound as error:
        raise NotFound(
            f"{error}, {', '.join(cached.NAMES)}; workbench data add NAME SOURCE adds one"
        ) from error
    name = found.name
    _used[name] = found
    return found
