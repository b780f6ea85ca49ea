"""Forms of 0 to 3, each for many writers at once.

A digit is about one unit high and wide, x to the right and y downward, its middle at 0.5. Names in a form are the parts
of the digit; ``between`` gives each writer a number of their own. Forms of the other digits are made alike.
"""

import numpy as np

from workbench.datasets.handwriting.curves import (
    Between,
    Number,
    Points,
    arc,
    corner,
    curve,
    mirror,
    path,
    smooth,
)


def oval(between: Between) -> list[Points]:
    wide, begin = between(0.25, 0.5), between(-150, -40)
    return [smooth(arc(0.5, 0.5, wide, 0.5, begin, begin - 360 - between(-25, 45), 15))]


def oval_clockwise(between: Between) -> list[Points]:
    return mirror(oval(between))


def oval_slashed(between: Between) -> list[Points]:
    upper = 0.5 + between(0.15, 0.45), between(0, 0.15)
    lower = 0.5 - between(0.15, 0.45), between(0.85, 1)
    return [*oval(between), path(upper, lower)]


def oval_lapped(between: Between) -> list[Points]:
    """A 0 that begins to the right above itself and ends within."""
    wide, begin = between(0.25, 0.5), between(-110, -50)
    lead = path((0.5 + wide * between(-0.4, 1.2), between(-0.2, 0.05)))
    round_ = arc(0.5, 0.5, wide, 0.5, begin, begin - between(320, 400), 15)
    end = path((0.5 + wide * between(-0.9, 0.3), between(0.05, 0.4)))
    return [smooth(lead, round_, end)]


def stem(between: Between) -> list[Points]:
    lean = between(-0.15, 0.15)
    return [curve((0.5 + lean, 0), (0.5 + between(-0.05, 0.05), 0.5), (0.5 - lean, 1))]


def flagged(between: Between, least: float = 0.1, most: float = 1.0) -> list[Points]:
    long, angle, bulge = between(least, most), np.radians(between(25, 78)), between(-0.09, 0.14)
    across, down = long * np.cos(angle), long * np.sin(angle)
    flag = curve((0.5 - across, down), (0.5 - across / 2 - bulge * down, down / 2 - bulge * across), (0.5, 0))
    stem = curve((0.5, 0), (0.5 + between(-0.06, 0.06), 0.5), (0.5 + between(-0.08, 0.08), 1))
    return [corner(flag, stem)]


def flagged_softly(between: Between) -> list[Points]:
    """A 1 whose flag goes over into the stem in a curve, after a little hook."""
    long, angle = between(0.2, 0.8), np.radians(between(30, 70))
    x, y = 0.5 - long * np.cos(angle), long * np.sin(angle)
    hook = x + between(-0.05, 0.05), y - between(-0.02, 0.1)
    return [curve(hook, (x, y), (0.5, 0), (0.52, 0.3), (0.5 + between(-0.08, 0.08), 1))]


def based(between: Between) -> list[Points]:
    half, level = between(0.12, 0.5), 1 + between(-0.03, 0.03)
    end = 0.5 + half * between(0.6, 1.1), level + between(-0.05, 0.05)
    return [*flagged(between, 0.1, 0.6), path((0.5 - half, level), end)]


def _parts_of_two(between: Between) -> tuple[Points, Number, Number, Number]:
    """The arch of a 2, and the line on which it stands: its left end, its height, its right end."""
    wide = between(0.26, 0.42)
    arch = arc(0.5, 0.28, wide, 0.28, between(-205, -145), between(10, 45), 8)
    return arch, 0.5 - wide * between(0.8, 1.2), between(0.9, 1), 0.5 + wide * between(0.7, 1.4)


def two(between: Between) -> list[Points]:
    arch, left, low, right = _parts_of_two(between)
    down = path((0.5, between(0.57, 0.67)), (left, low))
    foot = curve((left, low), (0.5, low + between(-0.05, 0.05)), (right, low + between(-0.08, 0.08)))
    return [corner(smooth(arch, down), foot)]


def two_looped(between: Between) -> list[Points]:
    arch, left, low, right = _parts_of_two(between)
    size = between(0.05, 0.17)
    into = path((0.5, 0.66), (left + 0.1, low - 0.02), (left - 0.02, low + 0.01), (left - 0.02, low - size))
    out = path((left + 1.3 * size, low - 0.9 * size), (0.52, low), (right, low + between(-0.06, 0.06)))
    return [smooth(arch, into, out)]


def two_waved(between: Between) -> list[Points]:
    arch, left, low, right = _parts_of_two(between)
    down = path((0.5, 0.66), (left + 0.05, low))
    wave = path((left + 0.18, low - 0.07), (0.55, low + 0.02), (right, low - between(0.02, 0.12)))
    return [smooth(arch, down, wave)]


def two_hooked(between: Between) -> list[Points]:
    """A 2 whose arch is no more than a hook on its stem."""
    wide, left = between(0.1, 0.2), 0.5 - between(-0.05, 0.35)
    hook = arc(0.5, 0.2, wide, 0.2, between(-215, -160), between(0, 20), 7)
    foot = curve(
        (left, 1.0), (0.5, 1 + between(-0.06, 0.03)), (0.5 + between(0.15, 0.5), 1 + between(-0.08, 0.04))
    )
    return [corner(smooth(hook, path(((0.5 + wide + left) / 2, 0.65), (left, 1.0))), foot)]


def _parts_of_three(between: Between, last: float) -> tuple[Number, Number, Points]:
    """The half width of a 3's upper round, where it ends, and that round, which goes to ``last`` degrees at most."""
    wide, middle = between(0.2, 0.38), between(0.36, 0.52)
    return wide, middle, arc(0.45, middle / 2, wide, middle / 2, between(-205, -145), between(45, last), 8)


def _lower_round(between: Between, middle: Number) -> Points:
    high = (1 - middle) / 2
    return arc(0.45, middle + high, between(0.26, 0.42), high, between(-105, -60), between(100, 190), 9)


def three(between: Between) -> list[Points]:
    wide, middle, upper = _parts_of_three(between, 100)
    inner = path((0.5 - wide * between(-0.6, 0.6), middle + between(-0.03, 0.03)))
    return [corner(smooth(upper, inner), smooth(inner, _lower_round(between, middle)[:, 1:]))]


def three_looped(between: Between) -> list[Points]:
    _, middle, upper = _parts_of_three(between, 80)
    into = path((between(0.22, 0.4), middle + 0.04))
    out = path((between(0.22, 0.36), middle - between(0.03, 0.08)), (0.42, middle - 0.02))
    return [smooth(upper, into, out, _lower_round(between, middle))]


def three_round(between: Between) -> list[Points]:
    _, middle, upper = _parts_of_three(between, 80)
    return [smooth(upper, _lower_round(between, middle))]


def three_flat(between: Between) -> list[Points]:
    wide, middle = between(0.22, 0.4), between(0.34, 0.5)
    inner = path((0.5 - wide * between(-0.2, 0.4), middle))
    bar = path((0.5 - wide, between(-0.02, 0.08)), (0.5 + wide, 0))
    return [corner(bar, inner, smooth(inner, _lower_round(between, middle)[:, 1:]))]
