"""Drawings that are not one digit, made from strokes: letters, signs, scribbles, words, and several digits at once.

    glyph, scribble ──▶ strokes ──draw──▶ ink (72, 72) ──pictures.ink.fit──▶ (28, 28)

What doubts an answer learns from them, beside digits. Which letters are left out, and why, says ``glyphs``.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.handwriting import draw
from workbench.datasets.handwriting.hand import Drawing
from workbench.datasets.handwriting.pen import draw_pens
from workbench.datasets.no_digits import glyphs, rows, scribbles
from workbench.pictures import ink

__all__ = ["Kind", "draw_all", "write_all"]


class Kind(IntEnum):
    """The kind of a drawing that is not one digit."""

    SEVERAL = 0
    NOTHING = 1


SLIMMEST = 0.3
WIDEST = 0.2
"""Of a drawing's longer side, the widest pen: more strokes than a digit's run into a blot with a wider one."""
SHARES = {"several": 0.27, "letters": 0.29, "signs": 0.17, "scribbles": 0.16, "heaps": 0.07, "words": 0.04}


def write_all(random: np.random.Generator, count: int) -> tuple[list[Drawing], NDArray[np.int64]]:
    """Write so many drawings that are not one digit, kind after kind; give them and their kinds ``(n,)``."""
    each = {name: round(share * count) for name, share in SHARES.items()}
    each["letters"] += count - sum(each.values())
    letters = _write(random, glyphs.LETTERS, each["letters"])
    drawings = [
        *rows.several(random, each["several"]),
        *letters,
        *_write(random, glyphs.SIGNS, each["signs"]),
        *scribbles.scribble(random, each["scribbles"]),
        *rows.heaps(random, each["heaps"]),
        *rows.words(random, letters, each["words"]),
    ]
    kinds = np.full(count, Kind.NOTHING, np.int64)
    kinds[: each["several"]] = Kind.SEVERAL
    return drawings, kinds


def draw_all(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw so many, each with a pen of its own, as pictures ``(n, 28, 28)`` with their kinds ``(n,)``, in no order.

    A few are fewer than ``count``: what is taken for dirt is no drawing.
    """
    random = np.random.default_rng(seed)
    drawings, kinds = write_all(random, count)
    pens = np.minimum(draw_pens(random, count), WIDEST)
    fitted = [ink.fit(draw(d, pen * _slimness(d))) for d, pen in zip(drawings, pens, strict=True)]
    there = [k for k in random.permutation(count) if fitted[k] is not None]
    return np.stack([fitted[k] for k in there]), kinds[there]


def _slimness(drawing: Drawing) -> float:
    """The shorter side as a part of the longer: the pen of a row of digits is as wide as one digit's."""
    sides = np.ptp(np.concatenate(drawing), axis=0)
    return float(max(sides.min() / sides.max(), SLIMMEST))


def _write(random: np.random.Generator, told: tuple[str, ...], count: int) -> list[Drawing]:
    hands = random.multinomial(count, [1 / len(told)] * len(told))
    return [
        drawing
        for some, glyph in zip(hands, told, strict=True)
        if some
        for drawing in glyphs.write(random, glyphs.parse(glyph), int(some))
    ]
