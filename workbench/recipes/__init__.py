"""Recipes: the user's three pieces of code, read byte for byte, and the program that they make.

A recipe comes from a notebook, whose cells are tagged ``helpers``, ``preprocessing`` and ``training``, or from a
folder with ``helpers.py``, ``preprocessing.py`` and ``training.py``. In a notebook all cells share one namespace;
so that the same code runs on a machine, ``preprocessing`` finds there what ``helpers`` defines, and ``training``
what both define. ``import helpers`` works as well.
"""

from workbench.recipes.beside import RecipeFile, enter
from workbench.recipes.blame import explain, in_plain_words
from workbench.recipes.checking import check, check_travel, parse, trees
from workbench.recipes.program import Program, from_namespace, load
from workbench.recipes.source import (
    CODE,
    DEFAULT,
    FIELDS,
    REQUIRED,
    REQUIREMENTS,
    Recipe,
    from_files,
    read,
    read_code,
    read_notebook,
    read_sources,
)

__all__ = [
    "CODE",
    "DEFAULT",
    "FIELDS",
    "REQUIRED",
    "REQUIREMENTS",
    "Program",
    "Recipe",
    "RecipeFile",
    "check",
    "check_travel",
    "enter",
    "explain",
    "from_files",
    "from_namespace",
    "in_plain_words",
    "load",
    "parse",
    "read",
    "read_code",
    "read_notebook",
    "read_sources",
    "trees",
]
