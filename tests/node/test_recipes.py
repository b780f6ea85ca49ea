"""Each recipe that comes with the project, from its files to a version, on a few of its examples."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chain import make_settings
from tests.node.training_cluster import Job
from workbench import datasets, recipes
from workbench.errors import Unavailable
from workbench.settings import PROJECT

SHIPPED = sorted(path.name for path in (PROJECT / "recipes").iterdir() if path.is_dir())
FEW = """

_all = load_data

def load_data():
    return tuple((x[:n], y[:n]) for (x, y), n in zip(_all(), (800, 200)))
"""


def test_these_recipes_are_shipped() -> None:
    assert SHIPPED == ["fashion-cnn", "mnist-best", "mnist-fast", "mnist-mlp", "mnist-residual", "tabular"]


@pytest.mark.parametrize(
    ("name", "ps", "workers"),
    [
        ("fashion-cnn", 0, 1),
        ("mnist-best", 0, 1),
        ("mnist-fast", 0, 1),
        ("mnist-mlp", 0, 2),
        ("mnist-residual", 1, 2),
        ("tabular", 0, 1),
    ],
)
def test_a_shipped_recipe_becomes_a_version(
    job: Callable[..., Job], data: Path, name: str, ps: int, workers: int
) -> None:
    if name == "fashion-cnn":
        try:
            datasets.load("fashion-mnist", make_settings(data.parent))
        except Unavailable as error:
            pytest.skip(f"Fashion-MNIST cannot be had here: {error}")
    recipe = recipes.read(PROJECT / "recipes" / name)
    recipes.check(recipe)
    texts = {field: getattr(recipe, field) for field in recipes.FIELDS}
    made = job({**texts, "preprocessing": texts["preprocessing"] + FEW}, ps=ps, workers=workers)
    made.set(epochs=2)
    made.run()
    fields = json.loads((made.folder / "fields.json").read_text())
    assert fields["missing"] == {}
    assert len(fields["labels"]) == fields["output"]["shape"][0]
    first, *_, last = made.leader.events("metric")
    assert last.step == last.of
    assert last.val_loss is not None
    # Of a few steps on a few examples no more can be asked, and less of steps that go on by themselves.
    assert last.loss < first.loss or ps
    assert 0 < fields["metrics"]["accuracy"] <= 1
