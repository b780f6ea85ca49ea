"""The training and the test part of a notebook's data: the line that returns both, and what that line needs."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.errors import BadInput
from workbench.recipes.importing import fits
from workbench.recipes.importing.fits import Fit
from workbench.recipes.importing.slicing import Use

_AS_ARRAYS = '''def as_arrays(part):
    """What the notebook trains with as arrays: the workbench batches and shuffles them itself."""
    if isinstance(part, keras.utils.PyDataset):
        batches = [part[place] for place in range(len(part))]
    elif hasattr(part, "element_spec"):
        if not isinstance(part.element_spec, tuple):
            part = part.map(lambda x: (x, x))
        shapes = [spec.shape.as_list() for spec in keras.tree.flatten(part.element_spec[:2])]
        if all(shapes) and len({shape[0] for shape in shapes}) == 1:
            part = part.unbatch()
        batches = list(part.batch(1000).as_numpy_iterator())
    else:
        return part, part
    return keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *batches)'''
_SPLIT = '''def split(*parts):
    """Hold every fifth example out, for the notebook has no test part."""
    held = np.arange(len(keras.tree.flatten(parts)[0])) % 5 == 4
    return [keras.tree.map_structure(lambda part: part[chosen], parts) for chosen in (~held, held)]'''


@dataclass(frozen=True)
class Parts:
    """The two parts.

    Attributes
    ----------
    load
        The line of ``load_data`` that returns them.
    names
        Of the notebook's, in that line.
    end
        The place of the statement before which they are made.
    evaluated
        The place of the ``evaluate`` that names the test part, if one does.
    extra
        Functions that the line calls.
    notes
        What was changed, in words.
    """

    load: str
    names: frozenset[str]
    end: int
    evaluated: int | None
    extra: tuple[str, ...]
    notes: tuple[str, ...]


def find_parts(uses: Sequence[Use], fit: Fit) -> Parts:
    """Find what ``fit`` trains with, and what the notebook evaluates with, or else validates.

    Raises
    ------
    BadInput
        ``fit`` is given no data.
    """
    arguments = fit.arguments
    notes: list[str] = []
    extra: list[str] = []
    x, y, weight = arguments.get("x"), arguments.get("y"), arguments.get("sample_weight")
    end, evaluated = fit.place, None
    if x is None:
        raise BadInput(f"{fit.model}.fit(…) names no data")
    train = (
        f"({', '.join(ast.unparse(part) for part in (x, y, weight) if part is not None)})"
        if y is not None
        else f"as_arrays({ast.unparse(x)})"
    )
    found = fits.evaluated(uses, fit.model)
    validation = arguments.get("validation_data")
    given = found[1] if found is not None else {}
    if found is not None and "x" in given and ast.unparse(given["x"]) != ast.unparse(x):
        end = max(end, found[0])
        evaluated = found[0]
        pair = f"({ast.unparse(given['x'])}, {ast.unparse(given['y'])})" if "y" in given else ""
        test = pair or f"as_arrays({ast.unparse(given['x'])})"
        if validation is not None and ast.unparse(validation) not in (pair, ast.unparse(given["x"])):
            notes.append(
                "validation_data of fit is left out: the workbench cuts a tenth off the training part, and the test "
                "part chooses no model"
            )
    elif validation is not None:
        notes.append("the notebook evaluates nothing, so validation_data of fit became the test part")
        if isinstance(validation, ast.Tuple | ast.List):
            test = f"({', '.join(ast.unparse(value) for value in validation.elts[:2])})"
        else:
            test = ast.unparse(validation) if y is not None else f"as_arrays({ast.unparse(validation)})"
    elif (apart := _split_apart(uses, fit)) is not None:
        notes.append(f"the notebook evaluates nothing, so what it split off, {apart}, is the test part")
        test = apart
    else:
        notes.append(
            "the notebook has no test part, so every fifth example is held out: see split() in preprocessing"
        )
        extra.append(_SPLIT)
        test = ""
    if "validation_split" in arguments:
        notes.append("validation_split is left out: the workbench cuts a tenth off the training part")
    if "as_arrays(" in train + test:
        notes.append(
            "what fit is given without its truth beside it, a tf.data.Dataset or a generator, becomes arrays, see as_arrays(): the "
            "workbench batches and shuffles itself"
        )
        extra.insert(0, _AS_ARRAYS)
    load = (
        f"return {train}, {test}"
        if test
        else f"return split{train}"
        if y is not None
        else f"return split(*{train})"
    )
    names = {n.id for n in ast.walk(ast.parse(load.removeprefix("return "))) if isinstance(n, ast.Name)}
    written = {
        node.name for text in extra for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)
    }
    return Parts(load, frozenset(names - written), end, evaluated, tuple(extra), tuple(notes))


def _split_apart(uses: Sequence[Use], fit: Fit) -> str | None:
    """The test part that a notebook split off and never evaluates with, as ``(x, y)``."""
    x, y = (ast.unparse(fit.arguments[one]) if one in fit.arguments else "" for one in ("x", "y"))
    made = {name for use in uses[: fit.place] for name in use.makes}
    asked = [ast.unparse(one) for one in fits.predicted(uses, fit.model)]
    for use in reversed(uses[: fit.place]):
        pairs = _pairs(use.statement.node)
        tests = [pairs[x]] if x in pairs else [name for name in asked if name in made - {x}]
        if y in pairs and tests:
            return f"({tests[0]}, {pairs[y]})"
    return None


def _pairs(node: ast.stmt) -> dict[str, str]:
    """Of ``(a, b), (c, d) = …`` and ``a, c, b, d = train_test_split(…)``: for each training name the one of the test part."""
    if not isinstance(node, ast.Assign) or not isinstance(target := node.targets[0], ast.Tuple):
        return {}
    parts = target.elts
    if len(parts) == 2 and all(isinstance(one, ast.Tuple) for one in parts):
        trains, tests = (
            [ast.unparse(one) for one in part.elts] for part in parts if isinstance(part, ast.Tuple)
        )
    elif isinstance(node.value, ast.Call) and fits.last_name(node.value.func) == "train_test_split":
        trains, tests = ([ast.unparse(one) for one in parts[first::2]] for first in (0, 1))
    else:
        return {}
    return dict(zip(trains, tests, strict=False))
