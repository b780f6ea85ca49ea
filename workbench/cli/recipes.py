"""``import``: a recipe made of a notebook that trains with ``model.fit``."""

import argparse
import sys
from pathlib import Path

from workbench.cli import output
from workbench.settings import Settings


def add(verbs: output.Verbs) -> None:
    """Add the command to the parser."""
    verb = verbs.add(
        "import",
        _import,
        "make a recipe of a notebook that trains with model.fit; runs nothing of it",
        json=True,
    )
    verb.add_argument("notebook", metavar="NOTEBOOK", help="an .ipynb, as from Colab")
    verb.add_argument("folder", metavar="FOLDER", type=Path, help="a new one, for the recipe")


def _import(arguments: argparse.Namespace, settings: Settings) -> int:
    from workbench.verbs import recipes

    proposal = recipes.import_notebook(arguments.notebook)
    written = recipes.write(proposal.recipe, arguments.folder)
    if arguments.json:
        output.json(
            {
                "files": [str(path) for path in written],
                "cells": [{"cell": number, "fields": fields} for number, fields in proposal.cells.items()],
                "notes": list(proposal.notes),
            }
        )
        return 0
    rows = [(f"cell {number}", ", ".join(fields) or "–") for number, fields in proposal.cells.items()]
    print(output.columns(rows))
    for note in proposal.notes:
        print(f"* {output.plain(note)}")
    print(
        f"{arguments.folder} holds the recipe; look it through, then: workbench submit {arguments.folder} --name NAME",
        file=sys.stderr,
    )
    return 0
