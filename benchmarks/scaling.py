"""What the parts of a distributed step cost on this computer, and what the model of ``workbench/estimates/scaling.py`` makes of it.

Two models, one of few variables and one of many, are trained on real clusters of the local provider. CPU seconds a step
are counted by role; ``Costs`` are fitted to five of the layouts, and the pace of all, two more among them, is foretold
from one process' pace and set beside what was measured. The table for 1 to 256 workers, and ``Costs`` as it would be
written into the code, are printed before the rows.
"""

import dataclasses
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import psutil

from benchmarks.homes import make_home
from benchmarks.measuring import Row
from workbench import events, recipes
from workbench.errors import Unavailable
from workbench.estimates import scaling
from workbench.estimates.scaling import Costs, Hardware, Workload
from workbench.machines import Layout, machine_folder
from workbench.machines.local import processes
from workbench.machines.local.provider import LocalProvider
from workbench.recipes import Recipe

BATCH = 256
WARM_S, WINDOW_S = 1.5, 6.0
"""After the first step, which traces the graph: what is not counted, and what is."""
TIMEOUT_S = 120.0
ONE, PAIR, SERVED, SERVED_TWO = Layout(), Layout(workers=2), Layout(1, 1), Layout(1, 2)
FITTED = (ONE, PAIR, SERVED, SERVED_TWO)
HELD_OUT = (Layout(workers=4), Layout(1, 4))
"""Measured too, but not fitted to."""
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
WIDE = """
import keras
from keras import layers

EPOCHS, BATCH_SIZE = 4, 256
LABELS, INPUT = list("0123456789"), {"kind": "image", "preprocessing": "mnist"}


def build_model():
    hidden = [layers.Dense(width, activation="relu") for width in (1536, 1536)]
    ends = [layers.Flatten(), *hidden, layers.Dense(10, activation="softmax")]
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Rescaling(1 / 255), *ends])
    model.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""
"""3.6 million parameters, little to compute for each."""


@dataclass(frozen=True)
class Net:
    """A model that is trained."""

    name: str
    recipe: Recipe
    variables: int
    """Bytes."""

    def with_batch(self, size: int) -> Recipe:
        return dataclasses.replace(self.recipe, training=f"{self.recipe.training}\nBATCH_SIZE = {size}\n")


@dataclass(frozen=True)
class Run:
    """Some seconds of a training.

    Attributes
    ----------
    step_s
        From one finished step to the next.
    cpu_s
        Of a step, all machines of a role together.
    moved
        Bytes that a step sent over the loopback; ``None`` where the machines share it with others.
    """

    step_s: float
    cpu_s: Mapping[str, float]
    moved: float | None

    @property
    def all_cpu_s(self) -> float:
        return sum(self.cpu_s.values())


def run() -> list[Row]:
    """Measure; fetches MNIST if it is not there."""
    site = Hardware(cores=os.cpu_count() or 1, shared=True)
    with make_home() as (_, provider):
        provider.prewarm()
        nets = make_nets()
        halves = {net.name: _measure(provider, net.with_batch(BATCH // 2), ONE) for net in nets}
        runs = {
            net.name: {layout: _measure(provider, net.recipe, layout) for layout in (*FITTED, *HELD_OUT)}
            for net in nets
        }
    costs = fit(nets, runs, halves, site.cores)
    print("\n".join([_parts(nets, runs), f"\nMEASURED = {_rounded(costs)}\n", table(nets, runs, costs)]))
    return rows(nets, runs, costs, site)


def make_nets() -> list[Net]:
    """One of few variables and much to compute for each, one the other way round."""
    tutorial = recipes.read(recipes.DEFAULT)
    wide = Recipe("", tutorial.preprocessing, WIDE)
    return [Net("small CNN", tutorial, 34_090 * 4), Net("wide net", wide, 3_581_962 * 4)]


def _measure(provider: LocalProvider, recipe: Recipe, layout: Layout) -> Run:
    with training(provider, recipe, layout) as log:
        found = watch(log, _roles(provider.home))
    print(f"{_words(layout)}: {found}", file=sys.stderr)
    return found


@contextmanager
def training(provider: LocalProvider, recipe: Recipe, layout: Layout) -> Iterator[Path]:
    """A job at work on the layout; the leading machine's events."""
    job = provider.home / "jobs" / "1"
    job.mkdir(parents=True)
    try:
        recipe.write(job / "recipe")
        values = {"job": 1, "epochs": None, "seed": 0, "ps": layout.ps, "workers": layout.workers}
        (job / "job.json").write_text(json.dumps(values))
        provider.launch("job-1", layout, job)
        yield machine_folder(job, layout.leader) / "events.jsonl"
    finally:
        provider.terminate("job-1")
        shutil.rmtree(job)


