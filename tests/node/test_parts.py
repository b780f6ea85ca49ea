"""Data that cannot be trained on is named before the first step: which part, which example, what to do."""

from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from workbench.errors import RecipeError  # noqa: E402
from workbench.node import data, parts  # noqa: E402

X = np.arange(120, dtype="float32").reshape(40, 3)
Y = np.arange(40) % 3
NAMES = np.array(["a", "b", "c"])[Y]


def with_value(value: float, *place: int) -> np.ndarray:
    found = X.copy()
    found[place] = value
    return found


def dataset(*columns: Any) -> Any:
    return tf.data.Dataset.from_tensor_slices(columns)


REFUSED = {
    "NaN in x": ((with_value(np.nan, 7, 1), Y), r"NaN.* in x, first in example 7 at \[1\] \(1 of 120"),
    "infinity in x": ((with_value(np.inf, 9, 0), Y), r"infinity in x, first in example 9 at \[0\]"),
    "NaN in y": ((X, np.where(Y == 2, np.nan, 1.0)), r"NaN.* in y, first in example 2 "),
    "labels as text": ((X, NAMES), r"text in y \('a', 'b', 'c'\).*np\.unique"),
    "labels as bytes": ((X, NAMES.astype("S")), r"text in y \('a', 'b', 'c'\)"),
    "a weight too few": ((X, Y, np.ones(39)), r"sample_weight of shape \(39,\).*for 40 examples"),
    "a weight below zero": ((X, Y, np.where(Y == 2, -1.0, 1.0)), "sample_weight of -1.0 in example 2 "),
    "a weight that is none": ((X, Y, np.where(Y == 1, np.nan, 1.0)), "sample_weight of nan in example 1 "),
    "no weight at all": ((X, Y, np.zeros(40)), "nothing would be learned"),
    "weights as text": ((X, Y, NAMES), "sample_weight of shape .* type <U1"),
    "weights by output": ((X, Y, {"a": np.ones(40)}), "a dict as sample_weight"),
    "four parts": ((X, Y, Y, Y), "4 parts instead of two or three"),
    "x alone": ((X,), "1 parts instead of two"),
    "a dict for both": ({"x": X, "y": Y}, "is of type dict"),
    "dict inputs": (({"a": X, "b": X}, Y), r"a dict as x \(a, b\).*one input"),
    "dict outputs": ((X, {"a": Y}), r"a dict as y \(a\)"),
    "several inputs": (((X, X), Y), "2 arrays as x; a model here has one input"),
    "unequal lengths": ((X, Y[:3]), "40 examples in x and 3 in y"),
    "unequal examples": (([[1, 2], [3]], [0, 1]), "different shapes in x.*padding"),
    "no y": ((X, None), "has None as y"),
    "no example": ((X[:0], Y[:0]), "has no example"),
    "a number": (5, "is of type int"),
    "None": (None, "is None"),
    "one number as x": ((5.0, Y), "a value of type float as x"),
    "dates": ((np.array(["2020-01-01"], dtype="M8"), [1]), "of type datetime64.* in x"),
    "holes": (([None, 1], [1, 2]), "of NoneType, int in x"),
    "bytes that are no text": ((np.array([b"\xff\xfe"]), [1]), "no text in UTF-8"),
    "batched": (dataset(X, Y).batch(8), r"is batched \(x \(n, 3\), y \(n\)\).*unbatch"),
    "batched evenly": (dataset(X, Y).batch(8, drop_remainder=True), r"is batched \(x \(8, 3\), y \(8\)\)"),
    "padded batches": (dataset(X, Y).padded_batch(8), "is batched"),
    "a stream with rows of weights": (dataset(X, Y, np.ones((40, 2))), r"sample_weight \(2\).*one number"),
    "a stream of x alone": (tf.data.Dataset.from_tensor_slices(X), "gives a Tensor; let it give"),
    "a stream of dicts": (dataset({"a": X}, Y), r"a dict as x \(a\)"),
    "a ragged stream": (dataset(tf.ragged.constant([[1, 2], [3]]), [0, 1]), "gives a RaggedTensor as x"),
}


@pytest.mark.parametrize("part", ["training", "test"])
@pytest.mark.parametrize("case", REFUSED)
def test_data_that_cannot_be_trained_on_is_named(case: str, part: str) -> None:
    given, said = REFUSED[case]
    with pytest.raises(RecipeError, match=said) as caught:
        data.prepare(given, batch_size=8, augment=None, seed=0) if part == "training" else data.arrays(given)
    assert str(caught.value).startswith(f"the {part} part of load_data() ")
    assert caught.value.field == "preprocessing"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (dataset(with_value(np.nan, 33, 2), Y), r"NaN.* in x, first in example 33 at \[2\]"),
        (dataset(X, NAMES), "text in y"),
        (dataset(X, Y, np.where(np.arange(40) == 35, -1.0, 1.0)), "sample_weight of -1.0 in example 35"),
    ],
)
def test_the_examples_of_a_stream_are_looked_at(given: Any, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        parts.look_through(given, "training")


def test_the_truth_that_a_stream_gave_is_known() -> None:
    assert parts.look_through(dataset(X, Y), "training").tolist() == Y.tolist()


@pytest.mark.parametrize(
    "given",
    [
        (X, Y),
        (X.tolist(), Y.tolist()),
        (list(X), list(Y)),
        (X[:, 0], Y),
        (NAMES, Y),
        (NAMES.astype("S"), Y),
        (NAMES.astype(object), Y),
        (X.astype("uint8"), Y),
        (X > 3, Y.astype("float64")),
        ([X[0], X[1]], [1, 2]),
        (X, Y, np.arange(40)),
        (X, Y, np.ones((40, 1))),
        dataset(X, Y),
        dataset(X, Y, np.ones(40)),
        dataset(NAMES, Y),
        dataset(X[:, :1], Y[:, None]),
    ],
)
def test_data_in_any_usual_form_is_taken(given: Any) -> None:
    data.prepare(given, batch_size=2, augment=None, seed=0)
    x, y = data.arrays(given)
    assert len(x) == len(y)
    assert x.dtype.kind in "fiubU"


def test_text_is_the_same_text_from_arrays_and_from_a_stream() -> None:
    words = np.array(["größe", "日本", ""])
    for given in ((words, [0, 1, 2]), (words.astype(object), [0, 1, 2]), dataset(words, [0, 1, 2])):
        assert data.arrays(given)[0].tolist() == words.tolist()
