"""Faults of a recipe that can be seen without running it."""

import ast
import contextlib
import re
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path

from workbench import packages
from workbench.errors import BadInput, RecipeError
from workbench.recipes import advice, encoding
from workbench.recipes.beside import RecipeFile
from workbench.recipes.source import FIELDS, REQUIRED, Recipe

_LINES = re.compile(r"\r\n?|\n")


def check(recipe: Recipe) -> None:
    """Check what can be seen without running: syntax and the names that must be there.

    Raises
    ------
    RecipeError
        With the field and line.
    """
    for field in FIELDS:
        try:
            tree = parse(recipe, field)
        except (SyntaxError, ValueError) as error:
            slip = _explain(error, getattr(recipe, field))
            raise RecipeError(
                f"{_place(field, slip.line)}: {slip.message}",
                field=field,
                line=slip.line,
                traceback="".join(traceback.format_exception_only(error)),
            ) from error
        if (name := REQUIRED.get(field)) and name not in _names(tree):
            raise RecipeError(f"{field} must define {name}()", field=field)
        advice.check_strategies(tree, field)
    packages.parse(recipe.requirements)
    _check_beside(recipe)


@dataclass(frozen=True)
class Slip:
    """A fault in a text at a line, from 1; ``None`` stands for the whole text."""

    line: int | None
    message: str


def find_slip(text: str, name: str) -> Slip | None:
    """Find the first fault of syntax in a text while it is typed; nothing of it is run.

    >>> find_slip("a = 1\\nb = (\\n", "helpers.py")
    Slip(line=2, message="'(' was never closed")
    >>> find_slip("a = 1", "helpers.py")
    """
    try:
        _parse(text, name)
    except (SyntaxError, ValueError) as error:
        return _explain(error, text)
    return None


def _explain(error: Exception, text: str) -> Slip:
    line = getattr(error, "lineno", None)
    lines = _LINES.split(text)  # as Python counts them
    written = lines[line - 1] if line and line <= len(lines) else ""
    return Slip(line, str(advice.explain_syntax(written) or getattr(error, "msg", "") or error))


def _check_beside(recipe: Recipe) -> None:
    """Check the syntax of the modules that travel with the recipe, as far as they are here."""
    for one in recipe.files:
        try:
            _parse_beside(one)
        except (SyntaxError, ValueError, BadInput) as error:
            line = getattr(error, "lineno", None)
            said = (
                str(error)
                if isinstance(error, BadInput)
                else f"{_place(one.path, line)}: {getattr(error, 'msg', error)}"
            )
            raise RecipeError(
                said,
                field=one.path.removesuffix(".py"),
                line=line,
                traceback="".join(traceback.format_exception_only(error)),
            ) from error


def _place(name: str, line: int | None) -> str:
    return f"{name}, line {line}" if line else name


def trees(recipe: Recipe) -> dict[str, ast.Module]:
    """The syntax trees of the recipe's fields, and of the modules beside them as far as they are here, by name.

    Raises ``SyntaxError`` and ``ValueError`` as ``ast.parse``.
    """
    found = {field: parse(recipe, field) for field in FIELDS}
    return found | {one.path: tree for one in recipe.files if (tree := _parse_beside(one)) is not None}


def _parse_beside(one: RecipeFile) -> ast.Module | None:
    if not one.is_module or one.source is None or not one.source.is_file():
        return None
    return encoding.parse(encoding.decode(one.source.read_bytes(), one.path), one.path)


def parse(recipe: Recipe, field: str) -> ast.Module:
    """Give the syntax tree of one field; raises ``SyntaxError`` and ``ValueError`` as ``compile``."""
    return _parse(getattr(recipe, field), f"{field}.py")


def _parse(text: str, name: str) -> ast.Module:
    """The tree of a text that compiles: a tree alone may hold a ``return`` outside of any function."""
    tree = encoding.parse(text, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(tree, name, "exec", dont_inherit=True)
        except (RecursionError, MemoryError) as error:
            raise SyntaxError("it is nested too deeply for Python; make several statements of it") from error
    return tree


def check_travel(recipe: Recipe, folder: Path) -> None:
    """Refuse a notebook that needs modules or files which lie beside it in the folder, and stay there.

    Raises
    ------
    RecipeError
        With the field and line.
    """
    with contextlib.suppress(SyntaxError, ValueError):  # told by ``check``
        advice.check_beside({field: parse(recipe, field) for field in FIELDS}, folder, FIELDS)


def _names(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names
