"""Rarer forms of pictures, as phones, scanners and drawing programs write them, give the same digit as a plain one."""

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from backend.errors import refusal
from tests.backend import making
from workbench.errors import NotAPicture, PictureError
from workbench.pictures import decoders, headers, ink

BLACK_ON_WHITE = making.seven(ink=0, paper=255)
INK = making.seven()
KINDS = ("JPEG", "GIF", "WebP", "BMP", "TIFF", "AVIF", "HEIC")


def fitted(data: bytes) -> NDArray[Any] | None:
    return ink.fit(ink.decode(data))


def difference(a: NDArray[Any] | None, b: NDArray[Any] | None) -> float:
    assert a is not None
    assert b is not None
    return float(np.abs(a.astype(int) - b).mean())


@pytest.fixture(scope="module")
def reference() -> NDArray[Any]:
    found = fitted(making.png(INK))
    assert found is not None
    return found


def written(image: Image.Image, kind: str, **options: Any) -> bytes:
    if kind == "HEIC":
        import pillow_heif

        pillow_heif.register_heif_opener()
        kind = "HEIF"
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


# ── colours ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_the_black_of_four_inks_is_no_transparency(kind: str, reference: NDArray[np.uint8]) -> None:
    inks = Image.fromarray(BLACK_ON_WHITE).convert("RGB").convert("CMYK")
    assert difference(fitted(written(inks, kind)), reference) < 6
    red = Image.new("CMYK", (40, 40), (0, 255, 255, 0))
    colours = [plane.mean() for plane in decoders.read_planes(written(red, kind)).colours]
    assert colours[0] > 200 > 60 > max(colours[1:])


@pytest.mark.parametrize("black_plate", [True, False])
def test_four_inks_are_read_whichever_of_them_is_black(
    black_plate: bool, reference: NDArray[np.uint8]
) -> None:
    plates = np.zeros((*INK.shape, 4), np.uint8)
    plates[..., 3:] = INK[..., None]
    if not black_plate:
        plates[..., :3], plates[..., 3] = INK[..., None], 0
    assert difference(fitted(written(Image.fromarray(plates, "CMYK"), "JPEG")), reference) < 6


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_black_ink_on_transparent_black_in_a_palette_is_ink(kind: str, reference: NDArray[np.uint8]) -> None:
    picture = Image.fromarray((INK > 127).astype(np.uint8), "P")
    picture.putpalette([0, 0, 0] * 256)
    assert difference(fitted(written(picture, kind, transparency=0)), reference) < 8


@pytest.mark.parametrize("kind", ["WebP", "TIFF", "AVIF", "HEIC"])
def test_black_ink_on_transparent_black_is_ink(kind: str, reference: NDArray[np.uint8]) -> None:
    pixels = np.zeros((*INK.shape, 4), np.uint8)
    pixels[..., 3] = INK
    options: dict[str, bool] = {"lossless": True} if kind == "WebP" else {}
    assert difference(fitted(written(Image.fromarray(pixels), kind, **options)), reference) < 6


def test_one_transparent_colour_of_a_png_without_palette_is_transparent(reference: NDArray[np.uint8]) -> None:
    pixels = np.where(INK > 127, 0, 1).astype(np.uint8)
    for image in (Image.fromarray(pixels), Image.fromarray(np.dstack([pixels] * 3))):
        key = 1 if image.mode == "L" else (1, 1, 1)
        assert difference(fitted(written(image, "PNG", transparency=key)), reference) < 8


