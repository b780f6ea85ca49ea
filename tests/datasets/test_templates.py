"""A recipe made from a data set is valid, short, and asks for that data set."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.datasets import bringing
from workbench import recipes
from workbench.datasets import adding, templates
from workbench.datasets.kept.values import DatasetManifest
from workbench.datasets.sources import How
from workbench.errors import BadInput, NotFound
from workbench.settings import from_environment
from workbench.verbs import datasets as verbs
from workbench.verbs.datasets import looking

pytest.importorskip("pyarrow")
KINDS = {
    "pictures": ("Conv2D", "softmax"),
    "table": ("Normalization", "softmax", '"columns": datasets.input_columns("my-table")'),
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


def weather(path: Path, days: int = 400) -> Path:
    """A table whose rows follow each other, in no order in the file."""
    chance = np.random.default_rng(3)
    rows = [
        f"{np.datetime64('2021-01-01') + n},{10 + 8 * np.sin(n / 9):.3f},{'' if n % 50 == 7 else n % 7},{'a' if n % 2 else 'b'}"
        for n in range(days)
    ]
    path.write_text("\n".join(["day,warmth,weekday,station", *chance.permutation(rows)]) + "\n")
    return path


def test_a_forecast_learns_from_earlier_rows_and_is_tested_with_later_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    settings = from_environment()
    how = How(target="warmth", classes=False)
    made = adding.add("weather", weather(tmp_path / "w.csv"), how, settings)
    shown = looking.look(made, settings)
    assert "2021-01-01 to 2022-02-04" in shown.html, "dates are shown as dates"
    verbs.recipe("weather", tmp_path / "recipe", settings, forecast=True)
    recipe = recipes.read(tmp_path / "recipe")
    recipes.check(recipe)
    assert set(verbs.pins_of(recipe, settings)) == {made.name}
    helpers: dict[str, Any] = {}
    exec(compile(recipe.helpers, "helpers.py", "exec"), helpers)
    (x, y), (x_test, y_test) = helpers["split"]()
    assert x.shape[1:] == x_test.shape[1:] == (28, 2)
    assert not np.isnan(x).any()
    waves = 10 + 8 * np.sin(np.arange(400) / 9)
    np.testing.assert_allclose(x[0, :, 0], waves[:28], atol=1e-3)
    np.testing.assert_allclose(y, waves[28 : 28 + len(y)], atol=1e-3)
    np.testing.assert_allclose(y_test[-1], waves[-1], atol=1e-3)
    last_learned, first_seen = 28 + len(y) - 1, 400 - len(y_test) - 28
    assert last_learned < first_seen, "no row of the test was learned from"
    adding.add("garden", bringing.garden(tmp_path / "g.csv"), How(), settings)
    with pytest.raises(BadInput, match="no number to be forecast"):
        verbs.recipe("garden", tmp_path / "other", settings, forecast=True)


def test_a_given_net_lies_beside_the_recipe_and_what_cannot_be_given_is_refused(tmp_path: Path) -> None:
    settings = replace(from_environment(), home=tmp_path / "home")
    adding.add("pets", bringing.photos(tmp_path / "p"), How(size=(40, 40)), settings)
    (weights := tmp_path / "w.h5").write_bytes(b"learned")
    (own := tmp_path / "net.keras").write_bytes(b"learned, too")
    for n, (more, file) in enumerate(
        (
            ({"backbone": "mobilenetv2", "weights": weights}, "backbone.weights.h5"),
            ({"backbone": str(own)}, "backbone.keras"),
        )
    ):
        folder = tmp_path / f"recipe{n}"
        assert folder / file in verbs.recipe("pets", folder, settings, **more)  # type: ignore[arg-type]
        assert (folder / file).read_bytes().startswith(b"learned")
        recipe = recipes.read(folder)
        recipes.check(recipe)
        assert file in recipe.training
    adding.add("small", bringing.photos(tmp_path / "s"), How(size=(24, 24)), settings)
    for name, more, error, words in (
        ("pets", {"backbone": "mobilenetv2"}, BadInput, "--weights FILE"),
        ("pets", {"backbone": "vgg", "weights": weights}, BadInput, "weights are for"),
        ("pets", {"backbone": "nothing:3"}, NotFound, "no model is called"),
        ("pets", {"backbone": "no.keras"}, NotFound, "no file"),
        ("small", {"backbone": "mobilenetv2", "weights": weights}, BadInput, "32×32"),
        ("pets", {"forecast": True}, BadInput, "no number to be forecast"),
    ):
        with pytest.raises(error, match=words):
            verbs.recipe(name, tmp_path / "none", settings, **more)
