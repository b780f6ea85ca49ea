"""Pen strokes of many writers at once: points, arcs, and what joins them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""One stroke of ``n`` writers: ``(n, points, 2)``, or ``(1, points, 2)`` where all write the same."""
Number = float | NDArray[np.float64]
"""One number for all writers, or ``(n,)``, one each."""
Between = Callable[[float, float], NDArray[np.float64]]
"""Gives each writer a number between two, all equally likely: ``(n,)``."""
Form = Callable[[Between], list[Points]]
"""One way to write a digit: the strokes in the order in which they are written."""

STEPS = 4
"""Straight pieces that a curve gets between two of its points."""


def path(*points: tuple[Number, Number]) -> Points:
    """The stroke through points ``(x, y)``, a corner at each.

    >>> path((0.0, 0.0), (np.array([0.4, 0.5]), 1.0)).shape
    (2, 2, 2)
    """
    columns = np.broadcast_arrays(*(np.asarray(value, float) for point in points for value in point))
    stacked = np.stack(columns, axis=-1).reshape(*columns[0].shape, len(points), 2)
    return stacked if stacked.ndim == 3 else stacked[None]


def arc(
    x: Number, y: Number, wide: Number, high: Number, begin: Number, end: Number, count: int = 9
) -> Points:
    """The stroke along an ellipse from one angle to another.

    Parameters
    ----------
    x, y, wide, high
        The ellipse's centre and half axes.
    begin, end
        Degrees: 0 is right, 90 below.
    count
        Points of the stroke.
    """
    x, y, wide, high, begin, end = (
        np.asarray(value, float)[..., None] for value in (x, y, wide, high, begin, end)
    )
    angle = np.radians(begin + (end - begin) * np.linspace(0, 1, count))
    stroke = np.stack(np.broadcast_arrays(x + wide * np.cos(angle), y + high * np.sin(angle)), axis=-1)
    return stroke if stroke.ndim == 3 else stroke[None]


def corner(*strokes: Points) -> Points:
    """Strokes one after the other without lifting the pen, a corner between each two."""
    count = max(len(stroke) for stroke in strokes)
    return np.concatenate([np.broadcast_to(s, (count, *s.shape[1:])) for s in strokes], axis=1)


def smooth(*strokes: Points) -> Points:
    """The curve through all points of strokes, one after the other (a Catmull-Rom spline)."""
    points = corner(*strokes)
    before, after = 2 * points[:, :1] - points[:, 1:2], 2 * points[:, -1:] - points[:, -2:-1]
    a = np.concatenate([before, points[:, :-2]], axis=1)[:, :, None]
    b, c = points[:, :-1, None], points[:, 1:, None]
    d = np.concatenate([points[:, 2:], after], axis=1)[:, :, None]
    t = (np.arange(STEPS) / STEPS)[:, None]
    curve = b + t / 2 * ((c - a) + t * ((2 * a - 5 * b + 4 * c - d) + t * (3 * b - 3 * c + d - a)))
    return np.concatenate([curve.reshape(len(points), -1, 2), points[:, -1:]], axis=1)


def curve(*points: tuple[Number, Number]) -> Points:
    """The curve through points ``(x, y)``."""
    return smooth(path(*points))


def mirror(strokes: list[Points]) -> list[Points]:
    """Strokes the other way round, left and right exchanged."""
    return [np.stack([1 - stroke[..., 0], stroke[..., 1]], axis=-1) for stroke in strokes]
