"""A small cluster across two hosts, by how fast their link is, and what the model of ``workbench/estimates/scaling.py`` makes of it.

Each host is one processor core (``benchmarks/cable.py``). One process alone on each, both at once and without a word to
each other, is what the rest is foretold from: so what else ran on this computer is in both.
"""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TypeVar

import psutil

from benchmarks import cable
from benchmarks.cable import Host
from benchmarks.measuring import Row
from benchmarks.scaling import BATCH, Net, make_nets
from workbench import datasets, events
from workbench.errors import Unavailable
from workbench.estimates import scaling
from workbench.estimates.scaling import Costs, Workload
from workbench.machines import Layout, Place, machine_folder
from workbench.settings import PROJECT, from_environment

T = TypeVar("T")
LAYOUTS = (Layout(workers=2), Layout(1, 1))
MBIT = (100, 1_000, 10_000)
"""In this order, once the training goes: a chief keeps seconds of work handed out, at the pace of then."""
LATENCY_S = 3e-5
SETTLE_S, WINDOW_S, STEPS = 2.0, 5.0, 4
"""Seconds after a change that are not counted; then at least so many seconds and steps are."""
TIMEOUT_S = 90.0
"""Until the first step, and for each speed."""
PORT = 21_000
LONG = """
_once = load_data


def load_data():
    import numpy as np

    (x, y), test = _once()
    return (np.tile(x, (4, 1, 1, 1)), np.tile(y, 4)), test
"""
"""Makes an epoch last longer than a measurement, so that no validation falls into it."""


@dataclass(frozen=True)
class Run:
    """Some steps of a training.

    Attributes
    ----------
    cpu_s
        Of a step, all machines together.
    sent
        Bytes that a step put into the cable, both ways together.
    """

    step_s: float
    cpu_s: float
    sent: float


@dataclass(frozen=True)
class Crossing:
    """A layout at one speed of the link, and what was foretold of it."""

    net: Net
    layout: Layout
    mbit: int
    run: Run
    foretold_s: float
    """Of a step."""

    @property
    def words(self) -> str:
        layout = f"{self.layout.ps} ps + 1 worker" if self.layout.ps else f"{self.layout.workers} workers"
        return f"{self.net.name}, {layout}, {self.mbit:,} Mbit/s"


def run() -> list[Row]:
    """Measure; fetches MNIST if it is not there."""
    found = []
    with cable.lay() as hosts, tempfile.TemporaryDirectory() as name:
        home = _home(Path(name))
        for net in make_nets():
            alone = _alone(home, hosts, net)
            print(f"{net.name}, alone: {alone}", file=sys.stderr)
            work = Workload(alone.step_s, net.variables)
            costs = dataclasses.replace(scaling.MEASURED, busy=min(1.0, alone.cpu_s / alone.step_s))
            for layout in LAYOUTS:
                for mbit, one in _across(home, hosts, net, layout):
                    expected = foretell(work, layout, mbit, costs)
                    found.append(Crossing(net, layout, mbit, one, expected))
                    print(f"{found[-1].words}: {one}", file=sys.stderr)
    print(table(found))
    return rows(found)


def foretell(work: Workload, layout: Layout, mbit: int, costs: Costs) -> float:
    """Seconds of a step on machines of one core each."""
    return scaling.foretell(work, layout, scaling.network(mbit / 1e3, LATENCY_S, cores=1), costs).step_s


def rows(found: Sequence[Crossing]) -> list[Row]:
    """Images a second, the peer being what was foretold."""
    return [
        Row(f"hosts: images/s, {c.words}", BATCH / c.run.step_s, "/s", BATCH / c.foretold_s, more=True)
        for c in found
    ]


