"""The detector of what is no single digit: a small net that travels with a version, read from ``doubt.json``.

It sees the same fitted picture as the model, and tells the ten digits, several in one drawing, and anything else apart.
What it computes is a few products of small matrices, so that it costs a plain canvas some hundredths of a millisecond and
needs NumPy alone; and its file holds numbers only, whoever wrote it.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.errors import ModelRefused
from workbench.fields import Fields

FILE = "doubt.json"
KEPT = "doubt-"
"""How the file begins among the data sets, where it is kept for the versions to come."""
FORMAT = 1
MOST_BYTES = 4 * 1024 * 1024
MOST_FILTERS = 256
DIGITS = tuple("0123456789")
"""Labels of the models that a detector speaks of."""
SEVERAL, OTHER = 10, 11
"""Its answers besides the ten digits."""
ANSWERS = 12
SIDE, FIRST, SECOND = 28, 12, 5
"""Pixels of a picture's side, and of what the two convolutions make of it, both with a stride of 2."""

Array = NDArray[np.float32]
Kind = Literal["no_digit", "several"]


def _windows(side: int, window: int, count: int) -> NDArray[np.intp]:
    """Places of each window's pixels in a flat picture: ``(count², window²)``."""
    y, x = np.mgrid[:count, :count].reshape(2, -1, 1) * 2
    down, right = np.mgrid[:window, :window].reshape(2, 1, -1)
    return np.ascontiguousarray((y + down) * side + x + right, np.intp)


_FIRST, _SECOND = _windows(SIDE, 5, FIRST), _windows(FIRST, 3, SECOND)


@dataclass(frozen=True)
class Judgement:
    """What the detector makes of one picture."""

    kind: Kind
    """The likelier of the two kinds, also where there is no doubt."""
    score: float
    """The share, 0 to 1, that speaks against one digit."""


@dataclass(frozen=True)
class Layer:
    """One product: ``weights`` ``(in, out)`` and ``bias`` ``(out,)``."""

    weights: Array
    bias: Array


@dataclass(frozen=True)
class Detector:
    """The net: two convolutions of 5×5 and 3×3, a dense layer, and the answers; ReLU between them."""

    layers: tuple[Layer, Layer, Layer, Layer]
    limit: float
    """The score above which an answer is doubted."""

    def judge(self, seen: NDArray[np.uint8]) -> Judgement:
        """Judge one fitted picture ``(28, 28)``."""
        return self.judge_all(seen[None])[0]

    def judge_all(self, seen: NDArray[np.uint8]) -> list[Judgement]:
        """Judge fitted pictures ``(n, 28, 28)``, 0 = paper, 255 = ink."""
        return [
            Judgement(
                "several" if row[SEVERAL] > row[OTHER] else "no_digit", float(row[SEVERAL] + row[OTHER])
            )
            for row in self.shares(seen)
        ]

    def scores(self, seen: NDArray[np.uint8]) -> Array:
        """What speaks against one digit in each picture ``(n,)``."""
        return np.asarray(self.shares(seen)[:, SEVERAL:].sum(axis=1), np.float32)

    def shares(self, seen: NDArray[np.uint8]) -> Array:
        """What speaks for each answer ``(n, 12)``, 1 in all."""
        first, second, third, last = self._ready
        count = len(seen)
        x = seen.reshape(count, -1).astype(np.float32)
        x = np.maximum(x[:, _FIRST] @ first.weights + first.bias, 0)
        x = x[:, _SECOND].reshape(count, len(_SECOND), -1)
        x = np.maximum(x @ second.weights + second.bias, 0).reshape(count, -1)
        x = np.maximum(x @ third.weights + third.bias, 0)
        x = x @ last.weights + last.bias
        odds = np.exp(x - x.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float32)

    @cached_property
    def _ready(self) -> tuple[Layer, ...]:
        """The layers as they are computed with: the first takes pixels from 0 to 255."""
        first, *others = self.layers
        return Layer(first.weights / np.float32(255), first.bias), *others

    def as_json(self) -> Mapping[str, object]:
        """The detector as it stands in the file; its numbers in half precision."""
        layers = [
            {"shape": [*layer.weights.shape], "weights": _pack(layer.weights), "bias": _pack(layer.bias)}
            for layer in self.layers
        ]
        return {"format": FORMAT, "limit": round(self.limit, 6), "layers": layers}


def write(folder: Path, detector: Detector) -> None:
    """Write a version's detector."""
    (folder / FILE).write_text(json.dumps(detector.as_json()) + "\n")


def read(folder: Path) -> Detector:
    """Read a version's detector.

    Raises
    ------
    ModelRefused
        The file is missing, too large, or holds what is no detector.
    """
    try:
        with (folder / FILE).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        told = json.loads(data) if len(data) <= MOST_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelRefused(f"{FILE} cannot be read: {error}") from error
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise ModelRefused(f"{FILE} must be an object of format {FORMAT}, of up to {MOST_BYTES:,} bytes")
    return parse(told)


def parse(told: Mapping[str, object]) -> Detector:
    """Check a detector's JSON.

    Raises
    ------
    ModelRefused
        A value is not what it must be.
    """
    fields = Fields(told, "the doubt's ")
    limit = fields.number("limit")
    if not 0 < limit < 1:
        fields.refuse("limit", "a number between 0 and 1")
    parts = fields.parts("layers")
    if len(parts) != 4:
        fields.refuse("layers", "four")
    first, second, third, last = (_layer(part) for part in parts)
    takes = 25, 9 * first.bias.size, SECOND * SECOND * second.bias.size, third.bias.size
    for part, layer, wanted in zip(parts, (first, second, third, last), takes, strict=True):
        if len(layer.weights) != wanted:
            part.refuse("shape", f"({wanted}, …), as the layer before gives it")
    if last.bias.size != ANSWERS:
        parts[3].refuse("shape", f"(…, {ANSWERS})")
    return Detector((first, second, third, last), limit)


def _layer(fields: Fields) -> Layer:
    shape = fields.shape("shape")
    if len(shape) != 2 or shape[1] > MOST_FILTERS or shape[0] > 25 * MOST_FILTERS:
        fields.refuse("shape", f"two sizes, the second up to {MOST_FILTERS}")
    weights = _unpack(fields, "weights", shape[0] * shape[1]).reshape(shape)
    return Layer(weights, _unpack(fields, "bias", shape[1]))


def _pack(numbers: Array) -> str:
    return base64.b64encode(numbers.astype("<f2").tobytes()).decode()


def _unpack(fields: Fields, key: str, count: int) -> Array:
    wanted = f"{count} finite numbers of two bytes each, in base64"
    try:
        data = binascii.a2b_base64(fields.text(key), strict_mode=True)
    except ValueError:
        fields.refuse(key, wanted)
    numbers = np.frombuffer(data[: len(data) // 2 * 2], "<f2").astype(np.float32)
    if len(data) != 2 * count or not np.isfinite(numbers).all():
        fields.refuse(key, wanted)
    return numbers
