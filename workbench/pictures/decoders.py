"""Decode untrusted bytes into a picture's planes: every size is known before anything is decoded, every error is a refusal.

PNG, which browsers' canvases make, has a short way of its own; the other kinds go through imageio.
"""

import binascii
import struct
import zlib
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from zlib_ng import zlib_ng  # inflates a canvas in a quarter of zlib's time, which was most of a request

from workbench.errors import NotAPicture, PictureError, PictureTooLarge

cv2.setNumThreads(1)  # requests are what runs in parallel here

Plane = NDArray[Any]  # OpenCV's stubs know no narrower type than this
"""``(h, w)``, ``uint8``."""

MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 16 * 1024 * 1024
MAX_UNPACKED = 64 * 1024 * 1024
MAX_SCANS = 64
"""Of a progressive JPEG; cameras and encoders make about ten, and each takes as long as a whole picture."""
KINDS = ("PNG", "JPEG", "GIF", "WebP", "BMP", "TIFF")

PNG = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # of PNG's colour types without a palette


class Planes(NamedTuple):
    """A decoded picture, a plane a channel."""

    colours: tuple[Plane, ...]
    """Grey, or red, green and blue."""
    alpha: Plane | None
    """Only where something is transparent."""


class Header(NamedTuple):
    """Kind and size of a file, known before it is decoded."""

    kind: str
    width: int
    height: int


def from_data_url(text: str | bytes) -> bytes:
    """Decode the bytes in a ``data:image/…;base64,…`` URL.

    Raises
    ------
    PictureError
        Not a data URL, not a picture, not base64.
    """
    try:
        raw = text.encode("ascii") if isinstance(text, str) else text
    except UnicodeEncodeError as error:
        raise PictureError("a data URL is plain ASCII, data:image/png;base64,…") from error
    head, comma, payload = raw.strip().partition(b",")
    media, *parameters = head[:256].lower().split(b";")
    if not media.startswith(b"data:") or not comma:
        raise NotAPicture(f"expected data:image/png;base64,… Received: {_shown(raw)}")
    if not media.startswith(b"data:image/"):
        raise NotAPicture(f"the data URL holds no picture. Received: {_shown(raw)}")
    if b"base64" not in parameters:
        raise PictureError("the data URL must be base64: data:image/png;base64,…")
    try:
        return binascii.a2b_base64(payload)
    except binascii.Error as error:
        raise PictureError(f"the data URL's base64 is damaged: {error}") from error


def read_planes(data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> Planes:
    """Decode a picture, upright, the first of several frames.

    Raises
    ------
    PictureError
        Not a picture, too large, cut off or damaged.
    """
    if len(data) > max_bytes:
        raise PictureTooLarge(f"the picture has {len(data):,} bytes, more than {max_bytes:,}")
    header = read_header(data)
    if header.width * header.height > max_pixels:
        raise _too_many_pixels(header.width, header.height, max_pixels)
    if not header.width or not header.height:
        raise PictureError("the picture is 0 pixels wide or high")
    return _read_png(data) if header.kind == "PNG" else _read_with_imageio(data, header, max_pixels)


def _too_many_pixels(width: int, height: int, allowed: int) -> PictureTooLarge:
    return PictureTooLarge(f"the picture has {width}×{height} pixels, more than {allowed:,} in all")


# ── headers ──────────────────────────────────────────────────────────────────────────────────────


def read_header(data: bytes) -> Header:
    """Kind and size, from the first bytes alone.

    Raises
    ------
    NotAPicture
        It is none of :data:`KINDS`.
    PictureError
        The header is cut off or damaged.
    """
    try:
        if data.startswith(PNG):
            if data[12:16] != b"IHDR":
                raise PictureError("the PNG's header is damaged")
            return Header("PNG", *struct.unpack_from(">II", data, 16))
        if data.startswith(b"\xff\xd8\xff"):
            return Header("JPEG", *_jpeg_size(data))
        if data[:6] in (b"GIF87a", b"GIF89a"):
            return Header("GIF", *struct.unpack_from("<HH", data, 6))
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return Header("WebP", *_webp_size(data))
        if data[:2] == b"BM" and len(data) > 14:
            return Header("BMP", *_bmp_size(data))
        if data[:4] in (b"II*\0", b"MM\0*"):
            return Header("TIFF", *_tiff_size(data))
    except (struct.error, IndexError) as error:
        raise PictureError("the picture is cut off in its header") from error
    raise NotAPicture(f"not a picture of a kind known here ({', '.join(KINDS)}). Received: {_shown(data)}")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while True:
        marker, length = struct.unpack_from(">HH", data, at)
        if marker >> 8 != 0xFF or length < 2:
            raise PictureError("the JPEG's header is damaged")
        if 0xC0 <= marker & 0xFF <= 0xCF and marker & 0xFF not in (0xC4, 0xC8, 0xCC):  # a start of frame
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + length


def _webp_size(data: bytes) -> tuple[int, int]:
    form = data[12:16]
    if form == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if form == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8X":
        a, b, c, d, e, f = struct.unpack_from("6B", data, 24)
        return (a | b << 8 | c << 16) + 1, (d | e << 8 | f << 16) + 1
    raise PictureError("the WebP's header is damaged")


def _bmp_size(data: bytes) -> tuple[int, int]:
    if struct.unpack_from("<I", data, 14)[0] == 12:  # OS/2's short header
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)  # a negative height is a picture stored from the top


