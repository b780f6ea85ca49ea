"""Forms of 4 to 6, each for many writers at once, as those of 0 to 3 are."""

from workbench.datasets.handwriting.curves import (
    Between,
    Number,
    Points,
    arc,
    corner,
    curve,
    path,
    smooth,
)


def four(between: Between) -> list[Points]:
    bar, stem, begin = between(0.46, 0.8), between(0.42, 0.75), between(0.1, 0.36)
    left = begin - between(-0.1, 0.22)
    slope = curve(
        (begin, between(0, 0.15)), ((begin + left) / 2 - between(-0.02, 0.05), bar * 0.55), (left, bar)
    )
    across = path((left, bar), (stem + between(0, 0.3), bar + between(-0.1, 0.06)))
    top = between(-0.06, 0.4)
    down = curve((stem + between(-0.02, 0.1), top), (stem, (1 + top) / 2), (stem - between(-0.02, 0.12), 1))
    return [corner(slope, across), down]


def four_round(between: Between) -> list[Points]:
    """A 4 whose left part is a bowl instead of an angle."""
    bar, stem, begin = between(0.5, 0.75), between(0.5, 0.75), between(0.1, 0.35)
    end = stem + between(0.02, 0.3), bar + between(-0.06, 0.02)
    bowl = curve((begin, 0.03), (begin - between(0, 0.1), bar * 0.65), (begin + 0.08, bar), end)
    top, foot = (stem + between(-0.02, 0.1), between(-0.05, 0.35)), (stem - between(-0.02, 0.1), 1.0)
    return [bowl, curve(top, (stem, 0.6), foot)]


def _high_angle(between: Between, left: Number, bar: Number, end: tuple[Number, Number]) -> Points:
    """The left part of a 4 that begins high and far to the right."""
    slope = curve((left + between(0, 0.3), 0), (left + between(-0.02, 0.1), bar * 0.6), (left, bar))
    return corner(slope, path((left, bar), end))


def four_hung(between: Between) -> list[Points]:
    """A 4 whose short stem hangs on the end of its bar."""
    bar, left, wide = between(0.55, 0.9), between(0.1, 0.35), between(0.2, 0.42)
    angle = _high_angle(between, left, bar, (left + wide, bar - between(-0.05, 0.14)))
    top = bar - between(0, 0.32)
    begin, foot = (left + wide * between(0.75, 1.05), top), (left + wide * between(0.55, 1), 1.0)
    return [angle, curve(begin, (left + wide * 0.85, (1 + top) / 2), foot)]


def four_at_once(between: Between) -> list[Points]:
    """A 4 in one stroke: from the bar's end up a little and down."""
    bar, left, wide = between(0.5, 0.82), between(0.1, 0.35), between(0.22, 0.45)
    right = left + wide
    angle = _high_angle(between, left, bar, (right, bar - between(-0.03, 0.1)))
    foot = left + wide * between(0.6, 1), 1.0
    return [curve((right, bar), (right, bar - between(0, 0.2)), (left + wide * 0.9, bar + 0.05), foot), angle]


def four_closed(between: Between) -> list[Points]:
    bar, stem = between(0.5, 0.78), between(0.5, 0.75)
    left = path((stem + between(-0.12, 0.08), 0), (between(-0.02, 0.18), bar))
    across = path((stem + between(0.02, 0.32), bar + between(-0.07, 0.05)))
    return [corner(left, across), path((stem, between(-0.02, 0.4)), (stem - between(-0.03, 0.1), 1))]


def _bowl(between: Between, wide: Number, middle: Number) -> Points:
    """The lower part of a 5."""
    high = (1 - middle) / 2
    return arc(0.47, middle + high, wide, high * 1.05, between(-135, -100), between(110, 190), 10)[:, 1:]


def five(between: Between) -> list[Points]:
    """A 5 in two strokes, the upper bar last."""
    wide, middle = between(0.26, 0.42), between(0.34, 0.52)
    left = 0.5 - wide * between(0.6, 1.05)
    down = path((left + between(0, 0.1), between(0, 0.06)), (left, middle))
    begin = left + between(-0.05, 0.12), between(-0.03, 0.08)
    end = 0.5 + wide * between(0.6, 1.7), between(-0.12, 0.06) + between(-0.05, 0.03)
    return [corner(down, smooth(path((left, middle)), _bowl(between, wide, middle))), path(begin, end)]


def five_at_once(between: Between) -> list[Points]:
    wide, middle = between(0.26, 0.42), between(0.34, 0.52)
    left = 0.5 - wide * between(0.6, 1)
    begin = 0.5 + wide * between(0.7, 1.7), between(-0.14, 0.06)
    bar = path(begin, (left + between(0, 0.08), between(0, 0.05)), (left, middle))
    return [corner(bar, smooth(path((left, middle)), _bowl(between, wide, middle)))]


def five_curved(between: Between) -> list[Points]:
    wide, middle = between(0.26, 0.42), between(0.36, 0.52)
    left = 0.5 - wide * between(0.6, 1)
    bar = path((0.5 + wide * between(0.7, 1.4), between(-0.06, 0.1)), (0.55, 0))
    down = path((left + 0.02, between(0.1, 0.16)), (left + 0.04, middle - 0.06))
    return [smooth(bar, down, _bowl(between, wide, middle))]


def _size_of_six(between: Between) -> tuple[Number, Number]:
    """The half width of a 6's loop, and where it begins."""
    return between(0.14, 0.4), between(0.36, 0.76)


def _stem_of_six(between: Between, wide: Number, middle: Number) -> Points:
    top = 0.5 - wide * between(0, 1.1) + between(0, 0.55), 0.0
    bend = 0.5 - wide * between(0.6, 0.95), middle * between(0.5, 0.65)
    return path(top, bend, (0.5 - wide, middle + (1 - middle) * 0.32))


def _loop_of_six(wide: Number, middle: Number, end: Number) -> Points:
    high = (1 - middle) / 2
    return arc(0.5, middle + high, wide, high, 150, end, 11)


def six(between: Between) -> list[Points]:
    wide, middle = _size_of_six(between)
    return [smooth(_stem_of_six(between, wide, middle), _loop_of_six(wide, middle, -120 - between(20, 130)))]


def six_crossed(between: Between) -> list[Points]:
    """A 6 whose loop ends across its stem."""
    wide, middle = _size_of_six(between)
    y = middle + (1 - middle) / 2 * between(-0.3, 0.8)
    out = path((0.5 - wide * 0.7, y - 0.02), (0.5 - wide - between(0.03, 0.38), y + between(-0.05, 0.14)))
    return [smooth(_stem_of_six(between, wide, middle), _loop_of_six(wide, middle, -between(80, 130)), out)]


def six_hooked(between: Between) -> list[Points]:
    """A 6 that begins with a hook."""
    wide, middle = between(0.2, 0.4), between(0.36, 0.65)
    top = between(0.45, 0.8)
    hook = path((top + between(0.02, 0.14), between(0.06, 0.18)), (top, 0))
    stem = path((0.5 - wide * 0.7, middle * 0.5), (0.5 - wide, middle + (1 - middle) * 0.32))
    return [smooth(hook, stem, _loop_of_six(wide, middle, -120 - between(20, 130)))]
