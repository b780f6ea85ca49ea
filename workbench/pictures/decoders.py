"""Decode untrusted bytes into a picture's planes: every size is known before anything is decoded, every error is a refusal.

PNG, which browsers' canvases make, has a short way of its own (:mod:`workbench.pictures.png`); the other kinds go
through Pillow.
"""

import binascii
import functools
import importlib.util
import io
import math
import struct
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.errors import NotAPicture, PictureError, PictureTooLarge
from workbench.pictures.headers import KINDS, Header, orientation, read_header, read_jpeg, shown
from workbench.pictures.planes import Plane, Planes, split, turned
from workbench.pictures.png import MAX_UNPACKED, read_png

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "KINDS",
    "MAX_BYTES",
    "MAX_PIXELS",
    "MAX_SCALED_PIXELS",
    "MAX_UNPACKED",
    "Header",
    "Plane",
    "Planes",
    "from_data_url",
    "read_header",
    "read_planes",
]

cv2.setNumThreads(1)  # requests are what runs in parallel here

MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 16 * 1024 * 1024
MAX_SCALED_PIXELS = 64 * 1024 * 1024
"""Of a JPEG, which is brought to :data:`ENOUGH` while it is decoded, so that it never takes the memory of all its pixels."""
MAX_PROGRESSIVE_PIXELS = 32 * 1024 * 1024
"""The same of a progressive one, whose coefficients are all kept until its last scan."""
ENOUGH = 4 * 1024 * 1024
"""Pixels at most to which a JPEG is decoded: nobody looks at more."""
MAX_SCANS = 64
"""Of a progressive JPEG; cameras and encoders make about ten, and each takes as long as a whole picture."""


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
        raise NotAPicture(f"expected data:image/png;base64,… Received: {shown(raw)}")
    if not media.startswith(b"data:image/"):
        raise NotAPicture(f"the data URL holds no picture. Received: {shown(raw)}")
    if b"base64" not in parameters:
        raise PictureError("the data URL must be base64: data:image/png;base64,…")
    try:
        return binascii.a2b_base64(payload)
    except binascii.Error as error:
        raise PictureError(f"the data URL's base64 is damaged: {error}") from error


