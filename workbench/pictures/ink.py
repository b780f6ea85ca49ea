"""Pictures of digits: from untrusted bytes to the 28×28 pixels that a model sees.

    bytes ──read_planes──▶ planes ──find_ink──▶ ink (h, w) ──fit──▶ (28, 28)

*Ink* is ``uint8``: 0 is paper, 255 is full ink, whatever the colours, polarity and transparency were. It is fitted
as MNIST's digits were (http://yann.lecun.com/exdb/mnist): brought into 20×20 with its aspect ratio kept, by area,
and laid into 28×28 with the centre of mass at pixel 14.
"""

import binascii
import functools
import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.pictures.decoders import (
    MAX_BYTES,
    MAX_PIXELS,
    Plane,
    Planes,
    from_data_url,
    read_header,
    read_planes,
)

__all__ = [
    "Ink",
    "decode",
    "find_ink",
    "fit",
    "from_data_url",
    "lay_on_paper",
    "png_data_url",
    "read_header",
    "read_planes",
    "resize",
    "to_data_url",
]

Ink = Plane

LARGE = 4 * 1024 * 1024
"""Pixels above which a picture is shrunk before its ink is looked for."""
FAINT = 28
"""Grey levels between paper and ink under which nothing was drawn."""
SURE = 64
"""Ink from which a pixel counts for the box; below are soft edges and what compression leaves."""
SPECK = 0.008
"""Dirt is no larger than this part of the picture's longest side."""
CRUMB = 0.1
"""The same beside a drawing, as a part of its largest stroke."""

STROKES = 1.4, 2.6
"""Widths of strokes in twentieths of a digit's longer side; nine in ten of MNIST's are 1.6 to 3.4, half below 2.3."""
BLOT = 0.15
"""Of the longer side, what is left at least where a pen is nearly as wide as the digit is long."""
SOFT = 25
"""Of 255, cut off at both ends of a fitted picture's greys: blurred drawings get edges like MNIST's."""

_NEIGHBOURS = np.ones((3, 3), np.uint8)
_CONTRAST = ((np.arange(256) - SOFT) * 255 / (255 - 2 * SOFT)).clip(0, 255).astype(np.uint8)