def bmp32(
    pixels: NDArray[Any],
    header_size: int = 40,
    packing: int = 0,
    from_top: bool = False,
    masks: tuple[int, ...] = (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
) -> bytes:
    """A BMP of ``(h, w, 4)`` RGBA pixels."""
    height, width = pixels.shape[:2]
    places = [(m & -m).bit_length() - 1 for m in masks]
    values = np.zeros((height, width), np.uint32)
    for i, place in enumerate(places):
        values += pixels[..., i].astype(np.uint32) << np.uint32(place)
    rows = values if from_top else values[::-1]
    told = struct.pack("<4I", *masks) if packing else b""
    head = struct.pack(
        "<IiiHHIIiiII", header_size, width, -height if from_top else height, 1, 32, packing, 0, 0, 0, 0, 0
    )
    head = (head + told[: max(12, header_size - 40)]).ljust(
        max(header_size, 40 + (12 if packing else 0)), b"\0"
    )
    start = 14 + len(head)
    return (
        b"BM" + struct.pack("<IHHI", start + rows.size * 4, 0, 0, start) + head + rows.astype("<u4").tobytes()
    )


SWAPPED = (0xFF, 0xFF00, 0xFF0000, 0xFF000000)


@pytest.mark.parametrize("from_top", [False, True])
@pytest.mark.parametrize(
    ("size", "packing", "masks"),
    [(40, 0, None), (56, 3, None), (108, 3, None), (124, 3, None), (124, 3, SWAPPED), (108, 0, None)],
)
def test_a_bmp_of_32_bits_is_read_with_or_without_its_alpha(
    size: int, packing: int, masks: tuple[int, ...] | None, from_top: bool, reference: NDArray[np.uint8]
) -> None:
    how: dict[str, Any] = {"header_size": size, "packing": packing, "from_top": from_top}
    if masks:
        how["masks"] = masks
    pixels = np.zeros((*INK.shape, 4), np.uint8)
    pixels[..., 3] = INK
    assert difference(fitted(bmp32(pixels, **how)), reference) < 2
    pixels = np.dstack([BLACK_ON_WHITE] * 3 + [np.zeros_like(INK)])  # a fourth byte that is not used
    assert difference(fitted(bmp32(pixels, **how)), reference) < 2
    pixels = np.full((8, 8, 4), (250, 20, 10, 255), np.uint8)
    assert [p.max() for p in decoders.read_planes(bmp32(pixels, **how)).colours] == [250, 20, 10]
    with pytest.raises(PictureError):
        ink.decode(bmp32(pixels, **how)[:-9])


def test_a_bmp_of_32_bits_that_names_three_masks_has_no_alpha(reference: NDArray[np.uint8]) -> None:
    pixels = np.dstack([BLACK_ON_WHITE] * 3 + [INK])
    assert difference(fitted(bmp32(pixels, packing=3)), reference) < 2


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("ending", [".png", ".tiff"])
def test_a_picture_of_10_or_12_bits_in_16_is_not_taken_for_black(
    bits: int, channels: int, ending: str, reference: NDArray[np.uint8]
) -> None:
    deep = (BLACK_ON_WHITE / 255 * (2**bits - 1)).astype(np.uint16)
    data = cv2.imencode(ending, np.dstack([deep] * channels) if channels > 1 else deep)[1].tobytes()
    assert difference(fitted(data), reference) < 2


def test_a_tiff_of_16_bits_in_either_byte_order_is_read(reference: NDArray[np.uint8]) -> None:
    for mode, kind in (("I;16", "<u2"), ("I;16B", ">u2")):
        deep = (BLACK_ON_WHITE.astype(np.uint16) * 16).astype(kind)
        image = Image.frombytes(mode, deep.shape[::-1], deep.tobytes())
        assert difference(fitted(written(image, "TIFF")), reference) < 2


def test_a_black_canvas_of_16_bits_with_a_little_noise_is_empty() -> None:
    noise = np.random.default_rng(0).integers(0, 300, (280, 280)).astype(np.uint16)
    assert fitted(cv2.imencode(".png", noise)[1].tobytes()) is None


# ── what stands around the picture ───────────────────────────────────────────────────────────────

VIDEO = (
    b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + np.random.default_rng(1).bytes(400_000) + b"\xff\xda\0\x08" * 200
)


@pytest.mark.parametrize(
    "more", [b"\0", b"\n", b"Screenshot" * 50, VIDEO, making.png(INK), b"PK\x03\x04 and a zip"]
)
@pytest.mark.parametrize("kind", ["PNG", "short PNG", "JPEG", "progressive JPEG", "GIF", "WebP", "BMP"])
def test_what_stands_behind_the_end_is_not_looked_at(
    kind: str, more: bytes, reference: NDArray[np.uint8]
) -> None:
    image = Image.fromarray(BLACK_ON_WHITE)
    if kind == "short PNG":
        data = making.png(np.dstack([BLACK_ON_WHITE] * 3), 2)
    else:
        data = written(image, kind.split()[-1], **({"progressive": True} if "progressive" in kind else {}))
    assert difference(fitted(data + more), reference) < 6


def test_a_jpeg_with_a_second_picture_in_it_is_read_by_its_first(reference: NDArray[np.uint8]) -> None:
    data = written(
        Image.fromarray(BLACK_ON_WHITE), "MPO", save_all=True, append_images=[Image.new("L", (280, 280))]
    )
    assert difference(fitted(data), reference) < 6


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_may_have_fill_bytes_before_any_marker(
    count: int, progressive: bool, reference: NDArray[np.uint8]
) -> None:
    data = written(Image.fromarray(BLACK_ON_WHITE), "JPEG", progressive=progressive)
    filled, before = bytearray(data[:2]), 2
    for marker, at in headers._segments(data):
        filled += data[before : at - 2] + b"\xff" * count + data[at - 2 : at]
        before = at
        assert data[at - 2 : at] == bytes([0xFF, marker])
    assert len(filled) > len(data) + 5 * count
    assert headers.read_header(bytes(filled)) == ("JPEG", 280, 280)
    assert difference(fitted(bytes(filled)), reference) < 6


def lying(picture: NDArray[Any], orientation: int) -> Image.Image:
    """The picture as a camera keeps it that says it lies so."""
    image = Image.fromarray(picture)
    flip = Image.Transpose
    how = {
        2: flip.FLIP_LEFT_RIGHT,
        3: flip.ROTATE_180,
        4: flip.FLIP_TOP_BOTTOM,
        5: flip.TRANSPOSE,
        6: flip.ROTATE_90,
        7: flip.TRANSVERSE,
        8: flip.ROTATE_270,
    }
    return image if orientation == 1 else image.transpose(how[orientation])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WebP", "AVIF", "HEIC"])
def test_a_picture_is_turned_upright_as_its_exif_says(
    kind: str, orientation: int, reference: NDArray[np.uint8]
) -> None:
    image = lying(BLACK_ON_WHITE[:240], orientation).convert("RGB")
    exif = image.getexif()
    exif[0x0112] = orientation
    if kind == "HEIC":  # has a property for it, and its Exif is to be ignored
        image.info["exif"] = exif.tobytes()
        data = written(image, kind)
    else:
        data = written(image, kind, exif=exif)
    assert ink.read_planes(data).colours[0].shape == (240, 280)
    assert difference(fitted(data), reference) < 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_also_a_png_that_goes_the_short_way_is_turned(orientation: int, reference: NDArray[np.uint8]) -> None:
    pixels = np.array(lying(BLACK_ON_WHITE[:240], orientation).convert("RGBA"))
    data = making.png(pixels, 2)
    exif = b"MM\0*" + struct.pack(">IH2HI2HI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    data = data[:33] + making.png_part(b"eXIf", exif) + data[33:]
    assert ink.read_planes(data).colours[0].shape == (240, 280)
    assert difference(fitted(data), reference) < 2


@pytest.mark.parametrize(
    "exif", [b"", b"II*\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff"]
)
def test_a_damaged_exif_leaves_the_picture_as_it_is(exif: bytes, reference: NDArray[np.uint8]) -> None:
    data = making.png(BLACK_ON_WHITE)
    assert difference(fitted(data[:33] + making.png_part(b"eXIf", exif) + data[33:]), reference) < 2


# ── phones ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
def test_phones_formats_are_read(kind: str, reference: NDArray[np.uint8]) -> None:
    data = written(Image.fromarray(BLACK_ON_WHITE).convert("RGB"), kind)
    assert headers.read_header(data) == (kind, 280, 280)
    assert difference(fitted(data), reference) < 6
    for end in range(0, len(data), max(1, len(data) // 50)):
        with pytest.raises(PictureError):
            ink.decode(data[:end])


@pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
def test_a_size_in_the_header_alone_refuses_phones_formats(kind: str) -> None:
    data = bytearray(written(Image.fromarray(BLACK_ON_WHITE).convert("RGB"), kind))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", 20_000, 20_000)
    with pytest.raises(PictureError, match="20000×20000") as caught:
        ink.decode(bytes(data))
    assert refusal(caught.value).status == 413


@pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
def test_where_there_is_no_room_for_phones_formats_the_way_out_is_said(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = written(Image.fromarray(BLACK_ON_WHITE).convert("RGB"), kind)
    decoders._have_decoder.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NotAPicture, match=r"extra 'serving'.*JPEG"):
        ink.decode(data)


@pytest.mark.parametrize(
    ("kind", "width", "height"), [("JPEG", 6000, 4000), ("progressive JPEG", 5664, 4240)]
)
def test_a_photo_of_24_megapixels_is_scaled_while_it_is_decoded(
    kind: str, width: int, height: int, reference: NDArray[np.uint8]
) -> None:
    photo = np.full((height, width), 255, np.uint8)
    photo[:4000, :4000] = cv2.resize(BLACK_ON_WHITE, (4000, 4000))
    data = written(Image.fromarray(photo).convert("RGB"), "JPEG", progressive="progressive" in kind)
    assert max(ink.read_planes(data).colours[0].shape) <= 3000
    assert difference(fitted(data), reference) < 6


def jpeg_of(width: int, height: int, progressive: bool = False) -> bytes:
    """The size alone changed: nothing may be decoded before it is refused."""
    data = bytearray(written(Image.new("L", (64, 64)), "JPEG", progressive=progressive))
    at = data.index(b"\xff\xc2" if progressive else b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize(
    ("width", "height", "progressive"), [(12000, 9000, False), (8000, 6000, True), (65535, 65535, False)]
)
def test_a_jpeg_that_would_take_much_memory_is_refused_by_its_header(
    width: int, height: int, progressive: bool
) -> None:
    with pytest.raises(PictureError, match=f"{width}×{height}") as caught:
        ink.decode(jpeg_of(width, height, progressive))
    assert refusal(caught.value).status == 413


def test_a_png_of_24_megapixels_is_refused_as_before() -> None:
    rows = zlib.compress(bytes(6001 * 4000))
    with pytest.raises(PictureError, match="6000×4000"):
        ink.decode(making.png_of(struct.pack(">II5B", 6000, 4000, 8, 0, 0, 0, 0), rows))
