"""The requirements of a notebook: what it installs, and what it imports that is not here."""

import ast
from collections.abc import Iterable, Sequence

from workbench import packages
from workbench.errors import RecipeError
from workbench.recipes import advice
from workbench.recipes.importing.slicing import Use


def requirements(pip: Sequence[str], uses: Iterable[Use]) -> tuple[str, list[str]]:
    """The lines for what ``pip`` was told to install and what these statements import, and what is to be said of them."""
    notes: list[str] = []
    here = {*advice.modules(), "tensorflow-cpu", "tensorflow-gpu", "opencv-python"}
    kept: list[str] = []
    have: set[str] = set()
    for line in pip:
        try:
            named = packages.parse(f"%pip install {line}")
        except RecipeError as error:
            notes.append(f"pip install {line.strip()} did not become requirements: {error}")
            continue
        kept += [one.text for one in named if one.name not in here | have]
        have |= {one.name for one in named} - here
    for use in uses:
        node = use.statement.node
        if not use.is_import:
            continue
        tops = (
            [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else [getattr(node, "module", None) or ""]
        )
        for top in {t.partition(".")[0] for t in tops} - {""}:
            if top not in here and not advice.is_pythons(top) and top not in ("google", "workbench"):
                line = packages.suggestion(top)
                if line not in have:
                    kept.append(line)
                    have.add(line)
                    notes.append(f"{top} is not here, so {line} became a line of the requirements")
    return "".join(f"{one}\n" for one in kept), notes
