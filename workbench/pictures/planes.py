"""Planes of a decoded picture, one a channel, and what every decoder does with them."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.errors import NotAPicture

Plane = NDArray[Any]  # OpenCV's stubs know no narrower type than this
"""``(h, w)``, ``uint8``."""

_USUAL_BITS, _DEEP = 8, range(10, 13)


class Planes(NamedTuple):
    """A decoded picture, a plane a channel."""

    colours: tuple[Plane, ...]
    """Grey, or red, green and blue."""
    alpha: Plane | None
    """Only where something is transparent."""


def split(image: NDArray[Any], *, blue_first: bool = False) -> Planes:
    """Planes of what a decoder gave: ``(h, w)`` or ``(h, w, 1…4)``."""
    if image.dtype.kind == "u" and image.dtype.itemsize == 2:
        image = _narrow(image)
    elif image.dtype == bool:
        image = image.astype(np.uint8) * 255
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] > (4,):
        raise NotAPicture(
            f"a picture has 1 to 4 channels of 8 or 16 bits. Received: {image.shape} {image.dtype}"
        )
    planes = cv2.split(image)
    colours = tuple(planes[:3] if len(planes) > 2 else planes[:1])
    alpha = planes[-1] if len(planes) in (2, 4) and planes[-1].min() < 255 else None
    return Planes(colours[::-1] if blue_first else colours, alpha)


def _narrow(image: NDArray[Any]) -> NDArray[Any]:
    """Bring 16 bits to 8; scanners and sensors fill the lower 10 or 12 of them only, without saying so."""
    has_alpha = image.ndim == 3 and image.shape[2] in (2, 4)
    colours = image[..., :-1] if has_alpha else image
    bits = int(colours.max(initial=0)).bit_length()
    shift = bits - _USUAL_BITS if bits in _DEEP else _USUAL_BITS
    narrow = (image >> shift).astype(np.uint8)
    if has_alpha:
        alpha = image[..., -1]
        narrow[..., -1] = alpha >> (shift if int(alpha.max(initial=0)).bit_length() <= bits else _USUAL_BITS)
    return narrow


def turned(planes: Planes, orientation: int) -> Planes:
    """The picture upright, by Exif's numbers 1 (as it is) to 8."""
    if orientation == 1:
        return planes

    def turn(plane: Plane) -> Plane:
        if orientation >= 5:
            plane = plane.T
        rows = -1 if orientation in (3, 4, 7, 8) else 1
        columns = -1 if orientation in (2, 3, 6, 7) else 1
        return np.ascontiguousarray(plane[::rows, ::columns])

    return Planes(tuple(map(turn, planes.colours)), None if planes.alpha is None else turn(planes.alpha))
