"""What recipes bring along from notebooks, editors and projects: read as Python reads it, or named with the way out."""

import codecs
import json
from pathlib import Path

import pytest

from workbench import recipes
from workbench.errors import BadInput, RecipeError
from workbench.recipes import advice
from workbench.verbs import recipes as verbs

PREPROCESSING = "def load_data():\n    return 1, 2\n"
TRAINING = "def build_model():\n    return 1\n"


def folder(path: Path, preprocessing: str | bytes = PREPROCESSING, training: str | bytes = TRAINING) -> Path:
    path.mkdir(exist_ok=True)
    for name, text in (("preprocessing", preprocessing), ("training", training)):
        (path / f"{name}.py").write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF8 + PREPROCESSING.encode(),
        ("# -*- coding: latin-1 -*-\n# größe\n" + PREPROCESSING).encode("latin-1"),
        ("#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\n# größe €\n" + PREPROCESSING).encode("cp1252"),
        ("# größe\r\n" + PREPROCESSING).encode(),
        ("# coding: koi8-r\nNAME = 'да'\n" + PREPROCESSING).encode("koi8-r"),
    ],
    ids=["byte order mark", "latin-1", "cp1252", "utf-8 with CRLF", "koi8-r"],
)
def test_a_file_in_any_encoding_that_python_reads_goes_to_a_machine_byte_for_byte(
    tmp_path: Path, content: bytes
) -> None:
    recipe = recipes.read(folder(tmp_path / "recipe", content))
    recipes.check(recipe)
    recipe.write(tmp_path / "machine")

    assert (tmp_path / "machine" / "preprocessing.py").read_bytes() == content
    assert recipes.read(tmp_path / "machine") == recipe


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("x = 1\n# größe\n".encode("latin-1"), "preprocessing.py, line 2: the byte 0xf6 is not UTF-8; save"),
        ("# größe\n".encode("latin-1"), "preprocessing.py, line 1: the byte 0xf6 is not UTF-8"),
        (PREPROCESSING.encode("utf-16"), "UTF-16"),
        (b"# coding: klingon\n" + PREPROCESSING.encode(), "klingon"),
    ],
)
def test_a_file_that_python_cannot_read_is_named_with_the_line(
    tmp_path: Path, content: bytes, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        recipes.read(folder(tmp_path / "recipe", content))


@pytest.mark.parametrize(
    "line",
    [
        "%matplotlib inline",
        "%load_ext tensorboard",
        "%%time",
        "!pip install -q keras",
        "  !ls",
        "files = !ls",
        "took = %timeit -o f()",
        "keras?",
        "keras.Model??",
        "?keras",
        "%pip install numpy",
    ],
)
def test_lines_of_ipython_are_told_for_what_they_are(tmp_path: Path, line: str) -> None:
    recipe = recipes.read(folder(tmp_path / "recipe", f"import os\n{line}\n{PREPROCESSING}"))
    with pytest.raises(RecipeError, match="IPython, no Python") as caught:
        recipes.check(recipe)
    assert (caught.value.field, caught.value.line) == ("preprocessing", 2)
    assert "a cell without the tags" in str(caught.value)


@pytest.mark.parametrize("line", ["x = (1 %", "if True", "x = 5 %% 3", "print 'x'"])
def test_other_errors_of_syntax_keep_pythons_words(tmp_path: Path, line: str) -> None:
    recipe = recipes.read(folder(tmp_path / "recipe", f"{line}\n{PREPROCESSING}"))
    with pytest.raises(RecipeError) as caught:
        recipes.check(recipe)
    assert "IPython" not in str(caught.value)


def test_a_notebook_of_format_3_is_told_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "old.ipynb"
    path.write_text(json.dumps({"nbformat": 3, "worksheets": [{"cells": []}], "metadata": {}}))
    with pytest.raises(BadInput, match=r"format 3, .*nbconvert"):
        recipes.read(path)


@pytest.mark.parametrize("cells", ["5", "[5]", "null", '[{"cell_type": "code", "metadata": {"tags": 7}}]'])
def test_a_notebook_that_is_none_is_refused_in_words(tmp_path: Path, cells: str) -> None:
    path = tmp_path / "bad.ipynb"
    path.write_text(f'{{"nbformat": 4, "cells": {cells}}}')
    with pytest.raises(BadInput, match="not a notebook that can be read"):
        recipes.read(path)


def notebook(path: Path, preprocessing: str) -> Path:
    cells = [
        {"cell_type": "code", "metadata": {"tags": [tag]}, "source": text}
        for tag, text in (("preprocessing", preprocessing), ("training", TRAINING))
    ]
    path.write_text(json.dumps({"nbformat": 4, "cells": cells}))
    return path


@pytest.mark.parametrize("written", ["import mylib", "from mylib import load", "import mylib.deep as m"])
@pytest.mark.parametrize("package", [False, True])
def test_a_module_beside_a_notebook_is_told_to_stay_there(
    tmp_path: Path, written: str, package: bool
) -> None:
    path = notebook(tmp_path / "n.ipynb", f"import os\n{written}\n{PREPROCESSING}")
    module = tmp_path / "mylib" / "__init__.py" if package else tmp_path / "mylib.py"
    module.parent.mkdir(exist_ok=True)
    module.write_text("")
    with pytest.raises(RecipeError, match=r"mylib .*does not travel.*folder") as caught:
        verbs.read(path)
    assert (caught.value.field, caught.value.line) == ("preprocessing", 2)


def test_a_file_beside_a_notebook_that_its_code_names_is_told_to_stay_there(tmp_path: Path) -> None:
    path = notebook(tmp_path / "n.ipynb", "F = 'deep/data.csv'\n" + PREPROCESSING)
    (tmp_path / "deep").mkdir()
    assert verbs.read(path)
    (tmp_path / "deep" / "data.csv").write_text("1,2")
    with pytest.raises(RecipeError, match=r"preprocessing, line 1: deep/data\.csv lies beside"):
        verbs.read(path)


def test_what_lies_beside_a_notebook_and_is_not_used_disturbs_nobody(tmp_path: Path) -> None:
    path = notebook(
        tmp_path / "n.ipynb",
        "try:\n    import extra\nexcept ImportError:\n    pass\nimport helpers\n" + PREPROCESSING,
    )
    for name in ("extra.py", "README.md", "data.csv", "helpers.py"):
        (tmp_path / name).write_text("")
    assert verbs.read(path)


@pytest.mark.parametrize(
    "written",
    [
        "import tensorflow as tf\ns = tf.distribute.MirroredStrategy()",
        "from tensorflow.distribute import MultiWorkerMirroredStrategy\ns = MultiWorkerMirroredStrategy()",
        "def f():\n    return tf.distribute.experimental.ParameterServerStrategy(1)",
    ],
)
def test_a_strategy_of_the_recipes_own_is_refused(tmp_path: Path, written: str) -> None:
    recipe = recipes.read(folder(tmp_path / "recipe", training=f"{written}\n{TRAINING}"))
    with pytest.raises(RecipeError, match=r"line 2: .*Strategy.*leave the strategy") as caught:
        recipes.check(recipe)
    assert caught.value.field == "training"


def test_modules_that_are_there_are_told() -> None:
    assert {"keras", "numpy", "tensorflow"} <= set(advice.modules())
    assert "sqlalchemy" not in advice.modules()


def test_a_module_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    recipe = recipes.read(folder(tmp_path / "recipe", f"import not_there\n{PREPROCESSING}"))
    with pytest.raises(RecipeError, match=r"line 1: .*not_there.*there are: .*keras"):
        recipes.load(recipe, tmp_path / "machine")
