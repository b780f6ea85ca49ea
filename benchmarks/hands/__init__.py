"""How right models are about what people draw with a pen, and what they doubt: ``python -m benchmarks.hands``.

A model is a published one, ``NAME[:V]``, or a folder or notebook with a recipe, which is trained first, with seed 0. The
digits go through the very code by which the back end brings a drawing to the model; with ``--plain`` a canvas is only made
smaller, as the tutorial of 2020 did. The forms of the pen strokes that recipes learn from were judged by the mistakes on
even-numbered writers: odd-numbered ones are counted apart.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.hands import written
from benchmarks.hands.figures import measure
from benchmarks.hands.models import open_model
from benchmarks.hands.showing import picture, table
from benchmarks.hands.written import see, see_plainly
from benchmarks.measuring import Row
from workbench import recipes
from workbench.errors import Unavailable, WorkbenchError
from workbench.settings import PROJECT, from_environment

DATA = "HANDS_DATA"
"""The environment variable that names the folder where ``--data`` does not."""
PICTURE = PROJECT / "docs" / "accuracy" / "hands.svg"
GOALS = {10: 0.975, 15: 0.98, 25: 0.975, 35: 0.95}
"""The share of right answers by pen."""
SURE = 0.02
"""The goal for the calibration error."""
TOLD, DOUBTED = 0.9, 0.01
"""The goals for the share of other drawings that are told, and of digits that are doubted."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hands", description=__doc__)
    parser.add_argument("models", nargs="*", default=[str(recipes.DEFAULT)], help="default: the tutorial's")
    parser.add_argument("--data", type=Path, help=f"default: the environment variable {DATA}")
    parser.add_argument("--plain", action="store_true", help="only make canvases smaller")
    parser.add_argument(
        "--picture", type=Path, help=f"write a picture too, as {PICTURE.name} in docs/accuracy is"
    )
    asked = parser.parse_args(arguments)
    try:
        digits, settings, found = written.read(asked.data or _named()), from_environment(), []
        for model in asked.models:
            opened = open_model(model, settings)
            how = see_plainly if asked.plain else see
            found.append(measure(opened, digits, how, settings, fitted=not asked.plain))
            print(table(found[-1]), flush=True)
        if asked.picture:
            asked.picture.write_text(picture(found))
    except WorkbenchError as error:
        print(f"hands: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def run() -> list[Row]:
    """Measure the tutorial's recipe, which is trained for it."""
    digits, settings = written.read(_named()), from_environment()
    found = measure(open_model(str(recipes.DEFAULT), settings), digits, see, settings, fitted=True)
    print(table(found), file=sys.stderr)
    PICTURE.write_text(picture([found]))
    rows = []
    for pen in found.pens:
        name, goal = f"hands: {found.told}, pen {pen.pen}, odd-numbered writers", GOALS.get(pen.pen)
        rows.append(
            Row(name, 100 * pen.share(odd=True), "%", goal=None if goal is None else 100 * goal, more=True)
        )
        rows.append(Row(f"{name}, calibration error", pen.calibration(odd=True), "", goal=SURE))
        rows.append(Row(f"{name}, doubted", 100 * pen.doubts(odd=True), "%", goal=100 * DOUBTED))
    rows += [
        Row(f"hands: {found.told}, {name} told", 100 * share, "%", goal=100 * TOLD, more=True)
        for name, share in found.told_apart.items()
    ]
    return [
        *rows,
        *(
            Row(f"hands: {found.told}, {name}, of 30", count, "", goal=28, more=True)
            for name, count in found.papers.items()
        ),
    ]


def _named() -> Path:
    if not os.environ.get(DATA):
        raise Unavailable(f"no digits that people drew are given; name their folder by --data or {DATA}")
    return Path(os.environ[DATA])
