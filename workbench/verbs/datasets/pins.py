"""Versions of data sets that a recipe means."""

import ast

from workbench import recipes
from workbench.errors import NotFound
from workbench.lineage import DatasetPin
from workbench.recipes import Recipe
from workbench.settings import Settings

_OURS = ("mnist", "fashion-mnist", "pen-strokes")


def pins_of(recipe: Recipe, settings: Settings) -> dict[str, DatasetPin]:
    """The versions of data sets that a recipe means now, by how it names them.

    Raises
    ------
    NotFound
        It loads one that is not there.
    """
    asked = _named_in(recipe)
    if not asked and not (settings.data / "sets").is_dir():
        return {}
    from workbench.datasets.kept import store

    there = {one.name for one in store.versions(settings)} if (settings.data / "sets").is_dir() else set()
    texts = (
        _texts_of(recipe)
        if there and "datasets" in "".join(getattr(recipe, field) for field in recipes.FIELDS)
        else set()
    )
    wanted = {text for text in texts if name_of(text) in there} | set(asked)
    found = {}
    for reference in sorted(wanted):
        try:
            one = store.find(reference, settings)
        except NotFound as error:
            raise NotFound(
                f"{asked.get(reference, 'the recipe')}: {error}; workbench data add NAME SOURCE adds one"
            ) from error
        found[reference] = DatasetPin(one.version, one.sha256)
    return found


def _named_in(recipe: Recipe) -> dict[str, str]:
    """What stands in ``datasets.load("…")`` and its like, but for our own, with the place where it does."""
    found: dict[str, str] = {}
    for field, tree in recipes.trees(recipe).items():
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr
                in ("load", "columns", "labels", "manifest", "feature_names", "input_columns")
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "datasets"
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and isinstance(node.args[0].value, str)
                and node.args[0].value not in _OURS
            ):
                found.setdefault(node.args[0].value, f"{field}, line {node.lineno}")
    return found


def _texts_of(recipe: Recipe) -> set[str]:
    return {
        node.value
        for tree in recipes.trees(recipe).values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def name_of(text: str) -> str:
    """The name in ``NAME`` or ``NAME:V``."""
    return text.partition(":")[0]
