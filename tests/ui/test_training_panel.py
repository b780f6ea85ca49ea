"""The training panel and the sections that follow from it, with a training that is a fake."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.apart import run_apart
from tests.chain import LEAST_PATIENCE_S
from workbench import ui
from workbench.backends.values import Deployment
from workbench.events import Progress
from workbench.film import FilmSoFar, Frame
from workbench.ui.film import Film
from workbench.ui.tutorial import training
from workbench.ui.tutorial.training import Report, TrainingPanel
from workbench.ui.tutorial.turns import Turn

if TYPE_CHECKING:
    from workbench.node.training import TrainingProgress

    def as_the_panel_sees_it(real: TrainingProgress) -> Report:
        """That it may see the real one so; to import it takes TensorFlow along."""
        return real


@dataclass(frozen=True, kw_only=True)
class Told(Progress):
    loss: float = field()
    images_per_s: float = field()
    epochs: int
    seconds: float
    film: FilmSoFar | None = None


@dataclass
class Kept:
    form: dict[str, object]
    frames: list[Frame]


def report(step: int, of: int, epochs: int, **more: Any) -> Told:
    fields: dict[str, Any] = {
        "step": step,
        "of": of,
        "epoch": 1,
        "epochs": epochs,
        "loss": 1 / step,
        "accuracy": 0.5,
        "val_loss": None,
        "val_accuracy": None,
        "images_per_s": 1000.0,
        "seconds": 1.0,
        "eta_s": 5.0,
    }
    return Told(**{**fields, **more})


@dataclass
class FakeTraining:
    """Trains in ten steps; waits where it is told to."""

    fails: Exception | None = None
    hold: threading.Event | None = None
    epochs: list[int] = field(default_factory=list)

    def __call__(self, *, epochs: int, on_progress: Callable[[Told], None], stop: Callable[[], bool]) -> str:
        self.epochs.append(epochs)
        for step in range(1, 11):
            if stop():
                return f"model after {step - 1} steps"
            on_progress(
                report(step, 10, epochs, **({"val_loss": 0.1, "val_accuracy": 0.987} if step == 10 else {}))
            )
            if self.fails:
                raise self.fails
            while self.hold and not self.hold.wait(0.01) and not stop():
                pass
        return "model"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of their own: trainings of this computer queue in it."""
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the kernel of a Voilà page."""
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5")


def until(condition: Callable[[], Any]) -> None:
    give_up = time.monotonic() + LEAST_PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.005)


def idle(panel: TrainingPanel) -> bool:
    return not panel.running


def html(section: ui.Section) -> str:
    return "".join(getattr(child, "html", "") for child in section.widget.children)


def test_step_by_step_opening_trains_and_the_next_cell_finds_the_model() -> None:
    panel, told = TrainingPanel(FakeTraining(), epochs=4), list[str]()
    panel.progress.observe(lambda change: told.append(change["new"]), "text")
    run_apart(panel.open())
    assert told[0] == training.PREPARING
    assert panel.value == "model"
    assert panel.progress.state == "done"
    assert "98.70 %" in panel.progress.text


def test_step_by_step_an_error_is_raised_in_the_cell_and_shown() -> None:
    panel = TrainingPanel(FakeTraining(fails=ValueError("loss is nan")), epochs=1)
    with pytest.raises(ValueError, match="loss is nan"):
        run_apart(panel.open())
    assert panel.progress.state == "failed"
    assert "loss is nan" in panel.message.html
    assert not panel.ready
    assert not panel.train_button.disabled
    assert panel.train_button.description == "Train"


@pytest.mark.usefixtures("page")
def test_a_page_that_is_opened_waits_for_the_button() -> None:
    train = FakeTraining()
    panel = TrainingPanel(train, epochs=3)
    run_apart(panel.open())
    assert train.epochs == []
    panel.epochs.value = 2
    panel.train_button.click()
    until(lambda: panel.ready)
    assert train.epochs == [2]


def test_the_curves_follow_the_training_in_epochs() -> None:
    panel = TrainingPanel(FakeTraining(), epochs=2)
    run_apart(panel.open())
    training, validation = panel.accuracy.series
    assert training["x"] == [pytest.approx(0.2 * i) for i in range(1, 11)]
    assert (validation["x"], validation["y"]) == ([2.0], [0.987])


def test_stop_ends_early_and_keeps_what_was_learnt() -> None:
    panel = TrainingPanel(FakeTraining(hold=threading.Event()), epochs=1)
    panel.start()
    until(lambda: panel.progress.value)
    assert not panel.stop_button.disabled
    panel.stop_button.click()
    until(lambda: panel.ready)
    assert panel.value == "model after 1 steps"
    assert panel.progress.state == "stopped"
    assert panel.stop_button.disabled


def test_stop_that_comes_when_it_has_just_ended_changes_nothing() -> None:
    panel = TrainingPanel(FakeTraining(), epochs=1)
    panel.watch("whoever stops", panel.stop)  # the panel runs until all have heard of the model
    panel.start()
    until(lambda: panel.ready and idle(panel))
    assert (panel.progress.state, panel.stop_button.disabled) == ("done", True)
    assert panel.progress.text.startswith("Done after 10 steps")


def test_a_second_click_while_training_does_nothing() -> None:
    hold = threading.Event()
    train = FakeTraining(hold=hold)
    panel = TrainingPanel(train, epochs=1)
    panel.train_button.click()
    until(lambda: panel.progress.value)
    assert panel.train_button.disabled
    panel.train_button.click()
    hold.set()
    until(lambda: idle(panel))
    assert train.epochs == [1]


def test_a_kernel_trains_one_network_at_a_time_the_newest() -> None:
    first = TrainingPanel(FakeTraining(hold=threading.Event()), epochs=1)
    first.start()
    until(lambda: first.progress.value)
    second = TrainingPanel(FakeTraining(), epochs=1)
    run_apart(second.open())
    until(lambda: idle(first))
    assert first.progress.state == "stopped"
    assert second.value == "model"


def test_an_interrupted_cell_stops_the_training() -> None:
    async def interrupt() -> None:
        cell = asyncio.create_task(panel.open())
        while not panel.progress.value:
            await asyncio.sleep(0.005)
        cell.cancel()
        await cell

    panel = TrainingPanel(FakeTraining(hold=threading.Event()), epochs=1)
    with pytest.raises(asyncio.CancelledError):
        run_apart(interrupt())
    until(lambda: idle(panel))
    assert panel.progress.state == "stopped"


def test_step_by_step_a_section_runs_at_once() -> None:
    panel = TrainingPanel(FakeTraining(), epochs=1)
    run_apart(panel.open())

    @ui.after(panel, show=lambda value: f"<b>{value}</b>")
    def section(trained: str) -> str:
        return trained.upper()

    assert section.value == "MODEL"
    assert html(section) == "<b>MODEL</b>"


def test_step_by_step_the_error_of_a_section_is_raised_in_its_cell() -> None:
    panel = TrainingPanel(FakeTraining(), epochs=1)
    run_apart(panel.open())
    with pytest.raises(AssertionError, match="far too little"):

        @ui.after(panel)
        def section(trained: str) -> None:
            raise AssertionError("far too little")


@pytest.mark.usefixtures("page")
def test_on_a_page_sections_wait_then_fill_in_one_after_the_other() -> None:
    panel = TrainingPanel(FakeTraining(), epochs=1)

    @ui.after(panel)
    def first(trained: str) -> str:
        """Look at it."""
        return f"{trained}, evaluated"

    @ui.after(panel, first)
    def second(trained: str, first: str) -> str:
        return f"{trained}; {first}"

    assert "Look at it." in html(first)
    assert "fills in when the training above is done" in html(first)
    panel.start()
    until(lambda: second.ready)
    assert html(second) == "model; model, evaluated"


@pytest.mark.usefixtures("page")
def test_training_again_takes_the_old_answers_back_and_brings_new_ones() -> None:
    train = FakeTraining()
    panel = TrainingPanel(train, epochs=1)
    answers = iter(("first", "second"))

    @ui.after(panel)
    def section(trained: str) -> str:
        return next(answers)

    panel.start()
    until(lambda: section.ready and idle(panel))
    train.hold = threading.Event()
    panel.start()
    until(lambda: panel.progress.value == 0.1)  # of the new training
    assert not section.ready
    assert "first" not in html(section)
    train.hold.set()
    until(lambda: section.ready)
    assert html(section) == "second"


@pytest.mark.usefixtures("page")
def test_an_answer_that_comes_too_late_is_dropped() -> None:
    panel = TrainingPanel(FakeTraining(), epochs=1)
    let_first_end, calls = threading.Event(), list[int]()

    @ui.after(panel)
    def section(trained: str) -> str:
        calls.append(len(calls))
        if calls[-1] == 0:
            let_first_end.wait(60)
            return "late"
        return "new"

    panel.start()
    until(lambda: calls and idle(panel))
    panel.start()
    until(lambda: section.ready)
    let_first_end.set()
    until(lambda: not [t for t in threading.enumerate() if t.name == "section"])
    assert section.value == "new"
    assert html(section) == "new"


@pytest.mark.usefixtures("page")
def test_on_a_page_a_button_decides_when_a_section_runs() -> None:
    panel, calls = TrainingPanel(FakeTraining(), epochs=1), []

    @ui.after(panel, button="Publish")
    def publish(trained: str) -> str:
        """Publish it."""
        calls.append(trained)
        return "published"

    @ui.after(publish)
    def deploy(published: str) -> str:
        return f"{published}, deployed"

    panel.start()
    until(lambda: len(publish.widget.children) == 2)
    assert calls == []
    assert "This fills in when you have pressed Publish above." in html(deploy)
    publish.widget.children[1].click()
    until(lambda: publish.ready)
    assert calls == ["model"]
    assert html(publish) == "published"
    until(lambda: deploy.ready)


@pytest.mark.usefixtures("page")
def test_on_a_page_the_error_of_a_section_is_a_banner_and_the_button_stays() -> None:
    panel = TrainingPanel(FakeTraining(), epochs=1)

    @ui.after(panel, button="Publish")
    def publish(trained: str) -> str:
        """Publish it."""
        raise OSError("no space left")

    panel.start()
    until(lambda: len(publish.widget.children) == 2)
    publish.widget.children[1].click()
    until(lambda: "no space left" in html(publish))
    assert "Publish it failed" in html(publish)
    assert publish.widget.children[1].description == "Publish"
    assert not publish.ready


@dataclass
class Stopped:
    """A training, as far as publishing looks at it."""

    stopped: bool
    steps: int = 84
    history: tuple[SimpleNamespace, ...] = (SimpleNamespace(of=840),)


@pytest.mark.parametrize("stopped", [True, False])
def test_running_all_cells_publishes_nothing_that_was_stopped_half_way(stopped: bool) -> None:
    run, published = ui.Observable(), []
    run._give(Stopped(stopped))

    @ui.after(run, button="Publish", unless=ui.unfinished)
    def publish(trained: Stopped) -> str:
        """Publish it."""
        published.append(trained)
        return "published"

    assert bool(published) != stopped
    if stopped:
        assert "stopped after 84 of 840 steps: it is published only if you want that" in html(publish)
        publish.widget.children[1].click()
        until(lambda: publish.ready)
        assert len(published) == 1
    run._take_back()
    run._give(Stopped(True, steps=1))
    assert "after 1 of 840 steps" in html(publish)
    assert len(published) == 1


def test_running_all_cells_deploys_nothing_either() -> None:
    run, deployed = ui.Observable(), []
    run._give("mnist-cnn:2")

    @ui.after(run, button="Deploy", asks=True)
    def deploy(version: str) -> str:
        """Deploy it."""
        deployed.append(version)
        return "deployed"

    assert deployed == []
    deploy.widget.children[1].click()
    until(lambda: deploy.ready)
    assert deployed == ["mnist-cnn:2"]


def test_what_is_deployed_is_linked_to_where_one_draws_at_it() -> None:
    now = Deployment("mnist-cnn", 2, "2026-01-01T00:00:00Z", 1, None, (), "mnist", {})
    assert 'href="serve_and_predict.ipynb?model=mnist-cnn:2"' in ui.deployed(now).html


def test_a_cell_that_is_run_twice_leaves_one_section_that_follows() -> None:
    panel, calls = TrainingPanel(FakeTraining(), epochs=1), []
    run_apart(panel.open())
    for run in range(2):

        @ui.after(panel)
        def section(trained: str, run: int = run) -> None:
            calls.append(run)

    calls.clear()
    panel.start()
    until(lambda: idle(panel) and section.ready)
    assert calls == [1]


def test_the_film_grows_while_it_trains_and_each_frame_is_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[object] = []
    monkeypatch.setattr(Film, "send", lambda self, content, buffers=None: sent.append((content, buffers)))
    film, kept = Film(), Kept({"format": 1}, [Frame(0, b"ab")])
    film.show(kept)
    kept.frames.append(Frame(1, b"cd"))
    film.show(kept)
    told: list[object] = [({"kind": "form", "form": {"format": 1}}, None)]
    first = ({"kind": "frame", "step": 0, "kept": [0]}, [b"ab"])
    assert sent == [*told, first, ({"kind": "frame", "step": 1, "kept": [0, 1]}, [b"cd"])]
    del sent[:]
    kept.frames[-1] = Frame(2, b"ef")
    film.show(kept)
    assert sent == [({"kind": "frame", "step": 2, "kept": [0, 2]}, [b"ef"])]
    del sent[:]
    film._ready({"kind": "ready"})
    frames = [({"kind": "frame", "step": n, "kept": [0, 2]}, [b]) for n, b in ((0, b"ab"), (2, b"ef"))]
    assert sent == [*told, *frames]


@pytest.mark.usefixtures("page")
def test_a_training_waits_for_those_of_other_kernels_and_says_so(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "AT_ONCE", 1)
    monkeypatch.setattr(training, "TURN_POLL_S", 0.01)
    train = FakeTraining()
    panel = TrainingPanel(train, epochs=1)
    with Turn(home / "run" / "training", 1):
        panel.start()
        until(lambda: panel.progress.text == "Waiting: 1 training is before this one …")
        panel.stop()
        until(lambda: idle(panel))
        assert panel.progress.text == "Stopped before its turn came."
        assert not panel.train_button.disabled
        panel.start()
        until(lambda: "Waiting" in panel.progress.text)
        assert train.epochs == []
    until(lambda: idle(panel))
    assert panel.value == "model"


@pytest.mark.usefixtures("page")
def test_a_long_training_gives_way_to_one_that_waits_and_goes_on(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "AT_ONCE", 1)
    monkeypatch.setattr(training, "TURN_POLL_S", 0.01)
    monkeypatch.setattr(training, "TURN_S", 0.0)
    hold = threading.Event()
    panel = TrainingPanel(FakeTraining(hold=hold), epochs=1)
    panel.start()
    until(lambda: panel.progress.value)
    other = Turn(home / "run" / "training", 1)
    assert other.ahead == 1
    hold.set()
    until(lambda: "Waiting: 1 training is" in panel.progress.text)
    assert (other.ahead, other.has_come, panel.ready) == (0, True, False)
    other.close()
    until(lambda: idle(panel))
    assert panel.value == "model"
