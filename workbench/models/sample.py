"""The samples that travel with a version: of what it was trained on, and of what it was asked."""

import zipfile
from collections.abc import Mapping

import numpy as np

from workbench import arrays
from workbench.artifact import ALIKE
from workbench.manifest import columns
from workbench.models.registry import Version

MOST = 1_000
"""Pictures that are read."""


def read_sample(version: Version) -> tuple[np.ndarray, np.ndarray] | None:
    """Read grey pictures ``(n, h, w)`` uint8 and classes ``(n,)``; ``None`` where there is no such sample."""
    try:
        with np.load(version.folder / ALIKE, allow_pickle=False) as archive:
            x, y = archive["x"][:MOST], archive["y"][:MOST].astype(np.int64)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    if x.dtype != np.uint8 or x.ndim != 4 or x.shape[3] != 1 or y.shape != x.shape[:1]:
        return None
    return x[..., 0], y


def read_rows(version: Version) -> tuple[Mapping[str, object], ...]:
    """Read the held-out examples of a version that takes a table's rows, each by its columns."""
    examples = read_examples(version)
    return tuple(columns.decode(version.manifest.columns, one["input"].tolist()) for one in examples)


def read_examples(version: Version) -> tuple[Mapping[str, np.ndarray], ...]:
    """Read the held-out examples that a version is checked on, each input by name; none where they cannot be read."""
    names = [*version.manifest.feeds]
    try:
        with np.load(version.folder / "examples.npz", allow_pickle=False) as archive:
            x = arrays.unpack(archive.files, archive.__getitem__, "x")
        x = x if isinstance(x, dict) else {names[0]: x}
        return tuple({name: x[name][place] for name in names} for place in range(arrays.count(x)))
    except (OSError, ValueError, KeyError, EOFError, IndexError, zipfile.BadZipFile):
        return ()
