"""What travels with a version besides its forms."""

import base64
from pathlib import Path
from typing import cast

import keras
import numpy as np
import pytest

from workbench import recipes
from workbench.events import Progress, Writer
from workbench.film import FOLDER, Frame, Growing, Recorder, read, why_absent, write
from workbench.film import Film as Kept
from workbench.manifest import Input
from workbench.node import data, role, training
from workbench.node.companions import browser, film, sample
from workbench.node.strategies.peers import Cluster
from workbench.node.strategy import make
from workbench.node.training import TrainingProgress

GREY = Input((4, 4, 1), "image", range=(0.0, 1.0))


def test_a_sample_has_as_many_of_each_class_as_pixels() -> None:
    x = np.random.default_rng(0).random((2_000, 4, 4, 1)).astype(np.float32)
    y = np.arange(2_000) % 3
    found = sample.choose((x, y), GREY)
    assert found is not None
    pixels, labels = found
    assert pixels.dtype == np.uint8
    assert np.bincount(labels).tolist() == [200, 200, 200]
    assert np.abs(pixels[0] / 255 - x[0]).max() < 0.002


def test_a_column_for_each_class_is_a_class() -> None:
    x, y = np.zeros((30, 4, 4, 1)), np.eye(3)[np.arange(30) % 3]
    found = sample.choose((x, y), GREY)
    assert found is not None
    assert sorted(set(found[1].tolist())) == [0, 1, 2]


@pytest.mark.parametrize(
    ("x", "y", "wanted"),
    [
        (np.zeros((9, 4, 4, 3)), np.zeros(9, int), Input((4, 4, 3), "image")),
        (np.zeros((9, 7)), np.zeros(9, int), Input((7,))),
        (np.zeros((9, 4, 4, 1)), np.zeros((9, 1)), GREY),
        (np.array(["a"] * 9), np.zeros(9, int), Input((), "text", "string")),
    ],
)
def test_what_is_no_small_grey_picture_with_a_class_has_none(
    x: np.ndarray, y: np.ndarray, wanted: Input, tmp_path: Path
) -> None:
    sample.write(tmp_path, (x, y), wanted)
    assert list(tmp_path.iterdir()) == []


# ── the film of learning ──


def filmed() -> tuple[recipes.Program, tuple[np.ndarray, np.ndarray]]:
    """A training of two epochs of 16 steps."""
    chance = np.random.default_rng(0)
    y = np.arange(600) % 2
    x = (chance.random((600, 8, 8, 1)) * 0.4 + y[:, None, None, None] * 0.6).astype(np.float32)

    def build_model() -> keras.Model:
        inner = [keras.layers.Conv2D(3, 3), keras.layers.BatchNormalization(), keras.layers.Flatten()]
        model = keras.Sequential(
            [keras.Input((8, 8, 1)), *inner, keras.layers.Dense(2, activation="softmax")]
        )
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    made = {"load_data": lambda: ((x, y), (x, y)), "build_model": build_model, "EPOCHS": 2, "BATCH_SIZE": 32}
    return recipes.from_namespace(made), (x, y)


def test_a_training_that_goes_on_keeps_the_film_of_its_beginning(tmp_path: Path) -> None:
    program, train = filmed()
    batches = data.prepare(train, batch_size=32, augment=None, seed=0)

    def fit(until: int) -> tuple[training.Trained, list[str]]:
        lines: list[str] = []
        recorder, step = Recorder(tmp_path / FOLDER), 0

        def report(progress: training.TrainingProgress) -> None:
            nonlocal step
            step = progress.step
            assert progress.film is not None
            recorder.follow(progress.film)

        trained = training.fit(
            make(Cluster()),
            program,
            batches,
            folder=tmp_path,
            on_progress=report,
            stop=lambda: step >= until,
            say=lines.append,
        )
        return trained, lines

    first, _ = fit(10)
    then = Growing(tmp_path, FOLDER)
    assert then.refresh()
    began = {frame.step: frame.numbers for frame in then.frames}
    trained, lines = fit(10**6)
    assert f"going on from the checkpoint of step {first.steps}" in lines
    assert trained.film is not None
    assert [frame.step for frame in trained.film.frames] == [0, 1, 2, 5, 10, 20, 32]
    frames = {frame.step: frame.numbers for frame in trained.film.frames}
    assert all(frames[step] == began[step] for step in (0, 1, 2, 5, 10))
    assert then.refresh()
    assert {0, 1, 2, 5, 10, 20} <= {frame.step for frame in then.frames}


