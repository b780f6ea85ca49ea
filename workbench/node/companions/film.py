"""The film of learning: a model's numbers after 0, 1, 2, 5, 10, 20, 50, 100, … steps, for pages that compute with them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import keras
import numpy as np

from workbench.film import FOLDER, FilmSoFar, Frame, Growing, show_examples
from workbench.manifest import Input
from workbench.node.companions import browser, sample
from workbench.node.companions.sample import MOST_PIXELS
from workbench.node.data import Batches
from workbench.node.model import says_logits

MARKS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
MOST_NUMBERS = 200_000
"""Of a model, so that a whole film is below 8 MB."""
INSTEAD = "See inside on the drawing page shows its layers once it is deployed"


@dataclass
class Film:
    """The frames so far; it grows while the model trains: one at each mark, and the newest, which the next one replaces."""

    form: dict[str, object]
    """The input and the steps, as in ``browser.json``."""
    steps: Sequence[browser.Step]
    frames: list[Frame] = field(default_factory=list)
    passing: bool = False
    """Whether the newest frame is at no mark."""
    absent: bool = False
    """Whether the form says why there are no frames, and never will be."""

    def next_mark(self, step: int) -> int:
        """The step after ``step`` at which the next frame is due."""
        if self.absent:
            return 2**62
        return next((mark for mark in MARKS if mark > max(self._last, step)), 2**62)

    def is_due(self, step: int) -> bool:
        """Tell whether a mark has been reached since the last frame."""
        return not self.absent and any(self._last < mark <= step for mark in MARKS)

    def take(self, step: int) -> None:
        """Keep the model as it is now; the same step again replaces its frame."""
        if self.absent:
            return
        arrays = [weight().ravel() for made in self.steps for weight in made.weights]
        flat = np.concatenate(arrays) if arrays else np.zeros(0, np.float32)
        numbers = flat.clip(-65_000, 65_000).astype("<f2").tobytes()
        at_mark = self.is_due(step) or (
            bool(self.frames) and self.frames[-1].step == step and not self.passing
        )
        kept = self.frames[:-1] if self.passing else self.frames
        self.frames = [frame for frame in kept if frame.step < step] + [Frame(step, numbers)]
        self.passing = not at_mark

    def take_over(self, kept: FilmSoFar, step: int) -> int:
        """Take over the frames of the same model as it was up to ``step``; the step of the last one, -1 if there is none.

        Frames that came after it were of steps that are done anew, and one that only passed is no mark.
        """
        size = 2 * sum(weight().size for made in self.steps for weight in made.weights)
        if _computed(kept.form) != _computed(self.form):
            return -1
        frames = [frame for frame in kept.frames if frame.step in MARKS and frame.step <= step]
        if not frames or frames[0].step != 0 or any(len(frame.numbers) != size for frame in frames):
            return -1
        self.frames, self.passing = frames, False
        return self._last

    @property
    def _last(self) -> int:
        """The step of the newest frame that stays."""
        kept = self.frames[:-1] if self.passing else self.frames
        return kept[-1].step if kept else -1


def begin(
    model: keras.Model,
    batches: Batches,
    labels: Sequence[str] = (),
    examples: tuple[np.ndarray, np.ndarray] | None = None,
) -> Film | None:
    """A film of the model without a frame; ``None`` of what takes no pictures.

    Where no page could compute it, or where it would be too long, it never has one, and its form says why.

    Parameters
    ----------
    examples
        Some of what it is trained on, ``(x, y)``, as the recipe gave them.
    """
    given = batches.sample[0]
    shape: tuple[int, ...] = tuple(getattr(given, "shape", ()))[1:]
    if len(shape) != 3:
        return None
    if shape[2] != 1 or np.prod(shape) > MOST_PIXELS:
        size = "×".join(map(str, shape))
        return _absent(
            f"it takes pictures of {size}, and a film shows a drawing as grey pictures of at most {MOST_PIXELS:,} pixels"
        )
    span: tuple[float, float] = (0, 255) if given.dtype.is_integer else (0, 1)
    if examples is not None and examples[0].dtype.kind == "f" and examples[0].size:
        span = float(examples[0].min()), float(examples[0].max())
    takes = Input(shape, "image", range=span)
    try:
        steps = browser.steps(model, takes)
    except browser.NotForBrowsers as error:
        return _absent(f"a page cannot compute it, since {error}; {INSTEAD}")
    if why := _too_many(steps):
        return _absent(f"{why}; a smaller network has one, and {INSTEAD}")
    form: dict[str, object] = {
        "format": 1,
        "input": {"shape": list(shape), "range": list(span)},
        "labels": list(labels),
        "output": "logits" if says_logits(model) else "probabilities",
        "steps": [browser.as_json(step) for step in steps],
    }
    chosen = sample.choose(examples, takes) if examples is not None else None
    if chosen is not None:
        form["examples"] = show_examples(*chosen, labels)
    return Film(form, steps)


class Machines(Protocol):
    """The machines of a training: what a strategy is to a film."""

    def sum(self, values: np.ndarray) -> np.ndarray:
        """The sum over all machines, the same on each."""
        ...


def go_on(film: Film, folder: Path | None, step: int, machines: Machines) -> bool:
    """Go on with the film in a folder from ``step`` on; ``False`` where it has no beginning there.

    All machines say the same, since they stop for frames together, though the leading one alone has the folder.
    """
    if film.absent:
        return True
    last = -1
    if folder is not None:
        kept = Growing(folder, FOLDER)
        kept.refresh()
        last = film.take_over(kept, step)
    (found,) = machines.sum(np.array([last + 1.0]))
    if folder is None and found:
        film.frames = [Frame(int(found) - 1, b"")]
    return bool(found)


def _computed(form: Mapping[str, object]) -> str:
    """What a form's numbers are computed with, whatever its layers are called."""
    steps = form.get("steps")
    unnamed = [{**step, "of": ""} for step in steps] if isinstance(steps, list) else None
    return json.dumps([form.get("input"), unnamed], sort_keys=True)


def _absent(why: str) -> Film:
    return Film({"format": 1, "missing": why}, (), absent=True)


def _too_many(steps: Sequence[browser.Step]) -> str:
    """Say how many numbers a model has, and the layer that has the most; empty where a film has room for them."""
    of: dict[str, int] = {}
    for step in steps:
        of[step.of] = of.get(step.of, 0) + sum(weight().size for weight in step.weights)
    total = sum(of.values())
    if total <= MOST_NUMBERS:
        return ""
    largest = max(of, key=lambda layer: of[layer])
    return f"it has {total:,} numbers ({largest} alone {of[largest]:,}), and a film keeps at most {MOST_NUMBERS:,} a step"
