"""The training panel: choose the epochs, train, watch the curves, stop."""

import asyncio
import contextlib
import contextvars
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Protocol

import ipywidgets
from IPython.display import display

from workbench.film import FilmSoFar
from workbench.settings import from_environment
from workbench.system import priority
from workbench.ui.film import Film
from workbench.ui.tutorial.sections import Observable, is_page
from workbench.ui.tutorial.turns import Turn
from workbench.ui.widgets.curves import Curves, Series
from workbench.ui.widgets.formats import duration, percent, time_left
from workbench.ui.widgets.pieces import Html, ProgressBar, error_banner

MAX_EPOCHS = 100
POLL_S = 0.1
AT_ONCE = max(1, (os.cpu_count() or 1) // 2)
"""How many kernels of this computer train at a time."""
TURN_POLL_S = 0.5
TURN_S = 120.0
"""After so long a training gives way to those that wait, and goes on when its turn comes again."""

PREPARING = "Getting ready: reading the data, building the network …"


class Report(Protocol):
    """The progress of a training: ``workbench.node.trained.TrainingProgress``."""

    @property
    def step(self) -> int: ...
    @property
    def of(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def epochs(self) -> int: ...
    @property
    def loss(self) -> float: ...
    @property
    def accuracy(self) -> float | None: ...
    @property
    def val_loss(self) -> float | None: ...
    @property
    def val_accuracy(self) -> float | None: ...
    @property
    def images_per_s(self) -> float: ...
    @property
    def seconds(self) -> float: ...
    @property
    def eta_s(self) -> float | None: ...
    @property
    def film(self) -> FilmSoFar | None: ...


class TrainingPanel(Observable):
    """A panel around one function that trains; its value is what that function gave last.

    Parameters
    ----------
    train
        ``train(epochs=…, on_progress=…, stop=…)`` → the trained model. It calls ``on_progress`` now and then with
        a report, and ends early with what it has when ``stop()`` says yes.
    epochs
        Offered at first.
    """

    _turn: ClassVar[threading.Lock] = threading.Lock()
    _training: ClassVar["TrainingPanel | None"] = None

    def __init__(self, train: Callable[..., Any], epochs: int) -> None:
        super().__init__()
        self._train = train
        self._busy = threading.Lock()
        self._stop, self._telling = threading.Event(), threading.Lock()
        self._over = False
        self.error: Exception | None = None
        self.epochs = ipywidgets.BoundedIntText(epochs, min=1, max=MAX_EPOCHS, description="Epochs")
        self.train_button = ipywidgets.Button(description="Train", tooltip="Train the network")
        self.stop_button = ipywidgets.Button(
            description="Stop", disabled=True, tooltip="End after the current step and keep what was learnt"
        )
        self.train_button.add_class("wb-primary")
        self.train_button.on_click(lambda _: self.start())
        self.stop_button.on_click(lambda _: self.stop())
        self.progress = ProgressBar(label="Training", text="Not trained yet.")
        self.loss = Curves(title="Loss", x_label="epochs")
        self.accuracy = Curves(title="Accuracy", x_label="epochs", percent=True)
        self.message = Html()
        self.film = Film()
        controls = ipywidgets.HBox([self.epochs, self.train_button, self.stop_button])
        charts = ipywidgets.HBox([self.loss, self.accuracy])
        self.widget = ipywidgets.VBox([controls, self.progress, self.message, charts, self.film])
        controls.add_class("wb-controls")
        charts.add_class("wb-side")
        self.widget.add_class("wb").add_class("wb-card")
        self._forget()

    @property
    def running(self) -> bool:
        return self._busy.locked()

    async def open(self) -> None:
        """Show the panel. Step by step it then trains, and the next cell finds the model; a page waits for the button.

        While the cell awaits, the kernel takes messages: the Stop button works, and so does interrupting.

        Raises
        ------
        Exception
            Whatever the training raised.
        """
        display(self.widget)
        if is_page():
            return
        self.start()
        try:
            while self.running:
                await asyncio.sleep(POLL_S)
        except (asyncio.CancelledError, KeyboardInterrupt):
            self.stop()
            raise
        if self.error:
            raise self.error

    def start(self) -> None:
        """Train in a thread; an error is shown and kept. While training: does nothing."""
        if self._busy.acquire(blocking=False):
            self._stop.clear()
            self._over = False
            # In this context, so that what the training prints finds its way to the same place.
            target = contextvars.copy_context().run
            threading.Thread(target=target, args=(self._run,), name="training", daemon=True).start()

    def stop(self) -> None:
        """Ask the training to end after its current step; what was learnt so far is kept."""
        with self._telling:
            if self.running and not self._over:
                self._stop.set()
                self.stop_button.disabled = True
                self.progress.text, self.progress.aside = "Stopping after this step …", ""

    def _run(self) -> None:
        try:
            self._begin()
            if other := TrainingPanel._training:
                other.stop()  # a kernel trains one network at a time, the newest
            with TrainingPanel._turn, self._queue() as turn:
                TrainingPanel._training = self
                try:
                    if not self._wait(turn):
                        self._end("stopped", "Stopped before its turn came.")
                        return
                    self.progress.text, self.progress.aside = PREPARING, ""
                    began = time.monotonic()

                    def show(report: Report) -> None:
                        nonlocal began
                        self._show(report)
                        if time.monotonic() - began > TURN_S and turn.others_wait:
                            turn.give_way()
                            self._wait(turn)
                            began = time.monotonic()

                    with _after_others():
                        value = self._train(
                            epochs=self.epochs.value, on_progress=show, stop=self._stop.is_set
                        )
                finally:
                    TrainingPanel._training = None
        except Exception as error:
            self.error = error
            self._end("failed", "Training failed.")
            self.message.html = error_banner(error, "Training")
        else:
            stopped = self._stop.is_set()
            self._end("stopped" if stopped else "done", self._summary("Stopped" if stopped else "Done"))
            self._give(value)
        finally:
            self._busy.release()

    def _queue(self) -> Turn:
        """Queue for the processors, with all kernels of this computer: a class presses *Train* at the same moment."""
        return Turn(from_environment().run / "training", AT_ONCE)

    def _wait(self, turn: Turn) -> bool:
        def tell(ahead: int) -> None:
            if not self._stop.is_set():
                many = "1 training is" if ahead == 1 else f"{ahead} trainings are"
                self.progress.text, self.progress.aside = f"Waiting: {many} before this one …", ""

        return turn.wait(TURN_POLL_S, self._stop.is_set, tell)

    def _begin(self) -> None:
        self.error = None
        self._forget()
        self._take_back()
        self.message.html = ""
        self.train_button.disabled = self.epochs.disabled = True
        self.stop_button.disabled = False
        self.progress.show("running", None, PREPARING)

    def _end(self, state: str, text: str) -> None:
        with self._telling:
            self._over = True  # who stops it now comes too late
            self.progress.show(state, 1.0 if state == "done" else self.progress.value or 0.0, text)
            self.stop_button.disabled = True
        self.train_button.disabled = self.epochs.disabled = False
        self.train_button.description = "Train" if state == "failed" else "Train again"

    def _forget(self) -> None:
        self._reports: list[Report] = []
        self.film.clear()
        self._draw()

    def _show(self, report: Report) -> None:
        self._reports.append(report)
        if report.film is not None:
            self.film.show(report.film)
        self.progress.value = report.step / report.of
        if not self._stop.is_set():
            self.progress.text = (
                f"Epoch {report.epoch} of {report.epochs}, step {report.step:,} of {report.of:,}"
            )
            if report.eta_s is not None:
                self.progress.aside = f"{time_left(report.eta_s)}, {report.images_per_s:,.0f} images/s"
        self._draw()

    def _draw(self) -> None:
        reports = self._reports
        x = [r.step / r.of * r.epochs for r in reports]
        ends = [i for i, r in enumerate(reports) if r.val_loss is not None]
        self.loss.x_max = self.accuracy.x_max = float(reports[-1].epochs if reports else self.epochs.value)
        for chart, train, validation in (
            (self.loss, [r.loss for r in reports], [reports[i].val_loss for i in ends]),
            (self.accuracy, [r.accuracy for r in reports], [reports[i].val_accuracy for i in ends]),
        ):
            chart.show(
                Series("training", *_there(x, train), color=1),
                Series("validation", *_there([x[i] for i in ends], validation), dots=True, color=2),
            )

    def _summary(self, done: str) -> str:
        if not self._reports:
            return f"{done}."
        last = self._reports[-1]
        steps = f"{last.step:,}" if last.step == last.of else f"{last.step:,} of {last.of:,}"
        text = f"{done} after {steps} steps in {duration(last.seconds)}."
        judged = [r.val_accuracy for r in self._reports if r.val_accuracy is not None]
        return f"{text} {percent(judged[-1])} right on the validation part." if judged else text


def _there(x: list[float], y: list[Any]) -> tuple[list[float], list[float]]:
    pairs = [(a, b) for a, b in zip(x, y, strict=True) if b is not None]
    return [a for a, _ in pairs], [b for _, b in pairs]


@contextlib.contextmanager
def _after_others() -> Iterator[None]:
    """Let a kernel that trains come after those that answer somebody, where the system weighs sessions.

    A kernel has a session of its own; whoever runs a notebook in another way shares theirs with a terminal.
    """
    alone = os.getsid(0) == os.getpid()
    if alone:
        priority.weigh_session("self", priority.BACKGROUND)
    try:
        yield
    finally:
        if alone:
            priority.weigh_session("self", 0)
