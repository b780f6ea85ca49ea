"""Find the sheet of paper in a picture: what lies on a table, stands between black bars or in a thick frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.pictures.decoders import Plane

SIDE = 128
"""Pixels of the picture's longer side while the sheet is looked for."""
APART = 40
"""Grey levels, at least, between the sheet and what is around it."""
STRAIGHT, ROUNDED = 0.95, 0.9
"""Likeness of a sheet to a figure of four corners, at least, and to a rectangle, as that of a card with round corners."""
SMALLEST, LARGEST = 0.08, 0.97
"""Parts of the picture that a sheet takes."""


@dataclass(frozen=True)
class Sheet:
    """A four-sided piece of a picture, by its corners in pixels ``(4, 2)``: clockwise from the top left."""

    corners: NDArray[Any]

    def cut(self, planes: Sequence[Plane]) -> tuple[Plane, ...]:
        """Cut the sheet out of each plane, upright, without its outermost edge."""
        sides = np.linalg.norm(self.corners - np.roll(self.corners, -1, axis=0), axis=1)
        width, height = (max(8, round(float(max(sides[i], sides[i + 2])))) for i in (0, 1))
        inset = 0.015 * min(width, height) + 1
        square = np.array(((0, 0), (width, 0), (width, height), (0, height)), np.float32)
        target = square + np.sign(square - square.mean(axis=0)) * np.float32(inset)
        turned = cv2.getPerspectiveTransform(self.corners, target)
        return tuple(
            cv2.warpPerspective(plane, turned, (width, height), borderMode=cv2.BORDER_REPLICATE)
            for plane in planes
        )


def find_sheets(colours: Sequence[Plane]) -> list[Sheet]:
    """Find rectangles of one shade with another shade around them or on two opposite sides; the largest first."""
    height, width = colours[0].shape
    scale = max(1.0, max(height, width) / SIDE)
    size = max(1, round(width / scale)), max(1, round(height / scale))
    if min(size) < 16:
        return []
    found: list[tuple[float, Sheet]] = []
    for colour in colours:
        small = cv2.medianBlur(cv2.resize(colour, size, interpolation=cv2.INTER_AREA), 5)
        level, parts = cv2.threshold(small, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        bright, dark = small[small > level], small[small <= level]
        if not bright.size or not dark.size or float(np.median(bright)) - float(np.median(dark)) < APART:
            continue
        for part in (parts, 255 - parts):
            found += _four_sided(part, small, scale)
    found.sort(key=lambda pair: -pair[0])
    return [sheet for _, sheet in found]


def _four_sided(part: Plane, small: Plane, scale: float) -> list[tuple[float, Sheet]]:
    """Four-sided pieces of what is not 0, each with its area."""
    height, width = part.shape
    whole = height * width
    contours, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour in contours:
        wide, high = cv2.boundingRect(contour)[2:]
        if not SMALLEST * whole <= wide * high:
            continue
        filled = cv2.drawContours(np.zeros_like(part), [contour], -1, 1, cv2.FILLED)
        area = int(cv2.countNonZero(filled))
        if not SMALLEST * whole <= area <= LARGEST * whole or not _is_surrounded(filled, small):
            continue
        corners = _corners(contour, filled)
        if corners is not None:
            found.append((float(area), Sheet((corners + np.float32(0.5)) * np.float32(scale))))
    return found


def _is_surrounded(filled: Plane, small: Plane) -> bool:
    """Tell whether another shade lies on two opposite sides; on one side alone it must be a bar, as shadows are too."""
    sides = (filled[0], filled[-1], filled[:, 0], filled[:, -1])
    top, bottom, left, right = ((side == 0).mean() > 0.9 for side in sides)
    if (top and bottom) or (left and right):
        return True
    outside = small[filled == 0]
    low, high = np.percentile(outside, (5, 85))
    return bool(
        (top or bottom or left or right)
        and high - low < 12
        and np.median(small[filled != 0]) > 3 * np.median(outside)
    )


def _corners(contour: NDArray[Any], filled: Plane) -> NDArray[Any] | None:
    """The corners of what is all but a rectangle, seen from any side; ``None`` for any other shape."""
    hull = cv2.convexHull(contour)
    bent = cv2.approxPolyDP(hull, 0.025 * cv2.arcLength(hull, True), True)[:, 0]
    rectangle = cv2.boxPoints(cv2.minAreaRect(contour))
    for corners, least in ((bent.astype(np.float32), STRAIGHT), (rectangle, ROUNDED)):
        if len(corners) != 4 or _likeness(corners, filled) < least:
            continue
        corners = _clockwise(corners)
        sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
        if sides.min() >= 0.25 * sides.max():
            return corners
    return None


def _clockwise(corners: NDArray[Any]) -> NDArray[Any]:
    """The corners in order, the one nearest to the picture's own first."""
    x, y = (corners - corners.mean(axis=0)).T
    ordered = corners[np.argsort(np.arctan2(y, x))]
    return np.roll(ordered, -int(ordered.sum(axis=1).argmin()), axis=0).astype(np.float32)


def _likeness(corners: NDArray[Any], filled: Plane) -> float:
    """Tell how much of a polygon and a piece, as far as the picture shows them, is common to both, 0 to 1."""
    polygon = cv2.fillConvexPoly(np.zeros_like(filled), corners.round().astype(np.int32), 1)
    both, either = cv2.bitwise_and(polygon, filled), cv2.bitwise_or(polygon, filled)
    return cv2.countNonZero(both) / max(1, cv2.countNonZero(either))
