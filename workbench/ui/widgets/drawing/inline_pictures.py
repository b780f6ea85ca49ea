"""Ink as PNG pictures that stand in a page without a file."""

import base64
import struct
import zlib
from collections.abc import Iterable

import numpy as np


def data_url(picture: np.ndarray) -> str:
    """Encode ``(h, w)`` with 0 = paper and 255 = ink as a PNG of black ink on nothing: the page is the paper."""
    ink = np.asarray(picture).astype(np.uint8)
    height, width = ink.shape
    rows = np.zeros(
        (height, 1 + 2 * width), np.uint8
    )  # each begins with 0, "not filtered", then grey, alpha, …
    rows[:, 2::2] = ink
    header = struct.pack(">IIBBBBB", width, height, 8, 4, 0, 0, 0)  # 8 bits, grey and alpha
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return "data:image/png;base64," + base64.b64encode(png).decode()


def picture_grid(items: Iterable[tuple[np.ndarray, str]]) -> str:
    """Lay pictures out in a grid, each with its caption, which is HTML."""
    figures = "".join(
        f'<figure><img alt="" src="{data_url(np.squeeze(picture))}"><figcaption>{caption}</figcaption></figure>'
        for picture, caption in items
    )
    return f'<div class="wb-pictures">{figures}</div>'
