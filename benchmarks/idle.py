"""What all of the product takes while nobody asks anything: `workbench up` with a model deployed, for a minute.

CPU is what the kernel's scheduler counted of each thread (``/proc``, nanoseconds): ticks of 10 ms would miss most of it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks import predict
from benchmarks.measuring import Row
from benchmarks.serving import free_port
from workbench.errors import Unavailable
from workbench.settings import PROJECT

MINUTE_S = 60.0
STILL_S, STILL_PERCENT = 10.0, 1.0
"""The minute begins after so many seconds with no more than that: kernels are ready, nothing is done for the first time."""
READY_S = 300.0
GOAL_PERCENT = 0.2


def run() -> list[Row]:
    """Measure; needs a published ``mnist-cnn``."""
    version = predict.newest_version("mnist-cnn")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        predict.deploy(version, home)
        ports = {f"WORKBENCH_{name}_PORT": str(free_port()) for name in ("BACKEND", "FRONTEND", "DASHBOARD")}
        environment = {
            **os.environ,
            "WORKBENCH_HOME": str(home),
            "WORKBENCH_DEPLOY_TOKEN": predict.TOKEN,
            **ports,
        }
        with (home / "up.log").open("wb") as log:
            up = psutil.Popen([*_WORKBENCH, "up"], cwd=PROJECT, env=environment, stdout=log, stderr=log)
        try:
            _wait_until_ready(environment, home / "up.log")
            give_up = time.monotonic() + READY_S
            while sum(percent for _, percent in _spent(up, STILL_S)) > STILL_PERCENT:
                if time.monotonic() > give_up:
                    raise Unavailable(f"what `up` starts does not come to rest within {READY_S:.0f} s")
            found = _spent(up, MINUTE_S)
        finally:
            up.terminate()
            psutil.wait_procs([up], timeout=60)
            if up.is_running():
                up.kill()
    rows = [Row("idle: all processes", sum(percent for _, percent in found), "%", goal=GOAL_PERCENT)]
    by_name: dict[str, list[float]] = {}
    for name, percent in found:
        by_name.setdefault(name, []).append(percent)
    for name, each in sorted(by_name.items(), key=lambda item: -sum(item[1])):
        rows.append(
            Row(f"idle: {name}", sum(each), "%", note=f"{len(each)} processes" if len(each) > 1 else "")
        )
    return rows


_WORKBENCH = (sys.executable, "-m", "workbench.cli")


def _wait_until_ready(environment: dict[str, str], log: Path) -> None:
    give_up = time.monotonic() + READY_S
    while time.monotonic() < give_up:
        done = subprocess.run(
            [*_WORKBENCH, "status", "--json"], cwd=PROJECT, env=environment, capture_output=True, text=True
        )
        services = json.loads(done.stdout)["services"] if done.returncode == 0 else []
        if len(services) >= 4 and all(service["state"] in ("ready", "running") for service in services):
            return
        time.sleep(1.0)
    raise Unavailable(f"the services did not get ready:\n{log.read_text()[-2000:]}")


def _spent(up: psutil.Process, seconds: float) -> list[tuple[str, float]]:
    """Each process of the product, and the part of a core that it takes, in percent."""
    before, began = _cpu_ns(up), time.monotonic()
    time.sleep(seconds)
    after, spent = _cpu_ns(up), time.monotonic() - began
    return [
        (name, (used - before.get(pid, (name, 0))[1]) / spent / 1e7) for pid, (name, used) in after.items()
    ]


def _cpu_ns(up: psutil.Process) -> dict[int, tuple[str, int]]:
    """Nanoseconds that each process of the product has computed."""
    found = {}
    for process in [up, *up.children(recursive=True)]:
        try:
            name = _name(process.cmdline())
            tasks = Path(f"/proc/{process.pid}/task").iterdir()
            used = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)
        except (OSError, psutil.Error):
            continue  # it has just ended
        found[process.pid] = name, used
    return found


def _name(command: list[str]) -> str:
    """A process by what it runs."""
    if "-m" in command:
        return command[command.index("-m") + 1]
    return Path(command[0]).name if command else "?"
