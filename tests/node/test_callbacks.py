"""A recipe's callbacks: what they ask for is read, done as Keras does it, or refused by name."""

from typing import Any

import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from tests.node.small_recipes import COUNTING  # noqa: E402
from tests.node.training_cluster import Forks  # noqa: E402
from workbench.errors import RecipeError  # noqa: E402
from workbench.node.given import callbacks  # noqa: E402

LOSSES = [1.0, 0.9, 0.91, 0.92, 0.89, 0.95, 0.95, 0.95, 0.95, 0.95, 0.8, 0.81, 0.82, 0.83]


def model() -> Any:
    made = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    made.compile(keras.optimizers.SGD(0.8))
    return made


@pytest.mark.parametrize(
    "how",
    [
        {"patience": 2, "factor": 0.5},
        {"patience": 1, "factor": 0.1, "cooldown": 2},
        {"patience": 2, "factor": 0.5, "min_lr": 0.3},
        {"patience": 2, "factor": 0.5, "min_delta": 0.05},
    ],
)
@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # Keras' own, of NumPy 2
def test_a_plateau_lowers_the_rate_when_keras_does(how: dict[str, Any]) -> None:
    theirs, net = keras.callbacks.ReduceLROnPlateau(**how), model()
    theirs.set_model(net)
    theirs.on_train_begin()
    expected = []
    for epoch, loss in enumerate(LOSSES):
        theirs.on_epoch_end(epoch, {"val_loss": loss})
        expected.append(callbacks.rate_of(net))
    wanted, rate, found = callbacks.read([keras.callbacks.ReduceLROnPlateau(**how)]), 0.8, []
    for epoch, loss in enumerate(LOSSES):
        rate = callbacks.next_rate(wanted, epoch + 1, rate, loss)
        found.append(rate)
    assert found == pytest.approx(expected)
    assert min(found) < 0.8


def test_what_callbacks_ask_for_is_read() -> None:
    wanted = callbacks.read(
        [
            keras.callbacks.EarlyStopping(patience=4, min_delta=0.01),
            keras.callbacks.ModelCheckpoint("best.keras", save_best_only=True),
            keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1)),
            keras.callbacks.TerminateOnNaN(),
        ]
    )
    assert (wanted.patience, wanted.min_delta, wanted.keeps_best) == (4, 0.01, True)
    assert callbacks.next_rate(wanted, 1, 0.3, None) == 0.05
    assert callbacks.next_rate(callbacks.read([]), 1, 0.3, 1.0) == 0.3


MINE = type("Mine", (keras.callbacks.Callback,), {})
"""A class of a recipe's own."""


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: MINE(), "CALLBACKS has Mine.*calls none of a recipe's; those that can be are EarlyStopping"),
        (lambda: keras.callbacks.TensorBoard("logs"), "TensorBoard.*job's page"),
        (lambda: keras.callbacks.CSVLogger("x.csv"), "CSVLogger.*--json"),
        (lambda: keras.callbacks.EarlyStopping(monitor="val_accuracy"), "looks at 'val_accuracy'"),
        (lambda: keras.callbacks.EarlyStopping(baseline=0.5), "baseline=0.5, which is not known"),
        (lambda: "early", "CALLBACKS has str"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(make: Any, said: str) -> None:
    with pytest.raises(RecipeError, match=said) as caught:
        callbacks.read([make()])
    assert caught.value.field == "training"


def test_a_rate_beside_a_schedule_by_steps_is_refused() -> None:
    made = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    made.compile(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10)))
    with pytest.raises(RecipeError, match="schedule of its own"):
        callbacks.set_rate([made], 0.1)


def test_each_epoch_has_the_rate_of_the_schedule_and_the_best_weights_are_taken(forks: Forks) -> None:
    code = """
import keras
from workbench import recipes
from workbench.node import training
from workbench.recipes import Recipe
from pathlib import Path
import tempfile
def trained(more):
    with tempfile.TemporaryDirectory() as folder:
        program = recipes.load(Recipe("", PREPROCESSING, TRAINING + more), Path(folder))
        train, test = program.load_data()
        found = training.train(program, train, epochs=3)
        return float(found.predict(test[0][:1])[0, 0]), found.best_epoch, found.steps
answer = [
    trained("\\nCALLBACKS = keras.callbacks.LearningRateScheduler(lambda epoch, rate: [1.0, 0.5, 0.25][epoch])"),
    trained("\\nCALLBACKS = [keras.callbacks.EarlyStopping(patience=1, min_delta=1e9)]"),
    trained("\\nCALLBACKS = (keras.callbacks.ModelCheckpoint('a.keras', save_best_only=True),)"),
]
"""
    given = f"PREPROCESSING, TRAINING = {COUNTING['preprocessing']!r}, {COUNTING['training']!r}\n{code}"
    scheduled, stopped, best = forks.ask("answer", code=given)
    assert scheduled == [90 + 45 + 22.5, None, 270]
    assert stopped == [90, 1, 180]
    assert best == [270, 3, 270]
