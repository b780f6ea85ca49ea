"""Find the ink in a picture: decide what is paper, and take away what is neither.

planes ──▶ one even shade all round ──▶ ink, as it differs from that shade        (a canvas, a screenshot)
       └─▶ anything else ──▶ the sheet ──▶ ink, as it differs from the paper around ──▶ without lines (a photo)
"""

import functools
import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.pictures.decoders import Plane, Planes
from workbench.pictures.lines import without_lines
from workbench.pictures.sheet import find_sheets

LARGE = 4 * 1024 * 1024
"""Pixels above which a picture is shrunk before its ink is looked for."""
FAINT = 28
"""Grey levels between paper and ink under which nothing was drawn."""
PHOTO = 448
"""Pixels of a photo's longer side while its ink is looked for."""
SMALL = 24
"""Pixels of the shorter side below which a picture shows a digit and nothing else."""
WIDEST = 0.25
"""Widest stroke in a photo, as a part of its shorter side; what is wider is paper in another light."""
RIMS = 0.0, 0.02, 0.04, 0.08, 0.12
"""Parts of the shorter side that a frame may be wide."""
EVEN = 3
"""Grey levels by which one shade may vary."""
CLEAR = 0.4
"""Part of the difference between a sheet and the even margin around it by which ink differs from the sheet, at least."""
SHADE = 0.5
"""Of what is surely ink, so much that is weaker may be its strokes' soft edges."""
MARGIN = 0.04
"""Part of the shorter side that is left around a drawing at least, where the shade all round is that of paper."""


def find_ink(planes: Planes) -> Plane:
    """Find where and how strongly a picture was drawn on; all 0 where nothing was.

    The ink of a transparent canvas is what is not transparent; of any other picture what differs from the
    paper, in any channel. Where one even shade is all round, that is the paper; else the sheet is looked for, and its
    shade is what lies around each place. Lines, frames and edges are no ink. The ink of a photo comes out smaller,
    448 pixels at most.
    """
    colours, alpha = _shrink_all(planes)
    if alpha is not None:
        clearest, densest = int(alpha.min()), int(alpha.max())
        if densest < FAINT or (densest - clearest >= FAINT and _is_drawing(colours, alpha)):
            return stretch(alpha - clearest)
        colours = tuple(lay_on_paper(colour, alpha) for colour in colours)
    edges = [np.concatenate((c[0], c[-1], c[:, 0], c[:, -1])) for c in colours]
    if all(edge.min() == edge.max() for edge in edges):
        depth = _differing(colours, [int(edge[0]) for edge in edges])
        ink = stretch(depth)
        return _read_again(colours, depth, ink) if _has_lines(ink) else ink
    if min(colours[0].shape) < SMALL:
        return stretch(_differing(colours, [round(float(np.median(edge))) for edge in edges]))
    return _find_ink_on_paper(colours)


def lay_on_paper(colour: Plane, alpha: Plane) -> Plane:
    """The plane with the paper's shade, its commonest, where it is transparent."""
    paper = np.bincount(colour[alpha > 127], minlength=1).argmax()
    share = alpha / np.float32(255)
    return (colour * share + paper * (1 - share)).astype(np.uint8)


def stretch(ink: Plane) -> Plane:
    """The ink at full strength, or none if it is all too faint to be meant."""
    peak = int(ink.max())
    if peak < FAINT:
        return np.zeros_like(ink)
    return ink if peak == 255 else cv2.convertScaleAbs(ink, alpha=255 / peak)


def _is_drawing(colours: tuple[Plane, ...], alpha: Plane) -> bool:
    """Tell whether what is not transparent is one pen's, rather than a picture with its own paper in it."""
    middle = (int(alpha.min()) + int(alpha.max())) // 2
    visible = cv2.threshold(alpha, middle, 255, cv2.THRESH_BINARY)[1]
    _, _, width, height = cv2.boundingRect(visible)
    if cv2.countNonZero(visible) < 0.8 * width * height:
        return True
    lows, highs = zip(*(cv2.minMaxLoc(colour, visible)[:2] for colour in colours), strict=True)
    return bool(max(high - low for low, high in zip(lows, highs, strict=True)) < 2 * FAINT)


