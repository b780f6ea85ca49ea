"""Inputs of no version's own examples: what a model does with these it must do in time too."""

from collections.abc import Iterator, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.manifest import Input, Manifest
from workbench.pictures import ink

DRAWINGS = 8
MANY = 64
"""Examples of the largest request."""


def like(examples: Mapping[str, NDArray[Any]], manifest: Manifest) -> Iterator[dict[str, NDArray[Any]]]:
    """Inputs by name, each ``(n, …)`` of the same shape and range as its examples ``(n, …)``, others each time."""
    if len(examples) == 1:
        ((name, only),) = examples.items()
        yield from ({name: probe} for probe in _like_one(only, manifest.feeds[name], manifest))
        return
    of_each = {name: [*_like_one(one, manifest.feeds[name], manifest)] for name, one in examples.items()}
    few = {name: [probe for probe in probes if len(probe) == 1] for name, probes in of_each.items()}
    if not all(few.values()):
        return
    for place in range(max(map(len, few.values()))):
        yield {name: probes[place % len(probes)] for name, probes in few.items()}
    yield {name: np.repeat(one[:1], MANY, 0) for name, one in examples.items()}


def _like_one(examples: NDArray[Any], takes: Input, manifest: Manifest) -> Iterator[NDArray[Any]]:
    chance = np.random.default_rng()
    if examples.dtype.kind not in "fiub":
        return
    first = examples[0]
    low, high = takes.range
    yield np.full_like(first, low)[None]
    yield np.full_like(first, high)[None]
    yield _spread(chance.uniform(low, high, first.shape), examples)[None]
    yield chance.permutation(examples.ravel())[: first.size].reshape(first.shape)[None]
    for axis in range(min(2, first.ndim)):
        if first.shape[axis] > 1:
            yield np.ascontiguousarray(np.roll(first, int(chance.integers(1, first.shape[axis])), axis))[None]
            yield np.ascontiguousarray(np.flip(first, axis))[None]
    if takes.kind == "image" and first.ndim == 3:
        for share in (0.02, 0.2, 0.5):  # as much ink, anywhere
            yield _spread(np.where(chance.random(first.shape) < share, high, low), examples)[None]
        drawn = [_draw(chance, manifest) / 255 for _ in range(DRAWINGS)]
        brought = [cv2.resize(d, first.shape[1::-1], interpolation=cv2.INTER_AREA) for d in drawn]
        pictures = [np.repeat(b[:, :, None], first.shape[2], 2) * (high - low) + low for b in brought]
        for picture in pictures:
            yield _spread(picture, examples)[None]
        yield _spread(np.stack(pictures), examples)
    yield np.repeat(first[None], MANY, 0)


def _spread(values: NDArray[Any], examples: NDArray[Any]) -> NDArray[Any]:
    return (np.rint(values) if examples.dtype.kind in "iu" else values).astype(examples.dtype)


def _draw(chance: np.random.Generator, manifest: Manifest) -> NDArray[Any]:
    """Some strokes of one pen, fitted as a visitor's are, ``(28, 28)``; or as drawn, ``(280, 280)``."""
    sheet = np.zeros((280, 280), np.uint8)
    points = chance.integers(40, 240, (int(chance.integers(3, 7)), 2)).astype(np.int32)
    cv2.polylines(sheet, [points], False, 255, int(chance.integers(8, 28)), cv2.LINE_AA)
    fitted = ink.fit(sheet) if manifest.preprocessing == "mnist" else None
    return sheet if fitted is None else fitted
