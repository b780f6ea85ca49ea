"""Views: a network asked several times about one picture, turned a little, and once while it learns."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest
from keras import layers

from tests.drawings import drawing
from workbench.layers import MeanOfViews, Views, in_keras_terms

pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # Keras' own, of NumPy 2
TURNS = (0.0, -8.0, 8.0)


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Digits, float32 ``(n, 28, 28, 1)``."""
    random = np.random.default_rng(0)
    drawn = [cv2.resize(drawing(n % 10, random), (28, 28), interpolation=cv2.INTER_AREA) for n in range(12)]
    return np.stack(drawn).astype(np.float32)[..., None]


def net() -> list[keras.layers.Layer]:
    keras.utils.set_random_seed(0)
    return [layers.Rescaling(1 / 255), layers.Conv2D(3, 5, strides=2), layers.Flatten(), layers.Dense(4)]


def looking(inner: list[keras.layers.Layer]) -> keras.Model:
    return keras.Sequential([keras.Input((28, 28, 1)), Views(TURNS), *inner, MeanOfViews(len(TURNS))])


def test_each_picture_is_followed_by_itself_turned_to_either_side(pictures: np.ndarray) -> None:
    seen = np.asarray(Views(TURNS)(pictures)).reshape(-1, 3, 28, 28)
    np.testing.assert_array_equal(seen[:, 0], pictures[..., 0])
    for view, turn in enumerate(TURNS):
        matrix = cv2.getRotationMatrix2D((13.5, 13.5), turn, 1.0)
        for found, picture in zip(seen[:, view], pictures[..., 0], strict=True):
            turned = cv2.warpAffine(picture, matrix, (28, 28))
            assert np.abs(found - turned).mean() < 0.02 * 255, turn


def test_a_network_answers_the_mean_of_what_it_says_to_each_view(pictures: np.ndarray) -> None:
    inner = net()
    alone = keras.Sequential([keras.Input((28, 28, 1)), *inner])
    each = np.asarray(alone(Views(TURNS)(pictures))).reshape(-1, 3, 4)
    np.testing.assert_allclose(looking(inner)(pictures), each.mean(axis=1), atol=1e-5)


def test_while_it_learns_a_network_looks_once_at_pictures_as_they_are(pictures: np.ndarray) -> None:
    inner = net()
    alone = keras.Sequential([keras.Input((28, 28, 1)), *inner])
    np.testing.assert_array_equal(looking(inner)(pictures, training=True), alone(pictures, training=True))


def test_colours_and_sides_of_different_length_are_kept_apart() -> None:
    x = np.random.default_rng(0).uniform(size=(2, 9, 14, 3)).astype(np.float32)
    seen = np.asarray(Views((0, 10))(x))
    assert seen.shape == (4, 9, 14, 3)
    np.testing.assert_array_equal(seen[::2], x)
    one = np.asarray(Views((0, 10))(x[..., 1:2]))
    np.testing.assert_allclose(seen[..., 1:2], one, atol=1e-6)


def branching() -> keras.Model:
    given = keras.Input((28, 28, 1))
    x = Views(TURNS)(given)
    x = layers.Flatten()(x)
    x = layers.Add()([layers.Dense(4)(x), layers.Dense(4)(x)])
    return keras.Model(given, MeanOfViews(len(TURNS))(x))


@pytest.mark.parametrize("model", [lambda: looking(net()), branching])
def test_a_keras_without_this_package_loads_the_model_and_it_answers_the_same(
    model: Callable[[], keras.Model], pictures: np.ndarray, tmp_path: Path
) -> None:
    made = model()
    in_keras_terms(made).save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", pictures)
    code = (
        "import sys, numpy as np; sys.modules['workbench'] = None; import keras; "
        "m = keras.saving.load_model('model.keras'); np.save('y.npy', m.predict(np.load('x.npy'), verbose=0))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    np.testing.assert_allclose(
        np.load(tmp_path / "y.npy"), made.predict(pictures, verbose=0), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("model", [lambda: looking(net()), branching])
def test_its_weights_keep_their_order_so_that_a_training_can_go_on_from_them(
    model: Callable[[], keras.Model],
) -> None:
    made = model()
    for found, own in zip(in_keras_terms(made).weights, made.weights, strict=True):
        assert found is own


class Own(keras.Model):
    """A class of a recipe's own, which nobody can take apart."""

    def __init__(self) -> None:
        super().__init__()
        self.views, self.mean = Views(TURNS), MeanOfViews(len(TURNS))

    def call(self, x: Any, training: bool | None = None) -> Any:
        return self.mean(self.views(x, training=training), training=training)


@pytest.mark.parametrize("make", [lambda: keras.Sequential([keras.Input((28, 28, 1)), *net()]), Own])
def test_what_has_no_views_or_a_class_of_its_own_stays_itself(make: Callable[[], keras.Model]) -> None:
    model = make()
    assert in_keras_terms(model) is model


@pytest.mark.parametrize("turns", [(), (float("nan"),), (0, float("inf")), (8, -21)])
def test_views_without_a_small_angle_are_refused(turns: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="turns must be one or more angles"):
        Views(turns)


@pytest.mark.parametrize("shape", [(28, 28), (None, 28, 1)])
def test_pictures_of_no_one_size_are_refused(shape: tuple[int | None, ...]) -> None:
    with pytest.raises(ValueError, match="of one size"):
        Views()(keras.Input(shape))


def test_a_mean_of_no_views_is_refused() -> None:
    with pytest.raises(ValueError, match="views must be 1 or more"):
        MeanOfViews(0)
