"""A ``fit`` that stands in a function, a loop or another block: its lines taken as those of the notebook's top level."""

import ast
from collections.abc import Sequence, Set

from workbench.recipes.importing import fits
from workbench.recipes.importing.cells import Statement
from workbench.recipes.importing.renaming import Renaming, copy
from workbench.recipes.importing.slicing import Use

MOST_LEVELS = 8
"""Blocks and functions that are opened, one within another."""
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def unfold(statements: Sequence[Statement]) -> tuple[list[Statement], list[str]]:
    """The statements with a ``fit`` of a model among them, where there is one at all, and what was opened, in words."""
    found, notes = list(statements), list[str]()
    for _ in range(MOST_LEVELS):
        calls = fits.fits([Use(one) for one in found])
        if calls and not all(is_block(found[call.place]) for call in calls):
            break
        opened = _open_block(found, calls[0].place) if calls else _open_call(found)
        if opened is None:
            break
        place, inner, note = opened
        notes.append(f"cell {found[place].cell}: {note}")
        found[place : place + 1] = inner
    return found, notes


def is_block(statement: Statement) -> bool:
    """Whether the statement holds others that may not run, or more than once."""
    return isinstance(statement.node, ast.For | ast.While | ast.If | ast.With | ast.Try)


def functions_with_fit(statements: Sequence[Statement]) -> list[str]:
    """Names of the functions and classes in which a model is trained."""
    return [
        one.node.name
        for one in statements
        if isinstance(one.node, ast.FunctionDef | ast.ClassDef) and _trains(one.node)
    ]


def _open_block(statements: Sequence[Statement], place: int) -> tuple[int, list[Statement], str] | None:
    statement = statements[place]
    node = statement.node
    body: list[ast.stmt] = []
    match node:
        case ast.For() | ast.While() if not _leaves(node.body):
            if isinstance(node, ast.For):
                first = ast.Call(
                    ast.Name("next", ast.Load()),
                    [ast.Call(ast.Name("iter", ast.Load()), [node.iter], [])],
                    [],
                )
                body = [ast.Assign([node.target], first, lineno=node.lineno)]
            body += node.body
            note = "the loop around fit is gone through once, with its first value: a recipe trains one model once"
        case ast.If():
            body = next(part for part in (node.body, node.orelse) if any(map(_fits_within, part)))
            note = f"the condition {ast.unparse(node.test)[:60]!r} around fit is left out, and what it decides is done"
        case ast.With() if not any(item.optional_vars for item in node.items):
            body = node.body
            note = f"with {ast.unparse(node.items[0])[:60]} around fit is left out"
        case ast.Try() if any(map(_fits_within, node.body)):
            body = [*node.body, *node.orelse, *node.finalbody]
            note = "the try around fit is left out"
        case _:
            return None
    return place, [_written(statement.cell, one) for one in body], note


def _open_call(statements: Sequence[Statement]) -> tuple[int, list[Statement], str] | None:
    """Put the lines of a function that trains where it is called."""
    functions = {
        one.node.name: (one.cell, one.node)
        for one in statements
        if isinstance(one.node, ast.FunctionDef) and _trains(one.node)
    }
    for place, statement in enumerate(statements):
        node = statement.node
        if not isinstance(node, ast.Expr | ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        call = node.value
        if not isinstance(call.func, ast.Name) or call.func.id not in functions:
            continue
        cell, function = functions[call.func.id]
        others = {name for one in statements if one.node is not function for name in Use(one).makes}
        body = _body(function, call, others, node.targets if isinstance(node, ast.Assign) else [])
        if body is not None:
            note = (
                f"fit stands in {function.name}(), whose lines are taken as if they stood where it is called"
            )
            return place, [_written(cell, one) for one in body], note
    return None


def _body(
    function: ast.FunctionDef, call: ast.Call, others: Set[str], targets: list[ast.expr]
) -> list[ast.stmt] | None:
    """The function's lines with what it is called with, or nothing where they mean something else outside of it."""
    given = _given(function, call)
    lines = function.body
    rebinds = any(isinstance(one, ast.Global | ast.Nonlocal) for one in ast.walk(function))
    if given is None or rebinds or function.decorator_list or any(map(_returns, lines[:-1])):
        return None
    returned = lines[-1] if isinstance(lines[-1], ast.Return) else None
    if returned is None and (_returns(lines[-1]) or targets):
        return None
    lines = lines[:-1] if returned is not None else lines
    names = {param: value.id for param, value in given.items() if isinstance(value, ast.Name)}
    inner = {name for line in lines if not _is_import(line) for name in Use(Statement(0, line, "")).makes}
    hidden = (inner | set(given)) & others - set(names)
    names |= {name: f"{name}_of_{function.name}" for name in hidden}
    made: list[ast.stmt] = [
        ast.Assign([ast.Name(names.get(param, param), ast.Store())], value, lineno=call.lineno)
        for param, value in given.items()
        if not isinstance(value, ast.Name)
    ]
    renaming = Renaming(names)
    made += [renaming.visit(copy(line)) for line in lines]
    if returned is not None and targets:
        value = renaming.visit(copy(ast.Expr(returned.value or ast.Constant(None)))).value
        made.append(ast.Assign(targets, value, lineno=call.lineno))
    return made


def _given(function: ast.FunctionDef, call: ast.Call) -> dict[str, ast.expr] | None:
    """What each parameter is, with the defaults; nothing where that cannot be told."""
    told = function.args
    if told.vararg or told.kwarg or any(k.arg is None for k in call.keywords):
        return None
    if any(isinstance(one, ast.Starred) for one in call.args):
        return None
    names = [one.arg for one in (*told.posonlyargs, *told.args)]
    found = dict(zip(reversed(names), reversed(told.defaults), strict=False))
    found |= {
        one.arg: value
        for one, value in zip(told.kwonlyargs, told.kw_defaults, strict=True)
        if value is not None
    }
    found |= dict(zip(names, call.args, strict=False)) | {k.arg: k.value for k in call.keywords if k.arg}
    expected = [*names, *(one.arg for one in told.kwonlyargs)]
    return {name: found[name] for name in expected} if set(found) == set(expected) else None


def _written(cell: int, node: ast.stmt) -> Statement:
    made = copy(node)
    return Statement(cell, made, ast.unparse(made))


def _trains(node: ast.FunctionDef | ast.ClassDef) -> bool:
    body = [part for one in node.body for part in (one.body if isinstance(one, ast.FunctionDef) else [one])]
    return bool(fits.fits([Use(Statement(0, one, "")) for one in body if not isinstance(one, ast.Return)]))


def _fits_within(node: ast.stmt) -> bool:
    return any(isinstance(one, ast.Attribute) and one.attr == "fit" for one in ast.walk(node))


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _returns(node: ast.stmt) -> bool:
    """Whether it leaves the function that it stands in."""
    return any(isinstance(one, ast.Return | ast.Yield | ast.YieldFrom) for one in _here(node, _SCOPES))


def _leaves(body: Sequence[ast.stmt]) -> bool:
    """Whether any of a loop's lines leaves the loop, or its round of it."""
    within = (ast.For, ast.While, *_SCOPES)
    return any(isinstance(one, ast.Break | ast.Continue) for line in body for one in _here(line, within))


def _here(node: ast.AST, apart: tuple[type[ast.AST], ...]) -> list[ast.AST]:
    """The node and those below it, but for what stands within nodes of these kinds."""
    if isinstance(node, apart):
        return [node]
    return [node, *(inner for child in ast.iter_child_nodes(node) for inner in _here(child, apart))]
