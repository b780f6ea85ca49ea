"""Recipes made from data sets learn what there is to learn, in a few epochs and with little data."""

from pathlib import Path

import numpy as np
import pytest

from tests.datasets.test_templates import weather
from workbench import recipes
from workbench.datasets import adding
from workbench.datasets.sources import How
from workbench.node import training
from workbench.settings import Settings, from_environment
from workbench.verbs import datasets as verbs

pytest.importorskip("pyarrow")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    return from_environment()


def learn(
    made: str, folder: Path, settings: Settings, **how: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the trained model says of the test part, what is true, and the inputs."""
    verbs.recipe(made, folder, settings, **how)  # type: ignore[arg-type]
    program = recipes.load(recipes.read(folder), folder.parent / "program")
    train, (x, y) = program.load_data()
    return training.train(program, train).predict(x), y, x


def test_short_texts_are_told_apart_by_their_words(home: Settings, tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    common = ["the", "room", "was", "and", "food", "we", "had", "a", "staff", "with", "very", "today"]
    words = (
        ["lovely", "great", "superb", "warm", "kind", "fresh"],
        ["awful", "dull", "broken", "late", "rude", "stale"],
    )
    lines = []
    for n in range(500):
        text = [*chance.choice(common, 10), *chance.choice(words[n % 2], 2)]
        lines.append(f"{'bad' if n % 2 else 'good'}\t{' '.join(chance.permutation(text))}, {n}")
    (tmp_path / "reviews.tsv").write_text("\n".join(lines))
    adding.add("reviews", tmp_path / "reviews.tsv", How(), home)
    said, true, _ = learn("reviews", tmp_path / "recipe", home)
    assert (said.argmax(1) == true).mean() > 0.9, "what fills up to the length must not drown the words"


def test_a_quantity_is_told_from_numbers_and_categories(home: Settings, tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    rows = ["size,area,price"]
    for n in range(400):
        size, area = chance.uniform(40, 200), ("hill", "dock", "park")[n % 3]
        rows.append(f"{size:.1f},{area},{3000 * size + 90000 * (n % 3) + chance.normal(0, 5000):.0f}")
    (tmp_path / "houses.csv").write_text("\n".join(rows))
    adding.add("houses", tmp_path / "houses.csv", How(target="price", classes=False), home)
    said, true, _ = learn("houses", tmp_path / "recipe", home)
    assert np.abs(said[:, 0] - true).mean() < 0.25 * true.std()


def test_a_forecast_beats_as_it_is_now(home: Settings, tmp_path: Path) -> None:
    adding.add("weather", weather(tmp_path / "w.csv", 250), How(target="warmth", classes=False), home)
    said, true, x = learn("weather", tmp_path / "recipe", home, forecast=True)
    assert np.abs(said[:, 0] - true).mean() < 0.5 * np.abs(x[:, -1, 0] - true).mean()
