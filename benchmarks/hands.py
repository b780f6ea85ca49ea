"""How right models are about what people draw with a pen: ``python -m benchmarks.hands [MODEL …] --data FOLDER``.

A model is a published one, ``NAME[:V]``, or a folder or notebook with a recipe, which is trained first, with seed 0. The
folder holds ``strokes.jsonl.gz``: one object a line, ``digit``, ``writer`` and ``strokes``, lists of ``[x, y]`` from 0 to 500
with y upward. They are drawn as a visitor's canvas and go through the very code by which the back end brings a drawing to
the model; with ``--plain`` a canvas is only made smaller, as the tutorial of 2020 did. The forms of the pen strokes that
recipes learn from were judged by the mistakes on even-numbered writers: odd-numbered ones are counted apart.
"""

import argparse
import gzip
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.deployments import engines
from benchmarks import scans, writers
from benchmarks.measuring import Row
from workbench import datasets, recipes
from workbench.errors import BadInput, Unavailable, WorkbenchError
from workbench.models import registry
from workbench.pictures import ink
from workbench.settings import Settings, from_environment

DATA = "HANDS_DATA"
"""The environment variable that names the folder where ``--data`` does not."""
SIDE, BOX = 280, 500
"""Pixels of a visitor's canvas, and units of the tablet's box."""
PENS = 10, 15, 25, 35, 50
SIZES = 0.3, 0.45, 0.6, 0.75, 0.9
"""Of the canvas' side, the longer side of a digit that is moved about."""
PLACES = 5
"""Along each side of the canvas."""
GOAL = 0.98
BINS = 10

Grey = NDArray[np.uint8]
Predict = Callable[[Grey], NDArray[np.float32]]
"""Pictures ``(n, 28, 28, 1)`` to probabilities ``(n, 10)``."""


@dataclass(frozen=True)
class Written:
    """One digit by one writer: strokes ``(points, 2)``, 0 to 500, y downward."""

    digit: int
    writer: int
    strokes: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True)
class Found:
    """What one model made of one pen's drawings; shares are from 0 to 1."""

    pen: int
    right: NDArray[np.bool_]
    writers: NDArray[np.int64]
    calibration: float
    """Expected calibration error: how far off what is said is from what is right, on average."""

    def share(self, odd: bool) -> float:
        return float(self.right[self.writers % 2 == odd].mean())

    @property
    def worst(self) -> tuple[float, int]:
        """The writer who is read least well, and how well."""
        return min((float(self.right[self.writers == w].mean()), int(w)) for w in np.unique(self.writers))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hands", description=__doc__)
    parser.add_argument("models", nargs="*", default=[str(recipes.DEFAULT)], help="default: the tutorial's")
    parser.add_argument("--data", type=Path, help=f"default: the environment variable {DATA}")
    parser.add_argument("--plain", action="store_true", help="only make canvases smaller")
    asked = parser.parse_args(arguments)
    try:
        written = read(asked.data or _named())
        for model in asked.models:
            told, predict = open_model(model, from_environment())
            print(report(told, predict, written, from_environment(), see_plainly if asked.plain else see))
    except WorkbenchError as error:
        print(f"hands: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def run() -> list[Row]:
    """Measure the tutorial's recipe, which is trained for it."""
    written = read(_named())
    told, predict = open_model(str(recipes.DEFAULT), from_environment())
    found = [measure(predict, written, pen, see) for pen in PENS]
    return [
        Row(
            f"hands: {told}, pen {f.pen}, odd-numbered writers",
            100 * f.share(odd=True),
            "%",
            goal=100 * GOAL,
            more=True,
        )
        for f in found
    ]


def _named() -> Path:
    if not os.environ.get(DATA):
        raise Unavailable(f"no digits that people drew are given; name their folder by --data or {DATA}")
    return Path(os.environ[DATA])


def read(folder: Path) -> list[Written]:
    """Read the digits that people drew, all of them."""
    path = folder / "strokes.jsonl.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            return [parse(line) for line in lines]
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise Unavailable(f"{path} cannot be read ({error}); give the folder in which it lies") from error


def parse(line: str) -> Written:
    """Take one line apart.

    >>> parse('{"digit": 1, "writer": 7, "strokes": [[[250, 500], [250, 0]]]}').strokes[0].tolist()
    [[250.0, 0.0], [250.0, 500.0]]
    """
    try:
        fields = json.loads(line)
        strokes = tuple(
            np.array(s, np.float64).reshape(-1, 2) * (1, -1) + (0, BOX) for s in fields["strokes"]
        )
        return Written(int(fields["digit"]), int(fields["writer"]), strokes)
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"a line of the strokes is not as it should be ({error!r}). Received: {line[:80]!r}"
        ) from error


