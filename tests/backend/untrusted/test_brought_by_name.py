"""One example by name for a model that is brought along, read by its signature alone."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from backend.tfserving.rest_format import Arrays, Signature, Tensor
from backend.untrusted import brought_by_name
from backend.untrusted.fitting import How
from backend.untrusted.meaning import OutputVerdict
from backend.untrusted.model_servers import ModelServer
from tests.backend import bright
from workbench.errors import BadInput
from workbench.pictures import ink

TAKES = {
    "image": Tensor("DT_FLOAT", (-1, 28, 28, 1)),
    "age": Tensor("DT_FLOAT", (-1, 1)),
    "words": Tensor("DT_INT32", (-1, -1)),
    "kind": Tensor("DT_STRING", (-1,)),
    "rate": Tensor("DT_DOUBLE", ()),
    "twice": Tensor("DT_FLOAT", (2, 3)),
}
EXAMPLE = {"age": 31, "words": [4, 5, 6], "kind": "so", "rate": 0.5, "twice": [1, 2, 3]}


def ask(
    given: dict[str, object],
    picture: bytes | None = None,
    gives: dict[str, Any] | None = None,
    output: str = "",
) -> tuple[Arrays, OutputVerdict, dict[str, OutputVerdict]]:
    """What the model was given, and what it is taken to say."""
    got: dict[str, Any] = {}

    def predict(x: Arrays, signature: str) -> Arrays:
        got.update(x)
        return gives or {"sure": np.array([[0.2, 0.8]], np.float32)}

    server = SimpleNamespace(signatures={"serving_default": Signature(TAKES, {})}, predict=predict)
    how = How(output=output)
    outputs = brought_by_name.ask(cast(ModelServer, server), given, picture, None, how)
    return got, brought_by_name.choose(outputs, output), outputs


def test_each_input_is_read_as_the_signature_says() -> None:
    got, _, _ = ask(EXAMPLE, bright.picture(255))
    assert {name: (x.shape, x.dtype.kind) for name, x in got.items()} == {
        "image": ((1, 28, 28, 1), "f"),
        "age": ((1, 1), "f"),
        "words": ((1, 3), "i"),
        "kind": ((1,), "O"),
        "rate": ((), "f"),
        "twice": ((2, 3), "f"),
    }
    assert got["image"].min() == 255
    np.testing.assert_array_equal(got["twice"], [[1, 2, 3]] * 2)


def test_a_picture_may_be_among_the_inputs() -> None:
    drawn = ink.to_data_url(np.full((30, 30), 255, np.uint8))
    assert ask({**EXAMPLE, "image": drawn})[0]["image"].min() == 255


@pytest.mark.parametrize(
    ("change", "picture", "words"),
    [
        ({"age": None}, True, "age must be of type DT_FLOAT"),
        ({"words": [1.5]}, True, "words must be whole numbers"),
        ({"rate": [1, 2]}, True, "rate must have the shape"),
        ({"age": 1e300}, True, "age holds a number beyond"),
        ({"sex": 1}, True, "exactly image, age.*sex"),
        ({}, False, "exactly image, age"),
        ({"image": 3}, True, "leave out none"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, object], picture: bool, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        ask({**EXAMPLE, **change}, bright.picture(255) if picture else None)


def test_outputs_are_told_as_what_they_are() -> None:
    gives = {
        "price": np.array([[12.5]], np.float32),
        "sure": np.array([[0.1, 0.9]], np.float32),
        "map": np.zeros((1, 2, 2), np.float32),
        "name": np.array([b"coat"], object),
        "count": np.array(7),
        "strange": np.array([[np.nan, 1.0]], np.float32),
    }
    _, main, outputs = ask(EXAMPLE, bright.picture(255), gives)
    assert (main.output, main.index) == ("sure", 1)
    assert {name: (one.kind, one.index, one.name) for name, one in outputs.items()} == {
        "price": ("values", None, None),
        "sure": ("probabilities", 1, None),
        "map": ("values", None, None),
        "name": (None, None, "coat"),
        "count": ("values", None, None),
        "strange": ("values", None, None),
    }
    assert outputs["strange"].scores == (None, 1.0)
    assert ask(EXAMPLE, bright.picture(255), gives, "price")[1].scores == (12.5,)
    with pytest.raises(BadInput, match="no output 'prize'; it has: price, sure"):
        ask(EXAMPLE, bright.picture(255), gives, "prize")
