"""The film of learning: a network's numbers after so and so many steps, as a file of a version and as a folder that grows."""

import base64
import binascii
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from workbench.artifact import ALIKE, FILM, FILM_FOLDER, UNREADABLE
from workbench.system import files, untrusted_folders

FOLDER = FILM_FOLDER
FORM = "form.json"
MOST_BYTES, MOST_FRAMES = 16 * 1024 * 1024, 32
EXAMPLES = 200
"""Of what a network learned from, that come with a film."""
_FRAME = re.compile(r"frame-([0-9]{1,12})")


@dataclass(frozen=True)
class Frame:
    """The model after ``step`` steps: its numbers as little-endian float16, in the order of its steps' shapes."""

    step: int
    numbers: bytes


class FilmSoFar(Protocol):
    """The input and the steps of a model, and its frames; or, in the form, ``missing``: why there are none."""

    @property
    def form(self) -> Mapping[str, object]: ...
    @property
    def frames(self) -> Sequence[Frame]: ...


@dataclass(frozen=True)
class Film:
    """A film that does not grow."""

    form: Mapping[str, object]
    frames: tuple[Frame, ...]


def absent(why: str) -> Film:
    """A film that there is not, with the reason, for who would like to see it."""
    return Film({"format": 1, "missing": why}, ())


def why_absent(film: FilmSoFar) -> str:
    """Give the reason why a film has no frames; empty where it has, or will have."""
    why = film.form.get("missing")
    return why if isinstance(why, str) and not film.frames else ""


def write(film: FilmSoFar, folder: Path) -> None:
    """Write ``film.json`` of a version; its examples lie beside it already, in ``alike.npz``."""
    form = {name: value for name, value in film.form.items() if name != "examples"}
    frames = [{"step": one.step, "weights": base64.b64encode(one.numbers).decode()} for one in film.frames]
    (folder / FILM).write_text(json.dumps({**form, "frames": frames}, separators=(",", ":")))


def read(folder: Path) -> Film | None:
    """Read the film of the version in a folder, or why it has none; ``None`` where there is nothing that is sound."""
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
    if not frames:
        nothing = Film(told, ())
        return nothing if why_absent(nothing) else None
    return Film(
        {**told, **read_examples(folder, names if isinstance(names := told.get("labels"), list) else ())},
        frames,
    )


def show_examples(
    x: np.ndarray, y: np.ndarray, labels: Sequence[str], most: int = EXAMPLES
) -> dict[str, object]:
    """Some of the examples as a form has them: as many of each class.

    Parameters
    ----------
    x, y
        Pixels ``(n, h, w, 1)``, 0 to 255, and classes ``(n,)``.
    """
    classes = [int(one) for one in np.unique(y)]
    each = max(1, most // max(1, len(classes)))
    places = np.sort(
        np.concatenate([np.flatnonzero(y == one)[:each] for one in classes] or [np.zeros(0, int)])
    )
    places = places[:most]
    names = [labels[one] if 0 <= one < len(labels) else str(one) for one in map(int, y[places])]
    return {"pixels": base64.b64encode(x[places].tobytes()).decode(), "labels": names}


def read_examples(folder: Path, labels: Sequence[object], most: int = EXAMPLES) -> dict[str, object]:
    """Some of the examples that lie beside a version, as a form has them; empty where there are none."""
    try:
        with np.load(folder / ALIKE, allow_pickle=False) as archive:
            x, y = archive["x"], archive["y"]
    except (*UNREADABLE, OSError, KeyError):
        return {}
    if x.dtype != np.uint8 or y.shape != x.shape[:1] or y.dtype.kind not in "iu":
        return {}
    return {"examples": show_examples(x, y, [str(label) for label in labels], most)}


class Recorder:
    """Writes a film that grows into a folder: its form, and a file for each frame; what was left of another one goes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: set[int] | None = None

    def follow(self, film: FilmSoFar) -> None:
        """Write what is new, and remove the frames that have left the film."""
        if self._written is None:
            self._written = self._take_over(film)
            files.write_json(self._folder / FORM, dict(film.form))  # for who reads: a film of its own
        steps = {frame.step for frame in film.frames}
        for frame in film.frames:
            if frame.step not in self._written:
                files.write(self._folder / f"frame-{frame.step}", frame.numbers)
        for gone in self._written - steps:
            files.remove(self._folder / f"frame-{gone}")
        self._written = steps

    def _take_over(self, film: FilmSoFar) -> set[int]:
        """Leave the frames that a training which goes on has written before; what else is there goes."""
        if self._folder.is_symlink() or not self._folder.is_dir():
            files.remove(self._folder)
            self._folder.mkdir(parents=True)
        frames = {f"frame-{frame.step}": frame for frame in film.frames}
        written = set()
        for path in self._folder.iterdir():
            frame = frames.get(path.name)
            if frame is not None and _holds(path, frame.numbers):
                written.add(frame.step)
            else:
                files.remove(path)
        return written


def _holds(path: Path, content: bytes) -> bool:
    return not path.is_symlink() and path.is_file() and path.read_bytes() == content


class Growing:
    """A film that somebody else's code writes into a folder, as far as it was read; no link there is followed.

    Parameters
    ----------
    trusted, parts
        A folder that is trusted, and the way from there to the film's.
    """

    def __init__(self, trusted: Path, *parts: str) -> None:
        self._trusted, self._parts = trusted, parts
        self.form: Mapping[str, object] = {}
        self.frames: tuple[Frame, ...] = ()
        self.mark = ""
        """Of the training: another one begins a film of its own."""

    def refresh(self) -> bool:
        """Read what is new; whether there is a frame at all."""
        try:
            with untrusted_folders.opened(self._trusted, *self._parts) as folder:
                self._read(folder)
        except FileNotFoundError:
            self.form, self.frames, self.mark = {}, (), ""
        except (OSError, ValueError):
            pass  # just being replaced: the next look finds it
        return bool(self.frames)

    def _read(self, folder: int) -> None:
        found_at = os.stat(FORM, dir_fd=folder, follow_symlinks=False)
        if (mark := f"{found_at.st_mtime_ns:x}-{found_at.st_ino:x}") != self.mark:
            self.form, self.frames = untrusted_folders.read_json(folder, FORM, MOST_BYTES), ()
            self.mark = mark
        known = {frame.step: frame for frame in self.frames}
        steps = sorted(
            int(name[1]) for name in map(_FRAME.fullmatch, untrusted_folders.list_names(folder)) if name
        )
        found = []
        for step in steps[:MOST_FRAMES]:
            frame = known.get(step)
            if frame is None:
                numbers = untrusted_folders.read(folder, f"frame-{step}", MOST_BYTES // MOST_FRAMES)
                frame = Frame(step, numbers)
            found.append(frame)
        self.frames = tuple(found)
