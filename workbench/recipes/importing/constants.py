"""The constants of ``training``, as the arguments of ``fit`` say: EPOCHS, BATCH_SIZE, PATIENCE, CALLBACKS, CLASS_WEIGHT."""

import ast
import builtins
from collections.abc import Sequence, Set

from workbench.recipes.importing import fits
from workbench.recipes.importing.fits import Fit
from workbench.recipes.importing.slicing import Use


def constants(uses: Sequence[Use], fit: Fit, computed: Set[str], known: Set[str]) -> tuple[str, list[str]]:
    """The constants, one a line, and what is to be said of them.

    Parameters
    ----------
    computed
        Names that ``data()`` of the helpers gives.
    known
        These, and those that the helpers define.
    """
    arguments, place = fit.arguments, fit.place
    notes: list[str] = []

    def whole(name: str, default: int) -> int:
        value = fits.literal(arguments.get(name), uses, place)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
        if name in arguments:
            notes.append(
                f"{name.upper()} is {default}, for {ast.unparse(arguments[name])} is computed: set what you want"
            )
        return default

    lines = [f"EPOCHS = {whole('epochs', fits.EPOCHS)}"]
    by_data = "y" not in arguments and "batch_size" not in arguments
    lines.append(f"BATCH_SIZE = {whole('batch_size', fits.BATCH_SIZE)}")
    if by_data and (size := _known_batch_size(uses, fit)):
        lines[-1] = f"BATCH_SIZE = {size}"
    elif by_data:
        notes.append(
            f"BATCH_SIZE is {fits.BATCH_SIZE}; the notebook batches its data itself: set what it had"
        )
    lines += _callbacks(uses, fit, notes)
    if (given := arguments.get("class_weight")) is not None:
        weights = fits.literal(given, uses, place)
        if isinstance(weights, dict):
            lines.append(f"CLASS_WEIGHT = {weights!r}")
        elif names_of_weights(uses, fit) <= known:
            lines.append(f"CLASS_WEIGHT = {ast.unparse(_of_the_data(given, computed))}")
        else:
            notes.append(
                f"class_weight={ast.unparse(given)} is computed: write CLASS_WEIGHT = {{0: …, 1: …}} into training"
            )
    for name in sorted(set(arguments) & {"initial_epoch", "steps_per_epoch", "validation_steps"}):
        notes.append(f"{name} of fit is left out: an epoch visits each example once")
    return "\n".join(lines), notes


def names_of_weights(uses: Sequence[Use], fit: Fit) -> set[str]:
    """The names in ``class_weight`` where it is computed; none where it stands there plainly."""
    given = fit.arguments.get("class_weight")
    if given is None or isinstance(fits.literal(given, uses, fit.place), dict):
        return set()
    made = {n.id for n in ast.walk(given) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return {n.id for n in ast.walk(given) if isinstance(n, ast.Name)} - made - set(dir(builtins))


def _of_the_data(expression: ast.expr, computed: Set[str]) -> ast.expr:
    """The expression with each name that the data gives asked of ``data()``."""

    class Asking(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            if node.id not in computed:
                return node
            return ast.Attribute(ast.Call(ast.Name("data", ast.Load()), [], []), node.id, ast.Load())

    made: ast.expr = Asking().visit(ast.parse(ast.unparse(expression), mode="eval").body)
    return made


def names_of_callbacks(uses: Sequence[Use], fit: Fit) -> set[str]:
    """The names that the callbacks which a recipe may have are made with."""
    taken = [call for name, call in fits.callbacks_of(uses, fit).items() if name in fits.TAKEN]
    return {n.id for call in taken for n in ast.walk(call) if isinstance(n, ast.Name)}


def _by_validation_loss(call: ast.Call, notes: list[str]) -> ast.Call:
    """The callback as it looks at the validation loss, as all that is done here by a figure."""
    monitor = fits.keyword(call, "monitor")
    if monitor is None or fits.literal(monitor, (), 0) == "val_loss":
        return call
    notes.append(
        f"{fits.last_name(call.func)} looks at the validation loss, not at {ast.unparse(monitor)}, which is not measured in each epoch"
    )
    kept = [one for one in call.keywords if one.arg not in ("monitor", "mode")]
    return ast.Call(call.func, call.args, kept)


def _known_batch_size(uses: Sequence[Use], fit: Fit) -> int | None:
    for name in ("batch_size", "BATCH_SIZE"):
        value = fits.literal(ast.Name(name), uses, fit.place)
        if isinstance(value, int) and value > 0:
            return value
    for use in reversed(uses[: fit.place]):
        for call in (n for n in ast.walk(use.statement.node) if isinstance(n, ast.Call)):
            if isinstance(call.func, ast.Attribute) and call.func.attr == "batch" and call.args:
                value = fits.literal(call.args[0], uses, fit.place)
                if isinstance(value, int) and value > 0:
                    return value
    return None


def _callbacks(uses: Sequence[Use], fit: Fit, notes: list[str]) -> list[str]:
    lines, taken = [], []
    for name, call in fits.callbacks_of(uses, fit).items():
        if name == "EarlyStopping":
            patience = fits.literal(fits.keyword(call, "patience"), uses, fit.place)
            patience = patience if isinstance(patience, int) and patience > 0 else 1
            lines.append(f"PATIENCE = {patience}")
            notes.append(
                f"EarlyStopping became PATIENCE = {patience}: it looks at the validation loss and takes the best epoch's weights"
            )
        elif name in fits.TAKEN:
            taken.append(ast.unparse(_by_validation_loss(call, notes)))
        else:
            notes.append(f"the callback {name} is left out: {fits.CALLBACKS.get(name, fits.NOT_CALLED)}")
    if taken:
        lines.append(f"CALLBACKS = [{', '.join(taken)}]")
    return lines