def read_planes(data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> Planes:
    """Decode a picture, upright, the first of several frames; what a file holds behind its end is not looked at.

    Raises
    ------
    PictureError
        Not a picture, too large, cut off or damaged.
    """
    if len(data) > max_bytes:
        raise PictureTooLarge(f"the picture has {len(data):,} bytes, more than {max_bytes:,}")
    header = read_header(data)
    if not header.width or not header.height:
        raise PictureError("the picture is 0 pixels wide or high")
    scaled = header.kind == "JPEG" and max_pixels >= ENOUGH
    if header.width * header.height > (MAX_SCALED_PIXELS if scaled else max_pixels):
        raise _too_many_pixels(header.width, header.height, max_pixels)
    match header.kind:
        case "PNG":
            return read_png(data)
        case "JPEG":
            return _read_jpeg(data, header, max_pixels)
        case "BMP" if (planes := _read_bmp32(data, header)) is not None:
            return planes
        case _:
            return _read_with_pillow(data, header, max_pixels)


def _too_many_pixels(width: int, height: int, allowed: int) -> PictureTooLarge:
    return PictureTooLarge(f"the picture has {width}×{height} pixels, more than {allowed:,} in all")


def _read_jpeg(data: bytes, header: Header, max_pixels: int) -> Planes:
    """Up to its end, and of a large one every second, fourth or eighth pixel, as the format itself allows."""
    parts = read_jpeg(data)
    if parts.scans > MAX_SCANS:
        raise PictureError(f"the JPEG has more than {MAX_SCANS} scans")
    pixels = max(parts.width * parts.height, header.width * header.height)
    allowed = MAX_PROGRESSIVE_PIXELS if parts.is_progressive else MAX_SCALED_PIXELS
    if pixels > max(allowed, max_pixels):
        raise _too_many_pixels(parts.width, parts.height, allowed)
    part = 1
    while part < 8 and pixels / (2 * part) ** 2 >= ENOUGH / 2:
        part *= 2
    return _read_with_pillow(data[: parts.end], header, max_pixels, part)


def _read_with_pillow(data: bytes, header: Header, max_pixels: int, part: int = 1) -> Planes:
    from PIL import Image  # here because canvases do not need it

    _have_decoder(header.kind)
    try:
        with Image.open(
            io.BytesIO(data), formats=["HEIF" if header.kind == "HEIC" else header.kind]
        ) as image:
            if part > 1:
                size = math.ceil(image.width / part), math.ceil(image.height / part)
                image.draft("L" if image.mode == "L" else "RGB", size)
            width, height = image.size  # a GIF's frame may be larger than its header says
            planes = _planes_of(image, data) if width * height <= max_pixels else None
    except Exception as error:  # decoders raise whatever they like at damaged files
        raise PictureError(f"the {header.kind} cannot be decoded: it is cut off or damaged") from error
    if planes is None:
        raise _too_many_pixels(width, height, max_pixels)
    return planes


def _planes_of(image: "Image", data: bytes) -> Planes:
    """Planes of an opened picture, whatever its colours are kept as."""
    image.load()
    exif = image.info.get("exif", b"") if image.format != "TIFF" else b""  # a TIFF is loaded upright
    pixels: NDArray[Any] | None = None
    if image.format == "TIFF" and image.mode in ("RGB", "RGBA"):
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is not None and pixels.dtype == np.uint16:  # of which Pillow gives the upper bytes only
            return split(pixels, blue_first=True)
    if image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode == "LAB":
        image = image.getchannel("L")
    elif image.mode not in ("1", "L", "RGB", "I;16", "I;16B", "I;16L"):
        image = image.convert("RGB")
    pixels = np.asarray(image)
    return turned(split(pixels), orientation(exif if isinstance(exif, bytes) else b""))


@functools.cache
def _have_decoder(kind: str) -> None:
    """Make Pillow know the kind.

    Raises
    ------
    NotAPicture
        The library for it is not installed.
    """
    if kind in ("AVIF", "HEIC"):
        # AVIF is Pillow's own, but where there is no room for one of phones' formats there is none for the other: a
        # decoder takes the memory that the compressed data ask for, whatever the header says.
        if importlib.util.find_spec("pillow_heif") is None:
            raise NotAPicture(
                f"{kind} cannot be read here: pillow-heif, which the extra 'serving' brings, is not installed; "
                "send JPEG or PNG, which phones can make of it"
            )
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False, decode_threads=1)


def _read_bmp32(data: bytes, header: Header) -> Planes | None:
    """Planes of a BMP with 32 bits a pixel, whose fourth byte may be alpha though the header does not say so.

    ``None`` where it is another one.
    """
    try:
        (start,) = struct.unpack_from("<I", data, 10)
        size, _, height, _, bits, packing = struct.unpack_from("<IiiHHI", data, 14)
        if size < 40 or bits != 32 or packing not in (0, 3, 6):
            return None
        masks = [0xFF0000, 0xFF00, 0xFF, 0xFF000000]
        if packing in (3, 6):
            masks[:3] = struct.unpack_from("<3I", data, 54)
            if packing == 6 or size >= 56:
                (masks[3],) = struct.unpack_from("<I", data, 66)
            else:
                masks[3] = 0
    except struct.error as error:
        raise PictureError("the picture is cut off in its header") from error
    count = header.width * header.height
    if len(data) < start + 4 * count:
        raise PictureError("the BMP is cut off")
    pixels = np.frombuffer(data, "<u4", count, start).reshape(header.height, header.width)
    if height > 0:
        pixels = pixels[::-1]
    red, green, blue, alpha = (_masked(pixels, mask) for mask in masks)
    is_said = alpha.any() and alpha.min() < 255  # all nothing: the byte is not used
    return Planes((red, green, blue), alpha if is_said else None)


def _masked(pixels: NDArray[Any], mask: int) -> Plane:
    """The bits of a mask as 0 to 255."""
    if not mask:
        return np.zeros(pixels.shape, np.uint8)
    low = (mask & -mask).bit_length() - 1
    most = mask >> low
    values = (pixels & np.uint32(mask)) >> np.uint32(low)
    return (values if most == 255 else values * np.float32(255 / most)).astype(np.uint8)
