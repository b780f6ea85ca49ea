"""What the coded data of phones' formats say of their size counts, not what the header claims."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from workbench.errors import PictureError, PictureTooLarge
from workbench.pictures import bitstreams
from workbench.pictures.decoders import read_header, read_planes

pillow_heif = pytest.importorskip("pillow_heif", reason="the extra 'serving' is not installed")
KINDS = {"AVIF": "AVIF", "HEIC": "HEIF"}


def encoded(kind: str, width: int, height: int, mode: str = "RGB") -> bytes:
    pillow_heif.register_heif_opener()
    shape = (height, width) if mode == "L" else (height, width, len(mode))
    pixels = np.random.default_rng(width).integers(0, 256, shape).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, KINDS[kind])
    return file.getvalue()


def claiming(data: bytes, width: int, height: int) -> bytes:
    """The same file, whose header says that the picture has this size."""
    said = bytearray(data)
    at = said.find(b"ispe")
    while at >= 0:
        said[at + 8 : at + 16] = struct.pack(">II", width, height)
        at = said.find(b"ispe", at + 1)
    return bytes(said)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (17, 33), (64, 64), (257, 129), (640, 480)])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_the_coded_size_is_found_whatever_the_header_says(
    kind: str, size: tuple[int, int], mode: str
) -> None:
    data = encoded(kind, *size, mode)
    coded = {max(bitstreams.sizes(data))}
    for width, height in coded:  # HEVC codes blocks of 8, and no fewer than 64
        assert size[0] <= width <= max(64, size[0] + 7)
        assert size[1] <= height <= max(64, size[1] + 7)
    assert set(bitstreams.sizes(claiming(data, 8, 8))) == set(bitstreams.sizes(data))


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_that_is_larger_than_its_header_says_is_refused_before_it_is_decoded(kind: str) -> None:
    data = claiming(encoded(kind, 640, 480), 64, 64)
    header = read_header(data)
    assert (header.width, header.height) == (640, 480)
    with pytest.raises(PictureTooLarge, match="640×480"):
        read_planes(data, max_pixels=100 * 100)


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def grid(width: int, height: int, *, items: int = 1) -> bytes:
    """A HEIC that is put together of tiles, none of which is there."""
    infe = box(b"infe", struct.pack(">IHH4sx", 2 << 24, 1, 0, b"grid"))
    kept = struct.pack(">BBBBII", 0, 1, 0, 0, width, height)
    iloc = struct.pack(">IHH", 1 << 24, 0x4400, items) + struct.pack(
        ">HHHHII", 1, 1, 0, 1, 0, len(kept)
    ) * min(items, 9)
    ispe = box(b"iprp", box(b"ipco", box(b"ispe", struct.pack(">III", 0, 64, 64))))
    content = (
        bytes(4)
        + box(b"iinf", struct.pack(">IH", 0, 1) + infe)
        + box(b"iloc", iloc)
        + ispe
        + box(b"idat", kept)
    )
    return box(b"ftyp", b"heic" + bytes(4) + b"mif1heic") + box(b"meta", content)


def test_a_grid_says_how_large_its_picture_becomes() -> None:
    assert list(bitstreams.sizes(grid(30_000, 30_000))) == [(30_000, 30_000)]
    with pytest.raises(PictureTooLarge, match="30000×30000"):
        read_planes(grid(30_000, 30_000))


def test_a_file_of_more_parts_than_a_picture_needs_is_refused() -> None:
    with pytest.raises(PictureError, match="60,000 parts"):
        read_header(grid(64, 64, items=60_000))


def test_numbers_are_read_bit_by_bit() -> None:
    read = bitstreams.Bits(bytes([0b1_010_011_0, 0b0100_0000]))
    assert [read.golomb() for _ in range(4)] == [0, 1, 2, 3]
    assert bitstreams.Bits(b"").golomb() == (1 << 32) - 1
