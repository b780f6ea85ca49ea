"""Workers that do each step together: what they learn, and what happens when one is gone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.node.small_recipes import COUNT, COUNTING, COUNTING_EPOCH, SMALL
from tests.node.training_cluster import Job, until
from workbench.models import held_out

RECORD = """
import json, os
from pathlib import Path
import keras, numpy as np, tensorflow as tf
from workbench import recipes
from workbench.node import data, role, strategy, training
from workbench.node.strategies.synchronous import Synchronous

folder, index, devices = Path({folder!r}), {index}, {devices}
assignment = role.read(folder, "worker", index)
plan = strategy.make(assignment.cluster)
if devices > 1:
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
    plan = Synchronous(assignment.cluster, [device.name for device in tf.config.list_logical_devices("CPU")])
plan.report_every_s = 0.0  # a report a step
keras.utils.set_random_seed(index)  # even if they began differently
program = recipes.load(recipes.read(folder / "recipe"), Path("recipe"))
train, _ = program.load_data()
batches = data.prepare(train, batch_size=program.batch_size, augment=None, seed=0, replicas=plan.replicas)
seen = []
trained = training.fit(plan, program, batches, folder=None, on_progress=seen.append, stop=lambda: False)
weights = [np.asarray(v).ravel().tolist() for v in trained.model.weights]
Path("seen.json").write_text(json.dumps([[[p.step, p.loss, p.val_loss, p.accuracy] for p in seen], weights]))
plan.end()
os._exit(0)
"""


@pytest.fixture
def record(job: Callable[..., Job]) -> Callable[..., list[tuple[list[Any], list[Any]]]]:
    """Trains with so many workers, each on so many processors; what each saw of every step, and its weights at the end."""

    def run(workers: int, devices: int = 1) -> list[tuple[list[Any], list[Any]]]:
        made = job(SMALL, workers=workers)
        for index, machine in enumerate(made.machines.values()):
            # The same as the machine does, but with a report of each step.
            machine.start(
                f"import os; os.chdir({str(machine.own)!r})\n"
                + RECORD.format(folder=str(made.folder), index=index, devices=devices)
            )
        codes = made.wait()
        assert set(codes.values()) == {0}, made.words()
        return [
            json.loads((Path(machine.own) / "seen.json").read_text()) for machine in made.machines.values()
        ]

    return run


def test_two_workers_have_the_same_loss_on_every_step_and_learn_what_one_process_learns(
    record: Callable[..., list[tuple[list[Any], list[Any]]]],
) -> None:
    (first, first_weights), (second, second_weights) = record(2)
    assert [step for step, *_ in first] == list(range(1, 136))
    assert first == second
    assert first_weights == second_weights
    ((alone, alone_weights),) = record(1)
    # Each batch is the one that a single process takes, its mean loss is taken in halves: only rounding differs.
    # (That the initial weights are the leading worker's, and here those of the one process, is part of the test.)
    assert [s[1] for s in first] == pytest.approx([s[1] for s in alone], rel=1e-3)
    for one, other in zip(first_weights, alone_weights, strict=True):
        assert one == pytest.approx(other, abs=1e-3)
    # A machine with two devices gives each of them half of the batch, which is again the same.
    ((twofold, twofold_weights),) = record(1, 2)
    assert [step for step, *_ in twofold] == list(range(1, 136))
    assert [s[1] for s in twofold] == pytest.approx([s[1] for s in alone], rel=1e-3)
    for one, other in zip(twofold_weights, alone_weights, strict=True):
        assert one == pytest.approx(other, abs=1e-3)


def test_when_a_worker_is_gone_all_end_and_a_relaunch_goes_on(job: Callable[..., Job]) -> None:
    made = job({**COUNTING, "training": COUNT.replace("= 2, 4", "= 500_000, 4")}, workers=2)
    made.start().until_step(2 * COUNTING_EPOCH)
    made["worker", 1].kill()
    assert made["worker", 0].wait(200) == 4, made.words()
    assert "the cluster broke" in made["worker", 0].lines

    made.start()
    until(lambda: made.leader.lines.count("going on from") == 1, "a relaunch", 60, made.words)
    until(lambda: made.leader.phases[-1] == "training", "training", 60, made.words)
    made["worker", 0].kill()
    assert made["worker", 1].wait(200) == 4, made.words()

    epochs = made.leader.step // COUNTING_EPOCH + 3
    made.set(epochs=epochs)
    assert set(made.start().wait().values()) == {0}, made.words()
    assert made.leader.events("metric")[-1].step == epochs * COUNTING_EPOCH
    assert made.checkpoint() == (epochs * COUNTING_EPOCH,) * 2  # no update was lost or done twice
    assert made["worker", 1].phases[-1] == "done"
    assert (made.folder / "fields.json").exists()
    assert held_out.read(made.folder / held_out.FILE)


def test_what_only_one_worker_cannot_do_is_told_by_that_one(job: Callable[..., Job]) -> None:
    wrong = "import os\nif 'worker-1' in os.getcwd():\n    raise RuntimeError('not me')\n"
    made = job({**SMALL, "training": SMALL["training"] + wrong}, workers=2).start()
    assert made["worker", 1].wait(200) == 3, made.words()
    (error,) = made["worker", 1].events("error")
    assert (error.role, error.index, error.field) == ("worker", 1, "training")
    assert "not me" in error.message
    assert made["worker", 0].wait(200) == 4, made.words()
