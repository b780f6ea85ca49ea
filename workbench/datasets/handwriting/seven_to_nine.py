"""Forms of 7 to 9, each for many writers at once, as those of 0 to 3 are."""

import numpy as np

from workbench.datasets.handwriting.curves import (
    Between,
    Form,
    Number,
    Points,
    arc,
    corner,
    curve,
    mirror,
    path,
    smooth,
)


def _leg(between: Between, right: Number) -> Points:
    foot = 0.5 - between(-0.15, 0.35)
    return curve((right, 0), ((right + foot) / 2 + between(-0.18, 0.06), 0.5), (foot, 1))


def seven(between: Between) -> list[Points]:
    wide = between(0.24, 0.42)
    bar = path((0.5 - wide, between(-0.06, 0.12)), (0.5 + wide, 0))
    return [corner(bar, _leg(between, 0.5 + wide))]


def seven_hooked(between: Between) -> list[Points]:
    wide = between(0.24, 0.42)
    left, level = 0.5 - wide, between(-0.05, 0.08)
    hook = path((left + between(-0.06, 0.06), level + between(0.06, 0.26)), (left, level))
    return [corner(hook, _leg(between, 0.5 + wide))]


def seven_waved(between: Between) -> list[Points]:
    wide = between(0.24, 0.42)
    begin = 0.5 - wide, between(0.06, 0.2)
    bar = curve(begin, (0.5 - wide * 0.6, 0), (0.5, between(0, 0.09)), (0.5 + wide, 0))
    return [corner(bar, _leg(between, 0.5 + wide))]


def seven_bent(between: Between) -> list[Points]:
    """A 7 whose bar goes over into the leg in a curve."""
    wide = between(0.22, 0.4)
    bar = path((0.5 - wide, between(0.02, 0.2)), (0.5, between(-0.02, 0.05)), (0.5 + wide * 0.85, 0.03))
    leg = path((0.5 + wide, 0.12), (0.55, 0.5), (0.5 - between(-0.15, 0.3), 1))
    return [smooth(bar, leg)]


def crossed(form: Form) -> Form:
    """The form with a bar across its middle."""
    return lambda between: [*form(between), _cross(between)]


def _cross(between: Between) -> Points:
    x, y = 0.5 + between(-0.08, 0.16), between(0.36, 0.78)
    half, tilt = between(0.1, 0.38), between(-0.09, 0.07)
    return path((x - half, y - tilt), (x + half * between(0.6, 1.3), y + tilt))


def _lower_round(wide: Number, middle: Number, begin: Number, end: Number, count: int = 9) -> Points:
    return arc(0.5, (1 + middle) / 2, wide, (1 - middle) / 2, begin, end, count)


def _upper_round(wide: Number, middle: Number, begin: Number, end: Number, count: int) -> Points:
    return arc(0.5, middle / 2, wide, middle / 2, begin, end, count)


def eight(between: Between) -> list[Points]:
    top, low, middle = between(0.1, 0.34), between(0.07, 0.4), between(0.34, 0.62)
    begin = between(-120, 0)
    above = _upper_round(top, middle, begin, -185, 6)
    across = path((0.5 - top * 0.6, middle * 0.8), (0.5, middle))
    below, crossing = _lower_round(low, middle, -40, 215), path((0.5, middle))
    back = _upper_round(top, middle, 35, begin + between(-45, 30), 5)
    return [smooth(above, across, below, crossing, back)]


def eight_mirrored(between: Between) -> list[Points]:
    return mirror(eight(between))


def eight_open(between: Between) -> list[Points]:
    """An 8 whose ends meet in no point: above, one is to the left of the other."""
    top, low, middle = between(0.13, 0.34), between(0.09, 0.4), between(0.34, 0.62)
    lead = path((0.5 + top * between(0.3, 1.8), middle * between(0, 0.4)))
    above = _upper_round(top, middle, between(-90, -50), -185, 5)
    across = path((0.5 - top * 0.6, middle * 0.8), (0.5, middle))
    end = 0.5 + top * between(0.5, 2.1), between(-0.12, 0.18)
    arm = path((0.5, middle), (0.5 + top * between(0.4, 1), middle * 0.45), end)
    return [smooth(lead, above, across, _lower_round(low, middle, -40, 215), arm)]


def eight_from_the_middle(between: Between) -> list[Points]:
    top, low, middle = between(0.13, 0.34), between(0.1, 0.4), between(0.36, 0.6)
    y = middle + between(-0.22, 0.1)
    begin = 0.5 - top * between(0.5, 2.7), y + between(-0.08, 0.08)
    arm = path(begin, (0.5 - top * between(0, 0.4), y + between(-0.02, 0.06)))
    above = _upper_round(top, middle, 40, -between(110, 205), 8)
    across = path((0.5 - top * between(0, 0.5), middle * 0.9))
    end = path((0.5 - between(-0.25, 0.15), middle * between(0.75, 1)))
    return [smooth(arm, above, across, _lower_round(low, middle, -40, 215), end)]


