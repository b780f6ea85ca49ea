"""Places in a recipe that a machine's process tells of: its stacks, its last words, and both as users know them."""

import contextlib
import os
import re
import signal
import time
from pathlib import Path

from workbench.errors import NotFound, Unavailable
from workbench.machines import Machine, Place, Provider, machine_folder
from workbench.system.untrusted_folders import read_end, read_part, size_of

POLL_S = 0.05


def find_place(text: str, folder: Path) -> tuple[str, int] | None:
    """The innermost place in the recipe, as field and line, that a stack of ``faulthandler`` shows.

    >>> find_place('File "/j/machines/worker-0/recipe/helpers.py", line 3 in f', Path("/j"))
    ('helpers', 3)
    """
    match = re.search(f'File "{_recipe(folder)}' + r'(helpers|preprocessing|training)\.py", line (\d+)', text)
    return (match[1], int(match[2])) if match else None


def shorten(text: str, folder: Path) -> str:
    """The text with the recipe's files called as the user knows them: ``training.py``.

    >>> shorten("/j/recipe/training.py and /j/machines/ps-0/recipe/helpers.py", Path("/j"))
    'training.py and helpers.py'
    >>> shorten('File "/opt/workbench/jobs/7/machines/ps-0/recipe/training.py"', Path("/home/jobs/7"))
    'File "training.py"'
    """
    return re.sub(_recipe(folder), "", text)


def _recipe(folder: Path) -> str:
    """The folder of a job's recipe, or of a machine's own copy, here or elsewhere, as a regular expression."""
    elsewhere = rf"/[^\s\"']*/jobs/{re.escape(folder.name)}"
    return rf"(?:{re.escape(str(folder))}|{elsewhere})/(?:machines/[a-z]+-[0-9]+/)?recipe/"


def ask_where(machine: Machine, folder: Path, wait_s: float = 2.0, provider: Provider | None = None) -> str:
    """What each thread of a machine's process is doing, as Python prints stacks; empty if it does not say.

    Parameters
    ----------
    provider
        Whose the machine is, where that is no process of this computer.
    """
    log = f"{machine_folder(Path(), machine.place)}/stderr.log"
    size = size_of(folder, log)
    if machine.pid is None:
        return ""
    with contextlib.suppress(ProcessLookupError, NotFound, Unavailable):
        if provider is None:
            os.kill(machine.pid, signal.SIGUSR1)
        else:
            provider.run(machine, "kill", "-USR1", str(machine.pid))
    give_up = time.monotonic() + wait_s
    while time.monotonic() < give_up:
        if size_of(folder, log) > size:
            time.sleep(POLL_S)
            with contextlib.suppress(OSError):
                return read_part(folder, log, size, 100_000).data.decode(errors="replace")
        time.sleep(POLL_S)
        if provider is not None:
            with contextlib.suppress(Unavailable):
                provider.collect(machine.cluster, folder)
    return ""


def last_lines(folder: Path, place: Place, count: int = 5) -> str:
    """The last lines of a machine's ``stderr.log`` that say something; empty if there are none."""
    text = read_end(folder, f"{machine_folder(Path(), place)}/stderr.log", 8192).data.decode(errors="replace")
    lines = [line.rstrip() for line in text.splitlines()]
    return "\n".join([line for line in lines if line.strip()][-count:])
