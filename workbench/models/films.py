"""The film of a version's learning, as it lies in ``film.json``."""

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path

from workbench.artifact import FILM

MOST_BYTES, MOST_FRAMES = 16 * 1024 * 1024, 32


@dataclass(frozen=True)
class Frame:
    """The model after ``step`` steps: its numbers as little-endian float16."""

    step: int
    numbers: bytes


@dataclass(frozen=True)
class Film:
    """The input and the steps of a model, and its frames."""

    form: dict[str, object]
    frames: tuple[Frame, ...]


def read(folder: Path) -> Film | None:
    """Read the film of the version in a folder; ``None`` where there is none that is sound."""
    path = folder / FILM
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        told = json.loads(path.read_text())
        frames = tuple(
            Frame(int(frame["step"]), base64.b64decode(frame["weights"], validate=True))
            for frame in told.pop("frames")[:MOST_FRAMES]
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, binascii.Error):
        return None
    return Film(told, frames) if frames else None
