"""What has to be changed by hand in a recipe that was made of a notebook, in words."""

import ast
import builtins
import re
from collections.abc import Iterable

from workbench.recipes.importing.cells import Statement
from workbench.recipes.importing.fits import Fit
from workbench.recipes.importing.slicing import Use
from workbench.recipes.source import FIELDS, Recipe

_RANDOM = re.compile(
    r"\bRandom[A-Z]\w+\(|\bimage\.(?:stateless_)?random_\w+\(|"
    r"\bImageDataGenerator(?=\([^)]*(?:_range|_flip)\s*=)"
)


def of_the_data(loading: Iterable[Statement]) -> list[str]:
    """Of what would change each example once instead of anew in each epoch, and of what prepares the data outside of the model."""
    notes: list[str] = []
    for statement in loading:
        if found := _RANDOM.search(statement.text):
            notes.append(
                f"cell {statement.cell}: {found[0].rstrip('(')} would change the examples once, before the training: put "
                "it into the model, or into augment(x) in training, which changes each batch"
            )
        if found := re.search(r"\b(\w+)\.adapt\(", statement.text):
            notes.append(
                f"cell {statement.cell}: {found[1]} prepares the data and is no part of the model, which takes what it gives; put "
                "it into the model where whoever asks it shall send what the data was before"
            )
    return notes


def of_own_steps(statements: Iterable[Statement], fit: Fit) -> list[str]:
    """Of models that train by steps of their own: they are called, and with what the workbench has."""
    notes: list[str] = []
    for statement in statements:
        node = statement.node
        methods = {one.name for one in ast.walk(node) if isinstance(one, ast.FunctionDef)}
        if not isinstance(node, ast.ClassDef) or "train_step" not in methods:
            continue
        if "y" not in fit.arguments:
            notes.append(
                f"cell {statement.cell}: {node.name}.train_step is given (x, y), and the weights of examples where there are some: "
                "begin it with x, y = data[:2]"
            )
        if "call" not in methods:
            notes.append(
                f"cell {statement.cell}: {node.name} has no call(), and so no answer that could be measured and served: define "
                "call(self, x)"
            )
    return notes


def of_undefined_names(recipe: Recipe) -> list[str]:
    """Of names that the recipe reads and nothing in it makes."""
    known: set[str] = {*dir(builtins), "__file__", "__name__"}
    read: dict[str, str] = {}
    for field in FIELDS:
        for node in ast.parse(getattr(recipe, field)).body:
            use = Use(Statement(0, node, ""))
            known |= use.makes
            for name in use.reads:
                read.setdefault(name, field)
    return [
        f"{name}, which {field} reads, is made by no cell that was understood: define it"
        for name, field in sorted(read.items())
        if name not in known and "*" not in known
    ]
