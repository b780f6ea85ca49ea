"""``make demo-aws``: the dashboard, the pages and the commands, with the emulator in the place of AWS."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.emulator.client import Emulator
from workbench.settings import PROJECT, from_environment

HOME = PROJECT / "build" / "demo-aws"
NOTICE = (
    "Demonstration: the machines of “AWS” are processes on this computer. Nothing costs anything, and nothing is "
    "outside."
)
PORTS = {
    "WORKBENCH_FRONTEND_PORT": "8180",
    "WORKBENCH_BACKEND_PORT": "5100",
    "WORKBENCH_DASHBOARD_PORT": "8988",
}
"""Beside a workbench that runs already."""
INTRODUCTION = """
This is a demonstration. AWS is emulated on this computer: no account is needed, nothing costs anything.

In another terminal:

    source {file}
    {workbench} plan app --provider aws
    {workbench} launch app --provider aws
    {workbench} submit notebooks/00-mnist-cnn.ipynb --name digits --provider aws --ps 1 --workers 2 --epochs 1 --wait
    {workbench} release app --provider aws

Ctrl-C ends all of it; what it kept is in {home} and can be deleted.
"""


def environment(emulator: Emulator, environ: Mapping[str, str], home: Path = HOME) -> dict[str, str]:
    """What makes commands use the emulator and a home of its own."""
    own = {"WORKBENCH_HOME": str(home), "WORKBENCH_NOTICE": NOTICE}
    return {**own, **{name: environ.get(name, port) for name, port in PORTS.items()}, **emulator.environ}


def write(file: Path, told: Mapping[str, str]) -> None:
    """Leave the environment where a shell can take it from."""
    file.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in told.items()))
    file.chmod(0o600)


def share_data(home: Path) -> None:
    """Use the data sets that are here already."""
    cached = from_environment({}).data
    if cached.is_dir() and not (home / "data").exists():
        (home / "data").symlink_to(cached)


def run(home: Path = HOME) -> int:
    """Start the emulator and ``workbench up``; ends with it, and leaves no process."""
    home.mkdir(parents=True, exist_ok=True)
    share_data(home)
    with Emulator(home / "emulator", "proc", notice=NOTICE) as emulator:
        told = environment(emulator, os.environ, home)
        file = home / "environment"
        write(file, told)
        workbench = Path(sys.executable).with_name("workbench")
        shown = workbench.relative_to(PROJECT) if workbench.is_relative_to(PROJECT) else workbench
        print(
            INTRODUCTION.format(
                file=file.relative_to(PROJECT) if home == HOME else file, workbench=shown, home=home
            )
        )
        sys.stdout.flush()
        process = subprocess.Popen([str(workbench), "up"], env={**os.environ, **told})
        try:
            return process.wait()
        except KeyboardInterrupt:
            return process.wait()  # it got the Ctrl-C, too
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait()
            file.unlink(missing_ok=True)
