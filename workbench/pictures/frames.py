"""Take away a frame that the drawing crosses: a form's box over which one wrote, whose lines end where they meet."""

import itertools
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.pictures.decoders import Plane

SIDE = 0.4
"""Part of the ink's box that each side of a frame is long, at least."""
THIN = 0.1
"""Part of a side's length that it is thick, at most."""
MEET = 0.12
"""Part of a side's length by which two sides miss each other at a corner, at most."""
COVERED = 0.9
"""Part of a side's length on which there is ink, at least, where strokes run along it so that no straight bar is seen."""
REST = 0.3
"""Part of the frame's height that what is left must be high: an empty frame, or one with a bar in it, is a drawing."""
CRUMB = 0.15
"""Part of the largest piece of the rest below which a piece belonged to the frame."""

Bar = tuple[int, int, int, int]
"""Left, top, width, height of a side."""


def without_crossed_frame(line: Plane, runs: NDArray[Any], runs_across: NDArray[Any]) -> Plane:
    """The ink ``(h, w)``, 0 or 1, without a frame of four sides, as it was where there is none.

    Parameters
    ----------
    runs, runs_across
        For each pixel of ink, how many lie above and below it without a gap, and how many to its left and right.
    """
    width, height = cv2.boundingRect(line)[2:]
    if min(width, height) < 16:
        return line
    flat = _bars(line, runs, round(SIDE * width), lies=True)
    upright = _bars(line, runs_across, round(SIDE * height), lies=False)
    if len(flat) + len(upright) < 3 or not flat or not upright:
        return line
    hidden = _hidden(line, flat, upright)
    hidden_flat = [_turn(bar) for bar in _hidden(line.T, list(map(_turn, upright)), list(map(_turn, flat)))]
    frame = _find(flat, upright) or _find(flat, upright + hidden) or _find(flat + hidden_flat, upright)
    if frame is None:
        return line
    rest = line.copy()
    for bar, through in zip(frame, (runs, runs, runs_across, runs_across), strict=True):
        _take(rest, line, through, bar)
    return _without_crumbs(rest, frame, line)


def _bars(line: Plane, through: NDArray[Any], least: int, *, lies: bool) -> list[Bar]:
    """Straight thin bars that lie, or stand, of at least so many pixels."""
    close, long = ((3, 1), (1, least)) if lies else ((1, 3), (least, 1))
    thick = cv2.dilate(line, np.ones(close, np.uint8))
    found = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones(long, np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(found)
    bars = []
    for k in range(1, count):
        x, y, wide, high, _ = (int(v) for v in stats[k])
        length, across = (wide, high) if lies else (high, wide)
        own = through[(labels == k) & (line != 0)]
        if across <= THIN * length + 4 and own.size and float(np.median(own)) <= THIN * length + 2:
            bars.append((x, y, wide, high))
    return bars


def _hidden(line: Plane, flat: list[Bar], upright: list[Bar]) -> list[Bar]:
    """Sides that would stand where two that lie end together and one stands at their other end: all but covered by ink."""
    found = []
    for above, below in itertools.permutations(flat, 2):
        top, high = above[1], below[1] + below[3] - above[1]
        first, last = min(above[0], below[0]), max(above[0] + above[2], below[0] + below[2])
        thick = min(above[3], below[3])
        near = MEET * (last - first) + 4
        if high < thick + 8 or not any(_joins(bar, above, below) for bar in upright):
            continue
        for bars_end, x in (
            ((above[0], below[0]), first),
            ((above[0] + above[2], below[0] + below[2]), last - thick),
        ):
            strip = line[top : top + high, max(0, x - 1) : x + thick + 1]
            if abs(bars_end[0] - bars_end[1]) <= near and strip.any(axis=1).mean() > COVERED:
                found.append((x, top, thick, high))
    return found


def _turn(bar: Bar) -> Bar:
    x, y, wide, high = bar
    return y, x, high, wide


def _find(flat: list[Bar], upright: list[Bar]) -> tuple[Bar, Bar, Bar, Bar] | None:
    """Two bars that lie and two that stand, which meet at four corners: above, below, left, right."""
    flat, upright = sorted(flat, key=lambda bar: bar[1]), sorted(upright, key=lambda bar: bar[0])
    for k, above in enumerate(flat):
        for below in flat[k + 1 :]:
            first, last = min(above[0], below[0]), max(above[0] + above[2], below[0] + below[2])
            near = MEET * (last - first) + 4
            if abs(above[0] - below[0]) > near or abs(above[0] + above[2] - below[0] - below[2]) > near:
                continue
            at_left = [bar for bar in upright if abs(bar[0] - first) <= near and _joins(bar, above, below)]
            at_right = [
                bar for bar in upright if abs(bar[0] + bar[2] - last) <= near and _joins(bar, above, below)
            ]
            if at_left and at_right and at_left[0] != at_right[-1]:
                return above, below, at_left[0], at_right[-1]
    return None


def _joins(side: Bar, above: Bar, below: Bar) -> bool:
    reach = MEET * (below[1] - above[1]) + 4
    return abs(side[1] - above[1]) <= reach and abs(side[1] + side[3] - below[1] - below[3]) <= reach


def _take(rest: Plane, line: Plane, through: NDArray[Any], bar: Bar) -> None:
    """Remove one side where it is not thicker than usual: there a stroke crosses it."""
    x, y, wide, high = bar
    box = np.s_[max(0, y - 1) : y + high + 1, max(0, x - 1) : x + wide + 1]
    own = through[box][line[box] != 0]
    usual = float(np.percentile(own, 30)) if own.size else 0.0
    rest[box][(through[box] <= 1.6 * usual + 2) & (line[box] != 0)] = 0


def _without_crumbs(rest: Plane, frame: tuple[Bar, Bar, Bar, Bar], line: Plane) -> Plane:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(rest)
    sides = stats[:, cv2.CC_STAT_WIDTH : cv2.CC_STAT_HEIGHT + 1].max(axis=1)
    largest = int(sides[1:].max(initial=0))
    kept = sides > CRUMB * largest
    kept[0] = False
    if int(stats[kept, cv2.CC_STAT_HEIGHT].max(initial=0)) < REST * frame[2][3]:
        return line
    left: Plane = kept[labels].astype(np.uint8)
    return left
