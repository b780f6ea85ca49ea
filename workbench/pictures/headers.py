"""Headers of pictures' files: kind, size and orientation, known before anything is decoded."""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from workbench.errors import NotAPicture, PictureError
from workbench.pictures import bitstreams
from workbench.pictures.bitstreams import boxes

KINDS = ("PNG", "JPEG", "GIF", "WebP", "BMP", "TIFF", "AVIF", "HEIC")

PNG = b"\x89PNG\r\n\x1a\n"
_ORIENTATION = 0x0112
_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""Of a JPEG, behind any number of fill bytes; a zero behind 0xFF, and a restart, belong to what is compressed."""
_SCAN, _END = 0xDA, 0xD9
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_AVIF = {b"avif", b"avis"}
_HEIC = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}


class Header(NamedTuple):
    """Kind and size of a file, known before it is decoded."""

    kind: str
    width: int
    height: int


class Jpeg(NamedTuple):
    """A JPEG's parts."""

    width: int
    height: int
    is_progressive: bool
    scans: int
    end: int
    """Where its last byte is; cameras put a video or further pictures behind that."""


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
        if data[4:8] == b"ftyp" and (kind := _brand(data)):
            return Header(kind, *_largest_item(data, kind))
    except (struct.error, IndexError) as error:
        raise PictureError("the picture is cut off in its header") from error
    raise NotAPicture(f"not a picture of a kind known here ({', '.join(KINDS)}). Received: {shown(data)}")


def shown(data: bytes) -> str:
    """The first bytes, for a message."""
    return repr(data[:24]) + ("…" if len(data) > 24 else "")


# ── JPEG ─────────────────────────────────────────────────────────────────────────────────────────


def read_jpeg(data: bytes) -> Jpeg:
    """Walk through a JPEG's segments up to its end.

    Raises
    ------
    PictureError
        Something in between is no segment; one that is cut off ends where the data does.
    """
    width = height = scans = 0
    is_progressive = False
    try:
        for marker, at in _segments(data):
            if marker == _END:
                return Jpeg(width, height, is_progressive, scans, at)
            if marker == _SCAN:
                scans += 1
            elif _is_frame(marker):
                height, width = struct.unpack_from(">HH", data, at + 3)
                is_progressive = marker in _PROGRESSIVE
    except struct.error as error:
        raise PictureError("the JPEG is cut off") from error
    return Jpeg(width, height, is_progressive, scans, len(data))


def _jpeg_size(data: bytes) -> tuple[int, int]:
    for marker, at in _segments(data):
        if _is_frame(marker):
            height, width = struct.unpack_from(">HH", data, at + 3)
            return width, height
        if marker in (_SCAN, _END):
            raise PictureError("the JPEG's header is damaged")
    raise PictureError("the picture is cut off in its header")


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Each segment's marker and where its length stands; between scans what is compressed is passed over."""
    at = 2
    while (found := _MARKER.match(data, at)) is not None:
        marker = found[1][0]
        at = found.end()
        yield marker, at
        if marker == _END:
            return
        if marker in (0x01, 0xD8):  # these have no length
            continue
        (length,) = struct.unpack_from(">H", data, at)
        if length < 2:
            raise PictureError("the JPEG's header is damaged")
        at += length
        if marker == _SCAN:
            following = _MARKER.search(data, at)
            at = following.start() if following else len(data)
    if at < len(data):
        raise PictureError("the JPEG's header is damaged")


def _is_frame(marker: int) -> bool:
    return 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)


# ── WebP, BMP, TIFF ──────────────────────────────────────────────────────────────────────────────


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
    size = dict.fromkeys((256, 257), 0)
    for tag, value in _tiff_entries(data):
        if tag in size:
            size[tag] = value
    return size[256], size[257]


def orientation(exif: bytes) -> int:
    """How a picture lies, 1 (upright) to 8, by Exif; 1 where it does not say."""
    exif = exif.removeprefix(b"Exif\0\0")
    if exif[:4] not in (b"II*\0", b"MM\0*"):
        return 1
    try:
        said = next((value for tag, value in _tiff_entries(exif) if tag == _ORIENTATION), 1)
    except struct.error:
        return 1
    return said if 1 <= said <= 8 else 1


def _tiff_entries(data: bytes) -> Iterator[tuple[int, int]]:
    """Tags and values of the first directory; a value that stands elsewhere is its place."""
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        (value,) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)
        yield tag, value


# ── AVIF, HEIC ───────────────────────────────────────────────────────────────────────────────────


def _brand(data: bytes) -> str | None:
    """The kind by the brands in ``ftyp``; the first one that is known says it, a general one says HEIC."""
    (size,) = struct.unpack_from(">I", data)
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, min(size, 512, len(data)), 4))]
    if any(brand in _AVIF for brand in brands):
        return "AVIF"
    return "HEIC" if any(brand in _HEIC for brand in brands) else None


def _largest_item(data: bytes, kind: str) -> tuple[int, int]:
    """The largest ``ispe`` (image spatial extents), or what the coded data say, where that is larger.

    A file may have tiles and previews besides its picture.
    """
    said = [(0, 0)]
    for meta in boxes(data, 0, len(data), b"meta"):
        for iprp in boxes(data, meta[0] + 4, meta[1], b"iprp"):
            for ipco in boxes(data, *iprp, b"ipco"):
                said += [struct.unpack_from(">II", data, at + 4) for at, _ in boxes(data, *ipco, b"ispe")]
    if not any(width for width, _ in said):
        raise PictureError(f"the {kind}'s header is damaged")
    try:
        said += bitstreams.sizes(data)
    except bitstreams.TooManyParts as error:
        raise PictureError(str(error)) from error
    return max(said, key=lambda size: size[0] * size[1])
