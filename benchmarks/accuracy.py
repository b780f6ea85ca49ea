"""How right a recipe's model is, over several seeds: ``python -m benchmarks.accuracy recipes/mnist-best``.

Each seed is trained by the workbench's own loop, in this process. The test part is asked once, of the finished model.
What a seed gave is kept at once in ``docs/accuracy/RECIPE.json``: a seed that is in it, of the same recipe, is not
trained again, so a run that was ended goes on where it was.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench import recipes
from workbench.settings import PROJECT

RESULTS = PROJECT / "docs" / "accuracy"
DRAWINGS = 2_000
"""Of ``tests/drawings.py``, a fifth of a thousand of each digit; the same ones for every seed."""


@dataclass(frozen=True)
class Seed:
    """What one training gave; accuracies are from 0 to 1."""

    seed: int
    epochs: int
    parameters: int
    seconds: float
    """Of training, from the first reported step to the end, with validation."""
    cpu_s: float
    """Of the whole process in that time."""
    accuracy: float
    """On the test part."""
    drawings: float | None
    """On drawings with a round pen of any size, place and width, fitted as the back end fits them."""
    curve: tuple[dict[str, float], ...]
    """``epoch, loss, val_loss, val_accuracy, seconds, cpu_s`` at each epoch's end."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--results", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    asked = parser.parse_args(arguments)
    recipe = recipes.read(asked.recipe)
    path = asked.results / f"{asked.recipe.name}.json"
    found = read(path, recipe.sha256)
    for number in asked.seeds:
        if number not in [seed.seed for seed in found]:
            found = sorted([*found, learn(recipe, number)], key=lambda seed: seed.seed)
            write(path, recipe.sha256, found)
            print(table(found), file=sys.stderr)
    path.with_suffix(".svg").write_text(curves(asked.recipe.name, found))
    print(table(found))
    return 0


def read(path: Path, sha256: str) -> list[Seed]:
    """The seeds that were trained of this very recipe."""
    if not path.is_file():
        return []
    kept = json.loads(path.read_text())
    return (
        [Seed(**{**s, "curve": tuple(s["curve"])}) for s in kept["seeds"]] if kept["recipe"] == sha256 else []
    )


def write(path: Path, sha256: str, found: Sequence[Seed]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".aside")
    aside.write_text(
        json.dumps({"recipe": sha256, "seeds": [asdict(seed) for seed in found]}, indent=1) + "\n"
    )
    aside.rename(path)


def learn(recipe: recipes.Recipe, seed: int) -> Seed:
    """Train with this seed, then ask the test part and the drawings."""
    from workbench.node import training

    curve: list[dict[str, float]] = []
    began: tuple[float, float] | None = None

    def note(progress: training.TrainingProgress) -> None:
        nonlocal began
        now = time.perf_counter(), time.process_time()
        began = began or now
        if progress.val_loss is not None and progress.val_accuracy is not None:
            curve.append(
                {
                    "epoch": progress.epoch,
                    "loss": round(progress.loss, 5),
                    "val_loss": round(progress.val_loss, 5),
                    "val_accuracy": round(progress.val_accuracy, 5),
                    "seconds": round(now[0] - began[0], 1),
                    "cpu_s": round(now[1] - began[1], 1),
                }
            )

    with tempfile.TemporaryDirectory() as folder:
        program = recipes.load(recipe, Path(folder))
        train, (x, y) = program.load_data()
        trained = training.train(program, train, seed=seed, on_progress=note)
    accuracy = float((trained.predict(x).argmax(1) == np.asarray(y)).mean())
    drawn = None
    if (program.input_ or {}).get("preprocessing") == "mnist":
        x, y = draw(DRAWINGS)
        drawn = float((trained.predict(x).argmax(1) == y).mean())
    end = curve[-1]
    return Seed(
        seed,
        program.epochs,
        trained.model.count_params(),
        end["seconds"],
        end["cpu_s"],
        accuracy,
        drawn,
        tuple(curve),
    )


def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Drawings as the back end gives them to a model: uint8 ``(n, 28, 28, 1)``, and what they are, ``(n,)``."""
    from tests.drawings import drawing
    from workbench.pictures import ink
    from workbench.pictures.decoders import Planes

    random = np.random.default_rng(0)
    y = np.arange(count) % 10
    fitted = [ink.fit(ink.find_ink(Planes((drawing(int(digit), random),), None))) for digit in y]
    there = [picture is not None for picture in fitted]
    assert all(there), "a drawing was taken for dirt"
    return np.stack(fitted)[..., None], y  # type: ignore[arg-type]


def table(found: Sequence[Seed]) -> str:
    """A row a seed, and their mean with its spread, as Markdown."""
    lines = ["| seed | test part | drawings | last validation | CPU s |", "| --- | --- | --- | --- | --- |"]
    for s in found:
        drawn = "" if s.drawings is None else f"{s.drawings:.2%}"
        lines.append(
            f"| {s.seed} | {s.accuracy:.2%} | {drawn} | {s.curve[-1]['val_accuracy']:.2%} | {s.cpu_s:.0f} |"
        )
    mean = statistics.mean(s.accuracy for s in found)
    spread = statistics.stdev(s.accuracy for s in found) if len(found) > 1 else 0.0
    known = [s.drawings for s in found if s.drawings is not None]
    drawn = f"**{statistics.mean(known):.2%}**" if known else ""
    lines.append(f"| mean of {len(found)} | **{mean:.3%}** ± {spread:.3%} | {drawn} | | |")
    return "\n".join(lines)


# ── a picture ────────────────────────────────────────────────────────────────────────────────────

WIDTH, HEIGHT, EDGE = 560, 260, 52
LOWEST = 0.97
"""Of the validation accuracies that are drawn; below it the curve begins at the bottom."""


def curves(name: str, found: Sequence[Seed]) -> str:
    """Validation accuracy by epoch, a line a seed, as SVG that reads on light and on dark."""
    last = max((len(s.curve) for s in found), default=1)

    def place(point: dict[str, Any]) -> str:
        x = EDGE + (point["epoch"] - 1) / max(1, last - 1) * (WIDTH - 2 * EDGE)
        share = (max(point["val_accuracy"], LOWEST) - LOWEST) / (1 - LOWEST)
        return f"{x:.1f},{HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Validation accuracy of {name} by epoch">',
        "<style>text{font:12px system-ui,sans-serif;fill:#5b6472}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#fff"/>',
        f'<text x="{EDGE}" y="28">{name}: validation accuracy, a line a seed</text>',
    ]
    for level in (0.97, 0.98, 0.99, 1.0):
        y = HEIGHT - EDGE - (level - LOWEST) / (1 - LOWEST) * (HEIGHT - 2 * EDGE)
        parts.append(f'<path d="M{EDGE} {y:.1f}H{WIDTH - EDGE}" stroke="#c9d0da"/>')
        parts.append(f'<text x="{EDGE - 8}" y="{y + 4:.1f}" text-anchor="end">{level:.0%}</text>')
    for s in found:
        points = " ".join(place(point) for point in s.curve)
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="#2456c4" stroke-opacity=".6" stroke-width="2"/>'
        )
    parts.append(f'<text x="{WIDTH - EDGE}" y="{HEIGHT - 24}" text-anchor="end">epoch {last}</text>')
    parts.append(f'<text x="{EDGE}" y="{HEIGHT - 24}">epoch 1</text></svg>')
    return "".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main())
