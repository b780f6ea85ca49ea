"""Recipes: the user's three pieces of code, read byte for byte, and the program that they make.

A recipe comes from a notebook, whose cells are tagged ``helpers``, ``preprocessing`` and ``training``, or from a
folder with ``helpers.py``, ``preprocessing.py`` and ``training.py``. In a notebook all cells share one namespace;
so that the same code runs on a machine, ``preprocessing`` finds there what ``helpers`` defines, and ``training``
what both define. ``import helpers`` works as well.
"""

from workbench.recipes.blame import explain, in_plain_words
from workbench.recipes.checking import check, check_travel, parse
from workbench.recipes.program import Program, from_namespace, load
from workbench.recipes.source import DEFAULT, FIELDS, REQUIRED, Recipe, read, read_notebook, read_sources

__all__ = [
    "DEFAULT",
    "FIELDS",
    "REQUIRED",
    "Program",
    "Recipe",
    "check",
    "check_travel",
    "explain",
    "from_namespace",
    "in_plain_words",
    "load",
    "parse",
    "read",
    "read_notebook",
    "read_sources",
]
