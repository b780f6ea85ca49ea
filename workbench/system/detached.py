"""Processes that outlive whoever starts them: a notebook's kernel, a terminal, ``up``."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from workbench.errors import Unavailable


def start(command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path) -> int:
    """Start a command that is no child of this process, in a session of its own; give its process number.

    Parameters
    ----------
    log
        What it prints is added to this file.
    folder
        Where it runs.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    # The shell ends at once, so the system adopts the command, and nobody here has to wait for it.
    done = subprocess.run(
        # Of memory it may have what the system lets it: a kernel that starts it has a limit of its own.
        ["/bin/sh", "-c", 'ulimit -S -d "$(ulimit -H -d)"; "$@" >>"$0" 2>&1 & echo $!', str(log), *command],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=folder,
        start_new_session=True,
        check=False,
    )
    if done.returncode or not done.stdout.strip().isdecimal():
        raise Unavailable(f"{command[0]} cannot be started: {done.stderr.strip()}")
    return int(done.stdout)
