import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import recipes
from workbench.errors import BadInput, NotFound, RecipeError
from workbench.recipes import Recipe

GOOD = Recipe(
    helpers="SCALE = 2\ndef double(x):\n    return SCALE * x\n",
    preprocessing="def load_data():\n    return double(1), double(2)\n",
    training="import helpers\nEPOCHS = 4\ndef build_model():\n    return helpers.double(EPOCHS)\n",
)


@pytest.fixture(autouse=True)
def _forget_modules() -> Iterator[None]:
    yield
    for field in recipes.FIELDS:
        sys.modules.pop(field, None)


def notebook(path: Path, cells: list[tuple[list[str], str]]) -> Path:
    made = [
        {"cell_type": "code", "source": source.splitlines(True), "metadata": {"tags": tags}}
        for tags, source in cells
    ]
    path.write_text(json.dumps({"cells": made, "nbformat": 4}))
    return path


def test_a_notebook_gives_its_tagged_cells(tmp_path: Path) -> None:
    path = notebook(
        tmp_path / "n.ipynb",
        [
            ([], "1/0"),
            (["helpers"], "h = 1"),
            (["preprocessing"], "p = 2\np"),
            (["training", "other"], "t = 3"),
        ],
    )
    assert recipes.read(path) == Recipe("h = 1", "p = 2\np", "t = 3")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=50))
def test_code_arrives_byte_for_byte(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("recipe")
    recipe = Recipe(helpers=text, preprocessing=f"a = '''{text}'''", training="\"'`$(rm)\\n\t")
    recipe.write(folder)
    assert recipes.read(folder) == recipe
    cells = [([field], getattr(recipe, field)) for field in recipes.FIELDS]
    assert recipes.read(notebook(folder / "n.ipynb", cells)) == recipe


def test_helpers_are_found_by_name_and_by_import(tmp_path: Path) -> None:
    program = recipes.load(GOOD, tmp_path)
    assert program.load_data() == (2, 4)
    assert program.build_model() == 8
    assert (program.epochs, program.batch_size, program.labels) == (4, 128, ())


def test_another_number_of_epochs_reaches_the_model(tmp_path: Path) -> None:
    program = recipes.load(GOOD, tmp_path).set_epochs(1)
    assert (program.epochs, program.build_model()) == (1, 2)


@pytest.mark.parametrize("missing", ["preprocessing", "training"])
def test_a_missing_field_is_named(tmp_path: Path, missing: str) -> None:
    GOOD.write(tmp_path)
    (tmp_path / f"{missing}.py").unlink()
    with pytest.raises(BadInput, match=f"no {missing}"):
        recipes.read(tmp_path)


def test_nothing_at_the_path_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        recipes.read(tmp_path / "none.ipynb")


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"cells": [1]}', '{"cells": [{"cell_type": "code", "metadata": {"tags": 3}}]}']
)
def test_a_file_that_is_no_notebook_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "n.ipynb").write_text(text)
    with pytest.raises(BadInput, match="not a notebook"):
        recipes.read(tmp_path / "n.ipynb")


def test_a_syntax_error_shows_field_and_line(tmp_path: Path) -> None:
    broken = Recipe(GOOD.helpers, "x = 1\ndef load_data(:\n", GOOD.training)
    with pytest.raises(RecipeError, match="preprocessing, line 2") as caught:
        recipes.load(broken, tmp_path)
    assert (caught.value.field, caught.value.line) == ("preprocessing", 2)
    assert "def load_data(:" in caught.value.traceback


def test_an_error_while_importing_shows_only_the_users_lines(tmp_path: Path) -> None:
    broken = Recipe("def f():\n    return 1 / 0\n", GOOD.preprocessing, "x = f()\n" + GOOD.training)
    with pytest.raises(RecipeError, match="helpers, line 2: ZeroDivisionError") as caught:
        recipes.load(broken, tmp_path)
    assert "x = f()" in caught.value.traceback
    assert "importlib" not in caught.value.traceback


def test_a_missing_function_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"training must define build_model\(\)"):
        recipes.load(Recipe("", GOOD.preprocessing, "x = 1"), tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        *(
            "EPOCHS = 0",
            "EPOCHS = 2.5",
            "BATCH_SIZE = True",
            "LABELS = 'abc'",
            "LABELS = {'a': 'bc'}",
            "augment = 3",
        ),
        *(
            "CLASS_WEIGHT = 'balanced'",
            "CLASS_WEIGHT = {}",
            "CLASS_WEIGHT = {0: -1}",
            "CLASS_WEIGHT = {'a': 1}",
        ),
        *("CLASS_WEIGHT = {0.5: 1}", "CLASS_WEIGHT = {0: 0}", "CLASS_WEIGHT = {0: float('inf')}"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_its_value(tmp_path: Path, line: str) -> None:
    with pytest.raises(RecipeError, match="Received"):
        recipes.load(Recipe(GOOD.helpers, GOOD.preprocessing, f"{GOOD.training}\n{line}\n"), tmp_path)


def test_equal_recipes_have_equal_hashes_and_others_do_not() -> None:
    assert GOOD.sha256 == Recipe(GOOD.helpers, GOOD.preprocessing, GOOD.training).sha256
    assert GOOD.sha256 != Recipe("", GOOD.helpers + GOOD.preprocessing, GOOD.training).sha256


@pytest.mark.parametrize(
    "value",
    ["-" * 100_000 + "1", "-" * 5_000 + "1", " + ".join("1" * 5_000)],
    ids=("signs", "some signs", "a sum"),
)
def test_code_that_is_nested_too_deeply_is_refused_with_its_field(value: str) -> None:
    recipe = Recipe("", "def load_data(): ...", f"def build_model(): ...\nDEEP = {value}")
    with pytest.raises(RecipeError, match=r"^training: it is nested too deeply"):
        recipes.check(recipe)
