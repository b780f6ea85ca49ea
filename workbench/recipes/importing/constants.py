"""The constants of ``training``, as the arguments of ``fit`` say: EPOCHS, BATCH_SIZE, PATIENCE, CALLBACKS, CLASS_WEIGHT."""

import ast
from collections.abc import Sequence

from workbench.recipes.importing import fits
from workbench.recipes.importing.fits import Fit
from workbench.recipes.importing.slicing import Use


def constants(uses: Sequence[Use], fit: Fit) -> tuple[str, list[str]]:
    """The constants, one a line, and what is to be said of them."""
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
    if by_data and (known := _known_batch_size(uses, fit)):
        lines[-1] = f"BATCH_SIZE = {known}"
    elif by_data:
        notes.append(
            f"BATCH_SIZE is {fits.BATCH_SIZE}; the notebook batches its data itself: set what it had"
        )
    lines += _callbacks(uses, fit, notes)
    if (given := arguments.get("class_weight")) is not None:
        weights = fits.literal(given, uses, place)
        if isinstance(weights, dict):
            lines.append(f"CLASS_WEIGHT = {weights!r}")
        else:
            notes.append(
                f"class_weight={ast.unparse(given)} is computed: write CLASS_WEIGHT = {{0: …, 1: …}} into training"
            )
    for name in sorted(set(arguments) & {"initial_epoch", "steps_per_epoch", "validation_steps"}):
        notes.append(f"{name} of fit is left out: an epoch visits each example once")
    return "\n".join(lines), notes


def names_of_callbacks(uses: Sequence[Use], fit: Fit) -> set[str]:
    """The names that the callbacks which a recipe may have are made with."""
    taken = [call for name, call in fits.callbacks_of(uses, fit).items() if name in fits.TAKEN]
    return {n.id for call in taken for n in ast.walk(call) if isinstance(n, ast.Name)}


def _known_batch_size(uses: Sequence[Use], fit: Fit) -> int | None:
    for name in ("batch_size", "BATCH_SIZE"):
        value = fits.literal(ast.Name(name), uses, fit.place)
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
            taken.append(ast.unparse(call))
        else:
            notes.append(f"the callback {name} is left out: {fits.CALLBACKS.get(name, fits.NOT_CALLED)}")
    if taken:
        lines.append(f"CALLBACKS = [{', '.join(taken)}]")
    return lines
