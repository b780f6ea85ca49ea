"""Faults of a recipe that can be seen without running it."""

import ast
import traceback

from workbench.errors import RecipeError
from workbench.recipes.source import FIELDS, REQUIRED, Recipe


def check(recipe: Recipe) -> None:
    """Check what can be seen without running: syntax and the names that must be there.

    Raises
    ------
    RecipeError
        With the field and line.
    """
    for field in FIELDS:
        source = getattr(recipe, field)
        try:
            tree = ast.parse(source, f"{field}.py")
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            raise RecipeError(
                f"{field}, line {line}: {getattr(error, 'msg', error)}",
                field=field,
                line=line,
                traceback="".join(traceback.format_exception_only(error)),
            ) from error
        if (name := REQUIRED.get(field)) and name not in _names(tree):
            raise RecipeError(f"{field} must define {name}()", field=field)


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