def _shrink_all(planes: Planes) -> Planes:
    """Planes of at most 4 megapixels: what a photo has more costs much memory and shows no more of a digit."""
    height, width = planes.colours[0].shape
    part = math.ceil(math.sqrt(height * width / LARGE))
    if part < 2:
        return planes
    size = max(1, width // part), max(1, height // part)
    shrunk = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in planes.colours]
    alpha = planes.alpha
    return Planes(
        tuple(shrunk), None if alpha is None else cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
    )


def _shrink(plane: Plane, side: int) -> Plane:
    """The plane with no side longer than ``side``."""
    height, width = plane.shape
    if max(height, width) <= side:
        return plane
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(plane, size, interpolation=cv2.INTER_AREA)


# ── one even shade all round ─────────────────────────────────────────────────────────────────────


def _differing(colours: Sequence[Plane], papers: Sequence[int]) -> Plane:
    distances = [cv2.convertScaleAbs(c, beta=-paper) for c, paper in zip(colours, papers, strict=True)]
    return functools.reduce(cv2.max, distances)


def _has_lines(ink: Plane) -> bool:
    """Tell whether a frame, a sheet or an underline may be among the ink, at little cost: look at its box alone."""
    left, top, width, height = cv2.boundingRect(ink)
    if min(width, height) < 24:
        return False
    box = cv2.threshold(ink[top : top + height, left : left + width], FAINT, 255, cv2.THRESH_BINARY)[1]
    if cv2.countNonZero(box) > 0.45 * box.size:
        return True  # a sheet, or a thick pen
    rows = cv2.reduce(box, 1, cv2.REDUCE_AVG)[:, 0]
    if _are_two_sides(rows) and _are_two_sides(cv2.reduce(box, 0, cv2.REDUCE_AVG)[0]):
        return True
    rim, edge = max(2, height // 12), max(1, width // 25)
    high, low = int(rows[:rim].max()), int(rows[-rim:].max())
    if max(high, low) < 128:
        return False
    if min(high, low) > 216:
        columns = cv2.reduce(box, 0, cv2.REDUCE_AVG)[0]
        if min(columns[: 2 * edge].max(), columns[-2 * edge :].max()) > 216:
            return True  # all round
    is_bar = high >= 128 and not _goes_on_at_one_end(box, rows, rim)
    rests = [box[: -2 * rim]] * (low >= 128) + [box[2 * rim :]] * is_bar
    return any(not (cv2.hasNonZero(r[:, :edge]) or cv2.hasNonZero(r[:, -edge:])) for r in rests)


def _are_two_sides(means: Plane) -> bool:
    """Tell whether two rows, or columns, far apart are inked on most of their way, as two sides of a frame are."""
    strong = np.flatnonzero(means > 0.6 * 255)
    return len(strong) > 1 and int(strong[-1] - strong[0]) > 0.4 * len(means)


def _goes_on_at_one_end(box: Plane, rows: Plane, rim: int) -> bool:
    """Tell whether a bar at the top goes on downwards at one end and nowhere else, as that of a 7 and of a 5 does."""
    if not rows[: 3 * rim].all():
        return False
    x, _, wide, _ = cv2.boundingRect(box[2 * rim : 3 * rim])
    width = box.shape[1]
    first, last = x, width - x - wide
    return bool(0 < wide <= width // 2 and min(first, last) < width // 5)


def _read_again(colours: tuple[Plane, ...], depth: Plane, ink: Plane) -> Plane:
    """Read what may be a sheet or have a frame; ``depth`` is how each place differs from the even shade all round."""
    found = _find_ink_on_paper(colours, depth if _has_margin(depth) else None)
    return found if found.any() else ink


def _has_margin(depth: Plane) -> bool:
    """Tell whether the shade all round is wide enough to be paper, and no frame."""
    height, width = depth.shape
    rim = max(2, round(MARGIN * min(height, width)))
    strips = (depth[:rim], depth[-rim:], depth[:, :rim], depth[:, -rim:])
    return all(int(strip.max()) <= EVEN for strip in strips)


# ── any paper ────────────────────────────────────────────────────────────────────────────────────


def _find_ink_on_paper(colours: tuple[Plane, ...], depth_on_margin: Plane | None = None) -> Plane:
    """Ink on the sheet that the picture shows, or on all of it where no sheet has any ink.

    Parameters
    ----------
    depth_on_margin
        How each place differs from an even margin, which is the paper if no sheet lies within: a pen may be so wide, or
        a picture cut so close, that most of it is ink.
    """
    paper = _even_paper(colours, (0.0,))
    if paper is not None:
        depth = _differing(colours, paper)
        clear = cv2.threshold(depth, FAINT, 255, cv2.THRESH_TOZERO)[1]  # a photo's grain is all over it
        if not _has_lines(clear):
            return _without_lines(depth)
    for sheet in find_sheets(colours)[:3]:
        cut = sheet.cut(colours)
        ink = _find_ink_on_sheet(cut)
        if _is_written_on(ink) and (depth_on_margin is None or _is_clear(cut, ink, depth_on_margin)):
            return ink
    return _find_ink_on_sheet(colours) if depth_on_margin is None else _without_lines(depth_on_margin)


def _is_written_on(ink: Plane) -> bool:
    """Tell whether there is a stroke on the sheet, and not only its own edge, its corners, and grain."""
    height, width = ink.shape
    rim = max(1, round(0.02 * min(height, width)))
    within = cv2.threshold(ink[rim:-rim, rim:-rim], 127, 255, cv2.THRESH_BINARY)[1]
    lefts, tops, widths, heights, _ = cv2.connectedComponentsWithStats(within)[2][1:].T
    longer = np.maximum(widths, heights) / min(height, width)
    at_edge = (lefts == 0) | (tops == 0)
    at_edge |= (lefts + widths == within.shape[1]) | (tops + heights == within.shape[0])
    return bool((longer > np.where(at_edge, 0.5, 0.15)).any())


def _is_clear(cut: tuple[Plane, ...], ink: Plane, depth_on_margin: Plane) -> bool:
    """Tell whether what is written differs from its sheet as a pen's ink does, rather than as a thick stroke's own grain."""
    if cut[0].shape != ink.shape:
        cut = tuple(cv2.resize(c, ink.shape[::-1], interpolation=cv2.INTER_AREA) for c in cut)
    written = ink > 127
    clear = max(abs(float(np.median(c[written])) - float(np.median(c[~written]))) for c in cut)
    return clear > CLEAR * float(np.percentile(depth_on_margin, 90))


def _find_ink_on_sheet(colours: tuple[Plane, ...]) -> Plane:
    paper = _even_paper(colours)
    if paper is None:
        return _find_ink_in_photo(colours)
    return _without_lines(_differing(colours, paper))


def _without_lines(depth: Plane) -> Plane:
    peak = int(depth.max())
    return stretch(without_lines(depth, max(FAINT, peak // 5)) if peak >= FAINT else depth)


def _even_paper(colours: tuple[Plane, ...], rims: Sequence[float] = RIMS) -> list[int] | None:
    """The shade of paper that is the same in most of the picture, and at its edge or a little within; else ``None``."""
    papers = [int(np.bincount(colour.ravel(), minlength=1).argmax()) for colour in colours]
    is_paper = functools.reduce(
        np.logical_and,
        (cv2.convertScaleAbs(c, beta=-p) <= EVEN for c, p in zip(colours, papers, strict=True)),
    )
    if is_paper.mean() < 0.5:
        return None
    side = min(is_paper.shape)
    for rim in {round(part * side) for part in rims}:
        part = is_paper[rim : len(is_paper) - rim, rim : is_paper.shape[1] - rim]
        if np.concatenate((part[0], part[-1], part[:, 0], part[:, -1])).mean() > 0.85:
            return papers
    return None


def _find_ink_in_photo(colours: tuple[Plane, ...]) -> Plane:
    """Ink on paper that is lit unevenly or grainy: what is darker (or lighter) than the paper around it."""
    grey, polarity = _contrast(tuple(cv2.GaussianBlur(_shrink(c, PHOTO), (3, 3), 0) for c in colours))
    if not polarity:
        return np.zeros_like(grey)
    size = max(3, round(WIDEST * min(grey.shape))) | 1
    pen = np.ones((size, size), np.uint8)
    if polarity > 0:
        paper = cv2.morphologyEx(grey, cv2.MORPH_CLOSE, pen)
        if float(np.percentile(cv2.subtract(paper, grey), 99.8)) < 0.5 * FAINT:
            return np.zeros_like(grey)  # in the dark the grain is a large part of the light
        part = cv2.divide(grey, np.maximum(paper, 48), scale=255)  # what it reflects, in any light
        depth = cv2.subtract(cv2.divide(paper, np.maximum(paper, 48), scale=255), part)
    else:
        depth = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, pen)
    grain = float(np.percentile(depth, 25))
    depth = np.maximum(depth, int(grain)) - np.uint8(grain)
    peak = float(np.percentile(depth, 99.8))
    if peak < max(0.8 * FAINT, 3 * grain):
        return np.zeros_like(grey)
    depth = without_lines(depth, max(10, int(2 * grain), int(0.25 * peak)))
    depth = _without_shadows(depth, grey, polarity, peak)
    peak = float(np.percentile(depth[depth > 0.25 * peak], 90)) if (depth > 0.25 * peak).any() else peak
    return ((depth / np.float32(peak) - 0.3) * (255 / 0.4)).clip(0, 255).astype(np.uint8)


def _without_shadows(depth: Plane, grey: Plane, polarity: int, peak: float) -> Plane:
    """The ink without shades that are wider than its strokes and weaker: of a hand, of a fold.

    The width is that of what is surely ink. What is as weak as a shadow is kept where it differs from what lies as near as
    a stroke is wide.
    """
    sure = (depth > 0.6 * peak).astype(np.uint8)
    area = cv2.countNonZero(sure)
    outline = area - cv2.countNonZero(cv2.erode(sure, np.ones((3, 3), np.uint8)))
    weak = cv2.countNonZero((depth > 0.2 * peak).astype(np.uint8)) - area
    size = max(3, round(1.6 * 2 * area / max(1, outline))) | 1
    if weak < SHADE * area or size >= WIDEST * min(grey.shape):
        return depth
    pen = np.ones((size, size), np.uint8)
    near = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT if polarity > 0 else cv2.MORPH_TOPHAT, pen)
    strokes = (near > 0.4 * float(np.percentile(near, 99.8))).astype(np.uint8)
    count, labels = cv2.connectedComponents(sure | strokes)
    is_ink = np.bincount(labels[sure != 0], minlength=count) > 0
    is_ink[0] = False
    return depth * cv2.dilate(is_ink[labels].astype(np.uint8), np.ones((3, 3), np.uint8))


def _contrast(colours: tuple[Plane, ...]) -> tuple[Plane, int]:
    """One plane in which ink and paper differ most, and 1 where the ink is the darker, -1 where it is the lighter.

    0 where there is no ink. The plane is along the first principal axis of the differences to the paper around.
    """
    height, width = colours[0].shape
    rim = max(1, min(height, width) // 20)
    middle = slice(rim, -rim), slice(rim, -rim)
    papers = [
        cv2.resize(cv2.medianBlur(_shrink(c, 64), 33), (width, height), interpolation=cv2.INTER_LINEAR)
        for c in colours
    ]
    differences = [p[middle].astype(np.float32) - c[middle] for p, c in zip(papers, colours, strict=True)]
    if len(colours) == 1:
        return colours[0], _sign(differences[0])
    rows = np.stack([d.ravel() for d in differences])
    axis = np.linalg.eigh(rows @ rows.T)[1][:, -1].astype(np.float32)
    axis *= np.float32(np.sign(axis.sum()) or 1)
    axis /= max(np.abs(axis).max(), axis[axis > 0].sum(), -axis[axis < 0].sum())
    mixed = np.tensordot(axis, np.stack(colours).astype(np.float32), 1)
    grey: Plane = (mixed - min(0.0, float(mixed.min()))).clip(0, 255).astype(np.uint8)
    return grey, _sign(np.tensordot(axis, np.stack(differences), 1))


def _sign(differences: NDArray[np.float32]) -> int:
    """Tell which of the strongest differences are stronger, those above 0 or those below."""
    counts = np.bincount((differences.ravel().clip(-255, 255) + 256).astype(np.intp), minlength=512)
    paper = float(cv2.GaussianBlur(counts.astype(np.float32), (1, 9), 2).argmax()) - 255.5
    low, high = np.percentile(differences, (0.4, 99.6))
    return int(np.sign(high + low - 2 * paper))
