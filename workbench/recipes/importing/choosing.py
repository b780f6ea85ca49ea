"""Which statements of a notebook load the data, which make the model, and which both need."""

import ast
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass

from workbench.recipes.importing.constants import names_of_callbacks, names_of_weights
from workbench.recipes.importing.fits import Fit
from workbench.recipes.importing.parts import Parts
from workbench.recipes.importing.slicing import Use, needed

_LABELS = {"CLASSES", "CLASS_NAMES", "LABELS", "class_names", "classes", "label_names", "labels"}
_LAYERS = re.compile(r"\blayers\.|\bkeras\.(?!utils)|\.adapt\(|\b(Model|Sequential|Input)\(|optimizers\.")
"""Of what belongs into ``build_model``, though it looks at the data."""


@dataclass(frozen=True)
class Chosen:
    """Statements by their places in the notebook, and the names that they hand on.

    Attributes
    ----------
    shared
        Those of the helpers.
    loading, own
        Those that load the data, and those that make the model.
    labels
        The one that says what the classes are called, where the notebook does.
    asked
        Names of the data that both parts need, so that it is loaded in the helpers; none where it need not be.
    asked_by_model
        Those of them that the statements of the model read.
    weights, computed_labels
        Names of the data that hold weights of the classes, and what they are called.
    known
        Names of the data and of the helpers.
    names
        Names of the data that the two parts are made of.
    """

    shared: set[int]
    loading: list[int]
    own: list[int]
    labels: list[int]
    asked: list[str]
    asked_by_model: list[str]
    weights: set[str]
    computed_labels: set[str]
    known: set[str]
    names: Set[str]


def choose(uses: Sequence[Use], fit: Fit, parts: Parts) -> Chosen:
    """Choose the statements that a recipe needs, and tell them apart by what they are for."""
    weights = names_of_weights(uses, fit)
    labels = _labels(uses)
    computed = set() if labels else _computed_labels(uses, fit)
    ends = {*needed(uses, parts.names, parts.end), *needed(uses, weights | computed, fit.place)}
    data = [p for p in sorted(ends) if not _is_models(uses[p], fit)]
    model = needed(uses, [fit.model, *names_of_callbacks(uses, fit)], fit.place)
    shared = _shared(uses, {*data, *model, *labels})
    loading, own = _apart(
        uses, fit, [p for p in data if p not in shared], [p for p in model if p not in shared]
    )
    made = {n for p in loading for n in uses[p].makes}
    by_model = _asked(uses, own, made)
    return Chosen(
        shared=shared,
        loading=loading,
        own=own,
        labels=labels,
        asked=sorted({*by_model, *((weights | computed) & made)}),
        asked_by_model=by_model,
        weights=weights & made,
        computed_labels=computed & made,
        known=made | {n for p in shared for n in uses[p].makes},
        names=parts.names & made,
    )


def _is_models(use: Use, fit: Fit) -> bool:
    """Whether the statement is about the model, and no part of loading data."""
    return fit.model in use.makes | use.changes


def _apart(uses: Sequence[Use], fit: Fit, data: list[int], model: list[int]) -> tuple[list[int], list[int]]:
    """Statements that load data, and those that make the model.

    What is read off the data before it is changed again, such as the names of its classes, belongs to the data.
    """
    loading, own = list(data), []
    made = {n for p in loading for n in uses[p].makes}
    owned: set[str] = set()
    """Names of what is the model's, such as its inputs: what is made of one is the model's, too."""
    for place in (p for p in model if p not in data):
        use = uses[place]
        is_models = _is_models(use, fit) or use.reads & owned or _LAYERS.search(use.statement.text)
        if use.reads & made and not is_models:
            loading.append(place)
            made |= use.makes
        else:
            own.append(place)
            owned |= use.makes
    return sorted(loading), own


def _asked(uses: Sequence[Use], own: Sequence[int], made: Set[str]) -> list[str]:
    """Names of the data that the model's statements read before they give them another meaning."""
    asked: set[str] = set()
    having: set[str] = set()
    for place in own:
        asked |= (uses[place].reads & made) - having
        having |= uses[place].makes
    return sorted(asked)


def _labels(uses: Sequence[Use]) -> list[int]:
    """Where the notebook says what its classes are called."""
    for place, use in enumerate(uses):
        node = use.statement.node
        if use.is_constant and use.makes & _LABELS and isinstance(node, ast.Assign):
            value = ast.literal_eval(node.value)
            if isinstance(value, list | tuple) and len(value) > 1 and all(isinstance(v, str) for v in value):
                return [place]
    return []


def _computed_labels(uses: Sequence[Use], fit: Fit) -> set[str]:
    """The name under which the notebook keeps what the folders of its classes are called; none where it does not."""
    for use in uses[: fit.place]:
        match use.statement.node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Attribute(attr="class_names")):
                return {name}
    return set()


def _shared(uses: Sequence[Use], places: set[int]) -> set[int]:
    """Of these statements, those of the helpers: imports, definitions, and constants that nothing gives another value.

    A function or class that reads what another statement makes, such as a layer that was adapted, stays with that.
    """
    shared = {p for p in places if _may_be_shared(uses[p])}
    while True:
        others = [uses[p] for p in places - shared]
        made = {name for use in others for name in use.makes}
        changed = made | {name for use in others for name in use.changes}
        out = {
            p
            for p in shared
            if (uses[p].is_constant and uses[p].makes & changed)
            or (uses[p].is_definition and uses[p].reads & made)
        }
        if not out:
            return shared
        shared -= out


def _may_be_shared(use: Use) -> bool:
    return use.is_import or use.is_definition or use.is_constant
