"""The sample of what it was trained on that travels with a version."""

import zipfile

import numpy as np

from workbench.artifact import ALIKE
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
