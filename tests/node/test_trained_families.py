"""The table of families that were trained in every layout is of the recipes that stand beside it."""

import ast

from tests.node.trained_families import BEGIN, DOCUMENT, END, FAMILIES


def test_every_family_has_a_row_that_says_yes_or_is_named_as_not_yet_run() -> None:
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    rows = [line.split(" | ") for line in rest.partition(END)[0].splitlines() if line.startswith("| ")][1:]
    told = {row[0].removeprefix("| ") for row in rows}
    names = {family.name for family in FAMILIES}
    assert told <= names
    assert all(row[-1] == "yes |" for row in rows)
    assert not {name for name in names - told if f"{name}" not in before.rpartition("without a row: ")[2]}


def test_the_recipes_of_the_families_can_be_read() -> None:
    for family in FAMILIES:
        for text in family.recipe.values():
            ast.parse(text)
