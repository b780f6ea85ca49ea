"""What notebooks become trains: each recipe that was made of one, for an epoch, in a fork that has TensorFlow."""

import json
from pathlib import Path

import pytest

from tests.node.training_cluster import Forks
from tests.recipes.importing.notebooks import ALL, CARS, notebook
from workbench.recipes.importing import propose

TRAIN = """
import os
from pathlib import Path
from workbench import recipes
from workbench.models import evaluation
from workbench.node import data, training
folder = Path({folder!r})
os.chdir(folder)
program = recipes.load(recipes.read_code(folder), folder)
train, test = program.load_data()
trained = training.train(program, train, epochs=1)
test = data.arrays(test)
found = evaluation.evaluate(trained.predict, test, program.labels, says_logits=trained.says_logits)
answer = [type(found).__name__, len(test[0]), trained.steps]
"""


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("pictures", ["Evaluation", 40, 9]),
        ("table", ["Regression", 30, 3]),
        ("stream", ["Evaluation", 50, 11]),
        ("text", ["Evaluation", 40, 7]),
    ],
)
def test_a_recipe_that_was_made_of_a_notebook_trains(
    forks: Forks, tmp_path: Path, kind: str, answer: list[object]
) -> None:
    propose(notebook(*ALL[kind]), kind).recipe.write(tmp_path)
    (tmp_path / "cars.csv").write_text(CARS)
    assert json.loads(json.dumps(forks.ask("answer", code=TRAIN.format(folder=str(tmp_path))))) == answer
