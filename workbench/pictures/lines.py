"""Take away what is no stroke of a digit: lines that span the paper, frames, what lies along its edge, underlines."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.pictures.decoders import Plane
from workbench.pictures.frames import without_crossed_frame

LEAN = 10
"""Degrees, at most, that lines of paper are off the picture's own directions."""
SPANS = 0.8
"""Part of its way through the picture, at least, on which a line is seen."""
WAY = 0.1
"""At each end of the way, the part that must be seen as well: a digit's stroke ends before it."""
MOST = 600
"""Ways, at most, that are looked at in each direction."""
SUBSTANTIAL = 0.12
"""Parts of the picture's shorter side: what is smaller is not all that was drawn."""

_NEIGHBOURS = np.ones((3, 3), np.uint8)


def without_lines(ink: Plane, level: int) -> Plane:
    """The ink ``(h, w)`` without lines, frames and edges, if a drawing is left then, else as it was.

    Parameters
    ----------
    level
        Ink from which a pixel counts.
    """
    line = cv2.threshold(ink, level - 1, 1, cv2.THRESH_BINARY)[1]
    kept = _without_spanning(line, ink)
    kept = _without_edges(kept)
    kept = _without_faint_frames(kept, ink, level // 2)
    kept = without_crossed_frame(kept, runs_along(kept), runs_along(kept.T).T)
    kept = without_underline(kept)
    if (kept == line).all() or not _is_substantial(kept):
        return ink
    near = cv2.dilate(kept, _NEIGHBOURS)
    near[(line != 0) & (kept == 0)] = 0
    return cv2.bitwise_and(ink, near * np.uint8(255))


def _is_substantial(line: Plane) -> bool:
    _, _, width, height = cv2.boundingRect(line)
    return bool(max(width, height) >= SUBSTANTIAL * min(line.shape))


# ── lines from one side of the picture to the other ──────────────────────────────────────────────


def _without_spanning(line: Plane, ink: Plane) -> Plane:
    edges = (line[:2], line[-2:], line[:, :2], line[:, -2:])
    if sum(bool(edge.any()) for edge in edges) < 2:
        return line
    across = _lines_across(line, ink)
    down = _lines_across(np.ascontiguousarray(line.T), np.ascontiguousarray(ink.T)).T
    lines = cv2.bitwise_or(across, down)
    return _without_remains(cv2.subtract(line, lines), lines) if lines.any() else line


def _without_remains(rest: Plane, lines: Plane) -> Plane:
    """The ink without what is left of lines: where they cross, and their ends at the picture's edge."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(rest)
    lefts, tops, widths, heights, areas = stats.T
    longer, shorter = np.maximum(widths, heights), np.minimum(widths, heights)
    near = np.bincount(labels[cv2.dilate(lines, _NEIGHBOURS) != 0], minlength=count) > 0
    at_edge = (
        (lefts <= 2)
        | (tops <= 2)
        | (lefts + widths >= rest.shape[1] - 2)
        | (tops + heights >= rest.shape[0] - 2)
    )
    largest = int(longer[1:].max(initial=0))
    drop = (near & (longer < 0.25 * largest)) | (at_edge & (areas < 0.25 * areas[1:].max(initial=0)))
    drop |= at_edge & (shorter < 0.05 * max(rest.shape)) & (longer < largest)
    drop[0] = False
    kept: Plane = (~drop)[labels].astype(np.uint8) * rest
    return kept


def _lines_across(line: Plane, ink: Plane) -> Plane:
    """Pixels of lines from the left side to the right, without the strokes that cross them."""
    found = np.zeros_like(line)
    width = line.shape[1]
    lean = np.radians(LEAN)
    turns = _follow(found, line, ink, (np.pi / 2 - lean, np.pi / 2 + lean), round(0.6 * width))
    if (
        np.ptp(turns) < 0.1 and len(turns) >= 3
    ):  # of ruled paper, whose outer lines leave the picture on their way
        rest, near = cv2.subtract(line, found), np.radians(1.5)
        _follow(found, rest, ink, (min(turns) - near, max(turns) + near), round(0.15 * width))
    return found


def _follow(found: Plane, line: Plane, ink: Plane, between: tuple[float, float], least: int) -> list[float]:
    """Add lines of at least so many pixels, from edge to edge, to what was found; give their directions."""
    height, width = line.shape
    ways = cv2.HoughLines(
        line, 1, np.pi / 360, int(SPANS * least), min_theta=between[0], max_theta=between[1]
    )
    if ways is None:
        return [0.0]
    distances, turns = ways[:MOST, 0, :1], ways[:MOST, 0, 1:]
    columns = np.arange(width)
    rows = np.rint((distances - columns * np.cos(turns)) / np.sin(turns)).astype(np.intp)
    shown = (rows >= 0) & (rows < height)
    rows = rows.clip(0, height - 1)
    seen = shown & (cv2.dilate(line, np.ones((3, 1), np.uint8))[rows, columns] != 0)
    end = max(1, round(WAY * width))
    length = shown.sum(axis=1)
    first = shown.argmax(axis=1)
    spans = (length > least) & (seen.sum(axis=1) > SPANS * length)
    runs: NDArray[Any] | None = None
    taken = []
    for way in np.flatnonzero(spans):
        a, b = int(first[way]), int(first[way] + length[way])
        if min(seen[way, a : a + end].mean(), seen[way, b - end : b].mean()) < 0.5:
            continue
        runs = runs_along(line) if runs is None else runs
        _take(found, line, ink, runs, rows[way, a:b], columns[a:b])
        taken.append(float(turns[way, 0]))
    return taken or [0.0]


def _take(
    found: Plane,
    line: Plane,
    ink: Plane,
    runs: NDArray[Any],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
) -> None:
    """Add the line on this way to what was found, where it is not much thicker or stronger than usual."""
    height = len(line)
    through, strength = runs[rows, columns], ink[rows, columns]
    usual, weak = (float(np.percentile(v[through > 0], 30)) for v in (through, strength))
    if usual > 0.08 * height:
        return
    most, strongest = 1.4 * usual + 1.5, 1.4 * weak + 10
    reach = int(usual / 2 + 2)
    for shift in range(-reach, reach + 1):
        beside = (rows + shift).clip(0, height - 1)
        of_line = (runs[beside, columns] <= most) & (ink[beside, columns] <= strongest)
        found[beside[of_line], columns[of_line]] = line[beside[of_line], columns[of_line]]


def runs_along(line: Plane) -> NDArray[Any]:
    """For each pixel of ink, how many lie above and below it without a gap, itself included."""
    height = len(line)
    row = np.arange(height, dtype=np.int32)[:, None]
    above = np.maximum.accumulate(np.where(line == 0, row, np.int32(-1)), axis=0)
    below = np.minimum.accumulate(np.where(line == 0, row, np.int32(height))[::-1], axis=0)[::-1]
    kept: Plane = np.maximum(below - above - 1, 0)
    return kept


# ── what lies along the picture's edge ───────────────────────────────────────────────────────────


def _without_edges(line: Plane) -> Plane:
    """The ink without pieces along the picture's edge or around all else, and without crumbs at the edge."""
    height, width = line.shape
    count, labels, stats, _ = cv2.connectedComponentsWithStats(line, connectivity=8)
    if count <= 2:
        return line
    sides = stats[:, cv2.CC_STAT_WIDTH : cv2.CC_STAT_HEIGHT + 1].max(axis=1)
    rim = max(1, round(0.01 * min(height, width)))
    edges = (labels[:rim].max(0), labels[-rim:].max(0), labels[:, :rim].max(1), labels[:, -rim:].max(1))
    contact = np.array([np.bincount(edge, minlength=count) / len(edge) for edge in edges])
    touches = contact.any(axis=0)
    drop = (contact > 0.6).any(axis=0)
    drop |= ((contact > 0.3).sum(axis=0) >= 2) | _around(stats, height, width)
    free = ~touches & ~drop
    free[0] = False
    largest = int(sides[free].max(initial=0))
    if largest >= SUBSTANTIAL * min(height, width):
        drop |= touches & (sides < 0.6 * largest)
    drop[0] = False
    left = ~drop
    left[0] = False
    if not drop.any() or int(sides[left].max(initial=0)) < SUBSTANTIAL * min(height, width):
        return line
    kept: Plane = (~drop)[labels].astype(np.uint8) * line
    return kept


def _without_faint_frames(line: Plane, ink: Plane, level: int) -> Plane:
    """The ink without frames that hold together only where less counts, as thin lines in a JPEG do."""
    weak = cv2.threshold(ink, level - 1, 1, cv2.THRESH_BINARY)[1]
    _, labels, stats, _ = cv2.connectedComponentsWithStats(weak)
    frames = _around(stats, *line.shape)
    if not frames.any():
        return line
    rest: Plane = (~frames)[labels].astype(np.uint8) * line
    return rest


def _around(stats: NDArray[Any], height: int, width: int) -> NDArray[np.bool_]:
    """Tell which pieces are frames: as wide and high as all the ink, with little ink and another piece within."""
    lefts, tops, widths, heights, areas = stats.T
    count = len(stats)
    frames = np.zeros(count, bool)
    is_large = (widths >= 0.4 * width) & (heights >= 0.4 * height) & (areas <= 0.4 * widths * heights)
    for k in (k for k in np.flatnonzero(is_large) if k):
        within = (
            (lefts > lefts[k])
            & (tops > tops[k])
            & (lefts + widths < lefts[k] + widths[k])
            & (tops + heights < tops[k] + heights[k])
        )
        within[0] = False
        inner = np.maximum(widths, heights)[within].max(initial=0)
        frames[k] = inner > SUBSTANTIAL * min(widths[k], heights[k])
    return frames


# ── underlines ───────────────────────────────────────────────────────────────────────────────────


def without_underline(line: Plane) -> Plane:
    """The ink without a line below or above all else that is longer than it on both sides."""
    left, top, width, height = cv2.boundingRect(line)
    if not width:
        return line
    box = line[top : top + height, left : left + width]
    lean = max(3, round(0.02 * width))
    thick = cv2.dilate(box, np.ones((lean, 1), np.uint8))
    bars = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((1, max(3, round(0.6 * width))), np.uint8))
    if not bars.any():
        return line
    runs = runs_along(box)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bars)
    for k in range(1, count):
        bar = (labels == k) & (box != 0)
        through = runs[bar]
        if not through.size:
            continue
        usual = float(np.median(through))
        if usual > 0.1 * width:
            continue
        rest = _without_bar(box, bar, runs, usual)
        if _is_underline(stats[k], rest):
            whole = np.zeros_like(line)
            whole[top : top + height, left : left + width] = rest
            return whole
    return line


