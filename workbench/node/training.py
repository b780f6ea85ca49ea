"""The training loop: one for a notebook, a process, synchronous workers, and parameter servers."""

import dataclasses
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from workbench.errors import RecipeError
from workbench.node import data
from workbench.node.checkpoint import Checkpoints, SaveTimer
from workbench.node.companions import film as films
from workbench.node.companions import sample
from workbench.node.given import callbacks
from workbench.node.model import make_evaluation, signature
from workbench.node.strategies.peers import Cluster
from workbench.node.strategy import Strategy, make
from workbench.node.trained import Trained, TrainingProgress
from workbench.recipes import Program

__all__ = ["Trained", "TrainingProgress", "fit", "train"]


def train(
    program: Program,
    train: Any,
    *,
    epochs: int | None = None,
    on_progress: Callable[[TrainingProgress], None] | None = None,
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
    program = callbacks.with_callbacks(program)
    strategy = make(Cluster())
    batches = data.prepare(
        train,
        batch_size=program.batch_size,
        augment=program.augment,
        class_weight=program.class_weight,
        seed=seed,
        replicas=strategy.replicas,
    )
    history: list[TrainingProgress] = []

    def report(progress: TrainingProgress) -> None:
        history.append(progress)
        if on_progress is not None:
            on_progress(progress)

    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) if program.patience else None
        trained = fit(strategy, program, batches, folder=kept, on_progress=report, stop=stop or _never)
    return dataclasses.replace(trained, history=history)


def fit(
    strategy: Strategy,
    program: Program,
    batches: data.Batches,
    *,
    folder: Path | None,
    on_progress: Callable[[TrainingProgress], None],
    stop: Callable[[], bool],
    say: Callable[[str], None] = lambda line: None,
) -> Trained:
    """Train to the end, from the newest checkpoint in the folder if there is one.

    Every synchronous machine calls this with the same program and data. Only the leading one reads and writes the
    folder; every machine's ``Trained`` has the same model.

    Parameters
    ----------
    folder
        Where checkpoints are kept; ``None`` for none.
    stop
        Any machine's yes ends the training of all.
    say
        Takes a line for the log now and then.
    """
    program = callbacks.with_callbacks(program)
    strategy.start(program, batches)
    checkpoints = Checkpoints(folder, strategy.copy, say) if folder and strategy.leads else None
    if checkpoints is not None and checkpoints.restore():
        say(f"going on from the checkpoint of step {checkpoints.step}")
    state = _State.agree(strategy, checkpoints)
    if not state.step:
        strategy.collect()  # the same seed gives the same first weights in every layout
    strategy.spread(state.step)
    return _loop(strategy, program, batches, checkpoints, state, folder, on_progress, stop, say)


@dataclass
class _State:
    """What the loop knows besides the model; the same on every machine."""

    step: int = 0
    seconds: float = 0.0
    best_loss: float = math.inf
    best_epoch: int = 0

    def out_of_patience(self, patience: int | None, per_epoch: int) -> bool:
        """Whether so many epochs passed since the best one."""
        epoch = self.step // per_epoch
        return patience is not None and self.best_epoch > 0 and epoch - self.best_epoch >= patience

    @classmethod
    def agree(cls, strategy: Strategy, checkpoints: Checkpoints | None) -> "_State":
        c = checkpoints
        mine = [c.step, c.seconds, min(c.best_loss, 1e300), c.best_epoch] if c else [0.0, 0.0, 1e300, 0.0]
        step, seconds, best_loss, best_epoch = strategy.sum(np.array(mine) * float(strategy.leads))
        return cls(int(step), float(seconds), float(best_loss), int(best_epoch))


