"""How right a model is about scans of other writers: ``python -m benchmarks.writers [NAME[:V] | RECIPE] [--learn SET]``.

Each scan is sent as a picture through the very code by which the back end brings a drawing to the model. A published
model answers as it does in the back end; a folder with a recipe is trained first, once, with seed 0. With ``--learn``
the recipe gets the scans of one set beside its own training part, and is asked about the writers of the other sets.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from backend.deployments import engines
from benchmarks import scans
from benchmarks.measuring import Row
from benchmarks.scans import Scans
from workbench import recipes
from workbench.datasets import Part
from workbench.errors import BadInput, WorkbenchError
from workbench.manifest import Input, Manifest
from workbench.models import registry
from workbench.models.evaluation import classify
from workbench.models.measured import Evaluation
from workbench.pictures.inputs import prepare
from workbench.settings import PROJECT, Settings, from_environment

FAST = PROJECT / "recipes" / "mnist-fast"
GOAL = 0.98
PAIRS = 5
TIMES = 4
"""How often a scan is among those that are learned from: a few thousand beside MNIST's 60,000."""
AT_ONCE = 500
"""Pictures; a net with 64 filters that looks three times computes in a quarter of a gigabyte for so many."""
AS_MNIST = Manifest(input=Input((28, 28, 1), "image"), preprocessing="mnist")
"""What a version's manifest says of a model that sees digits as MNIST has them."""
Predict = Callable[[np.ndarray], np.ndarray]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.writers", description=__doc__)
    parser.add_argument("model", nargs="?", default=str(FAST), help="default: %(default)s")
    names = {one.name: one for one in scans.SETS}
    parser.add_argument("--learn", choices=names, help="train with the scans of this set as well")
    parser.add_argument("--epochs", type=int, help="train for so many instead of the recipe's own")
    asked = parser.parse_args(arguments)
    try:
        told, found = measure(asked.model, from_environment(), names.get(asked.learn), asked.epochs)
    except WorkbenchError as error:
        print(f"writers: {error}", file=sys.stderr)
        return error.exit_code
    print(table(told, found))
    return 0


def run() -> list[Row]:
    """Measure ``recipes/mnist-fast``, which takes a minute to train; fetches MNIST and the scans if they are not there."""
    told, found = measure(str(FAST), from_environment())
    print(table(told, found), file=sys.stderr)
    return [
        Row(f"writers: {told}, {one.name} ({one.told})", 100 * e.accuracy, "%", goal=100 * GOAL, more=True)
        for one, e in found
    ]


def measure(
    model: str, settings: Settings, learned: Scans | None = None, epochs: int | None = None
) -> tuple[str, list[tuple[Scans, Evaluation]]]:
    """What the model is called, and how right it is about each set that it did not learn from."""
    told, predict = _open(model, settings, learned, epochs)
    found = []
    for one in scans.SETS:
        if one == learned:
            continue
        ink, digits = scans.load(one, settings)
        found.append((one, ask(predict, one, ink, digits)))
    return told, found


def _open(model: str, settings: Settings, learned: Scans | None, epochs: int | None) -> tuple[str, Predict]:
    if Path(model).is_dir():
        from workbench.node import training

        with tempfile.TemporaryDirectory() as folder:
            program = recipes.load(recipes.read(model), Path(folder))
            _check((program.input_ or {}).get("preprocessing"), model)
            program = program.set_epochs(epochs) if epochs else program
            train, _ = program.load_data()
            told = Path(model).name
            if learned:
                train, told = join(train, learned, *scans.load(learned, settings)), f"{told} + {learned.name}"
            return told, training.train(program, train, seed=0).predict
    if learned or epochs:
        raise BadInput(f"only a recipe is trained; give its folder. Received: {model}")
    version = registry.find(model, settings)
    _check(version.manifest.preprocessing, model)
    return str(version), in_parts(engines.load(version.folder, version.manifest).predict)


def in_parts(predict: Predict) -> Predict:
    """Ask ``AT_ONCE`` pictures at a time: the back end lets no answer take more memory than it may."""

    def answers(pictures: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [predict(pictures[at : at + AT_ONCE]) for at in range(0, len(pictures), AT_ONCE)]
        )

    return answers


def _check(preprocessing: object, model: str) -> None:
    if preprocessing != "mnist":
        raise BadInput(f"the model must see digits as MNIST has them. Received: {model}, {preprocessing!r}")


def join(train: Part, learned: Scans, ink: np.ndarray, digits: np.ndarray) -> Part:
    """The training part with each scan ``TIMES`` over, as the back end gives it to a model."""
    seen = [prepare(scans.photograph(scan, learned), AS_MNIST)[1] for scan in ink]
    there = np.array([picture is not None for picture in seen])
    added = np.stack([picture for picture in seen if picture is not None])[..., None]
    x, y = train
    return np.concatenate([x, *[added] * TIMES]), np.concatenate([y, *[digits[there]] * TIMES])


def ask(predict: Predict, one: Scans, ink: np.ndarray, digits: np.ndarray) -> Evaluation:
    """The model's answers to all scans; one in which the back end sees nothing drawn is no digit, and wrong."""
    seen = [prepare(scans.photograph(scan, one), AS_MNIST)[0] for scan in ink]
    there = np.array([x is not None for x in seen])
    answers = np.zeros((len(digits), 10), np.float32)
    answers[there] = predict(np.concatenate([x for x in seen if x is not None]))
    answers[~there, (digits[~there] + 1) % 10] = 1.0
    return classify(answers, digits, ())


def table(told: str, found: Sequence[tuple[Scans, Evaluation]]) -> str:
    """A row a set, as Markdown."""
    lines = [
        f"| {told} | scans | right | 95 % interval | most often wrong |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one, e in found:
        pairs = ", ".join(f"{true} as {said} {count}×" for true, said, count in worst_pairs(e.confusion))
        interval = f"{e.low:.1%} to {e.high:.1%}"
        lines.append(f"| {one.name}: {one.told} | {e.count:,} | {e.accuracy:.2%} | {interval} | {pairs} |")
    return "\n".join(lines)


def worst_pairs(confusion: np.ndarray, count: int = PAIRS) -> list[tuple[int, int, int]]:
    """The commonest mistakes in a table ``(k, k)`` with a row a true class: true, said, how often.

    >>> worst_pairs(np.array([[9, 1, 0], [0, 9, 0], [4, 0, 5]]))
    [(2, 0, 4), (0, 1, 1)]
    """
    wrong = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-wrong, axis=None, kind="stable")[:count]
    rows, columns = np.unravel_index(order, wrong.shape)
    found = [(int(r), int(c), int(wrong[r, c])) for r, c in zip(rows, columns, strict=True)]
    return [pair for pair in found if pair[2]]


if __name__ == "__main__":
    sys.exit(main())
