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
    "weights of no output": ((X, {"a": Y}, {"b": np.ones(40)}), "sample weights that are for b, and y has a"),
    "weights of two for one": ((X, Y, (np.ones(40), np.ones(40))), "sample weights that are 2, and y is one"),
    "weights of one output too few": (
        (X, {"a": Y, "b": Y}, {"a": np.ones(39)}),
        r'sample_weight\["a"\] of shape \(39,\)',
    ),
    "weights of outputs by place": ((X, {"a": Y, "b": Y}, (np.ones(40),)), "not in the structure of y"),
    "four parts": ((X, Y, Y, Y), "4 parts instead of two or three"),
    "x alone": ((X,), "1 parts instead of two"),
    "a dict for both": ({"x": X, "y": Y}, "is of type dict"),
    "NaN in one of the inputs": (
        ({"a": X, "b": with_value(np.nan, 7, 1)}, Y),
        r'NaN.* in x\["b"\], first in example 7',
    ),
    "infinity in the second input": (
        ((X, with_value(np.inf, 3, 0)), Y),
        r"infinity in x\[1\], first in example 3",
    ),
    "text in one of the outputs": ((X, {"a": Y, "b": NAMES}), r'text in y\["b"\] \(\'a\''),
    "an input too short": (({"a": X, "b": X[:3]}, Y), r'40 examples in x\["a"\] and 3 in x\["b"\]'),
    "an output too short": ((X, (Y, Y[:3])), "40 examples in x and"),
    "a dict within a dict": (({"a": {"b": X}}, Y), r'of type dict within the dict x \(x\["a"\]\)'),
    "an input that is None": (({"a": X, "b": None}, Y), r"None within the dict x"),
    "an empty dict": (({}, Y), "an empty dict as x"),
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
    "a stream of dicts within dicts": (dataset({"a": {"b": X}}, Y), r'a dict \(b\) as x\["a"\]'),
    "batched dicts": (
        dataset({"a": X, "b": X}, Y).batch(8),
        r'is batched \(x\["a"\] \(n, 3\), x\["b"\] \(n, 3\), y \(n\)\)',
    ),
    "a stream with weights of no output": (
        dataset(X, {"a": Y}, {"b": np.ones(40)}),
        "sample weights that are for b",
    ),
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


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (({"a b": X, "c": NAMES}, Y), (["a_b", "c"], None)),
        (([X, X[:, 0]], [Y, Y]), (["1", "2"], ["1", "2"])),
        (((X, NAMES), {"one": Y, "two": X}), (["1", "2"], ["one", "two"])),
        ((X, (Y, Y), np.arange(40)), (None, ["1", "2"])),
        ((X, {"one": Y, "two": Y}, {"two": np.arange(40)}), (None, ["one", "two"])),
        (dataset({"a": X, "b": NAMES}, (Y, Y)), (["a", "b"], ["1", "2"])),
        (dataset(X, {"one": Y, "two": Y}, {"one": np.ones(40)}), (None, ["one", "two"])),
    ],
)
def test_several_inputs_and_outputs_are_taken_by_name_and_by_place(given: Any, names: Any) -> None:
    batches = data.prepare(given, batch_size=4, augment=None, seed=0)
    batch, held = next(iter(batches.feed())), batches.validation()
    for found, wanted in zip(data.arrays(given), names, strict=True):
        assert (list(found) if isinstance(found, dict) else None) == wanted
    assert {len(leaf) for leaf in tf.nest.flatten(batch)} == {4}
    assert held is not None
    tf.nest.assert_same_structure(batch, next(iter(held)))
    if len(batch) == 3:  # weights are there for every output
        tf.nest.assert_same_structure(batch[1], batch[2])


def test_class_weights_are_of_one_output_each() -> None:
    y = {"one": Y, "two": Y.astype("float32")}
    for given in ((X, y), dataset(X, y)):
        batches = data.prepare(given, batch_size=30, augment=None, seed=0, class_weight={"one": {2: 5.0}})
        _, truth, weight = next(iter(batches.feed()))
        assert weight["one"].numpy().tolist() == np.where(truth["one"].numpy() == 2, 5, 1).tolist()
        assert set(weight["two"].numpy()) == {1}
        for wrong in ({2: 5.0}, {"three": {2: 5.0}}):
            with pytest.raises(RecipeError, match=r"must say of which output, such as \{'one'"):
                data.prepare(given, batch_size=30, augment=None, seed=0, class_weight=wrong)


def test_text_is_the_same_text_from_arrays_and_from_a_stream() -> None:
    words = np.array(["größe", "日本", ""])
    for given in ((words, [0, 1, 2]), (words.astype(object), [0, 1, 2]), dataset(words, [0, 1, 2])):
        assert data.arrays(given)[0].tolist() == words.tolist()
