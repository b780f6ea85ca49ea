"""Packages that a recipe needs besides ours: its lines read, locked, and installed once for each lock.

Whoever runs the recipe only reads the folder that comes out of it; the one who fetches is the runner, or a machine's agent.
"""

from workbench.packages.installing import install, keep_lock, lock_file, use, why_not
from workbench.packages.lines import Requirement, missing_in, parse, suggestion
from workbench.packages.locking import provide
from workbench.packages.uv import Stopped

__all__ = [
    "Requirement",
    "Stopped",
    "install",
    "keep_lock",
    "lock_file",
    "missing_in",
    "parse",
    "provide",
    "suggestion",
    "use",
    "why_not",
]
