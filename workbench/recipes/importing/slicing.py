"""Which statements of a notebook others need: names followed back to where they are made and changed."""

import ast
import symtable
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from workbench.recipes.importing.cells import Statement

LOOKS = {
    *(
        "corr",
        "count",
        "describe",
        "display",
        "evaluate",
        "fit",
        "fit_generator",
        "get_config",
        "get_weights",
        "head",
    ),
    *("hist", "info", "isna", "isnull", "mean", "nunique", "sample", "sum", "tail", "value_counts"),
    *("plot", "predict", "save", "save_weights", "show", "summary", "to_json", "write"),
}
"""Methods that change nothing a training needs."""
TAKES_OUT = {"pop", "popitem"}
"""Methods that change what they are called on, whatever is done with what they give."""
CHANGES_GIVEN = {"copyto", "fill_diagonal", "put", "putmask", "shuffle"}
"""Functions that change what they are given first."""


@dataclass(frozen=True)
class Use:
    """What a statement makes, changes and reads, by the names at the top level."""

    statement: Statement

    @cached_property
    def makes(self) -> frozenset[str]:
        """Names that it binds."""
        return frozenset(_bound(self.statement.node))

    @cached_property
    def reads(self) -> frozenset[str]:
        return frozenset(_read(self.statement.node))

    @cached_property
    def changes(self) -> frozenset[str]:
        """Names of what it changes in place: ``x[0] = 1``, ``model.add(…)``, ``frame.x = 2``."""
        found = set()
        for node in _outside_functions(self.statement.node):
            targets: list[ast.expr] = []
            if isinstance(node, ast.Assign):
                targets = node.targets
            elif isinstance(node, ast.AugAssign | ast.AnnAssign):
                targets = [node.target]
            elif isinstance(node, ast.Delete):
                targets = node.targets
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                func = node.value.func
                if isinstance(func, ast.Attribute) and func.attr not in LOOKS:
                    targets = [func]
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if node.func.attr in TAKES_OUT:
                    targets.append(node.func)
                if node.func.attr in CHANGES_GIVEN and node.args and (root := _root(node.args[0])):
                    found.add(root)
            for target in targets:
                if isinstance(target, ast.Subscript | ast.Attribute) and (root := _root(target)):
                    found.add(root)
                if isinstance(node, ast.AugAssign) and isinstance(target, ast.Name):
                    found.add(target.id)
        return frozenset(found)

    @property
    def is_import(self) -> bool:
        return isinstance(self.statement.node, ast.Import | ast.ImportFrom)

    @property
    def is_definition(self) -> bool:
        return isinstance(self.statement.node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)

    @property
    def is_constant(self) -> bool:
        """Whether it gives names plain values, whatever ran before."""
        node = self.statement.node
        if not isinstance(node, ast.Assign) or not all(isinstance(t, ast.Name) for t in node.targets):
            return False
        try:
            ast.literal_eval(node.value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return False
        return True


def needed(uses: Sequence[Use], names: Iterable[str], before: int) -> list[int]:
    """The places of the statements before ``before`` that these names need there, in order."""
    wanted, found = set(names), []
    imported = {name for use in uses if use.is_import for name in use.makes}
    for place in reversed(range(min(before, len(uses)))):
        use = uses[place]
        star = use.is_import and "*" in use.makes
        if not star and not wanted & (use.makes | (use.changes - imported)):
            continue
        found.append(place)
        if not use.changes & use.makes and not _may_not_run(use.statement.node):
            wanted -= use.makes
        wanted |= use.reads
    # What a function reads may be made after it, and before it is called.
    later = {n for place in found if uses[place].is_definition for n in uses[place].reads}
    more = [
        place
        for place in range(min(before, len(uses)))
        if place not in found and later & (uses[place].makes | (uses[place].changes - imported))
    ]
    if more:
        deeper = {n for place in more for n in uses[place].reads}
        found = sorted({*found, *more, *needed(uses, deeper, max(more))})
    return sorted(set(found))


def _may_not_run(node: ast.stmt) -> bool:
    return isinstance(node, ast.If | ast.For | ast.While | ast.Try)


def _bound(node: ast.AST) -> set[str]:
    table = _table(node)
    found = {
        s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()
    }
    return found | {"*" for one in ast.walk(node) if isinstance(one, ast.alias) and one.name == "*"}


def _read(node: ast.AST) -> set[str]:
    table = _table(node)
    found = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    inner = list(table.get_children())
    while inner:
        one = inner.pop()
        found |= {s.get_name() for s in one.get_symbols() if s.is_referenced() and s.is_global()}
        inner += one.get_children()
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        found.add(node.target.id)
    return found


def _table(node: ast.AST) -> symtable.SymbolTable:
    return symtable.symtable(ast.unparse(node), "cell", "exec")


def _outside_functions(node: ast.AST) -> Iterable[ast.AST]:
    """The node and those below it, but for the bodies of functions and classes, and comprehensions."""
    yield node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        return
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.comprehension):
            yield from _outside_functions(child)


def _root(node: ast.expr) -> str | None:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None
