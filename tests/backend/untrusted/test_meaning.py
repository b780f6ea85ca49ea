"""What the outputs of a model mean: its scores, its class, its signatures."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from backend.tfserving.rest_format import Signature, Tensor
from backend.untrusted.fitting import How, choose_signature, fit
from backend.untrusted.meaning import read_verdict
from tests.backend.untrusted.bands import LABELS, picture
from workbench import scores
from workbench.errors import BadInput, ModelRefused
from workbench.manifest import OutputKind


def measured(output: str, said: NDArray[Any]) -> OutputKind:
    return scores.measure(said[None])


TEN = np.arange(10, dtype=np.float32)[None]


@pytest.mark.parametrize(
    ("outputs", "labels", "chosen", "index"),
    [
        ({"id": np.array([3]), "p": TEN}, (), "p", 9),
        ({"name": np.array([b"cat"], object), "p": TEN}, (), "p", 9),
        ({"p": TEN.astype(np.float16)}, (), "p", 9),
        ({"p": TEN.astype(np.uint8)}, (), "p", 9),
        ({"box": np.zeros((1, 4), np.float32), "p": TEN}, LABELS, "p", 9),
        ({"map": np.zeros((1, 7, 7, 64), np.float32), "p": TEN}, (), "p", 9),
        ({"p": TEN[:, None, None]}, (), "p", 9),
        ({"yes": np.array([[0.7]], np.float32)}, (), "yes", 1),
        ({"id": np.array([[3]], np.int32)}, (), "id", 3),
        ({"name": np.array(["5"], object)}, LABELS, "name", 5),
        ({"name": np.array([b"cat"], object)}, LABELS, "name", None),
        ({"p": TEN[0]}, (), "p", 9),
    ],
)
def test_scores_are_found_by_shape_and_type(
    outputs: dict[str, Any], labels: list[str], chosen: str, index: int | None
) -> None:
    for order in (list(outputs), list(outputs)[::-1]):
        verdict = read_verdict(
            {name: outputs[name] for name in order}, list(outputs), 1, "", labels, measured
        )
        assert (verdict.output, verdict.index) == (chosen, index)


@pytest.mark.parametrize(
    "outputs",
    [
        {"a": TEN, "b": TEN[:, :4]},
        {"logits": TEN, "p": TEN},
        {"id": np.array([3]), "sure": np.array([0.9], np.float32)},
        {"id": np.array([3]), "name": np.array([b"cat"], object)},
    ],
)
def test_outputs_that_can_all_be_meant_are_asked_for(outputs: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="output=NAME"):
        read_verdict(outputs, list(outputs), 1, "", (), measured)


@pytest.mark.parametrize(
    "outputs", [{}, {"map": np.zeros((1, 28, 28, 1), np.float32)}, {"q": np.zeros((1, 1), np.uint8)}]
)
def test_where_nothing_is_a_score_the_model_is_refused(outputs: dict[str, Any]) -> None:
    with pytest.raises(ModelRefused, match="no scores"):
        read_verdict(outputs, list(outputs), 1, "", (), measured)


@pytest.mark.parametrize("strange", [np.nan, -np.inf])
def test_scores_that_are_no_numbers_name_no_class_but_the_logarithm_of_nothing_is_one(strange: float) -> None:
    outputs = {"p": np.array([[strange, 0.2, 0.1]], np.float32)}
    if np.isnan(strange):
        with pytest.raises(ModelRefused, match="no numbers: p"):
            read_verdict(outputs, ["p"], 1, "", (), measured)
    else:
        assert read_verdict(outputs, ["p"], 1, "", (), measured).index == 1


def test_a_signature_is_chosen_by_name_or_where_there_is_one() -> None:
    one = Signature({"x": Tensor("DT_FLOAT", (-1, 784))}, {})
    assert choose_signature({"serving_default": one, "other": one}, "") == "serving_default"
    assert choose_signature({"serving_default": one, "other": one}, "other") == "other"
    assert choose_signature({"only": one}, "") == "only"
    for signatures, named, words in (
        ({"a": one, "b": one}, "", "signature=NAME, one of: a, b"),
        ({"a": one}, "b", "no signature 'b'.*a"),
    ):
        with pytest.raises(BadInput, match=words):
            choose_signature(signatures, named)


def test_a_model_of_two_inputs_asks_for_its_names_where_a_picture_alone_comes() -> None:
    pixels = Tensor("DT_FLOAT", (-1, 28, 28, 1))
    signatures = {"serving_default": Signature({"x": pixels, "y": pixels}, {})}
    with pytest.raises(BadInput, match="takes 2 inputs: x, y; give inputs"):
        fit(picture(7), signatures, None, How())
