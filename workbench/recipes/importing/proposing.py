"""The recipe that a notebook's statements make, with words for each cell and for each thing that must change."""

import ast
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.errors import BadInput
from workbench.recipes.importing import cells, downloads, fits, remarks, renaming, unfolding
from workbench.recipes.importing.cells import Statement
from workbench.recipes.importing.choosing import Chosen, choose
from workbench.recipes.importing.constants import constants
from workbench.recipes.importing.parts import Parts, find_parts
from workbench.recipes.importing.requirements import requirements
from workbench.recipes.importing.slicing import Use
from workbench.recipes.source import FIELDS, Recipe


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
        chosen = choose(uses, fit, parts)
        self.fields[uses[fit.place].statement.cell].add("training")
        training = self._training(chosen)
        if chosen.asked:
            self.notes.append(
                f"the model is made, weighed or named with {', '.join(chosen.asked)} of the data, so both take it from data() in helpers, which loads it once"
            )
        preprocessing = self._preprocessing(chosen, parts)
        helpers = self._helpers(chosen)
        self.notes += remarks.of_the_data([uses[p].statement for p in chosen.loading])
        self.notes += remarks.of_own_steps([uses[p].statement for p in [*chosen.own, *chosen.shared]], fit)
        self._note_others()
        lines, notes = requirements(self.found.pip, [uses[p] for p in sorted(chosen.shared)])
        self.notes += notes
        recipe = Recipe(helpers, preprocessing, training, lines)
        self.notes += remarks.of_undefined_names(recipe)
        told = {number: tuple(sorted(fields)) for number, fields in self.fields.items()}
        return Proposal(recipe, told, tuple(dict.fromkeys(self.notes)))

    # ── the fields ───────────────────────────────────────────────────────────────────────────────

    def _training(self, chosen: Chosen) -> str:
        settings, notes = constants(self.uses, self.fit, chosen.weights, chosen.known)
        self.notes += notes
        for place in chosen.labels:
            settings += f"\nLABELS = {next(iter(self.uses[place].makes))}"
        settings += "".join(f"\nLABELS = data().{name}" for name in chosen.computed_labels)
        asked = chosen.asked_by_model
        lines = [self._take(p, "training") for p in chosen.own]
        if asked:
            lines = ["found = data()", *(f"{name} = found.{name}" for name in asked), *lines]
        body = "\n".join([*lines, f"return {self.fit.model}"])
        imported = "from helpers import data\n\n" if asked or chosen.weights or chosen.computed_labels else ""
        return f"{imported}{settings}\n\n\ndef build_model():\n{textwrap.indent(body, '    ')}\n"

    def _preprocessing(self, chosen: Chosen, parts: Parts) -> str:
        extra = "".join(f"{text}\n\n\n" for text in parts.extra)
        if chosen.asked:
            rest = "\n".join(
                ["found = data()", *(f"{name} = found.{name}" for name in sorted(chosen.names)), parts.load]
            )
            body = f"from helpers import data\n\n\n{extra}def load_data():\n{textwrap.indent(rest, '    ')}\n"
        else:
            text = "\n".join([*(self._take(p, "preprocessing") for p in chosen.loading), parts.load])
            body = f"{extra}def load_data():\n{textwrap.indent(text, '    ')}\n"
        return f"import keras\nimport numpy as np\n\n\n{body}" if extra else body

    def _helpers(self, chosen: Chosen) -> str:
        imports = [self._take(p, "helpers") for p in sorted(chosen.shared) if self.uses[p].is_import]
        if "datasets.load(" in self._all_text(chosen.loading):
            imports.append("from workbench import datasets")
        others: list[str] = []
        for p in (p for p in sorted(chosen.shared) if not self.uses[p].is_import):
            text = self._take(p, "helpers")
            if self.uses[p].is_constant and others and not others[-1].startswith(("def ", "class ", "@")):
                others[-1] += f"\n{text}"
            else:
                others.append(text)
        if chosen.asked:
            given = ", ".join(f"{name}={name}" for name in sorted({*chosen.names, *chosen.asked}))
            body = "\n".join(
                [*(self._take(p, "helpers") for p in chosen.loading), f"return SimpleNamespace({given})"]
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
