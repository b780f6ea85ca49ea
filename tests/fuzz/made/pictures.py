"""One drawing as programs and phones write it: any encoder, palette, opacity, depth, metadata; always the same digit."""

import base64
import io
import random
import struct
import zlib
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, PngImagePlugin

from tests.backend import making
from tests.fuzz.made.case import Case, Generator
from workbench.pictures import ink

SAME = 24.0
"""Grey levels by which two fitted pictures of one drawing may differ in the mean; another digit differs by 30 and more."""
TAILS = (
    b"",
    b"",
    b"",
    b"\0" * 40,
    b"MotionPhoto_Data" + b"\0\0\0\x18ftypmp42" + bytes(60),
    b"<x:xmpmeta/>",
    b"PK\x05\x06" + bytes(18),
)


def make(chance: random.Random) -> Case:
    """The drawing of a seven, written by a random encoder."""
    side, pen = chance.randrange(80, 320), chance.randrange(16, 26)
    drawn = making.seven(side, pen)
    width, height = side + chance.randrange(60), side + chance.randrange(60)
    sheet = np.zeros((height, width), np.uint8)
    y, x = chance.randrange(height - side + 1), chance.randrange(width - side + 1)
    sheet[y : y + side, x : x + side] = drawn
    seen = ink.fit(sheet)
    assert seen is not None
    name = chance.choice([*ENCODERS])
    data, how = ENCODERS[name](chance, sheet)
    return Case(data, f"{name} {width}x{height} {how}", {"seen": base64.b64encode(seen.tobytes()).decode()})


def check(case: Case) -> None:
    """It is read as the same drawing."""
    seen = np.frombuffer(base64.b64decode(str(case.told["seen"])), np.uint8).reshape(28, 28)
    found = ink.fit(ink.decode(case.data))
    assert found is not None, "nothing is drawn"
    difference = float(np.abs(found.astype(int) - seen).mean())
    assert difference < SAME, f"another drawing, by {difference:.1f}"


# ── colours ──────────────────────────────────────────────────────────────────────────────────────