def test_a_film_of_another_model_is_not_gone_on_with(tmp_path: Path) -> None:
    x, y = np.zeros((40, 8, 8, 1), np.float32), np.arange(40) % 2
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    mine = film.begin(model, data.prepare((x, y), batch_size=8, augment=None, seed=0))
    assert mine is not None
    mine.take(0)
    (begun,) = mine.frames
    for frames, form, last in [
        ((begun, Frame(5, begun.numbers), Frame(7, begun.numbers), Frame(50, begun.numbers)), mine.form, 5),
        ((Frame(5, begun.numbers),), mine.form, -1),
        ((begun, Frame(5, b"short")), mine.form, -1),
        ((begun,), {**mine.form, "steps": []}, -1),
        ((), {}, -1),
    ]:
        assert mine.take_over(Kept({**form}, frames), 20) == last


def test_a_training_is_filmed_at_its_first_steps_and_at_its_end() -> None:
    program, train = filmed()
    seen: list[int] = []
    trained = training.train(
        program,
        train,
        on_progress=lambda p: seen.append(len(p.film.frames) if p.film else 0),
    )
    assert trained.film is not None
    frames = trained.film.frames
    assert [frame.step for frame in frames] == [0, 1, 2, 5, 10, 20, trained.steps]
    assert seen == sorted(seen)
    assert seen[0] == 2  # before the first step and after it
    first, last = (np.frombuffer(frame.numbers, "<f2") for frame in (frames[0], frames[-1]))
    form = browser.describe(trained.model, Input((8, 8, 1), "image"))
    whole = np.frombuffer(base64.b64decode(str(form["weights"])), "<f4")
    assert np.allclose(last, whole, atol=2e-3, rtol=1e-3)
    assert np.abs(first - last).max() > 0.01


def test_what_no_page_could_compute_is_not_filmed() -> None:
    x, y = np.zeros((40, 5), np.float32), np.arange(40) % 2
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
    assert film.begin(model, data.prepare((x, y), batch_size=8, augment=None, seed=0)) is None


@pytest.mark.parametrize(
    ("shape", "layers", "why"),
    [
        ((8, 8, 3), (keras.layers.Flatten(),), "it takes pictures of 8×8×3"),
        ((65, 64, 1), (keras.layers.Flatten(),), "it takes pictures of 65×64×1"),
        (
            (16, 16, 1),
            (keras.layers.Flatten(), keras.layers.Dense(900, name="wide")),
            "it has 233,102 numbers (wide alone 231,300), and a film keeps at most 200,000 a step; a smaller",
        ),
        (
            (8, 8, 1),
            (keras.layers.Reshape((8, 8)), keras.layers.LSTM(3, name="memory")),
            "a page cannot compute it, since memory is a layer of the kind LSTM",
        ),
    ],
)
def test_a_network_of_pictures_without_a_film_says_why(
    shape: tuple[int, ...], layers: tuple[keras.Layer, ...], why: str, tmp_path: Path
) -> None:
    x, y = np.zeros((16, *shape), np.float32), np.arange(16) % 2
    model = keras.Sequential([keras.Input(shape), *layers, keras.layers.Dense(2)])
    found = film.begin(model, data.prepare((x, y), batch_size=8, augment=None, seed=0))
    assert found is not None
    found.take(0)
    assert found.frames == []
    assert not found.is_due(1)
    assert found.next_mark(0) > 10**9, "a training is not stopped for frames that are not taken"
    assert why_absent(found).startswith(why)
    write(found, tmp_path)
    kept = read(tmp_path)
    assert kept is not None
    assert why_absent(kept) == why_absent(found)


class Heard:
    """A writer that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def phase(self, name: str) -> None:
        self.told.append(name)

    def metric(self, progress: Progress) -> None:
        self.told.append(progress.step)

    def log(self, line: str) -> None:
        self.told.append(line)


def test_the_leading_machine_leaves_its_film_with_its_checkpoints(tmp_path: Path) -> None:
    def progress(step: int, frames: list[Frame]) -> TrainingProgress:
        seen = film.Film({"format": 1}, (), frames)
        return TrainingProgress(
            step=step, of=9, epoch=1, loss=0.5, accuracy=None, val_loss=None, val_accuracy=None,
            images_per_s=1.0, eta_s=None, epochs=1, seconds=0.1, film=seen,
        )  # fmt: skip

    frames, heard = [Frame(0, b"ab"), Frame(1, b"cd")], Heard()
    for index in (1, 0):
        assignment = role.NodeAssignment(tmp_path, None, 0, Cluster("worker", index, 2, 0))
        report = role._reporter(assignment, cast(Writer, heard))
        report(progress(1, frames[:1]))
        report(progress(2, frames))
        growing = Growing(tmp_path, "checkpoints", "film")
        assert growing.refresh() == (index == 0)
    assert (growing.form, list(growing.frames)) == ({"format": 1}, frames)
    assert heard.told == ["training", "training", 1, 2]
    (tmp_path / "checkpoints" / "film").rename(tmp_path / "aside")
    report(progress(3, [*frames, Frame(3, b"ef")]))  # where it cannot be written the training goes on
    assert "the film of learning was not written" in str(heard.told[-1])
