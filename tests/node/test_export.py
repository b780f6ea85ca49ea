"""What the export looks at; what comes of it is tried in ``test_recipes.py``."""

from typing import Any

import pytest

keras = pytest.importorskip("keras")

from workbench.node.model import layers_of  # noqa: E402

layers: Any = keras.layers


class Nest(layers.Layer):
    """Layers in a list, a dict and a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.listed = [layers.Dense(2), layers.Normalization()]
        self.named = {"a": layers.Dense(3), "b": [layers.Normalization()]}
        self.fixed = (layers.Dense(4),)

    def build(self, shape: Any) -> None:
        """Leave what is within unbuilt."""

    def call(self, x: Any) -> Any:
        return x


def functional() -> Any:
    inputs = keras.Input((5, 4))
    x = keras.Sequential([layers.Normalization(), layers.Dense(3)])(inputs)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    x = layers.TimeDistributed(keras.Sequential([layers.Dense(2)]))(x)
    x = layers.RNN([layers.LSTMCell(2), layers.GRUCell(2)])(x)
    return keras.Model(inputs, Nest()(x))


@pytest.mark.parametrize("make", [Nest, functional])
def test_every_layer_is_found_however_deep(make: Any) -> None:
    model = make()
    found = list(layers_of(model))
    assert len({id(layer) for layer in found}) == len(found)
    missing = {id(layer) for layer in model._flatten_layers()} - {id(layer) for layer in found}
    assert not missing
