"""The training loop: a compiled Keras model's own ``train_step`` inside ``strategy.run``."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from workbench.errors import RecipeError
from workbench.node import data
from workbench.recipes import Program

REPORT_EVERY_S = 0.25
PREDICT_BATCH = 1_000


@dataclass(frozen=True)
class Progress:
    """How far the training is.

    Attributes
    ----------
    step, of
        Batches done and to do in all.
    epoch, epochs
        The current epoch, from 1, and how many there are.
    loss, accuracy
        Mean over the batches since the report before; accuracy 0 to 1, ``None`` where the model has no such metric.
    val_loss, val_accuracy
        On the validation part; set in the last report of an epoch only.
    images_per_s
        Examples a second since the report before.
    seconds, eta_s
        Spent since the first batch, and likely still to spend.
    """

    step: int
    of: int
    epoch: int
    epochs: int
    loss: float
    accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    images_per_s: float
    seconds: float
    eta_s: float


@dataclass(frozen=True)
class Trained:
    """A trained model and how it came about."""

    model: keras.Model
    history: list[Progress]
    seconds: float
    """Of training alone: data, building and tracing are not in it."""
    stopped: bool
    """Ended early because it was asked to."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The model's outputs in inference mode, float32 ``(n, …)``."""
        return predict(self.model, x)


def predict(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """The model's outputs in inference mode, float32 ``(n, …)``, computed in batches."""
    forward = tf.function(lambda batch: model(batch, training=False), reduce_retracing=True)
    starts = range(0, len(x), PREDICT_BATCH)
    return np.concatenate([forward(tf.constant(x[i : i + PREDICT_BATCH])).numpy() for i in starts]).astype(
        np.float32
    )


def train(
    program: Program,
    train: Any,
    *,
    epochs: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
    seed: int = 0,
) -> Trained:
    """Train the program's model in this process.

    Parameters
    ----------
    train
        The training part of ``program.load_data()``; a tenth of it is cut off for validation.
    epochs
        Instead of the program's own ``EPOCHS``.
    on_progress
        Called about four times a second and at each epoch's end.
    stop
        Asked as often; once it says yes, training ends and what was learnt so far is given.

    Raises
    ------
    RecipeError
        The data or the model is not what a recipe must give, or the loss is no longer a number.
    """
    keras.utils.set_random_seed(seed)
    if epochs is not None:
        program = program.set_epochs(epochs)
    batches = data.prepare(train, batch_size=program.batch_size, augment=program.augment, seed=seed)
    strategy = tf.distribute.get_strategy()
    with strategy.scope():
        model = build(program, batches.sample)
    return _loop(model, batches, strategy, program.epochs, on_progress or _ignore, stop or _never)


def build(program: Program, sample: tf.Tensor) -> keras.Model:
    """Call ``build_model()`` and make every variable that training needs.

    Raises
    ------
    RecipeError
        What comes back is not a compiled Keras model, or it does not take the data.
    """
    model = program.build_model()
    if not isinstance(model, keras.Model):
        raise RecipeError(f"build_model() must return a keras.Model. Received: {model!r}", field="training")
    if not model.compiled:
        raise RecipeError(
            "build_model() must return a compiled model; call model.compile(…) before returning it",
            field="training",
        )
    try:
        model(sample[:1])
    except ValueError as error:
        raise RecipeError(
            f"the model does not take what load_data() gives, x of shape {tuple(sample.shape[1:])}: {error}",
            field="training",
        ) from error
    model.optimizer.build(model.trainable_variables)
    return model


def _loop(
    model: keras.Model,
    batches: data.Batches,
    strategy: tf.distribute.Strategy,
    epochs: int,
    on_progress: Callable[[Progress], None],
    stop: Callable[[], bool],
) -> Trained:
    @tf.function(reduce_retracing=True)
    def steps(iterator: Any, count: tf.Tensor) -> dict[str, tf.Tensor]:
        logs = strategy.run(model.train_step, args=(next(iterator),))
        for _ in tf.range(count - 1):
            logs = strategy.run(model.train_step, args=(next(iterator),))
        return logs

    validate = make_evaluation(model)
    total, done, pace = epochs * batches.steps_per_epoch, 0, 0.0
    iterator, history, stopped, watch = iter(batches.train), [], False, _Watch()
    while done < total and not stopped:
        model.reset_metrics()
        left = batches.steps_per_epoch - done % batches.steps_per_epoch
        count = min(left, max(1, math.floor(REPORT_EVERY_S * pace))) if pace else 1
        logs = {name: float(value) for name, value in steps(iterator, tf.constant(count)).items()}
        done += count
        took = watch.lap()
        # The first call traces the graph: its pace says nothing.
        pace = count / took if done > 1 else 1 / REPORT_EVERY_S
        if not math.isfinite(logs.get("loss", 0.0)):
            raise RecipeError(
                f"the loss is {logs['loss']} after step {done}; a smaller learning rate or scaled inputs may help",
                field="training",
            )
        validation: tuple[float | None, float | None] = (None, None)
        if done % batches.steps_per_epoch == 0 and batches.validation is not None:
            validation = validate(batches.validation)
        progress = Progress(
            step=done,
            of=total,
            epoch=min(epochs, (done - 1) // batches.steps_per_epoch + 1),
            epochs=epochs,
            loss=logs.get("loss", math.nan),
            accuracy=_accuracy(logs),
            val_loss=validation[0],
            val_accuracy=validation[1],
            images_per_s=count * batches.batch_size / took,
            seconds=watch.total,
            eta_s=watch.total / done * (total - done),
        )
        watch.skip()
        history.append(progress)
        on_progress(progress)
        stopped = done < total and stop()
    model.optimizer.finalize_variable_values(model.trainable_variables)
    return Trained(model, history, watch.total, stopped)


def make_evaluation(model: keras.Model) -> Callable[[tf.data.Dataset], tuple[float, float | None]]:
    """A function that gives loss and accuracy (``None`` where there is no such metric) in inference mode."""

    @tf.function(reduce_retracing=True)
    def step(batch: Any) -> dict[str, tf.Tensor]:
        return model.test_step(batch)

    def run(batches: tf.data.Dataset) -> tuple[float, float | None]:
        model.reset_metrics()
        logs: dict[str, tf.Tensor] = {}
        for batch in batches:
            logs = step(batch)
        values = {name: float(value) for name, value in logs.items()}
        return values.get("loss", math.nan), _accuracy(values)

    return run


def _accuracy(logs: dict[str, float]) -> float | None:
    return next((value for name, value in logs.items() if name == "acc" or name.endswith("accuracy")), None)


class _Watch:
    """Counts the time between laps; what passes between a lap and ``skip`` is not counted."""

    def __init__(self) -> None:
        self.total = 0.0
        self._since = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        took = max(now - self._since, 1e-9)
        self.total += took
        self._since = now
        return took

    def skip(self) -> None:
        self._since = time.perf_counter()


def _ignore(progress: Progress) -> None:
    pass


def _never() -> bool:
    return False
