"""The call of ``fit`` that a notebook trains with, and what it says: the data, the epochs, weights, callbacks."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from workbench.recipes.importing.slicing import Use

EPOCHS, BATCH_SIZE = 1, 32
"""Of ``fit``, where it says nothing."""
CALLBACKS = {
    "BackupAndRestore": "the workbench keeps checkpoints and goes on from them by itself",
    "CSVLogger": "the curves are on the job's page",
    "ModelCheckpoint": "the workbench keeps checkpoints; with PATIENCE the best epoch's weights are taken",
    "TensorBoard": "the curves are on the job's page",
    "TerminateOnNaN": "the workbench ends a training whose loss is no number",
}
NOT_CALLED = "the training loop is the workbench's, and calls none of your own"
"""Why any other is left out."""
TAKEN = ("LearningRateScheduler", "ReduceLROnPlateau")
"""Callbacks that a recipe may have as they are."""


@dataclass(frozen=True)
class Fit:
    """One call of ``fit``.

    Attributes
    ----------
    model
        The name that it is called on.
    arguments
        By the names that Keras has for them.
    """

    place: int
    model: str
    arguments: dict[str, ast.expr] = field(default_factory=dict)


def fits(uses: Sequence[Use]) -> list[Fit]:
    """The calls of ``fit`` on a model, at the top level, in order; those of a layer's or a scaler's have no epochs."""
    found = [
        Fit(
            place,
            call.func.value.id,
            _arguments(call, ("x", "y", "batch_size", "epochs", "verbose", "callbacks")),
        )
        for place, call in _calls(uses, ("fit", "fit_generator"))
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name)
    ]
    compiled = {
        call.func.value.id
        for _, call in _calls(uses, ("compile",))
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name)
    }
    keras_own = {"epochs", "validation_data", "validation_split", "callbacks"}
    return [one for one in found if one.model in compiled or keras_own & set(one.arguments)]


def evaluated(uses: Sequence[Use], model: str) -> tuple[int, dict[str, ast.expr]] | None:
    """The last ``model.evaluate(…)``: its place and its arguments."""
    found = [
        (place, _arguments(call, ("x", "y", "batch_size", "verbose")))
        for place, call in _calls(uses, ("evaluate",))
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == model
    ]
    return found[-1] if found else None


def predicted(uses: Sequence[Use], model: str) -> list[ast.expr]:
    """What the notebook asks the model about, in order."""
    return [
        call.args[0]
        for _, call in _calls(uses, ("predict",))
        if call.args and isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == model
    ]


def callbacks_of(uses: Sequence[Use], fit: Fit) -> dict[str, ast.Call]:
    """The callbacks that ``fit`` is given, by the names of their classes, wherever they are made."""
    given = fit.arguments.get("callbacks")
    if given is None:
        return {}
    roots: list[ast.AST] = [given]
    names = {n.id for n in ast.walk(given) if isinstance(n, ast.Name)}
    for use in reversed(uses[: fit.place]):
        if names & (use.makes | use.changes) and not use.is_import:
            roots.append(use.statement.node)
            names |= use.reads
    calls = {last_name(n.func): n for root in roots for n in ast.walk(root) if isinstance(n, ast.Call)}
    own = {use.statement.node.name for use in uses if isinstance(use.statement.node, ast.ClassDef)}
    known = {*CALLBACKS, *TAKEN, "EarlyStopping", "LambdaCallback", *own}
    return {name: call for name, call in calls.items() if name in known or name.endswith("Callback")}


def literal(node: ast.expr | None, uses: Sequence[Use], before: int) -> object:
    """The plain value of an expression, also of a name that was given one; ``None`` where it is computed."""
    if isinstance(node, ast.Name):
        for use in reversed(uses[:before]):
            made = use.statement.node
            if node.id in use.makes:
                return (
                    literal(made.value, uses, 0) if use.is_constant and isinstance(made, ast.Assign) else None
                )
    try:
        return None if node is None else ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value of a keyword of a call."""
    return next((k.value for k in call.keywords if k.arg == name), None)


def _calls(uses: Sequence[Use], methods: tuple[str, ...]) -> Iterator[tuple[int, ast.Call]]:
    for place, use in enumerate(uses):
        if use.is_definition:
            continue
        for node in ast.walk(use.statement.node):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in methods
            ):
                yield place, node


def _arguments(call: ast.Call, order: tuple[str, ...]) -> dict[str, ast.expr]:
    found = dict(zip(order, call.args, strict=False))
    return found | {k.arg: k.value for k in call.keywords if k.arg is not None}


def last_name(node: ast.expr) -> str:
    """The name that is called, without what it is an attribute of."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
