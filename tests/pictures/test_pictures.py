"""Hostile bytes to ink, ink to what the model sees."""

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from backend.errors import refusal
from tests.backend import making
from workbench.errors import PictureError
from workbench.pictures import ink as images

RGBA_BLACK, RGBA_WHITE, NOTHING = (0, 0, 0, 255), (255, 255, 255, 255), (0, 0, 0, 0)
KINDS = ("PNG", "JPEG", "GIF", "WebP", "BMP", "TIFF")


def fitted(data: bytes) -> Any:
    return images.fit(images.decode(data))


def difference(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.abs(a.astype(int) - b).mean())


def outcome(data: bytes) -> int:
    """The status that these bytes would be answered with."""
    try:
        picture = fitted(data)
    except PictureError as error:
        return refusal(error).status
    return 200 if picture is None or picture.shape == (28, 28) else 500


@pytest.fixture(scope="module")
def reference() -> NDArray[np.uint8]:
    found = images.fit(images.decode(making.png(making.seven())))
    assert found is not None
    return found


# ── decoding ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("way", [0, 1, 2])
@given(pixels=hnp.arrays(np.uint8, st.tuples(*[st.integers(1, 12)] * 2, st.integers(1, 4))))
def test_every_way_of_filtering_gives_the_pixels_that_were_written(
    way: int | None, pixels: NDArray[np.uint8]
) -> None:
    colours, alpha = images.read_planes(making.png(pixels, way))
    channels = pixels.shape[2]
    shown = pixels[:, :, :3] if channels > 2 else pixels[:, :, [0, 0, 0]]
    assert (np.dstack([colours[i % len(colours)] for i in range(3)]) == shown).all()
    opacity = pixels[:, :, -1] if channels in (2, 4) else np.full(pixels.shape[:2], 255)
    assert np.array_equal(np.full(opacity.shape, 255) if alpha is None else alpha, opacity)


def test_a_grey_canvas_is_read_as_one_plane_by_the_short_way_and_by_opencv_alike() -> None:
    canvas = making.seven(ink=RGBA_WHITE, paper=RGBA_BLACK)
    short = images.read_planes(making.png(canvas, 2))
    assert len(short.colours) == 1
    assert short.alpha is None
    assert (images.read_planes(making.png(canvas)).colours[0] == short.colours[0]).all()


