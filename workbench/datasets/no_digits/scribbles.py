"""Drawings that mean nothing: scribbles, tangles, spirals, zigzags, strokes that lie, dots and blots."""

from collections.abc import Callable

import numpy as np

from workbench.datasets.handwriting.curves import curve
from workbench.datasets.handwriting.hand import Drawing

Random = np.random.Generator
FLATTEST, STEEPEST = -35.0, 35.0
"""Degrees off the level within which a line is no 1."""


def tangle(random: Random) -> Drawing:
    """A curve through points at random, near or far."""
    count = int(random.integers(6, 26))
    if random.random() < 0.5:
        points = random.random((count, 2))
    else:
        points = np.cumsum(random.normal(0, 1, (count, 2)), axis=0)
        points = (points - points.min(axis=0)) / max(float(np.ptp(points, axis=0).max()), 1e-6)
    return [curve(*map(tuple, points * random.uniform(0.5, 1, 2)))[0]]


def strokes(random: Random) -> Drawing:
    """Several short strokes that have nothing to do with each other."""
    count = int(random.integers(3, 8))
    return [
        curve(*map(tuple, random.random(2) + random.normal(0, 0.25, (int(random.integers(3, 6)), 2))))[0]
        for _ in range(count)
    ]


def spiral(random: Random) -> Drawing:
    turns, steps = random.uniform(1.6, 5), 80
    angle = np.linspace(0, turns * 2 * np.pi, steps) * random.choice([-1, 1]) + random.uniform(0, 6.3)
    far = np.linspace(random.uniform(0, 0.15), 0.5, steps) * (1 + random.normal(0, 0.02, steps))
    wide, high = random.uniform(0.6, 1, 2)
    return [np.stack([wide * far * np.cos(angle), high * far * np.sin(angle)], axis=1)]


def loops(random: Random) -> Drawing:
    """A row of loops, as one tries a pen."""
    steps, turns = 90, random.uniform(2.5, 7)
    along = np.linspace(0, 1, steps)
    angle = along * turns * 2 * np.pi
    high, wide, way = random.uniform(0.15, 0.5), random.uniform(0.08, 0.2), random.uniform(-0.5, 0.5)
    x = along + wide * np.cos(angle)
    return [np.stack([x, high * np.sin(angle) + way * along], axis=1)]


def zigzag(random: Random) -> Drawing:
    """Strokes to and fro, as one strikes out or fills."""
    count = int(random.integers(4, 16))
    x = np.linspace(0, 1, count)
    y = (np.arange(count) % 2) * random.uniform(0.3, 1) + random.normal(0, 0.06, count)
    turn = random.uniform(0, np.pi)
    sine, cosine = np.sin(turn), np.cos(turn)
    return [np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=1)]


def line(random: Random) -> Drawing:
    """A line that lies, straight or bent a little."""
    angle = np.radians(random.uniform(FLATTEST, STEEPEST))
    along = np.linspace(-0.5, 0.5, 9)
    bent = random.normal(0, 0.06) * np.cos(np.pi * along)
    return [
        np.stack(
            [np.cos(angle) * along - np.sin(angle) * bent, np.sin(angle) * along + np.cos(angle) * bent], 1
        )
    ]


def lines(random: Random) -> Drawing:
    """Two to four lines in any directions."""
    return [random.random(2) + stroke * random.uniform(0.5, 1.2) for stroke in _turned(random)]


def _turned(random: Random) -> Drawing:
    angles = random.uniform(0, np.pi, int(random.integers(2, 5)))
    along = np.linspace(-0.5, 0.5, 5)
    return [np.stack([np.cos(a) * along, np.sin(a) * along], axis=1) for a in angles]


def dots(random: Random) -> Drawing:
    """Two to six dots, apart."""
    count = int(random.integers(2, 7))
    return [at + random.normal(0, 0.01, (2, 2)) for at in random.random((count, 1, 2))]


def dot(random: Random) -> Drawing:
    """One dot, set down with a pen."""
    return [random.normal(0, 0.01, (2, 2))]


def invented(random: Random) -> Drawing:
    """A letter of no alphabet: three to five strokes between the corners, edges and middles of a square."""
    count = int(random.integers(3, 6))
    wide = random.uniform(0.6, 1)
    places = random.integers(0, 3, (count, 3, 2)) / 2 + random.normal(0, 0.05, (count, 3, 2))
    straight = random.random(count) < 0.6
    ends = np.where(straight[:, None, None], np.repeat(places[:, :1], 3, 1), places)
    ends[:, -1] = places[:, -1]
    ends[:, 1] = np.where(straight[:, None], (ends[:, 0] + ends[:, -1]) / 2, ends[:, 1])
    return [curve(*map(tuple, stroke * (wide, 1)))[0] for stroke in ends]


def blot(random: Random) -> Drawing:
    """A spot, filled: strokes around one place."""
    angle = np.linspace(0, 2 * np.pi * random.uniform(4, 8), 60)
    far = random.uniform(0.05, 0.5, 60) * np.linspace(1, 0.1, 60)
    wide, high = random.uniform(0.5, 1, 2)
    return [np.stack([wide * far * np.cos(angle), high * far * np.sin(angle)], axis=1)]


SCRIBBLES: tuple[tuple[float, Callable[[Random], Drawing]], ...] = (
    *((0.24, tangle), (0.1, strokes), (0.08, spiral), (0.08, loops), (0.1, zigzag), (0.12, invented)),
    *((0.08, line), (0.05, lines), (0.06, dots), (0.03, dot), (0.06, blot)),
)
"""Kinds of drawings that mean nothing, and how often each is met."""


def scribble(random: Random, count: int) -> list[Drawing]:
    """Scribble so many drawings."""
    kinds = random.choice(len(SCRIBBLES), count, p=[share for share, _ in SCRIBBLES])
    return [SCRIBBLES[kind][1](random) for kind in kinds]
