"""A cluster's machine as both sides know it: where the project is on it, and as whom work runs there."""

from pathlib import Path

from workbench.system.sandbox.linux import MACHINE_UIDS

ROOT = Path("/opt/workbench")
"""Of a machine that is ours alone; elsewhere (the emulator's folders) nothing is done as another user."""
USER = MACHINE_UIDS[0]
"""Of whoever does the work: no name, no rights. A machine works for one job at a time."""
WAKE = "wake"
"""The file in the root that is touched by whoever has changed the assignment."""
