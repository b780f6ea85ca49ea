"""A model gives one answer for each example, or is refused in plain words before anything is trained."""

from types import SimpleNamespace
from typing import cast

import keras
import numpy as np
import pytest
from keras import layers

from workbench.errors import RecipeError
from workbench.layers import MeanOfViews, Views
from workbench.node import model as models
from workbench.recipes import Program

pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # Keras' own, of NumPy 2
SAMPLE = np.zeros((20, 8, 8, 1), np.float32), np.zeros(20, np.int64)


def build(*inner: keras.layers.Layer) -> keras.Model:
    model = keras.Sequential([keras.Input((8, 8, 1)), *inner])
    model.compile("sgd", "sparse_categorical_crossentropy")
    program = SimpleNamespace(build_model=lambda: model, output="")
    return models.build(cast(Program, program), SAMPLE)


def test_as_many_views_as_are_made_one_are_taken() -> None:
    build(Views((0, -5, 5)), layers.Flatten(), layers.Dense(2), MeanOfViews(3))


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        pytest.param(
            [Views((0, 5)), layers.Flatten()], "40 answers for 20 examples.* 2 times .* of 1 ", id="no mean"
        ),
        pytest.param(
            [layers.Flatten(), MeanOfViews(4)], "5 answers for 20 examples.* once .* of 4 ", id="no views"
        ),
        pytest.param(
            [layers.Flatten(), MeanOfViews(3)],
            "looks once .* answer of 3 ",
            id="no views, and no whole number",
        ),
        pytest.param(
            [Views((0, 5)), layers.Flatten(), MeanOfViews(3)],
            "looks 2 times .* answer of 3 ",
            id="more than there are",
        ),
        pytest.param(
            [keras.Sequential([Views((0, 5)), layers.Flatten()]), layers.Dense(2)],
            "looks 2 times",
            id="in a model within",
        ),
    ],
)
def test_views_that_do_not_fit_together_are_refused(inner: list[keras.layers.Layer], words: str) -> None:
    with pytest.raises(RecipeError, match=words) as refused:
        build(*inner)
    assert refused.value.field == "training"
    assert "Op:" not in str(refused.value)


def test_another_model_that_mixes_its_examples_is_refused() -> None:
    with pytest.raises(RecipeError, match="10 answers for 20 examples: the first side"):
        build(layers.Lambda(lambda x: keras.ops.reshape(x, (-1, 128))), layers.Dense(2))
