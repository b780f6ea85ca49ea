"""Notebooks as editors write them: whatever stands around it, the code of the tagged cells arrives byte for byte."""

import json
import random
from typing import Any

import pytest

from tests.fuzz.made.case import Case, Generator
from workbench import recipes
from workbench.errors import BadInput, RecipeError

PIECES = (
    "x = 1",
    "def f(a, b=2):\n    return a + b",
    "text = 'ä ß 🎉 \\u2028 \\\\n'",
    'doc = """three\n\n  lines\n"""',
    "if True:\n\ty = 3",
    "values = [\n    1,  # one\n    2,\n]",
    "z = f'{x!r:>10}'",
    "# only a comment",
    "# a line\u2028that others break, and\x0ca page",
    "t = 'next\x85line'",
    "s = r'C:\\new\\table'",
    "class A:\n    '''doc'''\n\n    def g(self):\n        return None",
    "lambda_ = lambda x: x % 2",
    "matrix = 3 @ 4 if False else 0",
)
MAGICS = (
    "%matplotlib inline",
    "!pip install numpy",
    "%%time\nx = 1",
    "x?",
    "?print",
    "%load_ext autoreload",
    "!!ls",
    "%%bash\nls",
)
ENDS = ("\n", "\r\n", "\r")


def make(chance: random.Random) -> Case:
    """A notebook with the two needed fields, in some editor's hand."""
    magic = chance.random() < 0.15
    old = not magic and chance.random() < 0.1
    fields = ["preprocessing", "training"] + (["helpers"] if chance.random() < 0.5 else [])
    texts: dict[str, list[str]] = {
        name: [_code(chance) for _ in range(chance.choice((1, 1, 1, 2, 3)))] for name in fields
    }
    spoiled = chance.choice(fields) if magic else ""
    texts["preprocessing"][0] = "def load_data():\n    return 1, 2\n" + texts["preprocessing"][0]
    texts["training"][0] = "def build_model():\n    return 1\n" + texts["training"][0]
    if spoiled:
        texts[spoiled][-1] = chance.choice(MAGICS)
    ends = chance.choice(ENDS)
    tagged = [(name, _with_ends(text, ends)) for name, many in texts.items() for text in many]
    if chance.random() < 0.3:  # tags may come in any order, as long as the parts of one field keep theirs
        tagged.sort(key=lambda pair: (hash_of(pair[0], chance), 0))
    cells = []
    for name, text in tagged:
        cells += [_other(chance) for _ in range(chance.randrange(3))]
        cells.append(_cell(chance, text, [name]))
    cells += [_other(chance) for _ in range(chance.randrange(3))]
    notebook: dict[str, Any] = {
        "cells": cells,
        "metadata": _metadata(chance),
        "nbformat": 4,
        "nbformat_minor": chance.randrange(6),
    }
    if old:
        notebook = {
            "worksheets": [{"cells": cells, "metadata": {}}],
            "metadata": {},
            "nbformat": 3,
            "nbformat_minor": 0,
        }
    expected = {name: "\n\n".join(_with_ends(text, ends) for text in many) for name, many in texts.items()}
    told = {"fields": expected, "refused": "format 3" if old else "", "magic": spoiled}
    how = (
        f"{'old' if old else 'magic' if magic else 'plain'} ends={ends!r} minor={notebook['nbformat_minor']}"
    )
    return Case(_write(chance, notebook), how, told)


def hash_of(name: str, chance: random.Random) -> float:
    return {"preprocessing": 0.5, "training": 0.3, "helpers": 0.7}[name]


def _with_ends(text: str, ends: str) -> str:
    return text.replace("\n", ends)


def _code(chance: random.Random) -> str:
    text = "\n".join(chance.choice(PIECES) for _ in range(chance.randrange(1, 5)))
    return text + chance.choice(("", "", "\n", "\n\n"))


