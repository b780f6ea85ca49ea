from pathlib import Path

import pytest
import tensorflow as tf

from workbench.errors import RecipeError
from workbench.node.role import blame_recipe
from workbench.node.strategies.peers import ClusterBroke

INVALID = tf.errors.InvalidArgumentError


@pytest.mark.parametrize(
    "words",
    [
        "Resource input tensor contains an invalid device. This might happen when the client has connected to a "
        "different cluster, or some remote workers have been restarted. [Op:ReadVariableOp]",
        "Unable to find the relevant tensor remote_handle: Op ID: 25, Output num: 0",
        "/job:worker/replica:0/task:1/device:CPU:0 unknown device.",
        "Unknown device: /job:ps/replica:0/task:0",
    ],
)
def test_a_machine_that_was_restarted_unnoticed_breaks_the_cluster_and_is_no_fault_of_the_recipe(
    tmp_path: Path, words: str
) -> None:
    with pytest.raises(ClusterBroke), blame_recipe(tmp_path):
        raise INVALID(None, None, words)


@pytest.mark.parametrize(
    "error",
    [
        INVALID(None, None, "Incompatible shapes: [2,3] vs. [4,5]"),
        INVALID(None, None, "/device:GPU:7 unknown device."),
        ValueError("some remote workers have been restarted"),
    ],
)
def test_other_complaints_are_the_recipes_fault(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(RecipeError), blame_recipe(tmp_path):
        raise error
