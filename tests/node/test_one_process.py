"""A job on one machine: from its folder to an export, whatever the recipe is, whatever happens on the way."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.node.small_recipes import COUNT, COUNTING, COUNTING_EPOCH, NET, NUMBERS, ONES, SMALL
from tests.node.training_cluster import Job, until
from workbench.settings import PROJECT

OWN_STEP = """
import keras
import tensorflow as tf
EPOCHS, BATCH_SIZE = 2, 20

class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(16, "relu", kernel_regularizer="l2")
        self.normalize, self.drop = keras.layers.BatchNormalization(), keras.layers.Dropout(0.1)
        self.out = keras.layers.Dense(2, "softmax")

    def call(self, x, training=False):
        return self.out(self.drop(self.normalize(self.hidden(x), training=training), training=training))

    def train_step(self, batch):
        x, y = batch
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        found = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(found, self.trainable_variables)
        return {"loss": loss}

def build_model():
    model = Net()
    rate = keras.optimizers.schedules.CosineDecay(0.01, 90)
    model.compile(keras.optimizers.AdamW(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""
MANY_METRICS = NET.replace(
    'metrics=["accuracy"]',
    'metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(1, name="top"), "sparse_categorical_crossentropy"]',
)
STREAM = """
import tensorflow as tf
_load = load_data

def load_data():
    def stream(part):
        return tf.data.Dataset.from_tensor_slices(part).map(lambda x, y: (2 * x, y))
    return tuple(stream(part) for part in _load())
"""


def answered(job: Job) -> float:
    """What the exported model of ``COUNTING`` answers: how many updates it has had."""
    with np.load(job.folder / "export" / "examples.npz") as examples:
        return float(examples["y"][0, 0])


def fields(job: Job) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((job.folder / "fields.json").read_text())
    return found


def test_it_trains_reports_checkpoints_and_exports(job: Callable[..., Job]) -> None:
    done = job(SMALL).run()
    assert done.leader.phases == ["starting", "initializing", "training", "exporting", "done"]
    metrics = done.leader.events("metric")
    assert [(m.step, m.epoch) for m in metrics if m.validated] == [(45, 1), (90, 2), (135, 3)]
    assert metrics[0].step == 1
    assert all(m.of == 135 for m in metrics)
    assert metrics[-1].val_accuracy > 0.8
    assert fields(done)["metrics"]["accuracy"] > 0.8
    assert fields(done)["labels"] == ["no", "yes"]
    assert fields(done)["missing"] == {}
    there = {path.name for path in (done.folder / "export").iterdir()}
    assert {
        "model.keras",
        "saved_model",
        "model.onnx",
        "model.tflite",
        "evaluation.json",
        "confusion.svg",
        "calibration.svg",
        "examples.npz",
    } <= there
    assert (done.folder / "checkpoints" / "last" / "ckpt-135.index").exists()
    assert (done.folder / "checkpoints" / "best" / "checkpoint").exists()


def test_the_command_is_a_process_of_its_own(job: Callable[..., Job], forks: object) -> None:
    made = job(COUNTING)
    command = [sys.executable, "-m", "workbench.node", str(made.folder), "worker", "0"]
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(command, cwd=PROJECT, env=kept, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert answered(made) == 2 * COUNTING_EPOCH


@pytest.mark.parametrize(
    "recipe",
    [
        {"preprocessing": NUMBERS, "training": OWN_STEP},
        {"preprocessing": NUMBERS, "training": MANY_METRICS},
        {"preprocessing": NUMBERS + STREAM, "training": NET},
    ],
    ids=["own train_step, subclassed, regularised", "several metrics", "tf.data"],
)
def test_it_takes_what_keras_takes(job: Callable[..., Job], recipe: dict[str, str]) -> None:
    done = job(recipe).run()
    assert done.leader.events("metric")[-1].val_accuracy > 0.75
    assert fields(done)["missing"] == {}


def test_after_a_kill_it_goes_on_from_the_checkpoint_and_does_no_step_twice(job: Callable[..., Job]) -> None:
    made = job(
        {**COUNTING, "training": COUNT.replace("EPOCHS, BATCH_SIZE = 2", "EPOCHS, BATCH_SIZE = 500_000")}
    )
    made.start().until_step(3 * COUNTING_EPOCH)
    made.leader.kill()
    reached = made.leader.step
    epochs = reached // COUNTING_EPOCH + 5
    made.set(epochs=epochs)
    assert made.train() == epochs * COUNTING_EPOCH
    assert "going on from the checkpoint of step" in made.leader.lines
    last = made.leader.events("metric")[-1]
    assert (last.step, last.of) == (epochs * COUNTING_EPOCH,) * 2


OVERSHOOT = """
import keras
EPOCHS, BATCH_SIZE, PATIENCE = 50, 4, 2

class Overshooting(keras.Model):
    def test_step(self, batch):
        return {"loss": keras.ops.abs(self.trainable_variables[0][0, 0] - 230.0)}

def build_model():
    x = keras.Input((1,))
    model = Overshooting(x, keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")(x))
    model.compile(keras.optimizers.SGD(1.0), loss=lambda truth, output: -output)
    return model
"""


def test_it_stops_when_patience_is_out_and_takes_the_best_epoch(job: Callable[..., Job]) -> None:
    # The weight is 90, 180, 270, 360, 450 after the epochs: 270 is nearest to 230, and 450 is two later.
    made = job({"preprocessing": ONES, "training": OVERSHOOT}).run()
    assert made.leader.events("metric")[-1].step == 5 * COUNTING_EPOCH
    assert answered(made) == 3 * COUNTING_EPOCH
    assert "epoch 3" in made.leader.lines
    assert (
        made.train() == 5 * COUNTING_EPOCH
    )  # as after a crash while it exported: it does not go on training


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "none", folder], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"this system mounts no small file system: {done.stderr}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_costs_a_checkpoint_but_not_the_last_good_one(
    small_disk: Path, job: Callable[..., Job]
) -> None:
    made = job(
        {**COUNTING, "training": COUNT.replace("EPOCHS, BATCH_SIZE = 2", "EPOCHS, BATCH_SIZE = 500_000")}
    )
    (made.folder / "checkpoints").symlink_to(small_disk)
    made.start().until_step(2 * COUNTING_EPOCH)
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"), filler.open("wb", buffering=0) as file:  # noqa: PT012
        while True:
            file.write(bytes(4096))
    until(lambda: "was not written, the one before stays" in made.leader.lines, "a full disk", 60, made.words)
    made.until_step(made.leader.step + COUNTING_EPOCH)
    made.leader.kill()
    made.leader.start()
    until(lambda: "going on from the checkpoint of step" in made.leader.lines, "going on", 60, made.words)
    made.leader.kill()
    filler.unlink()
    epochs = made.leader.step // COUNTING_EPOCH + 3
    made.set(epochs=epochs)
    assert made.train() == epochs * COUNTING_EPOCH


def test_a_checkpoint_that_cannot_be_read_is_passed_over(job: Callable[..., Job]) -> None:
    made = job(COUNTING)
    made.train()
    for path in (made.folder / "checkpoints" / "last").glob("ckpt-180.data*"):
        path.write_bytes(b"broken")
    assert made.train() == 2 * COUNTING_EPOCH
    assert "a checkpoint cannot be read" in made.leader.lines
    assert "going on from the checkpoint of step 90" in made.leader.lines


WRONG_IN_THE_GRAPH = """
import keras
import tensorflow as tf

class Wrong(keras.Model):
    def train_step(self, batch):
        tf.debugging.assert_less(batch[1], tf.constant(1, tf.int64))
        return super().train_step(batch)

def build_model():
    x = keras.Input((8,))
    model = Wrong(x, keras.layers.Dense(2)(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model
"""
WRONG_AUGMENT = (
    NET
    + """
def augment(x):
    return x + nothing
"""
)


@pytest.mark.parametrize(
    ("recipe", "field", "line", "words"),
    [
        ({"preprocessing": "def load_data(:\n", "training": NET}, "preprocessing", 1, "syntax"),
        (
            {"preprocessing": "def load_data():\n    return 1 / 0\n", "training": NET},
            "preprocessing",
            2,
            "ZeroDivision",
        ),
        (
            {"preprocessing": "def load_data():\n    exit(0)\n", "training": NET},
            "preprocessing",
            2,
            "SystemExit",
        ),
        (
            {"preprocessing": NUMBERS, "training": NET.replace("keras.Input((8,))", "keras.Input((9,))")},
            "training",
            None,
            "does not take",
        ),
        (
            {"preprocessing": NUMBERS, "training": "def build_model():\n    return 7\n"},
            "training",
            None,
            "must return a keras.Model",
        ),
        ({"preprocessing": NUMBERS, "training": WRONG_AUGMENT}, "training", 13, "nothing"),
        ({"preprocessing": NUMBERS, "training": WRONG_IN_THE_GRAPH}, "training", 7, "assertion failed"),
        (
            {"preprocessing": NUMBERS, "training": NET.replace("Adam(0.01)", "SGD(1e30)")},
            "training",
            None,
            "loss is",
        ),
    ],
    ids=["syntax", "raises", "exits", "shape", "no model", "augment", "in the graph", "not a number"],
)
def test_the_recipes_own_fault_is_told_with_its_place(
    job: Callable[..., Job], recipe: dict[str, str], field: str, line: int | None, words: str
) -> None:
    made = job(recipe)
    made.leader.start()
    assert made.leader.wait() == 3, made.words()
    (error,) = made.leader.events("error")
    assert (error.field, error.line) == (field, line), error
    assert words in error.message
    if line:
        assert f"{field}.py" in error.traceback
    assert not (made.folder / "fields.json").exists()


RANDOM = (
    NET.replace("build_model", "build")
    + """

class Undecided(keras.Model):
    def call(self, x, training=False):
        return super().call(x) + keras.random.uniform((2,))

def build_model():
    model = build()
    undecided = Undecided(model.inputs, model.outputs)
    undecided.compile("adam", "sparse_categorical_crossentropy")
    return undecided
"""
)


def test_a_model_that_answers_otherwise_once_it_is_exported_is_no_result(job: Callable[..., Job]) -> None:
    made = job({"preprocessing": NUMBERS, "training": RANDOM})
    made.leader.start()
    assert made.leader.wait() == 3, made.words()
    assert "differ" in made.leader.events("error")[0].message
    assert not (made.folder / "fields.json").exists()
    assert not (made.folder / "export").exists()
