"""Several in one drawing: digits beside, above and across one another, apart, touching and crossing, and words."""

from collections.abc import Sequence

import numpy as np

from workbench.datasets.handwriting import write
from workbench.datasets.handwriting.hand import Drawing

Random = np.random.Generator
POOL = 300
"""Digits of each kind that rows are made of."""
LONGEST = 5
STACKED = 0.35
"""Share of rows whose digits are one above the other."""


def several(random: Random, count: int) -> list[Drawing]:
    """Write so many drawings of two to five digits each."""
    pool = [drawing for digit in range(10) for drawing in write(random, digit, POOL)]
    return [_row(random, pool) for _ in range(count)]


def heaps(random: Random, count: int) -> list[Drawing]:
    """Write so many drawings of three or four digits across one another, as one who writes over what is there."""
    pool = [drawing for digit in range(10) for drawing in write(random, digit, POOL)]
    return [_heap(random, pool) for _ in range(count)]


def words(random: Random, pool: Sequence[Drawing], count: int) -> list[Drawing]:
    """Write so many drawings of two to five letters each."""
    return [_row(random, pool) for _ in range(count)]


def _row(random: Random, pool: Sequence[Drawing]) -> Drawing:
    count = min(LONGEST, 2 + int(random.exponential(0.9)))
    stacked = count < 4 and random.random() < STACKED
    at, row = 0.0, Drawing()
    gap = random.uniform(-0.18, 0.3)
    for k in random.integers(len(pool), size=count):
        drawing = pool[k]
        points = np.concatenate(drawing)
        low, high = points.min(axis=0), points.max(axis=0)
        size = random.uniform(0.85, 1.15) / max(float(high[1] - low[1]), 0.4)
        shift = random.normal(0, 0.05)
        place = np.array([shift, at]) if stacked else np.array([at, shift])
        row += [(stroke - low) * size + place for stroke in drawing]
        at += float((high - low)[1 if stacked else 0]) * size + gap + random.normal(0, 0.04)
    return row


def _heap(random: Random, pool: Sequence[Drawing]) -> Drawing:
    apart = random.uniform(0.02, 0.2)
    heap = Drawing()
    for k in random.integers(len(pool), size=random.integers(3, 5)):
        points = np.concatenate(pool[k])
        low, longer = points.min(axis=0), float(np.ptp(points, axis=0).max())
        size, place = random.uniform(0.8, 1.1) / longer, random.normal(0, apart, 2)
        heap += [(stroke - low) * size + place for stroke in pool[k]]
    return heap