def open_model(model: str, settings: Settings) -> tuple[str, Predict]:
    """Open a published model, or train a recipe; what it is called, and how it is asked."""
    if Path(model).exists():
        from workbench.node import training

        with tempfile.TemporaryDirectory() as folder:
            program = recipes.load(recipes.read(model), Path(folder))
            return Path(model).stem, training.train(program, program.load_data()[0], seed=0).predict
    version = registry.find(model, settings)
    return str(version), engines.load(version.folder, version.manifest).predict


def draw(strokes: Sequence[NDArray[np.float64]], pen: int) -> Grey:
    """Draw strokes in pixels on a visitor's canvas ``(280, 280)``, white on black, with a round pen."""
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    lines = [np.round(np.repeat(s, 2 if len(s) == 1 else 1, axis=0) * 16).astype(np.int32) for s in strokes]
    cv2.polylines(canvas, lines, False, 255, pen, cv2.LINE_AA, 4)
    return canvas


def see(canvas: Grey) -> Grey:
    """Fit a canvas as the back end does; where nothing is seen the picture is empty."""
    fitted = ink.fit(canvas)
    return np.zeros((28, 28), np.uint8) if fitted is None else fitted


def see_plainly(canvas: Grey) -> Grey:
    """Make a canvas smaller, as the tutorial of 2020 did."""
    return cv2.resize(canvas, (28, 28), interpolation=cv2.INTER_AREA).astype(np.uint8)


def measure(predict: Predict, written: Sequence[Written], pen: int, see: Callable[[Grey], Grey]) -> Found:
    """Ask the model about all digits, drawn where and as large as they were written."""
    pictures = np.stack([see(draw([s * (SIDE / BOX) for s in w.strokes], pen)) for w in written])
    answers = predict(pictures[..., None])
    right = answers.argmax(axis=1) == np.array([w.digit for w in written])
    return Found(pen, right, np.array([w.writer for w in written]), calibration(answers.max(axis=1), right))


def calibration(said: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """Mean distance between what is said and what is right, over tenths of what is said, weighed by how many there are.

    >>> calibration(np.array([0.75, 0.75, 0.75, 0.75], np.float32), np.array([True, True, True, False]))
    0.0
    """
    tenth = np.minimum((said * BINS).astype(int), BINS - 1)
    parts = [(tenth == t) for t in np.unique(tenth)]
    return float(sum(abs(said[p].mean() - right[p].mean()) * p.mean() for p in parts))


def move_about(predict: Predict, written: Sequence[Written], see: Callable[[Grey], Grey]) -> float:
    """The share of right answers where one digit of each kind is drawn at all places, in all sizes, with all pens."""
    pictures, digits = [], []
    for digit in range(10):
        one = next(w for w in written if w.digit == digit and w.writer % 2)
        points = np.concatenate(one.strokes)
        low, longer = points.min(axis=0), max(float(np.ptp(points, axis=0).max()), 1.0)
        for size in SIZES:
            strokes = [(s - low) * (size * SIDE / longer) for s in one.strokes]
            room = SIDE - np.concatenate(strokes).max(axis=0)
            for pen in (p for p in PENS if p <= size * SIDE / 4):
                for place in np.ndindex(PLACES, PLACES):
                    at = pen / 2 + (room - pen) * np.array(place) / (PLACES - 1)
                    pictures.append(see(draw([s + at for s in strokes], pen)))
                    digits.append(digit)
    return float((predict(np.stack(pictures)[..., None]).argmax(axis=1) == np.array(digits)).mean())


def report(
    told: str, predict: Predict, written: Sequence[Written], settings: Settings, see: Callable[[Grey], Grey]
) -> str:
    """All figures of one model, as Markdown."""
    lines = [
        f"| {told} | odd-numbered writers | even-numbered | worst writer | calibration error |",
        "| --- | --- | --- | --- | --- |",
    ]
    for found in (measure(predict, written, pen, see) for pen in PENS):
        share, writer = found.worst
        lines.append(
            f"| pen {found.pen} | {found.share(odd=True):.2%} | {found.share(odd=False):.2%} "
            f"| {share:.1%} ({writer}) | {found.calibration:.3f} |"
        )
    _, (x, y) = datasets.load("mnist", settings)
    lines += ["", f"- MNIST's test part: {(predict(x[..., None]).argmax(axis=1) == y).mean():.2%}"]
    lines.append(f"- any place, size and pen: {move_about(predict, written, see):.2%}")
    for one in scans.SETS:
        answered = writers.ask(predict, one, *scans.load(one, settings))
        lines.append(f"- {one.name} ({one.told}): {answered.accuracy:.2%}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
