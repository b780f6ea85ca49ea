"""How long a training may take and what it may cost, how that is known, and which layout would be faster."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from workbench.estimates import scaling
from workbench.estimates.layouts import PS, Choice, better, choices, describe
from workbench.estimates.scaling import Hardware, Workload
from workbench.jobs import Job
from workbench.machines import Layout
from workbench.tasks.check import Checked

STARTING_S = 12.0
"""From the turn in the queue to the first step, and from the last one to the published version, where no former job
tells: a dry run, machines that are forked from a warm process, evaluation and export. See ``benchmarks``."""
GBIT_PER_S = 10
"""Assumed of AWS's links; the small types have that for a while only."""
BYTES = 4
"""Of a parameter."""


@dataclass(frozen=True)
class Estimate:
    """What a training may take.

    Attributes
    ----------
    seconds, price
        Price in US dollars. ``None`` where nobody knows.
    basis
        How that is known, in words; where it is not known, what to do.
    hint
        Which layout would be faster; empty where none is, or nobody knows.
    choices
        Layouts that one might ask for instead, that one among them; none where nobody knows.
    """

    seconds: float | None
    price: float | None
    basis: str
    hint: str = ""
    choices: tuple[Choice, ...] = ()


def estimate(
    former: Sequence[Job],
    checked: Checked | None,
    epochs: int | None,
    price_per_hour: float,
    *,
    layout: Layout | None = None,
    site: Hardware | None = None,
    variables: Mapping[int, int] | None = None,
) -> Estimate:
    """From former jobs of this layout; else by the model of ``scaling`` from one of another layout, or from the dry
    run; else not at all.

    Parameters
    ----------
    former
        Completed jobs of the same recipe on machines of the same kind, the newest first.
    checked
        What a dry run of the recipe found, if there was one.
    epochs
        That are asked for; ``None`` for the recipe's own.
    layout
        That is asked for, one process if none is named.
    site
        Where its machines will be, one computer if none is named.
    variables
        Bytes of the models' variables by the jobs' ids, where they are known.
    """
    layout, site, sizes = layout or Layout(), site or scaling.Hardware(shared=True), variables or {}
    rounds = epochs or (checked.epochs if checked else None)
    alike = [job for job in former if (job.ps, job.workers) == (layout.ps, layout.workers)]
    measured = {job.id: s for job in alike if (s := _scaled(job, rounds)) is not None}
    sources = list(_sources(former, checked, rounds, site, sizes))
    if measured:
        seconds = median(measured.values())
        jobs = ", ".join(map(str, measured))
        basis = f"measured: job{'' if len(measured) == 1 else 's'} {jobs} had the same recipe and layout"
    elif sources:
        seconds, basis = _foretell(sources[0], layout, site)
    else:
        return Estimate(
            None,
            0.0 if price_per_hour == 0 else None,
            "nobody knows yet: no job had this recipe and layout. Check the recipe first, that measures a step",
        )
    hint = _hint(sources[0], layout, site) if sources else ""
    found = choices(sources[0].whole(site), layout, site, price_per_hour) if sources else ()
    # What was measured of this very layout is truer than what is foretold of it.
    price = price_per_hour * seconds / 3600
    found = tuple(replace(one, seconds=seconds, price=price) if one.chosen else one for one in found)
    return Estimate(seconds, price, basis, hint, found)


def _scaled(job: Job, epochs: int | None) -> float | None:
    """The job's execution time, its training part brought to another number of epochs."""
    if job.attempt > 1:
        return None  # its time holds what was done twice
    if not epochs or job.progress is None or not {"training", "exporting"} <= job.times.keys():
        return job.execution_s
    training = job.times["exporting"] - job.times["training"]
    return job.execution_s + training * (epochs / max(1, job.progress.epoch) - 1)


@dataclass(frozen=True)
class _Source:
    """Something that tells the time of a step in one layout, from which that of others is foretold.

    Attributes
    ----------
    work
        Of which the model says that it takes about ``step_s`` in this layout.
    steps
        Of the training that is asked for.
    beside_s
        What the job takes besides training.
    """

    words: str
    layout: Layout
    step_s: float
    work: Workload
    steps: float
    beside_s: float

    def seconds(self, layout: Layout, site: Hardware) -> float:
        """Of a step in another layout: as much longer as the model says."""
        here, there = (scaling.foretell(self.work, one, site).step_s for one in (self.layout, layout))
        return self.step_s * there / here

    def whole(self, site: Hardware) -> Callable[[Layout], float]:
        """How long the job takes, by its layout."""
        return lambda layout: self.beside_s + self.steps * self.seconds(layout, site)


def _sources(
    former: Sequence[Job],
    checked: Checked | None,
    epochs: int | None,
    site: Hardware,
    sizes: Mapping[int, int],
) -> Iterator[_Source]:
    for job in former:
        size = checked.parameters * BYTES if checked else sizes.get(job.id)
        training = job.times.get("exporting", 0.0) - job.times.get("training", 0.0)
        if size is None or job.attempt > 1 or job.progress is None or job.progress.step < 1 or training <= 0:
            continue
        layout, step_s = Layout(job.ps, job.workers), training / job.progress.step
        yield _Source(
            f"job {job.id}",
            layout,
            step_s,
            scaling.infer(step_s, layout, size, site),
            job.progress.step * (epochs / max(1, job.progress.epoch) if epochs else 1.0),
            max(0.0, job.execution_s - training),
        )
    if checked is not None:
        work = Workload(checked.step_s, checked.parameters * BYTES, checked.largest * BYTES)
        steps = (epochs or checked.epochs) * checked.steps_per_epoch
        yield _Source("the dry run", Layout(), checked.step_s, work, steps, STARTING_S)


def _foretell(source: _Source, layout: Layout, site: Hardware) -> tuple[float, str]:
    """Seconds of the job, and how that is known."""
    step_s = source.seconds(layout, site)
    basis = f"a guess: {source.steps:,.0f} steps of {_ms(step_s)}"
    if layout == source.layout:
        basis += f", as {source.words} took on one machine"
    else:
        given = f"{_ms(source.step_s)} with {describe(source.layout)} in {source.words}"
        basis += f", foretold from {given}, where {_place(site)}"
    return source.beside_s + source.steps * step_s, basis


def _place(site: Hardware) -> str:
    if site.shared:
        return f"all machines share this computer's {site.cores} cores"
    return f"links are assumed to have {site.bytes_per_s / 125e6:.0f} Gbit/s"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.01 else f"{1000 * seconds:.1f} ms"


def _hint(source: _Source, layout: Layout, site: Hardware) -> str:
    """What would be faster by more than a little, and from how many workers on parameter servers pay."""

    said, proposed = [], better(source.whole(site), layout, site)
    if proposed is not None:
        less = 1 - source.whole(site)(proposed) / source.whole(site)(layout)
        said.append(f"{describe(proposed)} would take about {100 * less:.0f} % less")
    if not site.shared:
        found = [(n, ps) for ps in PS if (n := scaling.pays_from(source.work, site, ps)) is not None]
        if not found:
            said.append("parameter servers do not pay on this network")
        elif not (proposed or layout).ps:
            pays, ps = min(found)
            servers = "1 parameter server pays" if ps == 1 else f"{ps} parameter servers pay"
            said.append(f"{servers} from about {pays} workers on this network")
    return "; ".join(said)
