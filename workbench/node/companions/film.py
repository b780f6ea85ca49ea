"""The film of learning: a model's numbers after 0, 1, 2, 5, 10, 20, 50, 100, … steps, for pages that compute with them."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from workbench.artifact import FILM
from workbench.manifest import Input
from workbench.node.companions import browser
from workbench.node.companions.sample import MOST_PIXELS
from workbench.node.data import Batches

MARKS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
MOST_NUMBERS = 200_000
"""Of a model, so that a whole film is below 8 MB."""


@dataclass(frozen=True)
class Frame:
    """The model after ``step`` steps: its numbers as little-endian float16, in the order of its steps' shapes."""

    step: int
    numbers: bytes


@dataclass
class Film:
    """The frames so far; it grows while the model trains."""

    form: dict[str, object]
    """The input and the steps, as in ``browser.json``."""
    steps: Sequence[browser.Step]
    frames: list[Frame] = field(default_factory=list)

    def next_mark(self, step: int) -> int:
        """The step after ``step`` at which the next frame is due."""
        last = self.frames[-1].step if self.frames else -1
        return next((mark for mark in MARKS if mark > max(last, step)), 2**62)

    def is_due(self, step: int) -> bool:
        """Tell whether a mark has been reached since the last frame."""
        last = self.frames[-1].step if self.frames else -1
        return any(last < mark <= step for mark in MARKS)

    def take(self, step: int) -> None:
        """Keep the model as it is now; the same step again replaces its frame."""
        arrays = [weight().ravel() for made in self.steps for weight in made.weights]
        flat = np.concatenate(arrays) if arrays else np.zeros(0, np.float32)
        numbers = flat.clip(-65_000, 65_000).astype("<f2").tobytes()
        self.frames = [frame for frame in self.frames if frame.step < step] + [Frame(step, numbers)]

    def write(self, folder: Path) -> None:
        """Write ``film.json``."""
        frames = [
            {"step": frame.step, "weights": base64.b64encode(frame.numbers).decode()} for frame in self.frames
        ]
        text = json.dumps({**self.form, "frames": frames}, separators=(",", ":"))
        (folder / FILM).write_text(text)


def begin(model: keras.Model, batches: Batches) -> Film | None:
    """A film of the model without a frame; ``None`` where no page could compute it, or where it would be too long."""
    given = batches.sample[0]
    shape: tuple[int, ...] = tuple(getattr(given, "shape", ()))[1:]
    if len(shape) != 3 or shape[2] != 1 or np.prod(shape) > MOST_PIXELS:
        return None
    takes = Input(shape, "image")
    try:
        steps = browser.steps(model, takes)
    except browser.NotForBrowsers:
        return None
    if sum(weight().size for step in steps for weight in step.weights) > MOST_NUMBERS:
        return None
    form: dict[str, object] = {
        "format": 1,
        "input": {"shape": list(shape), "range": [0, 255] if given.dtype.is_integer else [0, 1]},
        "steps": [browser.as_json(step) for step in steps],
    }
    return Film(form, steps)
