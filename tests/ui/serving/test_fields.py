"""The fields that stand for a model's inputs: numbers, texts, pictures, and the columns of a table."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from workbench.errors import BadInput
from workbench.manifest import Input
from workbench.manifest.columns import InputColumn
from workbench.ui.serving.predict.fields import ColumnField, PictureField, ValueField


def entry(field: Any) -> Any:
    return field.widget.children[0]


@pytest.mark.parametrize(
    ("takes", "typed", "read"),
    [
        (Input((3,), name="a"), "1, 2;3.5", [1, 2, 3.5]),
        (Input((), name="a"), "-4e-2", -0.04),
        (Input((2, 2), name="a"), "[1 2] [3 4]", [[1, 2], [3, 4]]),
        (Input((None, 2), name="a"), "1 2 3 4", [[1, 2], [3, 4]]),
        (Input((), "text", "string", name="a"), "so, what?\nwell", "so, what?\nwell"),
        (Input((1,), "text", "string", name="a"), "x", ["x"]),
        (Input((2,), "text", "string", name="a"), "x\ny", ["x", "y"]),
    ],
)
def test_what_is_typed_has_the_inputs_form(takes: Input, typed: str, read: Any) -> None:
    changes: list[int] = []
    field = ValueField(takes, lambda: changes.append(1))
    entry(field).value = typed
    assert field.read() == read
    assert changes == [1]
    field.fill(np.asarray(read, object if takes.kind == "text" else None))
    assert field.read() == read
    assert changes == [1], "an example is no change by a visitor"


@pytest.mark.parametrize(
    ("takes", "typed", "said"),
    [
        (Input((3,), name="a"), "1, 2", "takes 3 numbers"),
        (Input((None, 2), name="a"), "1 2 3", "takes a multiple of 2 numbers"),
        (Input((2,), name="a"), 'null "x"', "separated by commas. Received: 'null"),
        (Input((1,), name="a"), "{}", "separated by commas"),
        (Input((1,), name="a"), "[" * 9000, "Received: 0"),
        (Input((2,), "text", "string", name="a"), "x", "takes 2 texts, one a line"),
    ],
)
def test_what_does_not_fit_is_said_beside_the_field_until_it_is_changed(
    takes: Input, typed: str, said: str
) -> None:
    field = ValueField(takes, lambda: None)
    entry(field).value = typed
    with pytest.raises(BadInput, match=said):
        field.read()
    wrong = field.widget.children[-1]
    assert said.partition(".")[0] in wrong.html
    assert "wb-wrong" in entry(field)._dom_classes
    entry(field).value = "other"
    assert (wrong.html, "wb-wrong" in entry(field)._dom_classes) == ("", False)
    assert field.blame("b takes another") is False
    assert field.blame("a takes another") is True
    assert "A takes another" in wrong.html


def test_a_picture_stands_in_for_the_examples_once_it_is_chosen() -> None:
    field = PictureField(Input((2, 2, 1), "image", "uint8", name="photo"), lambda: None, lambda error: None)
    with pytest.raises(BadInput, match="choose a picture for photo"):
        field.read()
    field.fill(np.zeros((2, 2, 1), np.uint8))
    assert field.read() == [[[0], [0]], [[0], [0]]]
    chosen = {
        "name": "a.png",
        "type": "",
        "size": 4,
        "content": b"\x89PNG",
        "last_modified": datetime.now(UTC),
    }
    field._button.value = (chosen,)
    assert field.read() == "data:;base64,iVBORw=="
    assert "a.png" in field._shown.html
    field.fill(np.ones((2, 2, 1), np.uint8))
    assert field.read() == [[[1], [1]], [[1], [1]]]


def test_a_column_offers_its_categories_and_what_is_empty_is_missing() -> None:
    age = ColumnField(InputColumn("age", mean=40.5), lambda: None)
    plan = ColumnField(InputColumn("plan", "category", ("basic", "pro")), lambda: None)
    flag = ColumnField(InputColumn("member", "flag"), lambda: None)
    assert [value for _, value in entry(plan).options] == ["basic", "pro", ""]
    for field, value, text in ((age, 31, "31"), (plan, "pro", "pro"), (flag, True, "true"), (flag, None, "")):
        field.fill(value)
        assert field.read() == text
    entry(age).value = "old"
    with pytest.raises(BadInput, match="age takes a number"):
        age.read()
    assert "Age takes a number" in age.widget.children[-1].html
    assert plan.blame("age takes another") is False
