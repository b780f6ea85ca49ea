"""A recipe made from a data set is valid, short, and asks for that data set."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.datasets import bringing
from workbench import recipes
from workbench.datasets import adding, templates
from workbench.datasets.kept.values import DatasetManifest
from workbench.datasets.sources import How
from workbench.settings import from_environment
from workbench.verbs import datasets as verbs

pytest.importorskip("pyarrow")
KINDS = {
    "pictures": ("Conv2D", "softmax"),
    "table": ("Normalization", "softmax"),
    "number": ("Normalization", "mean_squared_error"),
    "text": ("TextVectorization", "softmax"),
    "series": ("Conv1D", "softmax"),
    "flat": ("Flatten", "Rescaling"),
}


def bring(kind: str, folder: Path) -> tuple[Path, How]:
    chance = np.random.default_rng(0)
    x = chance.normal(size=(60, 12, 3) if kind == "series" else (60, 5)).astype("f4")
    if kind in ("series", "flat"):
        y = (x.reshape(60, -1)[:, 0] > 0).astype(int) if kind == "series" else x[:, 0] * 3 + 7
        np.savez(folder / "a.npz", x=x, y=y)
        return folder / "a.npz", How()
    if kind == "pictures":
        return bringing.photos(folder / "p"), How()
    if kind == "text":
        lines = [
            f"{'spam' if n % 3 else 'ham'}\t{'win it now' if n % 3 else 'see you'} number {n}"
            for n in range(90)
        ]
        (folder / "t.tsv").write_text("\n".join(lines))
        return folder / "t.tsv", How()
    return bringing.garden(folder / "g.csv"), How(target="warmth" if kind == "number" else None)


def make(kind: str, folder: Path) -> tuple[DatasetManifest, Path]:
    settings = replace(from_environment(), home=folder / "home")
    source, how = bring(kind, folder)
    made = adding.add(f"my-{kind}", source, how, settings)
    verbs.recipe(str(made), folder / "recipe", settings)
    return made, folder / "recipe"


@pytest.mark.parametrize("kind", KINDS)
def test_a_recipe_is_made_of_each_kind(kind: str, tmp_path: Path) -> None:
    made, folder = make(kind, tmp_path)
    recipe = recipes.read(folder)
    recipes.check(recipe)
    for word in KINDS[kind]:
        assert word in recipe.training
    assert set(verbs.pins_of(recipe, replace(from_environment(), home=tmp_path / "home"))) == {made.name}
    assert all(len(text.splitlines()) < 50 for text in templates.make(made).values())