def _roles(home: Path) -> dict[str, list[psutil.Process]]:
    found: dict[str, list[psutil.Process]] = {}
    for place, process in processes.roots(processes.living(home)).items():
        if place.role in ("chief", "ps", "worker"):
            found.setdefault(place.role, []).append(psutil.Process(process.pid))
    return found


@dataclass(frozen=True)
class _Moment:
    t: float
    step: int
    cpu_s: Mapping[str, float]
    moved: int | None


def watch(log: Path, roles: Mapping[str, Sequence[psutil.Process]]) -> Run:
    """What the steps cost for a while, once they go steadily; within the first epoch, which nobody validates.

    Raises
    ------
    Unavailable
        There were too few steps.
    """
    began = time.monotonic()
    moments: list[_Moment] = []
    while time.monotonic() - began < TIMEOUT_S:
        found = [event for event in events.read(log)[0] if isinstance(event, events.Metric)]
        if any(metric.epoch > 1 or metric.validated for metric in found):
            break
        if (
            found
            and found[-1].t - found[0].t >= WARM_S
            and (not moments or found[-1].step > moments[-1].step)
        ):
            moments.append(_moment(found[-1], roles))
            if moments[-1].t - moments[0].t >= WINDOW_S:
                break
        time.sleep(0.02)
    if len(moments) < 2:
        raise Unavailable(f"too few steps within {TIMEOUT_S:.0f} s to measure; see {log}")
    first, last = moments[0], moments[-1]
    steps = last.step - first.step
    return Run(
        (last.t - first.t) / steps,
        {role: (last.cpu_s[role] - first.cpu_s[role]) / steps for role in roles},
        None if last.moved is None or first.moved is None else (last.moved - first.moved) / steps,
    )


def _moment(metric: events.Metric, roles: Mapping[str, Sequence[psutil.Process]]) -> _Moment:
    cpu_s = {role: sum(sum(p.cpu_times()[:2]) for p in found) for role, found in roles.items()}
    return _Moment(metric.t, metric.step, cpu_s, _loopback(next(iter(roles.values()))[0].pid))


def _loopback(pid: int) -> int | None:
    """Bytes sent so far over the loopback of a process' network namespace, if that is its own."""
    own, ours = (Path(f"/proc/{one}/ns/net").readlink() for one in (pid, os.getpid()))
    if own == ours:
        return None
    lines = Path(f"/proc/{pid}/net/dev").read_text().splitlines()
    return next(int(line.split(":")[1].split()[8]) for line in lines if line.strip().startswith("lo:"))


# What is made of it


def fit(
    nets: Sequence[Net],
    runs: Mapping[str, Mapping[Layout, Run]],
    halves: Mapping[str, Run],
    cores: int,
) -> Costs:
    """The costs of the parts: for each role a line through its CPU seconds over the bytes of the variables."""
    fixed: list[tuple[float, float]] = []
    ring: list[tuple[float, float]] = []
    worker: list[tuple[float, float]] = []
    served: list[tuple[float, float]] = []
    chief: list[tuple[float, float]] = []  # by steps a second
    for net in nets:
        found, size = runs[net.name], float(net.variables)
        whole = found[ONE].all_cpu_s
        own = min(whole, max(0.0, 2 * halves[net.name].all_cpu_s - whole))  # what half a batch does not halve
        fixed.append((size, own))
        # Two workers: two rounds, in which each sends as many bytes as there are.
        ring.append((size, found[PAIR].all_cpu_s / 2 - own - (whole - own) / 2))
        for layout in (SERVED, SERVED_TWO):
            paced = 1 / found[layout].step_s
            chief.append((paced, found[layout].cpu_s["chief"] * paced))
            worker.append((2 * size, found[layout].cpu_s["worker"] - whole))
            served.append((2 * size, found[layout].cpu_s["ps"]))
    step_s, update_byte_s = line(fixed)
    # The update is the servers', so a worker has that less to do.
    worker = [(x, y + update_byte_s * x / 2) for x, y in worker]
    round_s, ring_byte_s = line(ring)
    worker_step_s, worker_byte_s = line(worker)
    ps_step_s, ps_byte_s = line(served)
    chief_busy, chief_step_s = line(chief)
    return Costs(
        busy=min(1.0, mean(run[ONE].all_cpu_s / run[ONE].step_s for run in runs.values()) / cores),
        step_s=step_s,
        update_byte_s=update_byte_s,
        ring_round_s=round_s / 2,
        ring_byte_s=ring_byte_s,
        worker_step_s=worker_step_s,
        worker_byte_s=worker_byte_s,
        ps_step_s=ps_step_s,
        ps_byte_s=ps_byte_s,
        chief_busy=chief_busy,
        chief_step_s=chief_step_s,
    )