def _grey(chance: random.Random, sheet: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Dark on light or light on dark, never too faint."""
    dark, light = chance.randrange(70), chance.randrange(185, 256)
    share = sheet / 255
    first, last = (dark, light) if chance.random() < 0.4 else (light, dark)
    return np.asarray(first + (last - first) * share, np.uint8)


def _colour(chance: random.Random, sheet: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two colours that differ by much in some channel, RGB."""
    while True:
        paper, pen = ([chance.randrange(256) for _ in range(3)] for _ in range(2))
        if max(abs(a - b) for a, b in zip(paper, pen, strict=True)) > 150:
            share = sheet[..., None] / 255
            return np.asarray(np.array(paper) + (np.array(pen) - np.array(paper)) * share, np.uint8)


def _transparent(chance: random.Random, sheet: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Ink of one colour on nothing, RGBA; nothing may have any colour."""
    colour = np.array([chance.randrange(256) for _ in range(3)], np.uint8)
    pixels = np.zeros((*sheet.shape, 4), np.uint8)
    pixels[..., :3] = (
        colour if chance.random() < 0.5 else np.where(sheet[..., None] > 0, colour, chance.randrange(256))
    )
    pixels[..., 3] = sheet
    return pixels


def _any(chance: random.Random, sheet: NDArray[np.uint8]) -> tuple[Image.Image, str]:
    kind = chance.choice(("L", "RGB", "RGBA", "opaque"))
    if kind == "L":
        return Image.fromarray(_grey(chance, sheet)), kind
    if kind == "RGBA":
        return Image.fromarray(_transparent(chance, sheet)), kind
    image = Image.fromarray(_colour(chance, sheet))
    if kind == "opaque":
        image.putalpha(255)
    return image, kind


def _save(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


# ── encoders ─────────────────────────────────────────────────────────────────────────────────────


def _png(chance: random.Random, sheet: NDArray[np.uint8]) -> tuple[bytes, str]:
    image, mode = _any(chance, sheet)
    options: dict[str, Any] = {"compress_level": chance.randrange(10), "optimize": chance.random() < 0.2}
    if chance.random() < 0.3:
        texts = PngImagePlugin.PngInfo()
        texts.add_text("Software", "Some program ü")
        texts.add_itxt("XML:com.adobe.xmp", "<x/>", zip=chance.random() < 0.5)
        options["pnginfo"] = texts
    if chance.random() < 0.3:
        options["dpi"] = (96, 96)
    if chance.random() < 0.2 and image.mode == "RGB":
        options["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return _save(image, "PNG", **options) + chance.choice(TAILS), mode


def _png_palette(chance: random.Random, sheet: NDArray[np.uint8]) -> tuple[bytes, str]:
    image, mode = _any(chance, sheet)
    colours = chance.choice((4, 16, 64, 200))
    quantized = image.quantize(colours, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    return _save(quantized, "PNG"), f"{mode} {colours} colours"


def _png_bits(chance: random.Random, sheet: NDArray[np.uint8]) -> tuple[bytes, str]:
    """Grey of 1, 2, 4 or 16 bits a pixel, each row filtered in its own way."""
    bits = chance.choice((1, 2, 4, 16))
    grey = _grey(chance, sheet)
    if bits == 1:
        grey = np.where(grey > (int(grey.min()) + int(grey.max())) / 2, 255, 0).astype(np.uint8)
    height, width = grey.shape
    if bits == 16:
        values = (grey.astype(np.uint32) * (chance.choice((257, 257, 4, 16)))).astype(">u2")
        rows = np.frombuffer(values.tobytes(), np.uint8).reshape(height, width * 2)
    else:
        levels = grey >> (8 - bits)
        per = 8 // bits
        padded = np.pad(levels, ((0, 0), (0, -width % per))).reshape(height, -1, per)
        rows = np.zeros(padded.shape[:2], np.uint8)
        for place in range(per):
            rows |= padded[..., place] << (8 - bits * (place + 1))
    step = 2 if bits == 16 else 1
    out = bytearray()
    before = np.zeros(rows.shape[1], np.uint8)
    for row in rows:
        way = chance.randrange(3)
        left = (
            np.concatenate([np.zeros(step, np.uint8), row[:-step]]) if way == 1 else before if way == 2 else 0
        )
        out += bytes([way]) + (row - left).astype(np.uint8).tobytes()
        before = row
    header = struct.pack(">II5B", width, height, bits, 0, 0, 0, 0)
    return making.png_of(header, zlib.compress(bytes(out))), f"{bits} bits"


def _jpeg(chance: random.Random, sheet: NDArray[np.uint8]) -> tuple[bytes, str]:
    kind = chance.choice(("L", "RGB", "CMYK"))
    image = Image.fromarray(_grey(chance, sheet))
    if kind != "L":
        image = Image.fromarray(np.dstack([np.asarray(image)] * 3)).convert(kind)
    options: dict[str, Any] = {"quality": chance.randrange(60, 101), "progressive": chance.random() < 0.4}
    if kind == "RGB":
        options["subsampling"] = chance.randrange(3)
    if chance.random() < 0.3:
        options["comment"] = "drawn ü".encode()
    if chance.random() < 0.3:
        exif = Image.Exif()
        exif[0x010F], exif[0x9003] = "Phone", "2026:01:01 00:00:00"
        options["exif"] = exif.tobytes()
    if chance.random() < 0.3:
        options["restart_marker_blocks"] = chance.randrange(1, 20)
    return _save(image, "JPEG", **options) + chance.choice(TAILS), f"{kind} {options['quality']}"


def _turned(chance: random.Random, sheet: NDArray[np.uint8]) -> tuple[bytes, str]:
    """Kept lying or upside down, with Exif's word for how to hold it."""
    way = chance.randrange(1, 9)
    image = Image.fromarray(_grey(chance, sheet)).convert("RGB")
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose, which undoes each
    if way != 1:
        image = image.transpose(Image.Transpose(back[way]))
    exif = Image.Exif()
    exif[0x0112] = way
    kind = chance.choice(("JPEG", "PNG", "WebP"))
    return _save(image, kind, exif=exif.tobytes(), quality=90), f"{kind} {way}"


def _gif(chance: random.Random, sheet: NDArray[np.uint8]) -> tuple[bytes, str]:
    image, mode = _any(chance, sheet)
    if image.mode == "RGBA":
        alpha = image.getchannel("A").point(lambda a: 255 if a > 127 else 0)
        image.putalpha(alpha)
    options: dict[str, Any] = {"comment": b"made"} if chance.random() < 0.3 else {}
    if chance.random() < 0.3 and image.mode != "RGBA":
        options |= {"save_all": True, "append_images": [image.rotate(90)], "duration": 50, "loop": 0}
    options["interlace"] = chance.random() < 0.5
    return _save(image, "GIF", **options) + chance.choice(TAILS), mode


def _webp(chance: random.Random, sheet: NDArray[np.uint8]) -> tuple[bytes, str]:
    image, mode = _any(chance, sheet)
    lossless = chance.random() < 0.5
    quality = chance.randrange(60, 101)
    return _save(
        image.convert("RGB") if image.mode == "L" else image,
        "WebP",
        lossless=lossless,
        quality=quality,
        method=0,
    ), mode


def _bmp(chance: random.Random, sheet: NDArray[np.uint8]) -> tuple[bytes, str]:
    kind = chance.choice(("1", "L", "P", "RGB", "RGBA"))
    if kind == "RGBA":
        return _save(Image.fromarray(_transparent(chance, sheet)), "BMP"), kind
    grey = Image.fromarray(_grey(chance, sheet))
    if kind == "1":
        middle = float(np.asarray(grey).min() / 2 + np.asarray(grey).max() / 2)
        grey = grey.point(lambda v: 255 if v > middle else 0)
    return _save(grey.convert(kind, dither=Image.Dither.NONE), "BMP"), kind


def _tiff(chance: random.Random, sheet: NDArray[np.uint8]) -> tuple[bytes, str]:
    how = chance.choice((None, "raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"))
    if chance.random() < 0.3:
        grey = _grey(chance, sheet).astype(np.uint16) * 257
        return cv2.imencode(".tiff", grey)[1].tobytes(), "16 bits"
    image, mode = _any(chance, sheet)
    return _save(image, "TIFF", compression=how), f"{mode} {how}"


def _phone(chance: random.Random, sheet: NDArray[np.uint8]) -> tuple[bytes, str]:
    import pillow_heif

    pillow_heif.register_heif_opener()
    kind = chance.choice(("AVIF", "HEIF"))
    image, mode = _any(chance, sheet)
    options: dict[str, Any] = {"speed": 10} if kind == "AVIF" else {}
    return _save(image, kind, quality=chance.randrange(60, 100), **options), f"{kind} {mode}"


ENCODERS = {
    "PNG": _png,
    "PNG-palette": _png_palette,
    "PNG-bits": _png_bits,
    "JPEG": _jpeg,
    "turned": _turned,
    "GIF": _gif,
    "WebP": _webp,
    "BMP": _bmp,
    "TIFF": _tiff,
    "phone": _phone,
}
PICTURES = Generator("pictures of encoders", make, check)
