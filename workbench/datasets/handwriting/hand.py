"""Digits as many hands write them: each takes one of a digit's forms and bends it in a way of its own."""

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.handwriting import four_to_six as middle
from workbench.datasets.handwriting import seven_to_nine as high
from workbench.datasets.handwriting import zero_to_three as low
from workbench.datasets.handwriting.curves import Between, Form, Points

Drawing = list[NDArray[np.float64]]
"""One digit by one hand: its strokes, each ``(points, 2)``."""

SEVENS = (high.seven, high.seven_hooked, high.seven_waved, high.seven_bent)
FORMS: tuple[tuple[tuple[float, Form], ...], ...] = (
    ((0.68, low.oval), (0.19, low.oval_clockwise), (0.1, low.oval_lapped), (0.03, low.oval_slashed)),
    ((0.27, low.stem), (0.38, low.flagged), (0.16, low.flagged_softly), (0.19, low.based)),
    ((0.42, low.two), (0.33, low.two_looped), (0.19, low.two_waved), (0.06, low.two_hooked)),
    ((0.4, low.three), (0.15, low.three_looped), (0.25, low.three_round), (0.2, low.three_flat)),
    (
        *((0.35, middle.four), (0.12, middle.four_round), (0.18, middle.four_hung)),
        *((0.1, middle.four_at_once), (0.25, middle.four_closed)),
    ),
    ((0.5, middle.five), (0.28, middle.five_at_once), (0.22, middle.five_curved)),
    ((0.5, middle.six), (0.32, middle.six_crossed), (0.18, middle.six_hooked)),
    (*((0.16, form) for form in SEVENS), *((0.09, high.crossed(form)) for form in SEVENS)),
    (
        *((0.26, high.eight), (0.08, high.eight_mirrored), (0.22, high.eight_open)),
        *((0.2, high.eight_from_the_middle), (0.14, high.eight_open_to_the_left), (0.1, high.eight_rounds)),
    ),
    (
        *((0.2, high.nine), (0.2, high.nine_curled), (0.12, high.nine_cornered), (0.1, high.nine_spiral)),
        *((0.1, high.nine_overhanging), (0.18, high.nine_swaying), (0.1, high.nine_in_two)),
    ),
)
"""For each digit the ways to write it, and how often each is met: an estimate by eye."""


def write(random: np.random.Generator, digit: int, count: int) -> list[Drawing]:
    """Write a digit by so many hands: about one unit high, x to the right and y downward, form after form."""
    shares = np.array([share for share, _ in FORMS[digit]])
    hands = random.multinomial(count, shares / shares.sum())
    drawings: list[Drawing] = []
    for some, (_, form) in zip(hands, FORMS[digit], strict=True):
        if not some:
            continue
        strokes = bend(random, form(_between(random, some)), some)
        drawings += [[stroke[hand] for stroke in strokes] for hand in range(some)]
    return drawings


def _between(random: np.random.Generator, count: int) -> Between:
    return lambda least, most: random.uniform(least, most, count)


def bend(random: np.random.Generator, strokes: list[Points], count: int) -> list[Points]:
    """Bend strokes as so many hands do: waved, stretched, slanted, turned, and shaken by an unsteady pen."""
    ends = np.cumsum([stroke.shape[1] for stroke in strokes])[:-1]
    points = np.concatenate([np.broadcast_to(s, (count, *s.shape[1:])) for s in strokes], axis=1) - 0.5
    x, y = _wave(random, points[..., 0], points[..., 1])
    slant = random.normal(0.15, 0.25, (count, 1))
    x = random.uniform(0.55, 1.4, (count, 1)) * x - slant * y
    turn = random.normal(0, 0.08, (count, 1))
    sine, cosine = np.sin(turn), np.cos(turn)
    turned = np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=-1)
    shaken = turned + random.normal(0, 1, turned.shape) * random.exponential(0.006, (count, 1, 1))
    return np.split(shaken, ends, axis=1)


def _wave(
    random: np.random.Generator, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The places ``(n, points)`` shifted by smooth waves along both axes."""
    count = len(x)
    often = random.uniform(3, 10, (4, count, 1))
    phase = random.uniform(0, 2 * np.pi, (4, count, 1))
    height = random.normal(0, 0.035, (4, count, 1))
    along = height * np.sin(often * np.stack([y, x, x, y]) + phase)
    return x + along[0] + along[1], y + along[2] + along[3]
