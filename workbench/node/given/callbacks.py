"""A recipe's ``CALLBACKS`` in a loop that is not Keras' own: what they ask for is done, what cannot be is refused by name."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import keras

from workbench.errors import RecipeError
from workbench.recipes import Program

MONITORED = ("val_loss", "auto")
KNOWN = "EarlyStopping, ModelCheckpoint, LearningRateScheduler, ReduceLROnPlateau, TerminateOnNaN, BackupAndRestore"
ADVICE = {
    "CSVLogger": "the curves are on the job's page, and workbench job ID --json has them",
    "LambdaCallback": "what it does at a step belongs into the model's train_step",
    "TensorBoard": "the curves are on the job's page",
}


class Rate(Protocol):
    """Decides the learning rate of the next epoch."""

    def next(self, epoch: int, rate: float, val_loss: float | None) -> float:
        """The rate of the epoch of this number, from 0, after one with this rate and validation loss; ``None`` before any."""


@dataclass
class Scheduled:
    """As ``LearningRateScheduler``."""

    schedule: Any

    def next(self, epoch: int, rate: float, val_loss: float | None) -> float:
        try:
            found = self.schedule(epoch, rate)
        except TypeError:  # as Keras does: one that takes the epoch alone
            found = self.schedule(epoch)
        value = float(found)
        if not math.isfinite(value) or value < 0:
            raise RecipeError(
                f"the schedule of LearningRateScheduler gives {value} for epoch {epoch}; give a rate from 0 on",
                field="training",
            )
        return value


@dataclass
class Plateau:
    """As ``ReduceLROnPlateau``, which looks at the validation loss."""

    factor: float
    patience: int
    min_delta: float
    cooldown: int
    min_rate: float
    best: float = math.inf
    wait: int = 0
    cooling: int = 0

    def next(self, epoch: int, rate: float, val_loss: float | None) -> float:
        if val_loss is None:
            return rate
        if self.cooling:
            self.cooling -= 1
            self.wait = 0
        if val_loss < self.best - self.min_delta:
            self.best, self.wait = val_loss, 0
        elif not self.cooling:
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_rate:
                self.wait, self.cooling = 0, self.cooldown
                return max(rate * self.factor, self.min_rate)
        return rate


@dataclass
class Wanted:
    """What a recipe's callbacks ask the loop for.

    Attributes
    ----------
    patience
        Epochs without a better one after which it ends; ``None`` if it does not.
    keeps_best
        Take the best epoch's weights.
    min_delta
        By how much a validation loss must be lower to be better.
    """

    patience: int | None = None
    keeps_best: bool = False
    min_delta: float = 0.0
    rates: list[Rate] = field(default_factory=list)


def read(callbacks: Sequence[Any]) -> Wanted:
    """Read what the callbacks ask for.

    Raises
    ------
    RecipeError
        One that this loop does not call, by its name, or an option of one that it does not know.
    """
    wanted = Wanted()
    for one in callbacks:
        name = type(one).__name__
        _check_monitor(one, name)
        if type(one) is keras.callbacks.EarlyStopping:
            _refuse_options(one, name, baseline=None, start_from_epoch=0)
            wanted.patience = max(1, int(one.patience))
            wanted.min_delta = abs(float(one.min_delta))
        elif type(one) is keras.callbacks.ModelCheckpoint:
            wanted.keeps_best |= bool(one.save_best_only)
        elif type(one) is keras.callbacks.LearningRateScheduler:
            wanted.rates.append(Scheduled(one.schedule))
        elif type(one) is keras.callbacks.ReduceLROnPlateau:
            wanted.rates.append(
                Plateau(
                    float(one.factor),
                    int(one.patience),
                    float(one.min_delta),
                    int(one.cooldown),
                    float(one.min_lr),
                )
            )
        elif type(one) not in (keras.callbacks.TerminateOnNaN, keras.callbacks.BackupAndRestore):
            out = ADVICE.get(name, "the training loop is the workbench's own and calls none of a recipe's")
            raise RecipeError(
                f"CALLBACKS has {name}, which cannot be taken here: {out}; those that can be are {KNOWN}",
                field="training",
            )
    return wanted


def with_callbacks(program: Program) -> Program:
    """The program with what its callbacks ask for where it has settings for that; doing so again changes nothing."""
    wanted = read(program.callbacks)
    if program.patience is not None or (wanted.patience is None and not wanted.keeps_best):
        return program
    return replace(program, patience=wanted.patience or program.epochs)


def rate_of(model: keras.Model) -> float:
    """The learning rate of the model's optimizer."""
    return float(model.optimizer.learning_rate.numpy())


def set_rate(models: Sequence[keras.Model], rate: float) -> None:
    """Give the optimizers of these models a learning rate.

    Raises
    ------
    RecipeError
        They have a schedule by steps already.
    """
    for model in {id(one): one for one in models}.values():
        try:
            model.optimizer.learning_rate = rate
        except TypeError as error:
            raise RecipeError(
                "CALLBACKS set the learning rate, and the optimizer has a schedule of its own; leave one of them out",
                field="training",
            ) from error


def next_rate(wanted: Wanted, epoch: int, rate: float, val_loss: float | None) -> float:
    """The rate of the epoch of this number, from 0."""
    for one in wanted.rates:
        rate = one.next(epoch, rate, val_loss)
    return rate


def _check_monitor(one: object, name: str) -> None:
    monitor = getattr(one, "monitor", "val_loss")
    if monitor not in MONITORED:
        raise RecipeError(
            f"{name} in CALLBACKS looks at {monitor!r}; here it can look at the validation loss: leave monitor out",
            field="training",
        )


def _refuse_options(one: object, name: str, **usual: object) -> None:
    for option, value in usual.items():
        if getattr(one, option, value) != value:
            raise RecipeError(
                f"{name} in CALLBACKS has {option}={getattr(one, option)!r}, which is not known here; leave it out",
                field="training",
            )