def _cell(chance: random.Random, text: str, tags: list[str]) -> dict[str, Any]:
    tags = [
        *tags,
        *chance.sample(["hide-input", "parameters", "solution", "skip-execution"], chance.randrange(3)),
    ]
    chance.shuffle(tags)
    metadata: dict[str, Any] = {"tags": tags}
    for name, value in (("collapsed", False), ("scrolled", True), ("jupyter", {"source_hidden": True}), ("id", "Ab3_x"),
                        ("colab", {"base_uri": "https://localhost"}), ("vscode", {"languageId": "python"}), ("slideshow", {"slide_type": "-"}),
                        ("execution", {"iopub.execute_input": "2026-01-01T00:00:00Z"}), ("editable", False)):  # fmt: skip
        if chance.random() < 0.2:
            metadata[name] = value
    cell: dict[str, Any] = {"cell_type": "code", "metadata": metadata, "source": _source(chance, text)}
    cell["outputs"] = [_output(chance) for _ in range(chance.randrange(3))]
    cell["execution_count"] = chance.choice((None, 1, 42))
    if chance.random() < 0.5:
        cell["id"] = f"{chance.getrandbits(32):08x}"
    items = list(cell.items())
    chance.shuffle(items)
    return dict(items)


def _other(chance: random.Random) -> dict[str, Any]:
    """A cell that is none of a recipe's: text, or code with whatever IPython takes."""
    kind = chance.choice(("markdown", "raw", "code", "code"))
    cell: dict[str, Any] = {
        "cell_type": kind,
        "metadata": {},
        "source": _source(chance, chance.choice((*MAGICS, "# Title\n\ntext", ""))),
    }
    if kind == "code":
        cell |= {"outputs": [_output(chance)], "execution_count": None}
        if chance.random() < 0.3:
            cell["metadata"] = {"tags": ["other"]}
    elif chance.random() < 0.4:
        cell["attachments"] = {"image.png": {"image/png": "iVBORw0KGgo="}}
    return cell


def _source(chance: random.Random, text: str) -> object:
    """One string, or lines with their ends."""
    return text if chance.random() < 0.4 else text.splitlines(keepends=True)


def _output(chance: random.Random) -> dict[str, Any]:
    return chance.choice(
        (
            {"output_type": "stream", "name": "stdout", "text": ["a\n", "b"]},
            {
                "output_type": "display_data",
                "data": {"image/png": "iVBO", "text/plain": ["<x>"]},
                "metadata": {},
            },
            {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\u001b[31mE\u001b[0m"]},
        )
    )


def _metadata(chance: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if chance.random() < 0.8:
        found["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    if chance.random() < 0.5:
        found["language_info"] = {"name": "python", "codemirror_mode": {"name": "ipython", "version": 3}}
    if chance.random() < 0.2:
        found["colab"] = {"provenance": []}
    if chance.random() < 0.2:
        found["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    return found


def _write(chance: random.Random, notebook: dict[str, Any]) -> bytes:
    items = list(notebook.items())
    chance.shuffle(items)
    text = json.dumps(
        dict(items),
        indent=chance.choice((None, 1, 2, "\t")),
        ensure_ascii=chance.random() < 0.5,
        separators=chance.choice((None, (",", ":"))),
    )
    text = text.replace("\n", chance.choice(ENDS[:2])) + chance.choice(("", "\n", "\r\n"))
    return text.encode(chance.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16")), "surrogatepass")


def check(case: Case) -> None:
    """Every tagged cell's code is found as it is; what cannot be a recipe is named for what it is."""
    refused, magic = str(case.told["refused"]), str(case.told["magic"])
    if refused:
        with pytest.raises(BadInput, match=refused):
            recipes.read_notebook(case.data, "made.ipynb")
        return
    recipe = recipes.read_notebook(case.data, "made.ipynb")
    fields = case.told["fields"]
    assert isinstance(fields, dict)
    for name in recipes.FIELDS:
        assert getattr(recipe, name) == fields.get(name, ""), f"{name} differs"
    if magic:
        with pytest.raises(RecipeError, match="IPython") as told:
            recipes.check(recipe)
        assert told.value.field == magic
        return
    for name in recipes.FIELDS:
        recipes.parse(recipe, name)


NOTEBOOKS = Generator("notebooks of editors", make, check)