def _tiff_size(data: bytes) -> tuple[int, int]:
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    size = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag in (256, 257):
            (size[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)
    return size.get(256, 0), size.get(257, 0)


# ── decoders ─────────────────────────────────────────────────────────────────────────────────────


def _read_png(data: bytes) -> Planes:
    """Check the file's parts; then the short way for what browsers' canvases make, else OpenCV."""
    parts = _png_parts(data)
    _, start = parts[0]
    if len(start) != 13:
        raise PictureError("the PNG's header is damaged")
    width, height, depth, colour, *ways = struct.unpack(">II5B", start)
    unpacked = width * height * depth // 8 * _CHANNELS.get(colour, 3)
    if unpacked > MAX_UNPACKED:
        raise PictureTooLarge(f"the picture unpacks to more than {MAX_UNPACKED:,} bytes")
    packed = b"".join(content for kind, content in parts if kind == b"IDAT")
    if (
        depth == 8
        and colour in _CHANNELS
        and ways == [0, 0, 0]
        and not any(kind == b"tRNS" for kind, _ in parts)
    ):
        planes = _unfilter(packed, width, height, _CHANNELS[colour])
        if planes is not None:
            return planes
    if _is_longer(packed, 2 * (unpacked + width + height) + 65536):  # interlaced ones have more rows
        raise PictureError("the PNG's data is longer than its size says")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise PictureError("the PNG cannot be decoded: it is damaged")
    return _split(image, blue_first=True)


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
    if at != len(data):
        raise PictureError("the PNG goes on after its end")
    return parts


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
    rows = np.frombuffer(raw, np.uint8).reshape(height, stride)
    if (rows[:, 0] != way[0]).any():
        return None
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
        whole[top:bottom, left:right] = np.subtract(sums[1:, 1:], sums[1:, :-1])
        whole[bottom:, left:right] = whole[bottom - 1, left:right]
        return whole

    def equal(a: int, b: int) -> bool:
        return bool((first[a] == first[b]).all() and (changes[a] == changes[b]).all())

    opaque = channels in (1, 3) or (first[-1].min() == 255 and not changes[-1][1:].any())
    grey = channels < 3 or (equal(0, 1) and equal(0, 2))
    return Planes(tuple(plane(c) for c in range(1 if grey else 3)), None if opaque else plane(channels - 1))


def _read_with_imageio(data: bytes, header: Header, max_pixels: int) -> Planes:
    import imageio.v3  # here because only these kinds need it and Pillow behind it

    if header.kind == "JPEG" and data.count(b"\xff\xda") > MAX_SCANS:
        raise PictureError(f"the JPEG has more than {MAX_SCANS} scans")
    try:
        with imageio.v3.imopen(data, "r", plugin="pillow") as file:
            height, width = file.properties(index=0).shape[
                :2
            ]  # a GIF's frame may be larger than its header says
            fits = width * height <= max_pixels
            image = file.read(index=0, rotate=True) if fits else None  # type: ignore[call-arg]  # its base's
    except Exception as error:  # decoders raise whatever they like at damaged files
        raise PictureError(f"the {header.kind} cannot be decoded: it is cut off or damaged") from error
    if image is None:
        raise _too_many_pixels(width, height, max_pixels)
    return _split(np.asarray(image))


def _split(image: NDArray[Any], *, blue_first: bool = False) -> Planes:
    """Planes of what a decoder gave: ``(h, w)`` or ``(h, w, 1…4)``."""
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
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


def _shown(data: bytes) -> str:
    return repr(data[:24]) + ("…" if len(data) > 24 else "")
