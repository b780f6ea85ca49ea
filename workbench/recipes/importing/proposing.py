"""The recipe that a notebook's statements make, with words for each cell and for each thing that must change."""

import ast
import re
import textwrap
from collections.abc import Sequence, Set
from dataclasses import dataclass

from workbench.errors import BadInput
from workbench.recipes.importing import cells, downloads, fits, remarks, renaming, unfolding
from workbench.recipes.importing.cells import Statement
from workbench.recipes.importing.constants import constants, names_of_callbacks, names_of_weights
from workbench.recipes.importing.parts import Parts, find_parts
from workbench.recipes.importing.requirements import requirements
from workbench.recipes.importing.slicing import Use, needed
from workbench.recipes.source import FIELDS, Recipe

_LABELS = {"CLASSES", "CLASS_NAMES", "LABELS", "class_names", "classes", "label_names", "labels"}
_LAYERS = re.compile(r"\blayers\.|\bkeras\.(?!utils)|\.adapt\(|\b(Model|Sequential|Input)\(|optimizers\.")
"""Of what belongs into ``build_model``, though it looks at the data."""


@dataclass(frozen=True)
class Proposal:
    """What a notebook becomes.

    Attributes
    ----------
    cells
        For each code cell, from 1, the fields into which its statements go; none where it is left out.
    notes
        What was changed or left out, and what is to be done, in words.
    """

    recipe: Recipe
    cells: dict[int, tuple[str, ...]]
    notes: tuple[str, ...]


def propose(content: bytes, name: str) -> Proposal:
    """Make a recipe of a notebook that trains with ``model.fit``; nothing of it is run.

    Raises
    ------
    BadInput
        It is no notebook, or trains nothing at its top level.
    """
    found = cells.read(content, name)
    statements, opened = unfolding.unfold(found.statements)
    statements, uploads = downloads.from_beside(statements)
    found.notes += [*opened, *uploads]
    if not fits.fits([Use(one) for one in statements]):
        within = ", ".join(unfolding.functions_with_fit(statements))
        raise BadInput(
            f"{name} has no model.fit(…) at the top level of a cell, so nobody can tell what it trains; move the call out of "
            f"{within or 'its function'}, or tag the cells yourself: preprocessing (load_data), training (build_model)"
        )
    statements = renaming.rename_ours(statements, renaming.OURS)
    made = _Proposing(found, statements).proposal()
    clashes = renaming.WRITTEN & {n for one in statements for n in Use(one).makes} & _functions(made.recipe)
    return _Proposing(found, renaming.rename_ours(statements, clashes)).proposal() if clashes else made


def _functions(recipe: Recipe) -> set[str]:
    """Names of the functions that an import wrote into a recipe, with those that stand within them."""
    trees = (ast.parse(getattr(recipe, field)) for field in FIELDS)
    found = {node.name for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)}
    return found | {"found"} if "data" in found else found