def decode(data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> Ink:
    """Find the ink ``(h, w)`` in an encoded picture, all 0 where nothing was drawn.

    The size is read from the header before anything is decoded.

    Raises
    ------
    PictureError
        Not a picture, too large, cut off or damaged.
    """
    return find_ink(read_planes(data, max_bytes=max_bytes, max_pixels=max_pixels))


def to_data_url(picture: NDArray[Any]) -> str:
    """A grey picture ``(h, w)`` as a PNG data URL."""
    return png_data_url(cv2.imencode(".png", picture)[1].tobytes())


def png_data_url(png: bytes) -> str:
    """A PNG as a data URL."""
    return "data:image/png;base64," + binascii.b2a_base64(png, newline=False).decode()


# ── ink ──────────────────────────────────────────────────────────────────────────────────────────


def find_ink(planes: Planes) -> Ink:
    """Find where and how strongly a picture was drawn on; all 0 where nothing was.

    The ink of a transparent canvas is what is not transparent; of any other picture what differs from the
    paper, in any channel, the paper being what the picture's edge shows. Where the light is uneven or the
    paper grainy the paper is what lies around, and the ink comes out smaller, 512 pixels at most.
    """
    colours, alpha = _shrink_all(planes)
    if alpha is not None:
        clearest, densest = int(alpha.min()), int(alpha.max())
        if densest < FAINT or (densest - clearest >= FAINT and _is_drawing(colours, alpha)):
            return _stretch(alpha - clearest)
        colours = tuple(lay_on_paper(colour, alpha) for colour in colours)
    edges = [np.concatenate((c[0], c[-1], c[:, 0], c[:, -1])) for c in colours]
    papers = [float(np.median(edge)) if edge.min() < edge.max() else float(edge[0]) for edge in edges]
    if any(_is_uneven(edge, paper) for edge, paper in zip(edges, papers, strict=True)):
        return _find_ink_in_photo(colours)
    distances = [cv2.convertScaleAbs(c, beta=-paper) for c, paper in zip(colours, papers, strict=True)]
    return _stretch(functools.reduce(cv2.max, distances))


def _is_uneven(edge: NDArray[Any], paper: float) -> bool:
    """Tell whether most of a picture's edge is not the paper's shade, which on a canvas it is."""
    return bool(edge.min() < edge.max() and (np.abs(edge - paper) > 3).mean() > 0.5)


def _is_drawing(colours: tuple[Plane, ...], alpha: Plane) -> bool:
    """Tell whether what is not transparent is one pen's, rather than a picture with its own paper in it."""
    middle = (int(alpha.min()) + int(alpha.max())) // 2
    visible = cv2.threshold(alpha, middle, 255, cv2.THRESH_BINARY)[1]
    _, _, width, height = cv2.boundingRect(visible)
    if cv2.countNonZero(visible) < 0.8 * width * height:
        return True
    lows, highs = zip(*(cv2.minMaxLoc(colour, visible)[:2] for colour in colours), strict=True)
    return bool(max(high - low for low, high in zip(lows, highs, strict=True)) < 2 * FAINT)


def lay_on_paper(colour: Plane, alpha: Plane) -> Plane:
    """The plane with the paper's shade, its commonest, where it is transparent."""
    paper = np.bincount(colour[alpha > 127], minlength=1).argmax()
    share = alpha / np.float32(255)
    return (colour * share + paper * (1 - share)).astype(np.uint8)


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


def _find_ink_in_photo(colours: tuple[Plane, ...]) -> Ink:
    """Ink on paper that is lit unevenly or grainy: what is darker (or lighter) than the paper around it."""
    grey = functools.reduce(lambda a, b: cv2.addWeighted(a, 0.5, b, 0.5, 0), colours)
    grey = cv2.GaussianBlur(_shrink(grey, 512), (3, 3), 0)
    paper = cv2.resize(
        cv2.medianBlur(_shrink(grey, 64), 33), grey.shape[::-1], interpolation=cv2.INTER_LINEAR
    )
    depth = paper.astype(np.int16) - grey
    low, high = np.percentile(depth, (0.2, 99.8))
    depth, peak = (depth, high) if high > -low else (-depth, -low)
    grain = 1.5 * np.median(np.abs(depth))  # the standard deviation, were it noise alone
    if peak < max(FAINT, 5 * grain):
        return np.zeros_like(grey)
    return ((depth / np.float32(peak) - 0.3) * (255 / 0.4)).clip(0, 255).astype(np.uint8)


def _shrink(plane: Plane, side: int) -> Plane:
    """The plane with no side longer than ``side``."""
    height, width = plane.shape
    if max(height, width) <= side:
        return plane
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(plane, size, interpolation=cv2.INTER_AREA)


def _stretch(ink: Ink) -> Ink:
    """The ink at full strength, or none if it is all too faint to be meant."""
    peak = int(ink.max())
    if peak < FAINT:
        return np.zeros_like(ink)
    return ink if peak == 255 else cv2.convertScaleAbs(ink, alpha=255 / peak)


def resize(planes: Planes, width: int, height: int, channels: int) -> NDArray[Any]:
    """A plain resize to ``(h, w, channels)``: colours as they are, or for one channel the ink."""
    if channels == 1:
        return cv2.resize(find_ink(planes), (width, height), interpolation=cv2.INTER_AREA)[:, :, None]
    colours = planes.colours * (3 // len(planes.colours))
    if planes.alpha is not None:
        colours = tuple(lay_on_paper(colour, planes.alpha) for colour in colours)
    return cv2.merge(
        [cv2.resize(colour, (width, height), interpolation=cv2.INTER_AREA) for colour in colours]
    )


# ── fitting ──────────────────────────────────────────────────────────────────────────────────────


def fit(ink: Ink) -> NDArray[Any] | None:
    """The drawing as MNIST's digits are, ``(28, 28)``; ``None`` where nothing but dirt is.

    Strokes much thinner or thicker than MNIST's are brought near them: a pen of any width draws the same digit.
    """
    crop = _crop(ink)
    if crop is None:
        return None
    small = _shrink_by(crop, 80)[0]  # four pixels and more are left for each of the 20
    speck = SPECK * max(ink.shape)
    if max(crop.shape) <= speck or _pieces(small) > 1:
        cleaned = _crop(_without_dirt(crop, speck))
        if cleaned is None:
            return None
        small = _shrink_by(cleaned, 80)[0]
    crop = small if max(small.shape) == 20 else _with_usual_strokes(small)  # 20 may be one of MNIST's own
    height, width = crop.shape
    scale = 20 / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = _stretch(cv2.resize(crop, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))
    if scale != 1:
        small = cv2.LUT(small, _CONTRAST)
    mass = cv2.moments(small)
    left = min(max(0, round(14 - mass["m10"] / mass["m00"])), 28 - size[0])
    top = min(max(0, round(14 - mass["m01"] / mass["m00"])), 28 - size[1])
    picture = np.zeros((28, 28), np.uint8)
    picture[top : top + size[1], left : left + size[0]] = small
    return picture


def _sure(ink: Ink, above: int = SURE) -> NDArray[Any]:
    return cv2.threshold(ink, above - 1, 255, cv2.THRESH_BINARY)[1]


def _crop(ink: Ink) -> Ink | None:
    """The box of the sure ink."""
    x, y, width, height = cv2.boundingRect(_sure(ink))
    return ink[y : y + height, x : x + width] if width else None


def _shrink_by(crop: Ink, side: int) -> tuple[Ink, int]:
    """The ink with its longer side brought to between ``side`` and twice that, and the whole number it was divided by.

    OpenCV means whole blocks of pixels many times faster than others.
    """
    part = max(crop.shape) // side
    if part < 2:
        return crop, 1
    height, width = crop.shape
    crop = cv2.copyMakeBorder(crop, 0, -height % part, 0, -width % part, cv2.BORDER_CONSTANT, value=0)
    size = crop.shape[1] // part, crop.shape[0] // part
    shrunk = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    if shrunk.max() < 230:  # hairlines, which a mean all but wipes out
        shrunk = cv2.resize(
            cv2.dilate(crop, np.ones((part, part), np.uint8)), size, interpolation=cv2.INTER_AREA
        )
    return _stretch(shrunk), part


def _pieces(ink: Ink) -> int:
    return len(cv2.findContours(_sure(ink), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0])


def _without_dirt(ink: Ink, speck: float) -> Ink:
    """The ink without pieces that are no larger than ``speck`` pixels or a small part of the largest piece."""
    ink, part = _shrink_by(ink, 1024)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(_sure(ink))
    sides = stats[:, cv2.CC_STAT_WIDTH : cv2.CC_STAT_HEIGHT + 1].max(axis=1)
    kept = sides > max(speck / part, CRUMB * sides[1:].max(initial=0))
    kept[0] = False
    if kept[1:].all():
        return ink
    near = cv2.dilate(kept.astype(np.uint8)[labels] * np.uint8(255), _NEIGHBOURS, iterations=2)
    return cv2.bitwise_and(ink, near)


def _with_usual_strokes(crop: Ink) -> Ink:
    """The ink with strokes of :data:`STROKES` twentieths of its longer side, where they are outside of that.

    The side grows and shrinks with the strokes. So the width is sought that they must have for the part to be right
    afterwards: as if the same hand had taken another pen.
    """
    width = _stroke_width(crop)
    side = max(crop.shape)
    thinnest, thickest = STROKES
    if thinnest <= 20 * width / side <= thickest:
        return crop
    part = (thinnest if 20 * width / side < thinnest else thickest) / 20
    hand = max(side - width, BLOT * side)
    change = part / (1 - part) * hand - width
    size = round(abs(change)) + 1
    if size < 2:
        return crop
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    framed = cv2.copyMakeBorder(crop, size, size, size, size, cv2.BORDER_CONSTANT, value=0)
    changed = _crop(cv2.dilate(framed, pen) if change > 0 else cv2.erode(framed, pen))
    return crop if changed is None else changed


def _stroke_width(crop: Ink) -> float:
    """The mean width of strokes in pixels: a line has two sides, and what is within a pixel of them tells their length."""
    line = _sure(crop, 128)
    inner = cv2.erode(line, _NEIGHBOURS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    area = cv2.countNonZero(line)
    return 2 * area / max(1, area - cv2.countNonZero(inner))
