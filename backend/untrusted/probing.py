"""Find out what a model's outputs are by asking it about a few inputs that nobody drew."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.tfserving.rest_format import Arrays
from workbench import scores
from workbench.errors import WorkbenchError
from workbench.manifest import OutputKind

Ask = Callable[[Arrays], Arrays]


def measure(ask: Ask, inputs: Arrays, output: str, said: NDArray[Any]) -> OutputKind:
    """Tell what an output of scores is, by its answers to ``inputs``, which were ``said`` ``(k,)``, and to others like them.

    One answer may hide it: a logit between 0 and 1 looks like a probability. An input that the model does not stand
    tells nothing.
    """
    found = [said.reshape(1, -1)]
    if scores.measure(found[0]) == "logits":
        return "logits"
    for probe in _probes(inputs):
        try:
            answer = np.asarray(ask(probe)[output])
        except (WorkbenchError, KeyError):
            break
        if answer.size % said.size == 0 and answer.dtype.kind in "fiub" and np.isfinite(answer).all():
            found.append(answer.reshape(-1, said.size))
    return scores.measure(np.concatenate([one.astype(np.float64) for one in found]))


def _probes(inputs: Arrays) -> Iterator[Arrays]:
    """Inputs of the same shapes, types and ranges: all dark, all light, turned round, and grains of chance."""
    ((name, x),) = inputs.items()
    if x.dtype.kind not in "fiu" or not x.size:
        return
    low, high = _range(x)
    grains = np.random.default_rng(0).permutation(x.ravel()).reshape(x.shape)
    for probe in (np.full_like(x, low), np.full_like(x, high), high - (x - low), grains):
        yield {name: probe}


def _range(x: NDArray[Any]) -> tuple[Any, Any]:
    """The range that such inputs have: what is seen of it, and as far as pictures usually go from there.

    A picture of one colour shows no range at all.

    >>> _range(np.float32([0.5])), _range(np.float32([-0.2, 0.9])), _range(np.uint8([235])), _range(np.float32([-3, 300]))
    ((0.0, 1.0), (-1.0, 1.0), (0, 255), (-255.0, 300.0))
    """
    least, most = float(x.min()), float(x.max())
    usual = 1.0 if most <= 1 and x.dtype.kind == "f" else 255.0
    low, high = min(least, -usual if least < 0 else 0.0), max(most, usual)
    if x.dtype.kind == "f":
        return low, high
    bounds = np.iinfo(x.dtype)
    return max(int(low), int(bounds.min)), min(int(high), int(bounds.max))
