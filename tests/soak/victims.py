"""Whom of ours one can kill, by kind; found by the marks that our processes carry, so nobody else's is among them."""

import contextlib
from collections.abc import Iterable

import psutil

from workbench import runner
from workbench.machines.local.processes import living, roots
from workbench.settings import Settings
from workbench.system import processes

SERVICES = {"backend": "gunicorn", "frontend": "apache", "dashboard": "jupyter", "queue": "queue"}


def find(settings: Settings) -> dict[str, list[int]]:
    """Process numbers by kind; a kind that does not live now is not there."""
    found: dict[str, list[int]] = {}
    for name, kind in SERVICES.items():
        family = {process.pid: process for process in processes.marked(settings.home, name)}
        for pid in _first(family.values()):
            found.setdefault(kind, []).append(pid)
        if name == "backend" and kind in found:
            found["backend worker"] = [pid for pid in family if pid not in found[kind]]
    found["runner"] = list(runner.runners(settings))
    machines = [m for m in living(settings.home) if m.cluster.startswith("job-")]
    for cluster in {m.cluster for m in machines}:
        for place, machine in roots([m for m in machines if m.cluster == cluster]).items():
            if place.role in ("chief", "ps", "worker"):
                found.setdefault(place.role, []).append(machine.pid)
    return {kind: pids for kind, pids in found.items() if pids}


def left(settings: Settings) -> list[str]:
    """What of ours still runs, in words."""
    pids = {process.pid for process in processes.marked(settings.home)}
    pids |= {machine.pid for machine in living(settings.home)} | set(runner.runners(settings))
    words = []
    for pid in sorted(pids):
        with contextlib.suppress(psutil.Error):
            words.append(f"{pid} {' '.join(psutil.Process(pid).cmdline())[:100]}")
    return words


def _first(family: Iterable[psutil.Process]) -> list[int]:
    """Those that are no child of another one of them."""
    by_pid = {process.pid: process for process in family}
    first = []
    for pid, process in by_pid.items():
        with contextlib.suppress(psutil.Error):
            if process.ppid() not in by_pid:
                first.append(pid)
    return first
