"""A notebook's cells as Python statements, without what only IPython runs."""

import ast
import json
import re
import symtable
from collections.abc import Iterator
from dataclasses import dataclass, field

from workbench.errors import BadInput
from workbench.recipes import advice, encoding

MOST_DEPTH = 150
"""Levels of what stands in what: code that nests deeper cannot be written anew within Python's own limit."""
_ASSIGNED = re.compile(r"\s*+[\w., ]+=\s*[%!]")
_FETCHES = re.compile(r"\s*!\s*(?:curl|wget|gdown|kaggle|git\s+clone|unzip|tar|7z)\b")
_PIP = re.compile(r"\s*[%!]\s*(?:python3?\s+-m\s+)?(?:uv\s+)?pip3?\s+install\s+(.*)")


@dataclass(frozen=True)
class Statement:
    """One statement at the top level of a notebook.

    Attributes
    ----------
    cell
        The number of its code cell, from 1.
    text
        As it is written, with the comments above it.
    """

    cell: int
    node: ast.stmt
    text: str


@dataclass
class Read:
    """A notebook's code, taken apart.

    Attributes
    ----------
    pip
        What its lines install.
    notes
        Lines that were left out, in words.
    """

    statements: list[Statement] = field(default_factory=list)
    cells: dict[int, str] = field(default_factory=dict)
    pip: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read(content: bytes, name: str) -> Read:
    """Take a notebook apart.

    Raises
    ------
    BadInput
        It is no notebook of format 4.
    """
    found = Read()
    for number, source in enumerate(_sources(content, name), 1):
        found.cells[number] = source
        text = _without_magics(source, number, found)
        try:
            tree = _parse(text)
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            place = f", line {line}" if line else ""
            found.notes.append(
                f"cell {number} is left out, it cannot be read as Python: {getattr(error, 'msg', error)}{place}"
            )
            continue
        found.statements += _flat(tree.body, text.splitlines(), number, found)
    return found


def _parse(text: str) -> ast.Module:
    """The tree of a cell, whose names can be told and whose statements can be written anew.

    Raises
    ------
    SyntaxError, ValueError
        It is no Python, or too much of it.
    """
    tree = encoding.parse(text, "cell")
    level: list[ast.AST] = [tree]
    for _ in range(MOST_DEPTH):
        level = [inner for node in level for inner in ast.iter_child_nodes(node)]
    if level:
        raise SyntaxError(f"it is nested more than {MOST_DEPTH} levels deep; make several statements of it")
    symtable.symtable(ast.unparse(tree), "cell", "exec")  # the compiler's own rules, as for nonlocal
    return tree


def _sources(content: bytes, name: str) -> list[str]:
    try:
        notebook = json.loads(content)
        cells = notebook["cells"]
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(
            f"{name} is not a notebook that can be read: {type(error).__name__}: {error}"
        ) from error


def _without_magics(source: str, number: int, found: Read) -> str:
    lines = source.splitlines()
    first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith("%%"):
        if re.match(r"%%(time|timeit|capture)\b", first.lstrip()):
            found.notes.append(f"cell {number}: {first.strip()} is left out")
            lines[lines.index(first)] = ""
        else:
            found.notes.append(
                f"cell {number} is left out, it is {first.strip().split()[0]}, which only a notebook runs"
            )
            return ""
    kept: list[str] = []
    inside = False
    for line in lines:
        if inside or (advice.explain_syntax(line) is not None and not _in_text(kept, line)):
            pip = _PIP.match(line)
            if pip and not inside:
                found.pip.append(pip[1])
                found.notes.append(
                    f"cell {number}: {line.strip()} is read as requirements, but for what is here already"
                )
            elif not inside:
                advised = "; put the files that it leaves beside the recipe" if _FETCHES.match(line) else ""
                found.notes.append(
                    f"cell {number}: {line.strip()[:80]} is left out, only a notebook runs it{advised}"
                )
            inside = line.rstrip().endswith("\\")
            kept.append("pass" if line[:1].isspace() else "")
        else:
            kept.append(line)
    return "\n".join(kept)


def _in_text(before: list[str], line: str) -> bool:
    """Whether a line that looks like IPython's is within a text or a bracket of Python."""
    if _ASSIGNED.match(line):
        return False
    try:
        encoding.parse("\n".join(before), "cell")
    except ValueError:  # half a character: told when the whole cell is read
        return False
    except SyntaxError as error:
        return "unterminated triple" in str(error.msg) or "was never closed" in str(error.msg)
    return False


def _flat(body: list[ast.stmt], lines: list[str], number: int, found: Read) -> Iterator[Statement]:
    before = 0
    for node in body:
        if isinstance(node, ast.With) and any(_is_scope(item.context_expr) for item in node.items):
            found.notes.append(
                f"cell {number}: the strategy and its scope() are left out, the workbench places the model on its machines"
            )
            yield from _flat(node.body, lines, number, found)
        elif isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
            yield from _flat(node.body, lines, number, found)
        else:
            yield Statement(number, node, _text(node, lines, before))
        before = node.end_lineno or node.lineno


def _is_scope(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "scope"


def _text(node: ast.stmt, lines: list[str], before: int) -> str:
    """The statement as it was written with its comments, where it stands alone on its lines; else written anew."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    end = node.end_lineno or node.lineno
    alone = (
        node.col_offset == 0
        and first > before
        and not lines[end - 1][_end(node, lines[end - 1]) :].lstrip().startswith(";")
    )
    texts = [n for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str | bytes)]
    if (
        not alone
        or any(n.end_lineno != n.lineno for n in texts)
        or any(isinstance(n, ast.JoinedStr) and n.end_lineno != n.lineno for n in ast.walk(node))
    ):
        return ast.unparse(node)
    start = first - 1
    while start > before and lines[start - 1].startswith("#"):
        start -= 1
    return "\n".join(line.rstrip() for line in lines[start:end])


def _end(node: ast.stmt, line: str) -> int:
    return len(line.encode()[: node.end_col_offset or 0].decode(errors="replace"))
