"""A training that goes on from a version, and what it says of the writers whom it learned from."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.chain import make_settings
from tests.datasets.test_corrected import exported, name, written
from workbench import datasets
from workbench.datasets import corrected as corrected_module
from workbench.datasets.writers import Drawing
from workbench.lineage import Parent, Share
from workbench.manifest import Input
from workbench.node.model import predict
from workbench.node.retraining import continue_from
from workbench.node.retraining import parent as parent_module
from workbench.node.retraining.corrected import describe_corrections
from workbench.node.retraining.parent import ask_parent, parent_used
from workbench.settings import Settings

# Keras, when it saves a model, asks TensorFlow's variables for an array in the way of NumPy 1.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
DIGITS = Input((28, 28, 1), "image", "float32", (0, 255))


@pytest.fixture(autouse=True)
def _forget_what_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent_module, "_used", {})
    monkeypatch.setattr(corrected_module, "_used", {})


def net(width: int = 4) -> keras.Model:
    inside = [keras.layers.Flatten(), keras.layers.Dense(width), keras.layers.BatchNormalization()]
    model = keras.Sequential(
        [keras.Input((28, 28, 1)), *inside, keras.layers.Dense(10, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def weights(model: keras.Model) -> list[np.ndarray]:
    return [variable.value.numpy() for variable in model.weights]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path / "home")


@pytest.fixture
def parent(settings: Settings, tmp_path: Path) -> keras.Model:
    """A model that is kept as ``mnist-cnn:3``."""
    model = net()
    model.set_weights([w + 0.5 for w in weights(model)])
    model.save(tmp_path / "model.keras")
    datasets.add_parent("mnist-cnn", 3, tmp_path / "model.keras", settings)
    return model


def go_on(model: keras.Model, settings: Settings) -> list[str]:
    said: list[str] = []
    assert continue_from("mnist-cnn:3", model, settings, said.append) is model
    return said


def test_the_same_network_begins_with_all_that_the_version_has_learned(
    parent: keras.Model, settings: Settings
) -> None:
    model = net()
    assert go_on(model, settings) == ["the training goes on from mnist-cnn:3"]
    for mine, theirs in zip(weights(model), weights(parent), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert parent_used() == Parent("mnist-cnn", 3, "weights")


def test_another_network_begins_anew_and_says_so(parent: keras.Model, settings: Settings) -> None:
    model = net(5)
    before = weights(model)
    (said,) = go_on(model, settings)
    assert "begins anew, not from mnist-cnn:3: it is built in another way" in said
    np.testing.assert_array_equal(weights(model)[0], before[0])
    used = parent_used()
    assert used is not None
    assert (used.start, used.why) == ("recipe", "it is built in another way than mnist-cnn:3")


def test_a_model_without_variables_yet_begins_anew(parent: keras.Model, settings: Settings) -> None:
    (said,) = go_on(keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4)]), settings)
    assert "makes its variables only when training begins" in said


@pytest.mark.parametrize("kept", [None, b"no model"])
def test_a_version_that_cannot_be_read_here_does_not_stop_the_training(
    settings: Settings, tmp_path: Path, kept: bytes | None
) -> None:
    if kept:
        (tmp_path / "bad.keras").write_bytes(kept)
        datasets.add_parent("mnist-cnn", 3, tmp_path / "bad.keras", settings)
    (said,) = go_on(net(), settings)
    assert "begins anew" in said
    assert ("is not here" in said) == (kept is None)
    assert ask_parent(np.zeros((2, 28, 28, 1), np.uint8)) is None


def test_within_a_strategy_only_the_new_model_is_distributed(parent: keras.Model, settings: Settings) -> None:
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = net()
        go_on(model, settings)
    np.testing.assert_array_equal(weights(model)[0], weights(parent)[0])
    loaded = parent_module._used["mnist-cnn:3"].model
    assert loaded is not None
    assert not any(isinstance(v.value, tf.distribute.DistributedValues) for v in loaded.variables)
    assert any(isinstance(v.value, tf.distribute.DistributedValues) for v in model.variables)


# ── what is said of those whose drawings were learned ──


def keep(
    settings: Settings, drawings: list[Drawing], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> datasets.Corrected:
    monkeypatch.setenv("WORKBENCH_HOME", str(settings.home))
    kept = exported(settings, drawings, folder)
    datasets.corrections(settings=settings)
    return kept


def reads(wrong: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A model that reads drawings by what ``exported`` made of their number, but for those that are wrong."""

    def answer(x: np.ndarray) -> np.ndarray:
        number = x.reshape(len(x), -1)[:, 0].astype(int)
        said = (number + wrong[number]) % 10
        return np.eye(10, dtype=np.float32)[said]

    return answer


def test_what_was_kept_aside_is_read_before_and_after(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = keep(settings, [Drawing(name("c")), *written(20, 12)], tmp_path / "e", monkeypatch)
    learned, same, others = (kept.mask(side) for side in ("learned", "same", "others"))
    monkeypatch.setattr(
        "workbench.node.retraining.corrected.ask_parent", reads(same | others)
    )  # as a version that reads nothing of these
    found = describe_corrections(reads(others), DIGITS, "probabilities")
    assert found is not None
    assert found.used == tuple(np.array(kept.ids)[learned])
    writers = found.writers
    assert writers is not None
    assert writers.drawings == learned.sum() - 1
    assert writers.same is not None
    assert writers.others is not None
    assert (writers.same.before, writers.same.after) == (
        Share(0, int(same.sum())),
        Share(int(same.sum()), int(same.sum())),
    )
    assert writers.others.after == Share(0, int(others.sum()))


def test_where_no_version_is_gone_on_from_before_is_what_was_said_when_the_drawing_came(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = keep(settings, written(1, 40), tmp_path / "e", monkeypatch)
    found = describe_corrections(reads(np.zeros(40, int)), DIGITS, "probabilities")
    assert found is not None
    assert found.writers is not None
    assert found.writers.same is not None
    same = int(kept.mask("same").sum())
    assert (found.writers.same.before, found.writers.same.after) == (Share(0, same), Share(same, same))
    assert found.writers.others is None


def test_corrections_alone_have_no_writers(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(settings, [Drawing(name(n)) for n in range(4)], tmp_path / "e", monkeypatch)
    found = describe_corrections(reads(np.zeros(4, int)), DIGITS, "probabilities")
    assert found is not None
    assert found.writers is None
    assert len(found.used) == 4


def test_the_version_is_asked_as_its_own_back_end_would(parent: keras.Model, settings: Settings) -> None:
    go_on(net(), settings)
    x = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1)).astype(np.uint8)
    asked = ask_parent(x)
    assert asked is not None
    np.testing.assert_allclose(asked, predict(parent, x), rtol=1e-5)
    assert ask_parent(np.zeros((1, 7))) is None
