"""What only a computer with GPUs can show; skipped by name elsewhere."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.node.small_recipes import SMALL
from tests.node.training_cluster import Job

DRIVER = Path("/proc/driver/nvidia/gpus")
GPUS = len(list(DRIVER.iterdir())) if DRIVER.is_dir() else 0
pytestmark = pytest.mark.skipif(not GPUS, reason="this computer has no GPU with NVIDIA's driver")

LOOK = """
import os
from workbench import recipes
from workbench.node import data, role, strategy, training
from workbench.node.strategies import replicas
assignment = role.read(folder, "worker", 0)
replicas.claim(assignment.cluster)
plan = strategy.make(assignment.cluster, print)
program = recipes.load(recipes.read(folder / "recipe"), Path("recipe"))
train, _ = program.load_data()
batches = data.prepare(train, batch_size=program.batch_size, augment=None, seed=0, replicas=plan.replicas)
training.fit(plan, program, batches, folder=None, on_progress=lambda p: None, stop=lambda: False)
where = {v.value.device for v in plan.model.trainable_variables}
print("REPLICAS", plan.replicas, "ON", where, flush=True)
assert plan.replicas == GPUS, plan.replicas
assert all("GPU" in one for one in where), where
os._exit(0)
"""


def test_a_machine_alone_trains_on_all_of_its_gpus(job: Callable[..., Job]) -> None:
    made = job(SMALL)
    (machine,) = made.machines.values()
    told = f"import os; from pathlib import Path; folder, GPUS = Path({str(made.folder)!r}), {GPUS}\n"
    machine.start(f"{told}os.chdir({str(machine.own)!r})\n" + LOOK)
    assert set(made.wait().values()) == {0}, made.words()


@pytest.mark.parametrize("layout", [{"workers": 2}, {"ps": 1, "workers": 2}])
def test_workers_of_one_computer_share_its_gpus_and_train_to_the_end(
    job: Callable[..., Job], layout: dict[str, int]
) -> None:
    made = job(SMALL, **layout)
    made.start()
    assert set(made.wait().values()) == {0}, made.words()