def _without_bar(box: Plane, bar: NDArray[np.bool_], runs: NDArray[Any], usual: float) -> Plane:
    """The ink without a bar; where nothing goes on beyond it, without the strokes' ends on it too."""
    rest = box.copy()
    rest[bar & (runs <= 1.6 * usual + 2)] = 0
    rows, columns = np.nonzero(bar & (rest == 0))
    if not rows.size:
        return rest
    slope, level = np.polyfit(columns, rows, 1) if np.ptp(columns) else (0.0, float(rows.mean()))
    beyond = np.arange(len(box))[:, None] - (slope * np.arange(box.shape[1]) + level)[None]
    below, above = rest[beyond > usual].sum(), rest[beyond < -usual].sum()
    if below < 0.05 * above:
        rest[beyond > -usual / 2 - 1] = 0
    return _without_crumbs(rest)


def _is_underline(bar: NDArray[Any], rest: Plane) -> bool:
    x, y, width, height = cv2.boundingRect(rest)
    if not width or max(width, height) < 0.2 * bar[cv2.CC_STAT_WIDTH]:
        return False
    first, long = int(bar[cv2.CC_STAT_LEFT]), int(bar[cv2.CC_STAT_WIDTH])
    middle = bar[cv2.CC_STAT_TOP] + bar[cv2.CC_STAT_HEIGHT] / 2
    beyond = 0.05 * max(width, 0.5 * height)
    sticks_out = x - first > beyond and first + long - (x + width) > beyond
    return bool(sticks_out and long > 0.85 * height and not y + 0.15 * height < middle < y + 0.85 * height)


def _without_crumbs(line: Plane) -> Plane:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(line)
    sides = stats[:, cv2.CC_STAT_WIDTH : cv2.CC_STAT_HEIGHT + 1].max(axis=1)
    kept = sides > 0.15 * sides[1:].max(initial=0)
    kept[0] = False
    rest: Plane = kept[labels].astype(np.uint8)
    return rest
