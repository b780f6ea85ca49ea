"""A small net on each layout beside plain Keras ``fit``: images a second, and seconds to a model of 99 %.

All train the same model on the same data for the same epochs on the same cores, in turns, each alone.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from benchmarks.homes import make_home
from benchmarks.measuring import Row
from workbench import events, recipes
from workbench.errors import Unavailable
from workbench.machines import Layout, machine_folder
from workbench.machines.local import processes
from workbench.machines.local.provider import LocalProvider
from workbench.settings import PROJECT

ROUNDS = 2
LAYOUTS = {
    "one process": Layout(),
    "2 synchronous workers": Layout(workers=2),
    "1 ps + 2 workers": Layout(ps=1, workers=2),
}
SHARES = {"2 synchronous workers": 0.95, "1 ps + 2 workers": 0.9}
"""Of one process' images a second, on the same cores."""
RECIPE = PROJECT / "benchmarks" / "peers" / "keras-net"
"""Does not change with the tutorial: figures of other days and the peers' nets are of the same one."""
BATCH = 256
WANTED = 0.99
"""Accuracy on the test part, which the finished model is asked about once."""
TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Run:
    """One training, from its first to its last reported step."""

    images_per_s: float
    wanted_s: float | None
    """Seconds until the end, if the model is as good as wanted."""
    cpu_s: float
    """Of all its processes, a thousand images."""
    accuracy: float
    """Of the finished model, on the test part."""


def run() -> list[Row]:
    """Measure; fetches MNIST if it is not there."""
    with make_home() as (settings, provider):
        provider.prewarm()
        home = settings.home
        ways = {
            "plain Keras fit": partial(_keras, home),
            **{name: partial(machines, provider, home, layout) for name, layout in LAYOUTS.items()},
        }
        runs: dict[str, list[Run]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                runs[name].append(measure(home, way))
    return _rows(runs)


def _rows(runs: dict[str, list[Run]]) -> list[Row]:
    pace = {name: statistics.median(run.images_per_s for run in found) for name, found in runs.items()}
    cost = {name: statistics.median(run.cpu_s for run in found) for name, found in runs.items()}
    peer = "plain Keras fit"
    rows = [Row(f"train: images/s, {name}", pace[name], "/s", pace[peer], more=True) for name in LAYOUTS]
    rows += [
        Row(
            f"train: {name}, share of one process' images/s",
            pace[name] / pace["one process"],
            "",
            goal=share,
            more=True,
        )
        for name, share in SHARES.items()
    ]
    rows += [Row(f"train: CPU for 1,000 images, {name}", cost[name], "s", cost[peer]) for name in LAYOUTS]
    for name in LAYOUTS:
        rows.append(
            Row(f"train: to a model of 99 %, {name}", _seconds(runs[name]), "s", _seconds(runs[peer]))
        )
    return rows


def _seconds(runs: Sequence[Run]) -> float:
    """The median time to the wanted accuracy; infinite where a run did not get there."""
    return statistics.median(run.wanted_s if run.wanted_s is not None else float("inf") for run in runs)


@dataclass(frozen=True)
class Training:
    """Something that trains: where it reports, whether it is done, what its processes cost, and what became of it."""

    log: Path
    done: Callable[[], bool]
    cpu_s: Callable[[], float]
    accuracy: Callable[[], float]


def measure(home: Path, way: Callable[[Path], AbstractContextManager[Training]]) -> Run:
    """Train once, to the end, in a job's folder that is removed."""
    job = home / "jobs" / "1"
    job.mkdir(parents=True)
    try:
        recipes.read(RECIPE).write(job / "recipe")
        with way(job) as training:
            began = time.monotonic()
            found: list[events.Metric] = []
            before, after = 0.0, 0.0
            while not training.done():
                if time.monotonic() - began > TIMEOUT_S:
                    raise Unavailable(f"no end within {TIMEOUT_S:.0f} s; see {training.log}")
                found = _metrics(training.log)
                if not found:
                    before = training.cpu_s()
                elif found[-1].step < found[-1].of:
                    after = training.cpu_s()
                time.sleep(0.1)
            found = _metrics(training.log)
            if not found:
                raise Unavailable(f"the training ended before its first step; see {training.log.parent}")
            first, last = found[0], found[-1]
            if last.step < last.of:
                raise Unavailable(f"the training ended after step {last.step} of {last.of}")
            accuracy = training.accuracy()
    finally:
        shutil.rmtree(job)
    images = (last.step - first.step) * BATCH
    took = last.t - first.t
    return Run(
        images_per_s=images / took,
        wanted_s=took if accuracy >= WANTED else None,
        cpu_s=(after - before) / images * 1000,
        accuracy=accuracy,
    )


def _metrics(log: Path) -> list[events.Metric]:
    return [event for event in events.read(log)[0] if isinstance(event, events.Metric)]


def _cpu_s(found: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in found)


@contextmanager
def machines(
    provider: LocalProvider, home: Path, layout: Layout, job: Path, *, epochs: int | None = None
) -> Iterator[Training]:
    """The recipe on machines of ours; ``epochs`` if not its own."""
    values = {"job": 1, "epochs": epochs, "seed": 0, "ps": layout.ps, "workers": layout.workers}
    (job / "job.json").write_text(json.dumps(values))
    provider.launch("job-1", layout, job)
    log = machine_folder(job, layout.leader) / "events.jsonl"

    def done() -> bool:
        return (job / "fields.json").exists() or provider.machines("job-1")[0].state != "running"

    def accuracy() -> float:
        return float(json.loads((job / "fields.json").read_text())["metrics"]["accuracy"])

    try:
        found = [psutil.Process(process.pid) for process in processes.living(home)]
        yield Training(log, done, partial(_cpu_s, found), accuracy)
    finally:
        provider.terminate("job-1")


@contextmanager
def _keras(home: Path, job: Path) -> Iterator[Training]:
    log, result = job / "events.jsonl", job / "accuracy"
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.peers.keras_fit", str(job / "recipe"), str(log), str(result)],
        cwd=PROJECT,
        env={**os.environ, "WORKBENCH_HOME": str(home), "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        found = [psutil.Process(process.pid)]
        yield Training(log, result.exists, partial(_cpu_s, found), lambda: float(result.read_text()))
    finally:
        process.kill()
        process.wait()