def test_a_picture_of_16_bits_or_with_a_palette_is_read() -> None:
    grey = making.seven()
    deep = cv2.imencode(".png", grey.astype(np.uint16) * 257)[1].tobytes()
    palette = making.saved(grey // 64 * 64, "PNG")
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(grey).convert("P").save(file, "PNG")
    for data in (deep, palette, file.getvalue()):
        assert difference(images.decode(data), grey) < 3


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_and_gives_the_same_digit(kind: str, reference: NDArray[np.uint8]) -> None:
    picture = making.seven(ink=(0, 0, 0), paper=(255, 255, 255))
    assert difference(fitted(making.saved(picture, kind)), reference) < 4


def test_a_photo_is_turned_upright_as_its_camera_says(reference: NDArray[np.uint8]) -> None:
    from PIL import Image

    turned = Image.fromarray(np.rot90(making.seven(ink=0, paper=255)).copy())  # as held
    exif = turned.getexif()
    exif[0x0112] = 6
    file = io.BytesIO()
    turned.save(file, "JPEG", exif=exif, quality=95)
    assert difference(fitted(file.getvalue()), reference) < 6


@pytest.mark.parametrize("kind", KINDS)
def test_the_header_alone_tells_the_size(kind: str) -> None:
    data = making.saved(making.seven()[:200], kind)
    assert images.read_header(data) == (kind, 280, 200)


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_cut_off_anywhere_is_refused_or_read_but_never_breaks(kind: str) -> None:
    data = making.saved(making.seven(64, 8), kind)
    for end in [*range(0, 60), *range(60, len(data), max(1, len(data) // 60))]:
        assert outcome(data[:end]) in ({400, 415} if kind == "PNG" else {200, 400, 413, 415})


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_a_damaged_picture_never_raises_anything_but_a_refusal(data: st.DataObject, kind: str) -> None:
    good = bytearray(making.saved(making.seven(40, 4), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    assert outcome(bytes(good)) in (200, 400, 413, 415)


@given(data=st.binary(max_size=300))
@example(data=b"")
@example(data=b"BM")
@example(data=b"\xff\xd8\xff" + b"\xff" * 40)
@example(data=b"II*\0\xff\xff\xff\xff")
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(PictureError) as caught:
        images.decode(data)
    assert refusal(caught.value).status in (400, 413, 415)


def test_a_bomb_is_refused_by_its_header_before_a_byte_of_it_is_unpacked() -> None:
    rows = zlib.compress(bytes(20_000 * 2_501), 9)
    bomb = making.png_of(struct.pack(">II5B", 20_000, 20_000, 1, 0, 0, 0, 0), rows)
    with pytest.raises(PictureError, match="20000×20000") as caught:
        images.decode(bomb)
    assert refusal(caught.value).status == 413


@pytest.mark.parametrize(("colour", "depth", "interlaced"), [(0, 8, 0), (0, 1, 1), (2, 16, 0), (6, 8, 1)])
def test_data_that_goes_on_behind_the_last_row_is_refused_before_all_of_it_is_unpacked(
    colour: int, depth: int, interlaced: int
) -> None:
    bomb = zlib.compress(bytes(20_000_000), 9)
    header = struct.pack(">II5B", 28, 28, depth, colour, 0, 0, interlaced)
    with pytest.raises(PictureError, match="longer than its size"):
        images.decode(making.png_of(header, bomb))


def test_a_frame_larger_than_its_file_says_is_refused() -> None:
    data = bytearray(making.saved(making.seven(64), "GIF"))
    at = data.index(b",\0\0\0\0") + 5
    data[at : at + 4] = struct.pack("<HH", 5000, 5000)
    with pytest.raises(PictureError, match="5000×5000") as caught:
        images.decode(bytes(data))
    assert refusal(caught.value).status == 413


def test_a_jpeg_of_a_thousand_scans_is_refused_before_one_is_decoded() -> None:
    data = making.saved(making.seven(64), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(PictureError, match="scans"):
        images.decode(data[:-2] + scan * 1000 + data[-2:])


def test_deep_pixels_count_by_what_they_unpack_to() -> None:
    deep = making.png_of(struct.pack(">II5B", 4000, 4000, 16, 6, 0, 0, 0), zlib.compress(b""))
    with pytest.raises(PictureError, match="unpacks") as caught:
        images.decode(deep)
    assert refusal(caught.value).status == 413


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_large_photo_gives_the_same_digit(kind: str, reference: NDArray[np.uint8]) -> None:
    photo = cv2.resize(making.seven(ink=0, paper=255), (3000, 3000))
    assert difference(fitted(making.saved(photo, kind)), reference) < 4


def test_data_longer_than_the_size_says_is_not_unpacked_to_its_end() -> None:
    more = zlib.compress(b"\x02" + bytes(100_000_000), 9)
    with pytest.raises(PictureError, match="not as long"):
        images.decode(making.png_of(struct.pack(">II5B", 10, 10, 8, 0, 0, 0, 0), more))


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(PictureError, match="more than 10") as caught:
        images.decode(making.png(making.seven()), max_bytes=10)
    assert refusal(caught.value).status == 413


def test_a_picture_with_a_wrong_checksum_is_refused() -> None:
    data = bytearray(making.png(making.seven()))
    data[60] ^= 1
    with pytest.raises(PictureError, match="damaged"):
        images.decode(bytes(data))


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 415),
        ("hello", 415),
        ("data:text/html;base64,PGI+", 415),
        ("data:image/png,raw", 400),
        ("data:image/png;base64,A", 400),
        ("data:image/png;base64,é", 400),
        ("data:image/png;base64", 415),
    ],
)
def test_a_data_url_that_is_none_is_refused(text: str, status: int) -> None:
    with pytest.raises(PictureError) as caught:
        images.from_data_url(text)
    assert refusal(caught.value).status == status


@given(data=st.binary(min_size=1, max_size=200))
def test_a_data_url_gives_its_bytes_back_as_text_or_bytes(data: bytes) -> None:
    url = making.data_url(data)
    assert images.from_data_url(url) == images.from_data_url(url.decode()) == data
    assert images.from_data_url(b"\n " + url + b"\r\n") == data


def test_what_the_model_saw_can_be_shown(reference: NDArray[np.uint8]) -> None:
    data = images.from_data_url(images.to_data_url(reference))
    shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert shown is not None
    assert np.array_equal(shown, reference)


# ── ink ──────────────────────────────────────────────────────────────────────────────────────────

CANVASES = {
    "white on black": making.seven(ink=RGBA_WHITE, paper=RGBA_BLACK),
    "black on white": making.seven(ink=RGBA_BLACK, paper=RGBA_WHITE),
    "black on nothing": making.seven(ink=RGBA_BLACK, paper=NOTHING),
    "white on nothing": making.seven(ink=RGBA_WHITE, paper=(255, 255, 255, 0)),
    "blue on yellow": making.seven(ink=(0, 0, 160, 255), paper=(255, 250, 180, 255)),
    "red on green of one lightness": making.seven(ink=(200, 30, 0, 255), paper=(0, 114, 0, 255)),
    "grey on dark grey": making.seven(ink=(120, 120, 120, 255), paper=(60, 60, 60, 255)),
}


@pytest.mark.parametrize("canvas", CANVASES.values(), ids=CANVASES.keys())
@pytest.mark.parametrize("way", [None, 1, 2])
def test_a_drawing_is_the_same_whatever_its_colours(
    canvas: NDArray[np.uint8], way: int | None, reference: NDArray[np.uint8]
) -> None:
    assert difference(fitted(making.png(canvas, way)), reference) < 2


@pytest.mark.parametrize("paper", [NOTHING, RGBA_BLACK, RGBA_WHITE, (90, 200, 30, 255), (255, 0, 0, 128)])
def test_an_empty_canvas_is_no_drawing(paper: Any) -> None:
    assert fitted(making.png(np.full((280, 280, 4), paper, np.uint8), 2)) is None


@given(side=st.integers(1, 400), level=st.integers(0, 255), seed=st.integers(0, 9))
@example(side=26, level=8, seed=2)
@example(side=34, level=12, seed=3)
@settings(deadline=None)
def test_paper_alone_is_no_drawing_however_large_or_grainy(side: int, level: int, seed: int) -> None:
    grain = np.random.default_rng(seed).normal(0, 4, (side, side))
    paper = np.clip(level + grain, 0, 255).astype(np.uint8)
    assert side < 16 or fitted(making.png(paper)) is None


@pytest.mark.parametrize("dots", [1, 2, 5, 30])
def test_specks_of_dust_are_no_drawing(dots: int) -> None:
    paper = np.zeros((280, 280), np.uint8)
    for y, x in np.random.default_rng(dots).integers(5, 270, (dots, 2)):
        paper[y : y + 2, x : x + 2] = 255
    assert fitted(making.png(paper)) is None


def test_specks_beside_a_drawing_do_not_move_it(reference: NDArray[np.uint8]) -> None:
    drawn = making.seven()
    for y, x in np.random.default_rng(1).integers(5, 270, (60, 2)):
        drawn[y : y + 2, x : x + 2] = 255
    assert difference(fitted(making.png(drawn)), reference) < 3


def test_a_small_drawing_in_a_large_canvas_is_a_drawing(reference: NDArray[np.uint8]) -> None:
    canvas = np.zeros((1000, 1000), np.uint8)
    canvas[900:928, 40:68] = cv2.resize(making.seven(), (28, 28), interpolation=cv2.INTER_AREA)
    assert difference(fitted(making.png(canvas)), reference) < 12


def test_a_dot_made_with_the_pen_is_a_drawing() -> None:
    canvas = np.zeros((280, 280), np.uint8)
    cv2.circle(canvas, (200, 60), 8, 255, -1)
    assert fitted(making.png(canvas)) is not None


@pytest.mark.parametrize("quality", [20, 60, 90])
def test_what_compression_leaves_is_no_ink(quality: int, reference: NDArray[np.uint8]) -> None:
    data = making.saved(making.seven(ink=0, paper=255), "JPEG", quality=quality)
    assert difference(fitted(data), reference) < 6


def test_a_drawing_that_touches_the_edge_keeps_its_polarity() -> None:
    canvas = np.zeros((280, 280), np.uint8)
    cv2.line(canvas, (0, 0), (279, 279), 255, 30)
    cv2.line(canvas, (0, 140), (140, 0), 255, 30)
    assert images.decode(making.png(canvas))[140, 140] == 255
    assert images.decode(making.png(255 - canvas))[140, 140] == 255


def test_a_card_with_transparent_corners_is_read_by_its_ink_not_by_its_outline(
    reference: NDArray[np.uint8],
) -> None:
    card = making.seven(ink=RGBA_BLACK, paper=(240, 240, 235, 255))
    mask = np.zeros((280, 280), np.uint8)
    cv2.rectangle(mask, (12, 0), (267, 279), 255, -1)
    cv2.rectangle(mask, (0, 12), (279, 267), 255, -1)
    card[:, :, 3] = mask
    assert difference(fitted(making.png(card, 2)), reference) < 3


@pytest.mark.parametrize("dark_ink", [True, False])
def test_a_photo_with_uneven_light_gives_the_digit(dark_ink: bool, reference: NDArray[np.uint8]) -> None:
    rng = np.random.default_rng(3)
    ink = cv2.resize(making.seven(), (900, 900)) / 255
    y, x = np.mgrid[0:1:900j, 0:1:900j]
    light = 0.35 + 0.6 * (0.6 * x + 0.4 * y)
    shade = light * (1 - 0.75 * ink) if dark_ink else light * (0.3 + 0.7 * ink)
    photo = np.clip(shade * 235 + rng.normal(0, 5, shade.shape), 0, 255).astype(np.uint8)
    assert difference(fitted(making.saved(photo, "JPEG", quality=80)), reference) < 14
    empty = np.clip(light * 235 + rng.normal(0, 5, shade.shape), 0, 255).astype(np.uint8)
    assert fitted(making.saved(empty, "JPEG", quality=80)) is None


# ── fitting ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("side", [40, 140, 280, 561, 1120])
@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (0.35, 0.2)])
def test_size_and_place_do_not_matter(side: int, x: float, y: float, reference: NDArray[np.uint8]) -> None:
    way = cv2.INTER_AREA if side < 280 else cv2.INTER_LINEAR
    canvas = cv2.resize(making.seven(), (side, side), interpolation=way)
    canvas = np.roll(canvas, (int(y * side), int(x * side)), axis=(0, 1))
    assert difference(fitted(making.png(canvas)), reference) < 6


@pytest.mark.parametrize("pen", [1, 3, 8, 15, 30, 40])
def test_a_pen_of_any_width_draws_strokes_like_mnists(pen: int) -> None:
    picture = fitted(making.png(making.seven(280, pen)))
    line = (picture > 128).astype(np.uint8)
    inner = cv2.erode(line, np.ones((3, 3), np.uint8))
    assert 1.2 < 2 * line.sum() / (line.sum() - inner.sum()) < 4.2


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000))
def test_a_fitted_drawing_is_20_pixels_long_and_its_mass_is_at_pixel_14(seed: int) -> None:
    rng = np.random.default_rng(seed)
    canvas = np.zeros((300, 300), np.uint8)
    points = rng.integers(30, 270, (rng.integers(2, 7), 2)).astype(np.int32)
    cv2.polylines(canvas, [points], False, 255, int(rng.integers(4, 40)), cv2.LINE_AA)
    picture = fitted(making.png(canvas))
    rows, columns = np.flatnonzero(picture.any(1)), np.flatnonzero(picture.any(0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    assert 17 <= max(height, width) <= 20
    mass = cv2.moments(picture)
    cut = rows[0] == 0 or columns[0] == 0 or rows[-1] == 27 or columns[-1] == 27
    assert cut or abs(mass["m10"] / mass["m00"] - 14) <= 0.51
    assert cut or abs(mass["m01"] / mass["m00"] - 14) <= 0.51
    assert picture.max() == 255


def test_a_picture_as_mnists_are_comes_out_as_it_went_in() -> None:
    inside = cv2.resize(making.seven()[50:210, 50:170], (15, 20), interpolation=cv2.INTER_AREA)
    inside[0, 0] = inside[-1, 5] = 255
    picture = np.zeros((28, 28), np.uint8)
    mass = cv2.moments(inside)
    top, left = round(14 - mass["m01"] / mass["m00"]), round(14 - mass["m10"] / mass["m00"])
    picture[top : top + 20, left : left + 15] = inside
    assert difference(fitted(making.png(picture)), picture) < 1


@given(ink=hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_any_ink_can_be_fitted(ink: Any) -> None:
    picture = images.fit(ink)
    assert picture is None or (picture.shape == (28, 28) and picture.any())


def test_a_plain_resize_keeps_colours_and_order() -> None:
    red = np.full((40, 60, 3), (250, 10, 20), np.uint8)
    planes = images.read_planes(making.png(red, 2))
    assert (images.resize(planes, 32, 32, 3) == (250, 10, 20)).all()
    assert images.resize(planes, 32, 24, 1).shape == (24, 32, 1)
