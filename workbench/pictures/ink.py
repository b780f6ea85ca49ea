"""Pictures of digits: from untrusted bytes to the 28×28 pixels that a model sees.

    bytes ──read_planes──▶ planes ──find_ink──▶ ink (h, w) ──fit──▶ (28, 28)

*Ink* is ``uint8``: 0 is paper, 255 is full ink, whatever the colours, polarity and transparency were. It is fitted
as MNIST's digits were (http://yann.lecun.com/exdb/mnist): brought into 20×20 with its aspect ratio kept, by area,
and laid into 28×28 with the centre of mass at pixel 14.
"""

import binascii
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
from workbench.pictures.paper import find_ink, lay_on_paper, stretch

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
    small = stretch(cv2.resize(crop, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))
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
    return stretch(shrunk), part


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
