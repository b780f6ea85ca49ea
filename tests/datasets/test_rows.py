"""A table's row as a client sends it, by its columns, becomes the numbers that the model was trained on."""

from pathlib import Path

import numpy as np
import pytest

from tests.datasets.bringing import garden
from workbench import datasets
from workbench.datasets import adding
from workbench.datasets.sources import How
from workbench.errors import BadInput, ModelRefused
from workbench.fields import Fields
from workbench.manifest import Input, InputColumn, Manifest
from workbench.manifest.columns import decode, encode, encode_table, parse_columns
from workbench.settings import Settings

pytest.importorskip("pyarrow")
AGE, PLAN = InputColumn("age", mean=41.5, may_miss=True), InputColumn("plan", "category", ("basic", "pro"))
SINCE, PAID = InputColumn("since", "date", mean=20_000.25), InputColumn("paid", "flag")
ROW = (AGE, PLAN, SINCE, PAID)


def test_each_row_of_a_table_becomes_by_its_columns_what_a_recipe_trains_on(
    settings: Settings, tmp_path: Path
) -> None:
    adding.add("garden", garden(tmp_path / "garden.csv"), How(), settings)
    columns = parse_columns(Fields({"columns": datasets.input_columns("garden", settings)}).parts("columns"))
    (x, _), _ = datasets.load("garden", settings)
    cells, _ = datasets.columns("garden", settings)
    rows = [
        {one.name: cells[one.name][n].item() for one in columns} for n in range(len(x))
    ]  # a missing number is NaN, a missing category empty
    assert {one.kind for one in columns} == {"number", "category", "date"}
    assert any(np.isnan(row["rain"]) for row in rows)
    assert any(row["soil"] == "" for row in rows)
    assert np.array_equal(np.array([encode(columns, row) for row in rows], np.float32), x)
    table = {one.name: cells[one.name].tolist() for one in columns}
    assert np.array_equal(np.array(encode_table(columns, table), np.float32), x)
    assert np.array_equal(np.array([encode(columns, decode(columns, given)) for given in x], np.float32), x)


@pytest.mark.parametrize(
    ("column", "value", "numbers"),
    [
        (AGE, "37", [37, 0]),
        (AGE, " 3.5e1 ", [35, 0]),
        (AGE, None, [41.5, 1]),
        (AGE, float("nan"), [41.5, 1]),
        (PLAN, "pro", [0, 1]),
        (PLAN, "", [0, 0]),
        (SINCE, "1970-01-03", [2]),
        (SINCE, "1970-01-02T12:00", [1.5]),
        (SINCE, 2, [2]),
        (SINCE, "", [20_000.25]),
        (PAID, True, [1]),
        (PAID, "no", [0]),
    ],
)
def test_a_value_becomes_the_numbers_of_its_column(
    column: InputColumn, value: object, numbers: list[float]
) -> None:
    assert column.encode(value) == numbers


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        (AGE, "old", "age takes a number, or null where it is missing. Received: 'old'"),
        (AGE, [31], "age takes a number"),
        (AGE, 10**400, "age takes a number"),
        (AGE, "inf", "age takes a number"),
        (PLAN, "gold", "plan takes one of basic, pro, or null where it is missing. Received: 'gold'"),
        (SINCE, "yesterday", "since takes a date such as"),
        (PAID, "perhaps", "paid takes true or false"),
    ],
)
def test_what_is_no_value_of_a_column_is_refused_by_its_name(
    column: InputColumn, value: object, words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        column.encode(value)


@pytest.mark.parametrize(
    ("left_out", "besides", "words"),
    [("plan", {}, "Not there: plan"), ("", {"pLan": "pro"}, "Received besides: pLan")],
)
def test_a_row_has_the_columns_of_the_table_and_no_others(
    left_out: str, besides: dict[str, object], words: str
) -> None:
    whole = {"age": 1, "plan": "pro", "since": 0, "paid": False}
    with pytest.raises(BadInput, match=words):
        encode(ROW, {name: value for name, value in {**whole, **besides}.items() if name != left_out})


def test_a_manifest_tells_the_columns_of_its_input() -> None:
    made = Manifest(name="m", input=Input((6,), columns=ROW))
    assert Manifest.parse(made.as_json()).columns == ROW
    assert Manifest.parse(Manifest(name="m", input=Input((6,))).as_json()).columns == ()
    told = Manifest(name="m", input=Input((7,), columns=ROW)).as_json()
    with pytest.raises(ModelRefused, match=r"input\.columns must be those of"):
        Manifest.parse(told)
