"""A small sample of what a model was trained on, so that a drawing can be compared with it afterwards."""

from pathlib import Path

import numpy as np

from workbench.artifact import ALIKE
from workbench.manifest import Input
from workbench.node.data import Batches

EXAMPLES = 600
"""In a sample; about 200 bytes each."""
LOOKED_AT = 6_000
MOST_PIXELS = 64 * 64


def take(batches: Batches) -> tuple[np.ndarray, np.ndarray] | None:
    """Take some of what a model is trained on, ``(x, y)``; ``None`` of what is no small grey picture."""
    shape: tuple[int, ...] = tuple(getattr(batches.sample[0], "shape", ()))  # of a batch of one
    if len(shape) != 4 or shape[3] != 1 or np.prod(shape) > MOST_PIXELS:
        return None
    return batches.examples(LOOKED_AT)


def write(folder: Path, examples: tuple[np.ndarray, np.ndarray] | None, wanted: Input) -> None:
    """Write ``alike.npz``, with as many examples of each class, where examples are small grey pictures with a class each."""
    chosen = choose(examples, wanted) if examples is not None else None
    if chosen is not None:
        x, y = chosen
        np.savez_compressed(folder / ALIKE, x=x, y=y)


def choose(examples: tuple[np.ndarray, np.ndarray], wanted: Input) -> tuple[np.ndarray, np.ndarray] | None:
    """Choose pixels ``(n, h, w, 1)``, 0 to 255, and classes ``(n,)``; ``None`` of what is no small grey picture.

    Parameters
    ----------
    examples
        As the recipe gives them, ``x`` ``(n, …)`` and ``y`` ``(n, …)``.
    """
    x, y = examples
    sizes = wanted.sizes
    pictures = wanted.kind == "image" and len(sizes) == 3 and sizes[2] == 1 and np.prod(sizes) <= MOST_PIXELS
    if not pictures or x.shape[1:] != sizes or x.dtype.kind not in "fiu":
        return None
    if y.ndim == 2 and y.shape[1] > 1:  # one column a class
        y = y.argmax(axis=1)
    y = y.reshape(len(y), -1)[:, 0]
    if y.dtype.kind not in "iu":
        return None
    of = {int(label): np.flatnonzero(y == label) for label in np.unique(y)}
    each = -(-EXAMPLES // max(1, len(of)))
    places = np.sort(np.concatenate([found[:each] for found in of.values()]))[:EXAMPLES]
    low, high = wanted.range
    pixels = (x[places].astype(np.float32) - low) * (255 / max(high - low, 1e-9))
    return pixels.round().clip(0, 255).astype(np.uint8), y[places].astype(np.int64)
