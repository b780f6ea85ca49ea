"""A version's examples for a recipe: arrays where they are small, a stream of TensorFlow's where they are not."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workbench.datasets.kept import features, measuring
from workbench.datasets.kept.store import BLOBS
from workbench.datasets.kept.values import Column, DatasetManifest, Part
from workbench.errors import BadInput
from workbench.settings import Settings

IN_MEMORY = 256 * 1024**2
"""Bytes of a version up to which it is given as arrays."""


def load(manifest: DatasetManifest, settings: Settings, *, stream: bool | None = None) -> tuple[Any, Any]:
    """Load ``(train, test)``: each ``(x, y)`` arrays, or an unbatched ``tf.data.Dataset`` of them.

    Parameters
    ----------
    stream
        Whether it is to be a stream; if not said, where the files are larger than :data:`IN_MEMORY`.
    """
    if stream if stream is not None else manifest.bytes > IN_MEMORY:
        from workbench.datasets.kept import streams

        return streams.load(manifest, settings)
    return part_arrays(manifest, manifest.train, settings), part_arrays(manifest, manifest.test, settings)


def part_arrays(
    manifest: DatasetManifest, part: Part, settings: Settings, most: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The arrays ``(x, y)`` of a part, or of its first ``most`` examples.

    Raises
    ------
    BadInput
        The data set has no target.
    """
    target = manifest.target
    if target is None:
        raise BadInput(
            f"{manifest} has no target, so there is no y; its columns: datasets.columns({manifest.name!r})"
        )
    rows, texts = _read(manifest.columns, part, settings, most)
    place = manifest.columns.index(target)
    y = rows[f"c{place}"]
    kind = {"category": np.int64, "flag": np.int64, "number": np.float32}.get(target.kind)
    y = np.ascontiguousarray(y) if kind is None else y.astype(kind)
    if not is_table(manifest):
        (only,) = manifest.inputs
        if only.is_text:
            names = [c.name for c in manifest.columns if c.is_text]
            return _strings(texts[names.index(only.name)]), y
        return np.ascontiguousarray(rows[f"c{manifest.columns.index(only)}"]), y
    return features.encode(rows, manifest.columns), y


def columns(
    manifest: DatasetManifest, part: Part, settings: Settings, most: int | None = None
) -> Mapping[str, np.ndarray]:
    """Each column of a part as it came: numbers with NaN where one is missing, categories and texts as text."""
    rows, texts = _read(manifest.columns, part, settings, most)
    found: dict[str, np.ndarray] = {}
    of_text = iter(texts)
    for n, column in enumerate(manifest.columns):
        if column.is_text:
            found[column.name] = _strings(next(of_text))
        elif column.kind == "category":
            names = np.array([*column.categories, ""])
            found[column.name] = names[rows[f"c{n}"]]
        else:
            found[column.name] = np.ascontiguousarray(rows[f"c{n}"])
    return found


def is_table(manifest: DatasetManifest) -> bool:
    """Whether the input is made of several cells rather than being one text or one array."""
    return manifest.kind == "table"


def _read(
    wanted: Sequence[Column], part: Part, settings: Settings, most: int | None
) -> tuple[np.ndarray, list[list[str]]]:
    found, texts = [], [list[str]() for column in wanted if column.is_text]
    left = most
    for block, read in measuring.blocks(wanted, part, measuring.Finder(settings.data / BLOBS)):
        taken = block if left is None else block[:left]
        found.append(taken)
        for whole, some in zip(texts, read, strict=True):
            whole.extend(some[: len(taken)])
        if left is not None:
            left -= len(taken)
            if left <= 0:
                break
    from workbench.datasets.kept.records import fixed_dtype

    return (np.concatenate(found) if found else np.zeros(0, fixed_dtype(wanted))), texts


def _strings(texts: Sequence[str]) -> np.ndarray:
    return np.array(texts, dtype=np.str_) if texts else np.zeros(0, "U1")