def eight_open_to_the_left(between: Between) -> list[Points]:
    top, low, middle = between(0.15, 0.34), between(0.2, 0.4), between(0.36, 0.6)
    above = _upper_round(top, middle, -between(140, 225), 45, 8)
    end = path((0.5 + between(-0.3, 0.05), middle * between(0.8, 1.05)))
    return [smooth(above, path((0.5, middle)), _lower_round(low, middle, -130, -400), end)]


def eight_rounds(between: Between) -> list[Points]:
    """An 8 of two rounds, one on the other."""
    middle, begin = between(0.38, 0.55), between(-130, -50)
    above = _upper_round(between(0.18, 0.34), middle, begin, begin - 370, 13)
    below = _lower_round(between(0.24, 0.4), middle, begin + between(-30, 30), begin + 375, 13)
    return [smooth(above), smooth(below)]


def _head(between: Between, wide: Number, high: Number, least: float = 290, most: float = 385) -> Points:
    """The round of a 9, from its right over the top, for so many degrees."""
    begin = between(-85, 15)
    return arc(0.5, high / 2, wide, high / 2 * between(0.75, 1), begin, begin - between(least, most), 11)


def nine(between: Between) -> list[Points]:
    wide, high = between(0.15, 0.38), between(0.14, 0.6)
    right = 0.5 + wide
    foot = right - between(-0.1, 0.42)
    bend = (right + foot) / 2 + between(-0.02, 0.06), 0.62
    return [smooth(_head(between, wide, high), path((right, high * between(0.2, 0.5)), bend, (foot, 1)))]


def nine_curled(between: Between) -> list[Points]:
    wide, high, low, reach = between(0.15, 0.38), between(0.22, 0.6), between(0.93, 1), between(0.08, 0.9)
    right, left = 0.5 + wide, 0.5 + 0.4 * wide
    down = path((right, high * between(0.2, 0.5)), (right + between(-0.08, 0.12), 0.55 + high * 0.2))
    curl = path((left, low), (left - reach * 0.5, low), (left - reach * 0.8, low - between(-0.03, 0.17)))
    return [smooth(_head(between, wide, high), down, curl)]


def nine_cornered(between: Between) -> list[Points]:
    wide, high, low = between(0.15, 0.38), between(0.22, 0.6), between(0.93, 1)
    x = 0.5 + wide + between(-0.12, 0.1)
    down = smooth(_head(between, wide, high), path((0.5 + wide, high * 0.4), (x, low)))
    foot = curve((x, low), (x - 0.1, low + 0.01), (x - between(0.2, 0.9), low + between(-0.1, 0.04)))
    return [corner(down, foot)]


def nine_spiral(between: Between) -> list[Points]:
    """A 9 whose small round is wound from inside, more than once."""
    wide, high, low, reach = between(0.12, 0.3), between(0.2, 0.42), between(0.93, 1), between(0, 0.7)
    part = np.linspace(0, 1, 20)
    angle = np.radians(between(-180, 90)[:, None] - between(420, 720)[:, None] * part)
    size = 0.35 + 0.65 * part
    x = 0.5 + wide[:, None] * size * np.cos(angle)
    head = np.stack([x, high[:, None] / 2 * (1 + size * np.sin(angle))], axis=-1)
    right = 0.5 + wide
    down = path((right, high * 0.5), (right + between(-0.06, 0.25), 0.65))
    curl = path((right - wide * 0.7, low), (right - wide - reach, low - between(-0.03, 0.12)))
    return [smooth(head, down, curl)]


def nine_overhanging(between: Between) -> list[Points]:
    """A 9 that begins far to the right of its round."""
    wide, high, low = between(0.15, 0.34), between(0.22, 0.55), between(0.93, 1)
    right = 0.5 + wide
    lead = path((right + between(0.02, 0.35), between(-0.02, 0.15)))
    head = arc(0.5, high / 2, wide, high / 2, between(-85, -40), -between(300, 350), 10)
    down = path((right, high * 0.4), (right + between(-0.06, 0.08), 0.65))
    curl = path((right - between(0, 0.4), low), (right - between(0.3, 0.9), low - between(-0.02, 0.15)))
    return [smooth(lead, head, down, curl)]


def nine_swaying(between: Between) -> list[Points]:
    """A 9 whose tail sways far to the right, as an S does."""
    wide, high, low = between(0.1, 0.28), between(0.18, 0.42), between(0.93, 1)
    belly = 0.5 + wide + between(0, 0.35)
    down = path((0.5 + wide * between(0, 1), high * between(0.6, 1)), (belly, between(0.62, 0.8)))
    end = belly - 0.18 - between(0.1, 0.9), low - between(-0.03, 0.12)
    return [smooth(_head(between, wide, high, 250, 400), down, path((belly - 0.18, low), end))]


def nine_in_two(between: Between) -> list[Points]:
    """A 9 of a round and a stem."""
    wide, high = between(0.16, 0.38), between(0.3, 0.6)
    right = 0.5 + wide
    foot = right - between(-0.06, 0.4)
    top = right + between(-0.05, 0.07), between(-0.03, 0.12)
    stem = curve(top, (right, high * 0.6), ((right + foot) / 2, 0.75), (foot, 1))
    return [smooth(_head(between, wide, high)), stem]
