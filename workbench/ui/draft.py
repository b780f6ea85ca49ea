"""A request that was not sent yet, as a visitor's browser keeps it; both pages of the dashboard write one."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from workbench.errors import BadInput
from workbench.recipes import FIELDS, Recipe, beside

DRAFT = "draft"
"""The name that the browser keeps it under."""
SWEEP = "sweep"
"""... and what a sweep of it shall try: a text for each field."""
HANDED = "handed"
"""... and the recipe that a link in JupyterLab led here with: ``{"recipe": name, "t": Unix seconds}``."""
HANDED_FOR_S = 600.0
"""Seconds for which that is meant; a later visit is for something else."""


@dataclass(frozen=True)
class Draft:
    """The texts that stand in a request's form, right or wrong."""

    name: str = ""
    ps: str = "0"
    workers: str = "1"
    epochs: str = ""
    type: str = ""
    provider: str = ""
    start: str = ""
    """The recipe that one began with, where the code is still named after it."""
    helpers: str = ""
    preprocessing: str = ""
    training: str = ""
    requirements: str = ""
    files: str = ""
    """JSON: the files beside the code, whose bytes the workbench keeps."""

    @classmethod
    def of(cls, recipe: Recipe, **fields: str) -> "Draft":
        """Make a draft with this code."""
        beside_it = json.dumps(beside.pack(recipe.files)) if recipe.files else ""
        code = {field: getattr(recipe, field) for field in (*FIELDS, "requirements")}
        return cls(**fields, **code, files=beside_it)

    @classmethod
    def parse(cls, kept: Any) -> "Draft | None":
        """Read what a browser told; ``None`` where that is no draft."""
        if not isinstance(kept, Mapping):
            return None
        return cls(**{field: str(kept.get(field) or "") for field in cls.__dataclass_fields__})

    @property
    def recipe(self) -> Recipe:
        try:
            files = beside.parse(json.loads(self.files or "[]"))
        except (ValueError, BadInput):  # a browser may keep anything
            files = ()
        code = {field: getattr(self, field) for field in FIELDS}
        return Recipe(**code, requirements=self.requirements, files=files)

    def keep(self) -> dict[str, str]:
        """Give what the browser shall keep."""
        return asdict(self)


def handed_recipe(kept: Any) -> str | None:
    """Read which recipe a link led here with, if that was a moment ago."""
    if not isinstance(kept, Mapping):
        return None
    t = kept.get("t")
    soon = isinstance(t, int | float) and abs(time.time() - t) < HANDED_FOR_S
    return str(kept.get("recipe")) if soon else None
