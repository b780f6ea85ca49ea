"""The meaning of a model's outputs: which of them are scores, by shape and type; what leaves it open is asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, ModelRefused
from workbench.manifest import OutputKind

MAX_SCORES = 10_000


@dataclass(frozen=True)
class OutputVerdict:
    """What a model says of one picture."""

    index: int | None
    """Of the class; ``None`` where the model gives a name alone, which is none of the labels."""
    name: str | None
    """The class's name, where the model gives it itself."""
    scores: tuple[float | None, ...]
    """A class each, one for whether it is, or none where the model names its class only; ``None`` is no number."""
    output: str
    kind: OutputKind | None = None
    """What the scores are; ``None`` where there are none."""

    @classmethod
    def of_ours(cls, outputs: NDArray[np.float32], kind: OutputKind, output: str) -> "OutputVerdict":
        """The verdict of a version of ours, of its probabilities ``(n, classes)`` or, of other kinds, its values."""
        row = outputs[0].reshape(-1).astype(np.float64)
        told = tuple(float(score) if np.isfinite(score) else None for score in row[:MAX_SCORES])
        if kind == "values":
            return cls(None, None, told, output, kind)
        return cls(int(row.argmax()), None, told, output, "probabilities")


@dataclass(frozen=True)
class _Output:
    """An output's part for one picture."""

    name: str
    values: NDArray[Any]
    """One-dimensional."""
    kind: str
    """``scores``, ``score`` (of yes against no), ``class`` or ``text``."""
    shape: tuple[int, ...]


def read_verdict(
    outputs: Mapping[str, NDArray[Any]],
    order: Sequence[str],
    batch: int | None,
    wanted: str,
    labels: Sequence[str],
    measure: Callable[[str, NDArray[Any]], OutputKind],
) -> OutputVerdict:
    """Read the class and its scores.

    Parameters
    ----------
    order
        Of the outputs, as the model declares them.
    batch
        How many pictures were asked about, all the same; ``None`` where outputs have no axis for pictures.
    wanted
        The output that the request names, if it does.
    measure
        Tells what an output is, by its name and its scores for one picture ``(k,)``.

    Raises
    ------
    BadInput
        Several outputs could be meant, or there is none of that name.
    ModelRefused
        None can be.
    """
    names = [*(name for name in order if name in outputs), *(name for name in outputs if name not in order)]
    if wanted:
        if wanted not in outputs:
            raise BadInput(f"the model has no output {wanted[:60]!r}; it has: {', '.join(names)[:300]}")
        names = [wanted]
    read = [_read(name, np.asarray(outputs[name]), batch) for name in names]
    usable = [output for output in read if output is not None]
    if not usable:
        shapes = ", ".join(f"{name} {outputs[name].shape} {outputs[name].dtype}" for name in names)
        raise ModelRefused(f"the model's answer holds no scores of classes for one picture: {shapes[:300]}")
    chosen = _choose(usable, len(labels))
    return _verdict(chosen, labels, measure)


def _read(name: str, array: NDArray[Any], batch: int | None) -> _Output | None:
    shape = array.shape
    if batch is not None:
        if array.ndim and len(array) == batch:
            array = array[:1].reshape(array.shape[1:])  # not array[0], which is no array where it is a text
        elif not (array.ndim == 1 and batch == 1):  # some models answer one picture without an axis for it
            return None
    values = array.squeeze()
    if values.ndim > 1 or not values.size:
        return None
    kind = values.dtype.kind
    values = values.reshape(-1)
    if kind in "OSU":
        return _Output(name, values, "text", shape) if len(values) == 1 else None
    if kind not in "fiu":
        return None
    if len(values) > 1:
        return _Output(name, values, "scores", shape)
    if kind == "f":
        return _Output(name, values, "score", shape)
    # A single small whole number may be a score that was quantized; classes are counted in 32 or 64 bits.
    return _Output(name, values, "class", shape) if values.dtype.itemsize >= 4 else None


def _choose(outputs: Sequence[_Output], labels: int) -> _Output:
    """Probabilities are real numbers, one a class; where there are none, the only output that says something."""
    several = [output for output in outputs if output.kind == "scores"]
    real = [output for output in several if output.values.dtype.kind == "f"]
    options = real or several or list(outputs)
    if len(options) > 1 and labels:
        options = [o for o in options if o.kind == "scores" and len(o.values) == labels] or options
    if len(options) > 1:
        told = ", ".join(f"{output.name} {output.shape}" for output in options)
        raise BadInput(
            f"the model has several outputs that can be meant; say which: output=NAME, one of: {told[:300]}"
        )
    return options[0]


def _verdict(
    output: _Output, labels: Sequence[str], measure: Callable[[str, NDArray[Any]], OutputKind]
) -> OutputVerdict:
    values = output.values
    if output.kind == "text":
        said = values[0]
        name = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        index = labels.index(name) if name in labels else None
        return OutputVerdict(index, name[:200], (), output.name)
    if output.kind == "class":
        return OutputVerdict(int(values[0]), None, (), output.name)
    values = values[:MAX_SCORES].astype(np.float64)
    if np.isnan(values).any():  # the logarithm of 0 is a score, this is none
        raise ModelRefused(f"the model answers this with values that are no numbers: {output.name}")
    scores = tuple(float(score) if np.isfinite(score) else None for score in values)
    if None in scores:
        best = int(np.argmax(np.where(np.isfinite(values), values, -np.inf))) if len(values) > 1 else None
        return OutputVerdict(best, None, scores, output.name)
    kind: OutputKind = measure(output.name, values)
    if output.kind == "score":
        return OutputVerdict(
            int(values[0] > (0 if kind == "logits" else 0.5)), None, scores, output.name, kind
        )
    return OutputVerdict(int(np.argmax(values)), None, scores, output.name, kind)