def table(found: Sequence[Crossing]) -> str:
    """With what a slower link adds to the step of the fastest one, in which errors about computing are not; as Markdown."""
    lines = [
        "| net, layout, link | images/s | foretold | a step | foretold | the link adds | foretold "
        "| sent a step, times the variables |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for c in found:
        (fastest,) = (o for o in found if (o.net, o.layout) == (c.net, c.layout) and o.mbit == max(MBIT))
        added, expected = c.run.step_s - fastest.run.step_s, c.foretold_s - fastest.foretold_s
        times = [c.run.step_s, c.foretold_s, added, expected]
        ms = " | ".join(f"{1e3 * s:,.0f} ms" for s in times)
        pace = f"{BATCH / c.run.step_s:,.0f} | {BATCH / c.foretold_s:,.0f}"
        lines.append(f"| {c.words} | {pace} | {ms} | {c.run.sent / c.net.variables:.2f} |")
    return "\n".join(lines)


def _home(home: Path) -> Path:
    settings = from_environment()
    datasets.load("mnist", settings)
    (home / "data").mkdir()
    shutil.copy(settings.data / "mnist.npz", home / "data")
    return home


def _alone(home: Path, hosts: Sequence[Host], net: Net) -> Run:
    """One process on each host at once, each for itself; the mean of both."""
    near, far = ({Place("worker", 0): host} for host in hosts)
    with _training(home, net, Layout(), near) as first, _training(home, net, Layout(), far) as second:
        both = [watch(first, hosts), watch(second, hosts)]
    return Run(mean(one.step_s for one in both), mean(one.cpu_s for one in both), 0.0)


def _across(home: Path, hosts: Sequence[Host], net: Net, layout: Layout) -> Iterator[tuple[int, Run]]:
    """The speeds in turn, in one training. Workers are at the far end; of two, one at each."""
    near, far = hosts
    where = {p: far if p.role == "worker" and p.index % 2 == 0 else near for p in layout.places}
    for host in hosts:
        cable.unlimit(host)  # the chief sends the data, which is not what is measured
    with _training(home, net, layout, where) as started:
        _wait(started, lambda: _newest(started.log))
        for mbit in MBIT:
            for host in hosts:
                cable.limit(host, mbit)
            yield mbit, watch(started, hosts)


@dataclass(frozen=True)
class Started:
    """A training at work: the leading machine's events, and all machines."""

    log: Path
    processes: tuple[psutil.Popen, ...]


@contextmanager
def _training(home: Path, net: Net, layout: Layout, where: Mapping[Place, Host]) -> Iterator[Started]:
    job = Path(tempfile.mkdtemp(dir=home))
    recipe = dataclasses.replace(net.recipe, preprocessing=net.recipe.preprocessing + LONG)
    recipe.write(job / "recipe")
    cluster: dict[str, list[str]] = {}
    for number, place in enumerate(layout.places):
        cluster.setdefault(place.role, []).append(f"{where[place].address}:{PORT + number}")
    values = {"job": 1, "epochs": None, "seed": 0, "ps": layout.ps, "workers": layout.workers}
    (job / "job.json").write_text(json.dumps({**values, "cluster": cluster}))
    processes: list[psutil.Popen] = []
    try:
        for place in layout.places:
            with (job / f"{place.role}-{place.index}.log").open("wb") as log:
                node = (sys.executable, "-m", "workbench.node", str(job), place.role, str(place.index))
                process = psutil.Popen(
                    where[place].command(*node),
                    cwd=PROJECT,
                    env={**os.environ, "WORKBENCH_HOME": str(home), "TF_CPP_MIN_LOG_LEVEL": "2"},
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            processes.append(process)
        yield Started(machine_folder(job, layout.leader) / "events.jsonl", tuple(processes))
    finally:
        for process in processes:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class _Moment:
    t: float
    step: int
    cpu_s: float
    sent: int


def watch(started: Started, hosts: Sequence[Host]) -> Run:
    """What the steps take from now on, once they go steadily.

    Raises
    ------
    Unavailable
        A machine ended, or there were too few steps.
    """
    _wait(started, lambda: _newest(started.log))
    changed = time.time()
    first = _wait(started, lambda: _steps_after(started, hosts, changed + SETTLE_S))
    last = _wait(started, lambda: _steps_after(started, hosts, first.t + WINDOW_S, first.step + STEPS))
    steps = last.step - first.step
    return Run(
        (last.t - first.t) / steps, (last.cpu_s - first.cpu_s) / steps, (last.sent - first.sent) / steps
    )


def _wait(started: Started, ask: Callable[[], T | None]) -> T:
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end and all(process.poll() is None for process in started.processes):
        if (answer := ask()) is not None:
            return answer
        time.sleep(0.02)
    told = "\n".join(log.read_text()[-1500:] for log in started.log.parents[2].glob("*.log"))
    raise Unavailable(f"too few steps within {TIMEOUT_S:.0f} s to measure; the machines said:\n{told}")


def _steps_after(started: Started, hosts: Sequence[Host], t: float, step: int = 0) -> _Moment | None:
    """What it came to with the first news of so many steps after that time, right when it came."""
    metric = _newest(started.log)
    if metric is None or metric.t < t or metric.step < step:
        return None
    cpu_s = sum(sum(process.cpu_times()[:2]) for process in started.processes)
    return _Moment(metric.t, metric.step, cpu_s, sum(cable.sent(host) for host in hosts))


def _newest(log: Path) -> events.Metric | None:
    return next((e for e in reversed(events.read(log)[0]) if isinstance(e, events.Metric)), None)
