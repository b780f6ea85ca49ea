"""The net that trainings are measured with is a proper recipe, and is counted with its own batch."""

import re

from benchmarks import train
from workbench import recipes
from workbench.recipes import checking
from workbench.settings import PROJECT


def test_it_is_a_recipe_of_the_batch_that_is_counted_and_that_peers_have() -> None:
    recipe = recipes.read(train.RECIPE)
    checking.check(recipe)
    batch = re.search(r"EPOCHS, BATCH_SIZE = \d+, (\d+)", recipe.training)
    theirs = re.search(
        r"^BATCH = (\d+)", (PROJECT / "benchmarks" / "peers" / "torch_net.py").read_text(), re.M
    )
    assert batch
    assert theirs
    assert int(batch[1]) == int(theirs[1]) == train.BATCH
