"""From a passed check to the first training step: machines forked from the warm process beside fresh processes.

Both run the default recipe on the same layouts, in turns. What a user waits for before, once, is a row of its own:
starting the warm process and the check.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.homes import make_home
from benchmarks.measuring import Row
from benchmarks.serving import free_port
from workbench import events, recipes
from workbench.errors import Unavailable
from workbench.machines import Layout, machine_folder
from workbench.machines.local.provider import LocalProvider
from workbench.settings import PROJECT
from workbench.tasks import check

ROUNDS = 3
LAYOUTS = {
    "one process": Layout(),
    "2 workers": Layout(workers=2),
    "1 ps + 2 workers": Layout(ps=1, workers=2),
}
GOALS_S = {"one process": 10.0, "1 ps + 2 workers": 25.0}
TIMEOUT_S = 120.0


def run() -> list[Row]:
    """Measure; fetches MNIST if it is not there."""
    with make_home() as (settings, provider):
        began = time.monotonic()
        provider.prewarm()
        warm_s = time.monotonic() - began
        began = time.monotonic()
        check.check(recipes.read(recipes.DEFAULT), settings, provider=provider)
        rows = [
            Row("startup: the warm process, once", warm_s, "s"),
            Row("startup: the check", time.monotonic() - began, "s"),
        ]
        home = settings.home
        for name, layout in LAYOUTS.items():
            ours, peers = [], []
            for _ in range(ROUNDS):
                ours.append(_first_step(home, layout, partial(_forked, provider, layout)))
                peers.append(_first_step(home, layout, partial(_fresh, home, layout)))
            goal = GOALS_S.get(name)
            rows.append(Row(f"startup: {name}", statistics.median(ours), "s", statistics.median(peers), goal))
        return rows


def _first_step(
    home: Path, layout: Layout, machines: Callable[[Path], AbstractContextManager[None]]
) -> float:
    """Seconds from the launch to the leading machine's first metric."""
    job = home / "jobs" / "1"
    job.mkdir(parents=True)
    try:
        recipes.read(recipes.DEFAULT).write(job / "recipe")
        values = {"job": 1, "epochs": 1, "seed": 0, "ps": layout.ps, "workers": layout.workers}
        (job / "job.json").write_text(json.dumps(values))
        began = time.monotonic()
        with machines(job):
            log = machine_folder(job, layout.leader) / "events.jsonl"
            while not any(isinstance(event, events.Metric) for event in events.read(log)[0]):
                if time.monotonic() - began > TIMEOUT_S:
                    raise Unavailable(f"no step within {TIMEOUT_S:.0f} s; see {log}")
                time.sleep(0.02)
            return time.monotonic() - began
    finally:
        shutil.rmtree(job)


@contextmanager
def _forked(provider: LocalProvider, layout: Layout, job: Path) -> Iterator[None]:
    provider.launch("job-1", layout, job)
    try:
        yield
    finally:
        provider.terminate("job-1")


@contextmanager
def _fresh(home: Path, layout: Layout, job: Path) -> Iterator[None]:
    addresses: dict[str, list[str]] = {}
    for place in layout.places:
        addresses.setdefault(place.role, []).append(f"127.0.0.1:{free_port()}")
    values = json.loads((job / "job.json").read_text())
    (job / "job.json").write_text(json.dumps({**values, "cluster": addresses}))
    environment = {**os.environ, "WORKBENCH_HOME": str(home), "TF_CPP_MIN_LOG_LEVEL": "2"}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "workbench.node", str(job), place.role, str(place.index)],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for place in layout.places
    ]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()
