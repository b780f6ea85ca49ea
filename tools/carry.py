"""Put what lies beside the packages into a wheel: notebooks, recipes, the drawing page, what a machine on AWS installs by.

A hook of hatchling, so that an editable installation, which runs from the checkout, gets none of it.
"""

import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLACE = "workbench/carried"
CARRIED = ("frontend", "notebooks", "recipes", "tools", "pyproject.toml", "uv.lock", "LICENSE")
_NOT = {"__pycache__", ".ipynb_checkpoints", "node_modules"}


class Carry(BuildHookInterface[Any]):  # type: ignore[misc]  # hatchling has no types here
    """Adds each file by its name, also where the build begins from an sdist, which is no repository."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it writes the wheel."""
        if version != "standard":
            return
        root = Path(self.root)
        for part in CARRIED:
            for path in [root / part] if (root / part).is_file() else sorted((root / part).rglob("*")):
                name = path.relative_to(root)
                hidden = any(piece in _NOT or piece.startswith(".") for piece in name.parts)
                if path.is_file() and not hidden and path.suffix != ".pyc" and not _ignored(root, name):
                    build_data["force_include"][str(path)] = f"{PLACE}/{name.as_posix()}"


def _ignored(root: Path, name: Path) -> bool:
    if not (root / ".git").exists():
        return False
    return subprocess.run(["git", "check-ignore", "-q", str(name)], cwd=root).returncode == 0
