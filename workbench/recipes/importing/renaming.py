"""Other names for what a notebook calls as a recipe calls something of its own."""

import ast
from collections.abc import Mapping, Sequence, Set

from workbench.recipes.importing.cells import Statement
from workbench.recipes.importing.slicing import Use

OURS = frozenset({"build_model", "load_data", "augment", "CALLBACKS", "CLASS_WEIGHT", "INPUT", "OUTPUT"})
"""Names that mean something in every recipe."""
WRITTEN = frozenset({"as_arrays", "data", "found", "split"})
"""Names of what an import writes where it is needed."""


def rename_ours(statements: Sequence[Statement], ours: Set[str]) -> list[Statement]:
    """The statements with another name for each of these that they make."""
    made = {name for one in statements for name in Use(one).makes}
    names = {name: f"own_{name}" for name in sorted(made & ours)}
    return [_renamed(one, names) if names else one for one in statements]


def _renamed(statement: Statement, names: Mapping[str, str]) -> Statement:
    use, node = Use(statement), statement.node
    if not names.keys() & (use.makes | use.reads):
        return statement
    if isinstance(node, ast.FunctionDef) and not names.keys() & use.reads:  # its comments stay
        text = statement.text.replace(f"def {node.name}(", f"def {names[node.name]}(", 1)
    else:
        text = ast.unparse(ast.fix_missing_locations(Renaming(names).visit(copy(node))))
    return Statement(statement.cell, ast.parse(text).body[0], text)


class Renaming(ast.NodeTransformer):
    """Gives names of one scope others, also where functions within it read them."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.names.get(node.id, node.id), node.ctx)

    def visit_alias(self, node: ast.alias) -> ast.alias:
        bound = node.asname or node.name
        return ast.alias(node.name, self.names[bound]) if bound in self.names else node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.name = self.names.get(node.name, node.name)
        return self.generic_visit(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        node.body = self._within(node.args).visit(node.body)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        node.name = self.names.get(node.name, node.name)
        inner = self._within(node.args)
        node.body = [inner.visit(line) for line in node.body]
        return node

    def _within(self, told: ast.arguments) -> "Renaming":
        told.defaults = [self.visit(value) for value in told.defaults]
        told.kw_defaults = [None if value is None else self.visit(value) for value in told.kw_defaults]
        own = {one.arg for one in ast.walk(told) if isinstance(one, ast.arg)}
        return Renaming({name: other for name, other in self.names.items() if name not in own})


def copy(node: ast.stmt) -> ast.stmt:
    """The statement anew, as it would be written."""
    return ast.parse(ast.unparse(ast.fix_missing_locations(node))).body[0]