def line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Start and slope of the line with the least squares of relative distances, neither below 0.

    >>> line([(1.0, 5.0), (2.0, 7.0)])
    (3.0, 2.0)
    >>> line([(1.0, 4.0), (2.0, 4.0)])
    (4.0, 0.0)
    """
    x, y = [point[0] for point in points], [point[1] for point in points]
    middle_x, middle_y = mean(x), mean(y)
    spread = sum((one - middle_x) ** 2 for one in x)
    slope = sum((a - middle_x) * (b - middle_y) for a, b in points) / spread
    start = middle_y - slope * middle_x
    if slope < 0:
        return max(0.0, middle_y), 0.0
    if start < 0:
        return 0.0, max(0.0, sum(a * b for a, b in points) / sum(a * a for a in x))
    return start, slope


def works(nets: Sequence[Net], runs: Mapping[str, Mapping[Layout, Run]]) -> dict[str, Workload]:
    """What one step of each net is, by one process."""
    return {net.name: Workload(runs[net.name][ONE].step_s, net.variables) for net in nets}


def rows(
    nets: Sequence[Net], runs: Mapping[str, Mapping[Layout, Run]], costs: Costs, site: Hardware
) -> list[Row]:
    """Each layout's images a second, the peer being what is foretold of it."""
    found = []
    for name, work in works(nets, runs).items():
        for layout, measured in runs[name].items():
            pace = scaling.foretell(work, layout, site, costs)
            known = " (foretold only)" if layout in HELD_OUT else ""
            found.append(
                Row(
                    f"scaling: images/s, {name}, {_words(layout)}{known}",
                    BATCH / measured.step_s,
                    "/s",
                    pace.images_per_s(BATCH),
                    more=True,
                )
            )
    return found


def _words(layout: Layout) -> str:
    workers = f"{layout.workers} worker{'' if layout.workers == 1 else 's'}"
    return f"{layout.ps} ps + {workers}" if layout.ps else workers


def table(nets: Sequence[Net], runs: Mapping[str, Mapping[Layout, Run]], costs: Costs) -> str:
    """Images a second foretold for machines of their own, as a table in Markdown."""
    lines = [
        "| net, links | workers | synchronous | 1 ps | 4 ps | held up by, with 1 ps |",
        "|---|---|---|---|---|---|",
    ]
    for name, work in works(nets, runs).items():
        for gbit in (1, 10):
            site = scaling.network(gbit)
            for workers in WORKERS:
                paces = [
                    scaling.foretell(work, layout, site, costs)
                    for layout in (Layout(workers=workers), Layout(1, workers), Layout(4, workers))
                ]
                pace = " | ".join(f"{one.images_per_s(BATCH):,.0f}" for one in paces)
                lines.append(f"| {name}, {gbit} Gbit/s | {workers} | {pace} | {paces[1].bottleneck} |")
            from_ = scaling.pays_from(work, site, costs=costs)
            lines.append(f"| {name}, {gbit} Gbit/s | 1 ps pays from {from_ or 'no number of'} workers |")
    return "\n".join(lines)


def _parts(nets: Sequence[Net], runs: Mapping[str, Mapping[Layout, Run]]) -> str:
    lines = [
        "| net | layout | step | CPU: chief | ps | workers | sent a step, times the variables |",
        "|---|---|---|---|---|---|---|",
    ]
    for net in nets:
        for layout, one in runs[net.name].items():
            cpu = " | ".join(
                f"{1e3 * one.cpu_s[role]:.1f} ms" if role in one.cpu_s else ""
                for role in ("chief", "ps", "worker")
            )
            sent = "" if one.moved is None else f"{one.moved / net.variables:.2f}"
            lines.append(f"| {net.name} | {_words(layout)} | {1e3 * one.step_s:.1f} ms | {cpu} | {sent} |")
    return "\n".join(lines)


def _rounded(costs: Costs) -> Costs:
    return Costs(**{name: float(f"{value:.2g}") for name, value in dataclasses.asdict(costs).items()})
