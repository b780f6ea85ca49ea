"""Bring an untrusted picture into the form of a model's input, as the version's manifest describes it."""

import threading
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from workbench.manifest import Manifest
from workbench.pictures import ink
from workbench.pictures.headers import Header
from workbench.pictures.memory import one_at_a_time

USUAL_PIXELS, USUAL_BYTES = 512 * 512, 256 * 1024
"""No page's canvas is above these. PNGs up to this are read within a millisecond, and one at a time in each worker:
threads that compute at once only take the interpreter from each other. With eight visitors at once, a queue costs an
eighth less CPU, and one request in a hundred takes three fifths of the time that it took without."""
_usual = threading.Lock()


def read_ink(data: bytes) -> ink.Ink:
    """Find the ink ``(h, w)`` in an untrusted picture, in its turn."""
    header = ink.read_header(data)
    with _turn(header, len(data)):
        return ink.decode(data)


def prepare(data: bytes, manifest: Manifest) -> tuple[NDArray[np.float32] | None, NDArray[np.uint8] | None]:
    """Make the model's input ``(1, h, w, c)`` and the same as pixels; ``None`` where nothing was drawn."""
    header = ink.read_header(data)
    height, width, channels = manifest.takes.sizes
    with _turn(header, len(data)):
        if manifest.preprocessing == "mnist":
            seen = ink.fit(ink.decode(data))
        else:
            seen = ink.resize(ink.read_planes(data), width, height, channels)
    if seen is None:
        return None, None
    x = seen.reshape(1, height, width, channels).astype(np.float32)
    low, high = manifest.takes.range
    if (low, high) != (0, 255):
        x = x * np.float32((high - low) / 255) + np.float32(low)
        if manifest.takes.dtype == "bool":
            return (x > (low + high) / 2).astype(np.float32), seen
        if "int" in manifest.takes.dtype:
            x = np.rint(x)
    return x, seen


def _turn(header: Header, count: int) -> AbstractContextManager[object]:
    pixels = header.width * header.height
    is_usual = header.kind == "PNG" and pixels <= USUAL_PIXELS and count <= USUAL_BYTES
    return _usual if is_usual else one_at_a_time(pixels)
