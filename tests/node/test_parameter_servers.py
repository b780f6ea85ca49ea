"""Workers that train as they can on variables that live on parameter servers."""

import itertools
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from tests.node.small_recipes import COUNT, COUNTING, COUNTING_EPOCH, NET, NUMBERS, SMALL
from tests.node.training_cluster import Job, Machine, until
from workbench.models import held_out

ENDLESS = {**COUNTING, "training": COUNT.replace("= 2, 4", "= 500_000, 4")}


def test_a_job_of_one_ps_and_two_workers_is_done_by_all_of_them(job: Callable[..., Job]) -> None:
    made = job(SMALL, ps=1, workers=2).run()
    assert made.leader.role == "chief"
    assert made.leader.phases == ["starting", "initializing", "training", "exporting", "done"]
    assert held_out.read(made.folder / held_out.FILE)
    assert made["ps", 0].phases == made["worker", 1].phases == ["starting", "training", "done"]
    assert "/job:ps/replica:0/task:0/device:CPU:0 holds" in made.leader.lines
    assert "all interfaces" not in made.words()
    said = (made.leader.own / "stdout.log").read_text()
    assert "/job:ps/replica:0/task:0/device:CPU:0 holds" in said
    assert "epoch 3, step 135 of 135: loss" in said
    assert "cuInit" not in (made["worker", 1].own / "stderr.log").read_text()
    metrics = made.leader.events("metric")
    assert (metrics[-1].step, metrics[-1].of) == (135, 135)
    assert (
        metrics[-1].val_accuracy > 0.6
    )  # steps of workers that do not wait for each other are never the same
    assert all(m.accuracy <= 1 for m in metrics)
    assert (made.folder / "fields.json").exists()


def test_each_ps_holds_some_of_the_variables(job: Callable[..., Job]) -> None:
    made = job(SMALL, ps=2, workers=1)
    made.train()
    for index in range(2):
        assert f"/job:ps/replica:0/task:{index}/device:CPU:0 holds" in made.leader.lines


@pytest.mark.parametrize("workers", [1, 3])
def test_no_update_of_a_weight_and_no_step_is_lost(job: Callable[..., Job], workers: int) -> None:
    # Keras' own counter lost 725 of 1,800 steps here with three workers, and none with one; weights lost none.
    made = job(COUNTING, ps=1, workers=workers)
    made.set(epochs=8)
    made.train()
    assert made.checkpoint() == (8 * COUNTING_EPOCH, 8 * COUNTING_EPOCH)
    assert made.leader.events("metric")[-1].step == 8 * COUNTING_EPOCH


def test_metrics_are_of_the_batches_since_the_last_report(job: Callable[..., Job]) -> None:
    # The loss is minus the number of updates so far; a mean over all steps from the first would be half of it.
    made = job(COUNTING, ps=1, workers=2)
    made.set(epochs=8)
    made.train()
    metrics = made.leader.events("metric")
    for before, metric in itertools.pairwise(metrics):
        assert before.step - 20 <= -metric.loss <= metric.step + 20


def _trains_again(machine: Machine) -> bool:
    return machine.phases[-2:] == ["starting", "training"]


def test_killed_machines_cost_some_steps_but_not_the_job(job: Callable[..., Job]) -> None:
    made = job(ENDLESS, ps=1, workers=2)
    made.start().until_step(10)

    for index in (1, 0):
        made["worker", index].kill()
        made.until_step(made.leader.step + COUNTING_EPOCH)
        made["worker", index].start()
        # TensorFlow takes no worker back while another one is away, so the next must not be killed before.
        until(
            partial(_trains_again, made["worker", index]),
            "a worker",
            60,
            made.words,
        )
        made["worker", index].works()
    made.until_step(made.leader.step + 30)
    assert made.leader.phases == ["starting", "initializing", "training"], "the chief goes on all the time"

    made.leader.kill()
    made.leader.start()
    until(lambda: made.leader.lines.count("going on from the checkpoint") == 1, "a new chief", 60, made.words)
    begun = made.leader.step
    made.until_step(begun + 1)

    made["ps", 0].kill()
    assert made.leader.wait(200) == 4, made.words()
    assert not made["worker", 0].ended
    assert not made["worker", 1].ended

    epochs = made.leader.step // COUNTING_EPOCH + 3
    made.set(epochs=epochs)
    made["ps", 0].start()
    made.leader.start()
    assert set(made.wait().values()) == {0}, made.words()
    last = made.leader.events("metric")[-1]
    assert (last.step, last.of) == (epochs * COUNTING_EPOCH,) * 2
    # What a killed worker had begun is done again by another, so a weight may have had some updates more.
    weight, _ = made.checkpoint()
    assert 0 <= weight - epochs * COUNTING_EPOCH < 3 * COUNTING_EPOCH
    with np.load(made.folder / "export" / "examples.npz") as examples:
        assert examples["y"][0, 0] == weight


STRAY = (
    NET
    + """
shift = keras.layers.GaussianNoise(0.1)

def augment(x):
    return shift(x, training=True)
"""
)


def test_machines_of_one_core_train_as_well(job: Callable[..., Job]) -> None:
    # TensorFlow gives a process as many threads as it has cores, and a worker's only one waited for itself.
    made = job(SMALL, ps=1, workers=1)
    for machine in made.machines.values():
        machine.start(before="import os; os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])")
    made.until_step(20)


def test_variables_that_only_the_chief_has_are_refused_with_advice(job: Callable[..., Job]) -> None:
    made = job({"preprocessing": NUMBERS, "training": STRAY}, ps=1, workers=1).start()
    assert made.leader.wait() == 3, made.words()
    (error,) = made.leader.events("error")
    assert "belong into the model" in error.message


def test_a_worker_that_fails_in_the_graph_is_named(job: Callable[..., Job]) -> None:
    failing = NUMBERS.replace("return (x", "y[500] = 7\n    return (x")
    made = job({"preprocessing": failing, "training": NET}, ps=1, workers=1).start()
    assert made.leader.wait() == 3, made.words()
    (error,) = made.leader.events("error")
    assert "label value of 7" in error.message
    assert "on worker 0" in error.message
