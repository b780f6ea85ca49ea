"""The settings of a recipe, its names in capitals such as ``LEARNING_RATE``: found in the code, and given other values."""

import ast
import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from workbench.errors import BadInput
from workbench.recipes.checking import check, parse
from workbench.recipes.source import FIELDS, Recipe

KNOWN = ("EPOCHS", "BATCH_SIZE", "PATIENCE")
"""Settings that the training loop knows: a recipe has them also where it does not say so."""
_NAME = re.compile("[A-Z][A-Z0-9_]*", re.ASCII)
_MARK = "\ufeff"


@dataclass(frozen=True)
class Capital:
    """One setting, and where the code gives it its value.

    Attributes
    ----------
    written
        The value as it stands in the code.
    value
        As Python has it, where it is a plain value; ``None`` where it is computed.
    """

    name: str
    field: str
    line: int
    written: str
    value: object = None


def capitals(recipe: Recipe) -> dict[str, Capital]:
    """Find the settings by name, as they are when the code has run.

    >>> recipe = Recipe("", "def load_data(): ...", "UNITS, RATE = 64, 2\\nRATE: float = 1e-3\\ndef build_model(): ...")
    >>> [(c.name, c.line, c.value) for c in capitals(recipe).values()]
    [('RATE', 2, 0.001)]
    """
    found = {}
    for field in FIELDS:
        for name, value in _assigned(parse(recipe, field)):
            written = _written(value)
            found[name] = Capital(name, field, value.lineno, written, literal(written))
    return found


def set_capitals(recipe: Recipe, values: Mapping[str, object]) -> Recipe:
    """Give settings other values; every line stays where it was.

    Parameters
    ----------
    values
        Plain Python values: numbers, texts, tuples and lists of them.

    Raises
    ------
    BadInput
        The recipe has no such setting.
    RecipeError
        The code cannot be parsed.
    """
    check(recipe)
    there = capitals(recipe)
    check_known(values, there)
    texts = {field: _rewrite(recipe, field, values) for field in FIELDS}
    ends = "".join(f"\n{name} = {value!r}" for name, value in values.items() if name not in there)
    texts["training"] += f"{ends}\n" if ends else ""
    return dataclasses.replace(
        recipe, helpers=texts["helpers"], preprocessing=texts["preprocessing"], training=texts["training"]
    )


def check_known(names: Iterable[str], there: Mapping[str, Capital]) -> None:
    """Refuse names that are neither a setting of the recipe nor one that the training loop knows: raises ``BadInput``."""
    if unknown := [name for name in names if name not in there and name not in KNOWN]:
        raise BadInput(
            f"the recipe has no setting {', '.join(unknown)}; it has: {', '.join(there) or 'none'}. A setting is a name "
            "in capitals that the code gives a value at its top level: LEARNING_RATE = 1e-3"
        )


def literal(text: str) -> object:
    """The plain value that a piece of code is; ``None`` where it is none, or is ``None``."""
    try:
        value: object = ast.literal_eval(text)
        repr(value)  # which whole numbers of more than 4,300 digits have not
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return value


def _written(node: ast.expr) -> str:
    try:
        return ast.unparse(node)
    except (ValueError, RecursionError):  # a number of thousands of digits, a sum of hundreds of terms
        return "…"


def _assigned(tree: ast.Module) -> list[tuple[str, ast.expr]]:
    """The names in capitals that the top level gives one value each, and the code of the value."""
    found = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target, value = node.target, node.value
        else:
            continue
        if isinstance(target, ast.Name) and _NAME.fullmatch(target.id):
            found.append((target.id, value))
    return found


def _rewrite(recipe: Recipe, field: str, values: Mapping[str, object]) -> str:
    text = getattr(recipe, field)
    mark = _MARK if text.startswith(_MARK) else ""
    lines = [line.encode() for line in _lines(text.removeprefix(_MARK))]
    for name, value in reversed(_assigned(parse(recipe, field))):
        if name not in values:
            continue
        first, last = value.lineno - 1, (value.end_lineno or value.lineno) - 1
        before, after = lines[first][: value.col_offset], lines[last][value.end_col_offset :]
        # As many lines as before, so that a traceback names the user's own.
        rest = b"".join(b"\\" + _ending(line) for line in lines[first:last])
        lines[first : last + 1] = (before + rest + repr(values[name]).encode() + after).splitlines(True)
    return mark + b"".join(lines).decode()


def _lines(text: str) -> list[str]:
    """The text's lines as Python counts them, each with its end."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)


def _ending(line: bytes) -> bytes:
    return line[len(line.rstrip(b"\r\n")) :]