class _Proposing:
    def __init__(self, found: cells.Read, statements: Sequence[Statement]) -> None:
        uses = [Use(statement) for statement in statements]
        calls = sorted(fits.fits(uses), key=lambda call: unfolding.is_block(uses[call.place].statement))
        self.found, self.uses, self.fit = found, uses, calls[0]
        self.notes = list(found.notes)
        for other in calls[1:]:
            self.notes.append(
                f"cell {uses[other.place].statement.cell}: {other.model}.fit(…) is left out; a recipe trains one model "
                f"once, here that of cell {uses[self.fit.place].statement.cell}"
            )
        self.fields: dict[int, set[str]] = {number: set() for number in found.cells}
        self.taken: set[int] = set()

    def proposal(self) -> Proposal:
        fit, uses = self.fit, self.uses
        parts = find_parts(uses, fit)
        self.notes += parts.notes
        if parts.evaluated is not None:
            self.fields[uses[parts.evaluated].statement.cell].add("preprocessing")
        weights = names_of_weights(uses, fit)
        labels = self._labels()
        computed = set() if labels else self._computed_labels()
        ends = {*needed(uses, parts.names, parts.end), *needed(uses, weights | computed, fit.place)}
        data = [p for p in sorted(ends) if not self._is_models(uses[p])]
        model = needed(uses, [fit.model, *names_of_callbacks(uses, fit)], fit.place)
        shared = self._shared({*data, *model, *labels})
        loading, own = self._apart(
            [p for p in data if p not in shared], [p for p in model if p not in shared]
        )
        made = {n for p in loading for n in uses[p].makes}
        models = self._asked(own, made)
        asked = sorted({*models, *((weights | computed) & made)})
        defined = {n for p in shared for n in uses[p].makes}
        names = parts.names & made
        self.fields[uses[fit.place].statement.cell].add("training")
        training = self._training(own, models, labels, weights & made, made | defined, computed & made)
        if asked:
            self.notes.append(
                f"the model is made, weighed or named with {', '.join(asked)} of the data, so both take it from data() in helpers, which loads it once"
            )
        preprocessing = self._preprocessing(loading, parts, names, asked)
        helpers = self._helpers(shared, loading, names, asked)
        self.notes += remarks.of_the_data([uses[p].statement for p in loading])
        self.notes += remarks.of_own_steps([uses[p].statement for p in [*own, *shared]], fit)
        self._note_others()
        lines, notes = requirements(self.found.pip, [uses[p] for p in sorted(shared)])
        self.notes += notes
        recipe = Recipe(helpers, preprocessing, training, lines)
        self.notes += remarks.of_undefined_names(recipe)
        told = {number: tuple(sorted(fields)) for number, fields in self.fields.items()}
        return Proposal(recipe, told, tuple(dict.fromkeys(self.notes)))

    # ── which statements ─────────────────────────────────────────────────────────────────────────

    def _is_models(self, use: Use) -> bool:
        """Whether the statement is about the model, and no part of loading data."""
        return self.fit.model in use.makes | use.changes

    def _apart(self, data: list[int], model: list[int]) -> tuple[list[int], list[int]]:
        """Statements that load data, and those that make the model.

        What is read off the data before it is changed again, such as the names of its classes, belongs to the data.
        """
        loading, own = list(data), []
        made = {n for p in loading for n in self.uses[p].makes}
        owned: set[str] = set()
        """Names of what is the model's, such as its inputs: what is made of one is the model's, too."""
        for place in (p for p in model if p not in data):
            use = self.uses[place]
            is_models = self._is_models(use) or use.reads & owned or _LAYERS.search(use.statement.text)
            if use.reads & made and not is_models:
                loading.append(place)
                made |= use.makes
            else:
                own.append(place)
                owned |= use.makes
        return sorted(loading), own

    def _asked(self, own: Sequence[int], made: Set[str]) -> list[str]:
        """Names of the data that the model's statements read before they give them another meaning."""
        asked: set[str] = set()
        having: set[str] = set()
        for place in own:
            asked |= (self.uses[place].reads & made) - having
            having |= self.uses[place].makes
        return sorted(asked)

    def _labels(self) -> list[int]:
        """Where the notebook says what its classes are called."""
        for place, use in enumerate(self.uses):
            node = use.statement.node
            if use.is_constant and use.makes & _LABELS and isinstance(node, ast.Assign):
                value = ast.literal_eval(node.value)
                if (
                    isinstance(value, list | tuple)
                    and len(value) > 1
                    and all(isinstance(v, str) for v in value)
                ):
                    return [place]
        return []

    def _computed_labels(self) -> set[str]:
        """The name under which the notebook keeps what the folders of its classes are called; none where it does not."""
        for use in self.uses[: self.fit.place]:
            match use.statement.node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Attribute(attr="class_names")):
                    return {name}
        return set()

    def _shared(self, places: set[int]) -> set[int]:
        """Of these statements, those of the helpers: imports, definitions, and constants that nothing gives another value.

        A function or class that reads what another statement makes, such as a layer that was adapted, stays with that.
        """
        shared = {p for p in places if self._may_be_shared(self.uses[p])}
        while True:
            others = [self.uses[p] for p in places - shared]
            made = {name for use in others for name in use.makes}
            changed = made | {name for use in others for name in use.changes}
            out = {
                p
                for p in shared
                if (self.uses[p].is_constant and self.uses[p].makes & changed)
                or (self.uses[p].is_definition and self.uses[p].reads & made)
            }
            if not out:
                return shared
            shared -= out

    def _may_be_shared(self, use: Use) -> bool:
        return use.is_import or use.is_definition or use.is_constant

    # ── the fields ───────────────────────────────────────────────────────────────────────────────

    def _training(
        self,
        own: Sequence[int],
        asked: Sequence[str],
        labels: Sequence[int],
        computed: Set[str],
        known: Set[str],
        computed_labels: Set[str],
    ) -> str:
        settings, notes = constants(self.uses, self.fit, computed, known)
        self.notes += notes
        for place in labels:
            settings += f"\nLABELS = {next(iter(self.uses[place].makes))}"
        settings += "".join(f"\nLABELS = data().{name}" for name in computed_labels)
        lines = [self._take(p, "training") for p in own]
        if asked:
            lines = ["found = data()", *(f"{name} = found.{name}" for name in asked), *lines]
        body = "\n".join([*lines, f"return {self.fit.model}"])
        imported = "from helpers import data\n\n" if asked or computed or computed_labels else ""
        return f"{imported}{settings}\n\n\ndef build_model():\n{textwrap.indent(body, '    ')}\n"

    def _preprocessing(
        self, loading: Sequence[int], parts: Parts, names: Set[str], asked: Sequence[str]
    ) -> str:
        extra = "".join(f"{text}\n\n\n" for text in parts.extra)
        if asked:
            rest = "\n".join(
                ["found = data()", *(f"{name} = found.{name}" for name in sorted(names)), parts.load]
            )
            body = f"from helpers import data\n\n\n{extra}def load_data():\n{textwrap.indent(rest, '    ')}\n"
        else:
            text = "\n".join([*(self._take(p, "preprocessing") for p in loading), parts.load])
            body = f"{extra}def load_data():\n{textwrap.indent(text, '    ')}\n"
        return f"import keras\nimport numpy as np\n\n\n{body}" if extra else body

    def _helpers(
        self, shared: set[int], loading: Sequence[int], names: Set[str], asked: Sequence[str]
    ) -> str:
        imports = [self._take(p, "helpers") for p in sorted(shared) if self.uses[p].is_import]
        if "datasets.load(" in self._all_text(loading):
            imports.append("from workbench import datasets")
        others: list[str] = []
        for p in (p for p in sorted(shared) if not self.uses[p].is_import):
            text = self._take(p, "helpers")
            if self.uses[p].is_constant and others and not others[-1].startswith(("def ", "class ", "@")):
                others[-1] += f"\n{text}"
            else:
                others.append(text)
        if asked:
            given = ", ".join(f"{name}={name}" for name in sorted({*names, *asked}))
            body = "\n".join(
                [*(self._take(p, "helpers") for p in loading), f"return SimpleNamespace({given})"]
            )
            imports += ["import functools", "from types import SimpleNamespace"]
            others.append(f"@functools.cache\ndef data():\n{textwrap.indent(body, '    ')}")
        parts = ["\n".join(dict.fromkeys(imports))] if imports else []
        return "\n\n\n".join([*parts, *others]) + "\n" if parts or others else ""

    def _all_text(self, places: Sequence[int] | range) -> str:
        return "\n".join(downloads.with_ours(self.uses[p].statement.text) for p in places)

    def _take(self, place: int, field: str) -> str:
        """The text of a statement, in this field from now on; what it fetches from elsewhere is told."""
        statement = self.uses[place].statement
        self.taken.add(place)
        self.fields[statement.cell].add(field)
        text, notes = downloads.adapt(statement)
        self.notes += notes
        return text

    # ── what else is to be said ──────────────────────────────────────────────────────────────────

    def _note_others(self) -> None:
        for place, use in enumerate(self.uses):
            if place not in self.taken and not use.is_import:
                self.notes += downloads.left_out(use.statement)
        left = [
            number
            for number, fields in self.fields.items()
            if not fields and self.found.cells[number].strip()
        ]
        if left:
            self.notes.append(f"cell{'s' * (len(left) > 1)} {', '.join(map(str, left))}: not needed to train")