def _loop(
    strategy: Strategy,
    program: Program,
    batches: data.Batches,
    checkpoints: Checkpoints | None,
    state: _State,
    folder: Path | None,
    on_progress: Callable[[TrainingProgress], None],
    stop: Callable[[], bool],
    say: Callable[[str], None],
) -> Trained:
    evaluate = make_evaluation(strategy.copy, program.output)
    wanted = callbacks.read(program.callbacks)
    if wanted.rates and state.step == 0:
        strategy.set_rate(callbacks.next_rate(wanted, 0, callbacks.rate_of(strategy.copy), None))
    validation = batches.validation(strategy.share)
    per_epoch, epochs = batches.steps_per_epoch, program.epochs
    total = epochs * per_epoch
    saved, stopped, pace, watch = state.step, False, 0.0, _Watch(state.seconds)
    timer = SaveTimer()
    examples = sample.take(batches)
    seen = films.begin(strategy.copy, batches, program.labels, examples)
    if seen is not None and state.step == 0:
        seen.take(0)
    elif seen is not None and not films.go_on(seen, folder if strategy.leads else None, state.step, strategy):
        seen = None
    while state.step < total and not stopped and not state.out_of_patience(program.patience, per_epoch):
        due = checkpoints is not None and timer.due()
        # Steps that go on by themselves cannot be stopped at a mark: their frames are a little later.
        until = seen.next_mark(state.step) if seen is not None and strategy.waits else total
        if wanted.rates:  # each epoch has its own, also where steps go on by themselves
            until = min(until, (state.step // per_epoch + 1) * per_epoch)
        advance = strategy.advance(min(total, until), pace, (stop(), due))
        count, before, state.step = advance.done - state.step, state.step, advance.done
        took = watch.lap()
        # The first call traces the graph: its pace says nothing.
        pace = count / took if pace else 1.0
        if not math.isfinite(advance.loss or 0.0):
            raise RecipeError(
                f"the loss is {advance.loss} after step {state.step}; a smaller learning rate or scaled inputs "
                "may help",
                field="training",
            )
        epoch = min(epochs, (state.step - 1) // per_epoch + 1)
        ended = state.step // per_epoch > before // per_epoch
        val_loss: float | None = None
        val_accuracy: float | None = None
        framed = seen is not None and seen.is_due(state.step)
        if ended or advance.asked[1] or framed:
            strategy.collect()
        if seen is not None and (framed or ended or advance.asked[1]):
            seen.take(state.step)
        if ended and validation is not None:
            val_loss, val_accuracy = _validate(strategy, evaluate, validation)
        state.seconds = watch.total
        progress = TrainingProgress(
            step=state.step,
            of=total,
            epoch=epoch,
            epochs=epochs,
            loss=math.nan if advance.loss is None else advance.loss,
            accuracy=advance.accuracy,
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            images_per_s=count * batches.batch_size / took,
            seconds=watch.total,
            eta_s=watch.left(state.step, total),
            film=seen,
        )
        on_progress(progress)
        better = val_loss is not None and val_loss < state.best_loss - wanted.min_delta
        if wanted.rates and ended and state.step < total:
            rate = callbacks.rate_of(strategy.copy)
            if (following := callbacks.next_rate(wanted, state.step // per_epoch, rate, val_loss)) != rate:
                strategy.set_rate(following)
                say(f"the learning rate is {following:.4g} from epoch {state.step // per_epoch + 1} on")
        if better:
            state.best_loss, state.best_epoch = val_loss, state.step // per_epoch  # type: ignore[assignment]
        if checkpoints is not None and (ended or advance.asked[1]):
            with timer:
                if better:
                    checkpoints.save_best(state.step, state.seconds, state.best_loss, state.best_epoch)
                else:
                    checkpoints.save(state.step, state.seconds)
            saved = state.step
        stopped = state.step < total and advance.asked[0]
        if strategy.waits:
            watch.skip()
    strategy.settle()
    strategy.collect()
    if checkpoints is not None and saved != state.step:
        checkpoints.save(state.step, state.seconds)
    model = strategy.copy
    model.optimizer.finalize_variable_values(model.trainable_variables)
    best_epoch = None
    if program.patience and state.best_epoch and checkpoints is not None and checkpoints.restore_best():
        best_epoch = state.best_epoch
        say(
            f"taking the weights of epoch {best_epoch}, whose validation loss of {state.best_loss:.4g} was the lowest"
        )
    if seen is not None:
        seen.take(state.step)
    names = signature(model, program, batches.sample)
    return Trained(model, [], state.seconds, stopped, state.step, best_epoch, examples, seen, names)


def _validate(
    strategy: Strategy, evaluate: Callable[[Any], tuple[int, float, float | None]], part: Any
) -> tuple[float, float | None]:
    """Loss and accuracy over the shares of all machines."""
    count, loss, accuracy = evaluate(part)
    known = count * (accuracy is not None)
    mine = [count, count and count * loss, known, known and known * (accuracy or 0.0)]
    count_, loss_, known_, accuracy_ = strategy.sum(np.array(mine, np.float64))
    return float(loss_ / count_), float(accuracy_ / known_) if known_ else None


class _Watch:
    """Counts the time between laps; what passes between a lap and ``skip`` is not counted."""

    def __init__(self, total: float = 0.0) -> None:
        self.total = total
        self._since = time.perf_counter()
        self._traced: tuple[int, float] | None = None

    def lap(self) -> float:
        now = time.perf_counter()
        took = max(now - self._since, 1e-9)
        self.total += took
        self._since = now
        return took

    def skip(self) -> None:
        self._since = time.perf_counter()

    def left(self, step: int, of: int) -> float | None:
        """Seconds likely still to pass, by the pace since the first lap, which traced the graph."""
        if self._traced is None:
            self._traced = (step, self.total)
        first, passed = self._traced
        return (self.total - passed) / (step - first) * (of - step) if step > first else None


def _never() -> bool:
    return False
