"""Decode PNG, with a short way for what browsers' canvases make; the rest is OpenCV's, once it is known to be whole."""

import struct
import zlib
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from zlib_ng import zlib_ng  # inflates a canvas in a quarter of zlib's time, which was most of a request

from workbench.errors import PictureError, PictureTooLarge
from workbench.pictures.headers import orientation
from workbench.pictures.planes import Plane, Planes, split, turned

MAX_UNPACKED = 64 * 1024 * 1024
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # of PNG's colour types without a palette


def read_png(data: bytes) -> Planes:
    """Check the file's parts; then the short way for what browsers' canvases make, else OpenCV."""
    parts = _png_parts(data)
    _, start = parts[0]
    if len(start) != 13:
        raise PictureError("the PNG's header is damaged")
    width, height, depth, colour, *ways = struct.unpack(">II5B", start)
    unpacked = width * height * depth // 8 * _CHANNELS.get(colour, 3)
    if unpacked > MAX_UNPACKED:
        raise PictureTooLarge(f"the picture unpacks to more than {MAX_UNPACKED:,} bytes")
    lies = next((orientation(content) for kind, content in parts if kind == b"eXIf"), 1)
    packed = b"".join(content for kind, content in parts if kind == b"IDAT")
    if (
        depth == 8
        and colour in _CHANNELS
        and ways == [0, 0, 0]
        and not any(kind == b"tRNS" for kind, _ in parts)
    ):
        planes = _unfilter(packed, width, height, _CHANNELS[colour])
        if planes is not None:
            return turned(planes, lies)
    if _is_longer(packed, 2 * (unpacked + width + height) + 65536):  # interlaced ones have more rows
        raise PictureError("the PNG's data is longer than its size says")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise PictureError("the PNG cannot be decoded: it is damaged")
    if colour == 0 and image.ndim == 2:
        image = _with_alpha(image, depth, parts)
    return turned(split(image, blue_first=True), lies)


def _with_alpha(grey: NDArray[Any], depth: int, parts: list[tuple[bytes, bytes]]) -> NDArray[Any]:
    """Make the one shade of grey transparent that the PNG says is; OpenCV does so for colours and palettes only."""
    said = next((content for kind, content in parts if kind == b"tRNS"), b"")
    if len(said) != 2:
        return grey
    shade = int.from_bytes(said, "big") * (1 if depth >= 8 else 255 // ((1 << depth) - 1))
    most = np.iinfo(grey.dtype).max
    return np.dstack([grey, np.where(grey == shade, 0, most).astype(grey.dtype)])


def _png_parts(data: bytes) -> list[tuple[bytes, bytes]]:
    """List each chunk's kind and content. OpenCV gives what it could read of a damaged file; here that is an error."""
    parts: list[tuple[bytes, bytes]] = []
    at = 8
    while not parts or parts[-1][0] != b"IEND":
        if at + 12 > len(data):
            raise PictureError("the PNG is cut off")
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            raise PictureError("the PNG is cut off")
        if zlib.crc32(data[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise PictureError(f"the PNG's part {kind.decode('latin-1')!r} is damaged")
        parts.append((kind, data[at + 8 : end]))
        at = end + 4
    return parts  # phones and screenshot tools put something of their own behind the end


def _is_longer(packed: bytes, size: int) -> bool:
    """Inflate a piece at a time, none of which is kept, to tell whether it is more; OpenCV would inflate all of it."""
    inflate = zlib_ng.decompressobj()
    try:
        while packed and size >= 0:
            size -= len(inflate.decompress(packed, 1024 * 1024))
            packed = inflate.unconsumed_tail
        return size < 0
    except zlib_ng.error:  # type: ignore[misc]  # its stub says it is an instance
        return False  # OpenCV says what is wrong


def _unfilter(packed: bytes, width: int, height: int, channels: int) -> Planes | None:
    """Planes of 8-bit PNG data whose rows all say "as above" (filter Up: Chromium, Edge) or all "as to the left"
    (Sub: older Chromium), else ``None``.

    Less work than a general decoder's, and more so the larger the canvas: only the box in which something
    changes is added up, and only the channels that say something.
    """
    stride = 1 + width * channels
    try:
        way = zlib_ng.decompressobj().decompress(packed, 1)
        if way not in (b"\1", b"\2") or width * height > 8 * 1024 * 1024:  # more would overflow the sums
            return None
        inflate = zlib_ng.decompressobj()
        raw = inflate.decompress(packed, stride * height + 1)
    except zlib_ng.error as error:  # type: ignore[misc]  # its stub says it is an instance
        raise PictureError("the PNG's data is damaged") from error
    if len(raw) != stride * height or not inflate.eof:
        raise PictureError("the PNG's data is not as long as its size says")
    if raw[::stride] != way * height:
        return None
    rows = np.frombuffer(raw, np.uint8).reshape(height, stride)
    steps = rows[:, 1:].reshape(height, width, channels)
    if way == b"\2":
        return _add_up(steps)
    colours, alpha = _add_up(steps.swapaxes(0, 1).copy())  # what Sub does along a row, Up does along a column
    return Planes(tuple(c.T.copy() for c in colours), None if alpha is None else alpha.T.copy())


def _add_up(steps: NDArray[Any]) -> Planes:
    """Running sums, modulo 256, along the first axis of ``(h, w, channels)``."""
    height, width, channels = steps.shape
    x, y, w, h = (
        cv2.boundingRect(steps[1:].reshape(height - 1, width * channels)) if height > 1 else (0, 0, 0, 0)
    )
    top, bottom, left, right = y, y + h + 1, x // channels, -(-(x + w) // channels) or 1
    first = steps[0].T.copy()
    box = steps[top:bottom, left:right].copy()
    box[0] = steps[0, left:right]
    changes = cv2.split(box)

    def plane(channel: int) -> Plane:
        sums = cv2.integral(changes[channel])  # of all above and to the left
        whole = np.empty((height, width), np.uint8)
        whole[:] = first[channel]
        wrapped = sums.astype(np.uint8)
        np.subtract(wrapped[1:, 1:], wrapped[1:, :-1], out=whole[top:bottom, left:right])
        whole[bottom:, left:right] = whole[bottom - 1, left:right]
        return whole

    def equal(a: int, b: int) -> bool:
        return (
            first[a].tobytes() == first[b].tobytes() and changes[a].tobytes() == changes[b].tobytes()
        )  # many times faster than to compare arrays

    opaque = channels in (1, 3) or (first[-1].min() == 255 and not changes[-1][1:].any())
    grey = channels < 3 or (equal(0, 1) and equal(0, 2))
    return Planes(tuple(plane(c) for c in range(1 if grey else 3)), None if opaque else plane(channels - 1))
