"""What a model's outputs are is found out whatever the first picture is."""

from typing import Any

import numpy as np
import pytest

from backend.tfserving.rest_format import Arrays
from backend.untrusted import probing


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.int16])
@pytest.mark.parametrize("light", [0.1, 0.5, 0.9])
def test_small_logits_are_told_from_probabilities_by_a_picture_of_one_colour(
    dtype: Any, light: float
) -> None:
    white = 1.0 if np.issubdtype(dtype, np.floating) else 255.0

    def ask(inputs: Arrays) -> Arrays:
        return {"o": np.array([[0.8 * inputs["x"].astype(np.float64).mean() / white - 0.4]], np.float32)}

    inputs = {"x": np.full((1, 4, 4, 1), light * white).astype(dtype)}
    assert probing.measure(ask, inputs, "o", ask(inputs)["o"][0]) == "logits"


@pytest.mark.parametrize("light", [0.0, 0.5, 1.0])
def test_probabilities_stay_what_they_are(light: float) -> None:
    def ask(inputs: Arrays) -> Arrays:
        z = 8.0 * inputs["x"].astype(np.float64).mean() - 4.0
        return {"o": np.array([[1 / (1 + np.exp(-z))]], np.float32)}

    inputs = {"x": np.full((1, 4, 4, 1), light, np.float32)}
    assert probing.measure(ask, inputs, "o", ask(inputs)["o"][0]) == "probabilities"
