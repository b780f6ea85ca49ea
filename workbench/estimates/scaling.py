"""How fast a layout trains: a model of one step by the cost of its parts, for 1 to some hundred workers.

A batch has one size whatever the layout. Synchronous workers share it, so each has less to compute, but all the
gradients go round a ring after it. Asynchronous workers each have a batch of their own and queue for the parameter
servers. ``benchmarks/scaling.py`` measures the parts, and how far this is off.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workbench.machines import Layout

MOST_WORKERS = 256
"""What the model was looked at for."""


PAYLOAD = 1448 / 1538
"""What of a link's bytes is not Ethernet's, IP's and TCP's own, in full packets; ``benchmarks/hosts.py`` saw about as much."""


@dataclass(frozen=True)
class Hardware:
    """Where the machines are.

    Attributes
    ----------
    bytes_per_s
        Of each machine's link, each way at the same time.
    latency_s
        Of a message, one way.
    cores
        Of one machine.
    shared
        All machines are processes of one computer and share its cores.
    """

    bytes_per_s: float = math.inf
    latency_s: float = 3e-5
    cores: int = 2
    shared: bool = False

    def sending_s(self, payload: float) -> float:
        """How long so many bytes, and the packets around them, are on a link.

        >>> round(network(1).sending_s(125e6), 3)
        1.062
        """
        return payload / (self.bytes_per_s * PAYLOAD)


def network(gbit_per_s: float, latency_s: float = 1e-4, cores: int = 2) -> Hardware:
    """Machines with links of so many Gbit/s; 0.1 ms is usual within one building.

    >>> network(1).bytes_per_s
    125000000.0
    """
    return Hardware(gbit_per_s * 125e6, latency_s, cores)


@dataclass(frozen=True)
class Workload:
    """What one step is.

    Attributes
    ----------
    step_s
        Seconds of one step of a whole batch on one machine alone.
    variables
        Bytes of the model's variables.
    largest
        Bytes of the largest one of them, which no two parameter servers share; 0 where that is not known.
    """

    step_s: float
    variables: int
    largest: int = 0


@dataclass(frozen=True)
class Costs:
    """What the parts of a step cost: seconds of a processor core, unless said otherwise.

    Attributes
    ----------
    busy
        Share of its machine's cores that one process keeps at work.
    step_s, update_byte_s
        Of a step, however small the batch: to begin it, and to update the variables, by their bytes.
    ring_round_s, ring_byte_s
        Of a synchronous worker: one of the ``2 (W - 1)`` rounds of a step, and a byte that it sends.
    worker_step_s, worker_byte_s
        Of an asynchronous worker, besides computing: a step, and a byte of the variables pulled or gradients pushed.
    ps_step_s, ps_byte_s
        Of the parameter servers together, for the same; the update is in it. Each serves one request at a time.
    chief_busy
        Share of a core that the chief needs to look how far the others are.
    chief_step_s
        Of the chief, to hand a step out.
    """

    busy: float
    step_s: float
    update_byte_s: float
    ring_round_s: float
    ring_byte_s: float
    worker_step_s: float
    worker_byte_s: float
    ps_step_s: float
    ps_byte_s: float
    chief_busy: float
    chief_step_s: float


MEASURED = Costs(
    busy=0.87,
    step_s=0.0,
    update_byte_s=3.9e-9,
    ring_round_s=0.0028,
    ring_byte_s=1.7e-9,
    worker_step_s=0.0047,
    worker_byte_s=1.3e-9,
    ps_step_s=0.015,
    ps_byte_s=1.2e-9,
    chief_busy=0.066,
    chief_step_s=0.0,
)
"""By ``python -m benchmarks scaling`` on 2026-11-22, running alone; AMD EPYC, 2 cores, TensorFlow 2.21."""


@dataclass(frozen=True)
class Pace:
    """How fast a layout is.

    Attributes
    ----------
    step_s
        Seconds from one finished step to the next, whoever did it.
    bottleneck
        What takes most of a step, or holds the others up, in words.
    """

    layout: Layout
    step_s: float
    bottleneck: str

    def images_per_s(self, batch_size: int) -> float:
        """Examples a second."""
        return batch_size / self.step_s


def foretell(work: Workload, layout: Layout, site: Hardware, costs: Costs = MEASURED) -> Pace:
    """How fast the layout would train; one process as fast as ``work`` says, others never faster than by their number."""
    if layout.ps == 0 and layout.workers == 1:
        return Pace(layout, work.step_s, "computing")
    unshared = (_queue if layout.ps else _ring)(work, layout, site, costs)
    if not site.shared:
        return unshared
    cores = site.cores - (costs.chief_busy if layout.ps else 0.0)
    cpu_s = _cpu_s(work, layout, site, costs) / cores
    if cpu_s < unshared.step_s:
        return unshared
    return Pace(layout, cpu_s, f"the {site.cores} cores that all machines share")


def choose(work: Workload, layouts: Iterable[Layout], site: Hardware, costs: Costs = MEASURED) -> Pace:
    """The fastest of the layouts; the one of fewer machines where two are as fast."""
    return min(
        (foretell(work, layout, site, costs) for layout in layouts),
        key=lambda pace: (pace.step_s, len(pace.layout.places)),
    )


def pays_from(work: Workload, site: Hardware, ps: int = 1, costs: Costs = MEASURED) -> int | None:
    """From how many workers on parameter servers are faster than as many machines that work synchronously.

    ``None`` if they are not with any number up to ``MOST_WORKERS``.
    """
    best = work.step_s
    machines = 1
    for workers in range(1, MOST_WORKERS + 1):
        layout = Layout(ps, workers)
        while machines < len(layout.places):
            machines += 1
            best = min(best, foretell(work, Layout(workers=machines), site, costs).step_s)
        if foretell(work, layout, site, costs).step_s < best:
            return workers
    return None


def infer(step_s: float, layout: Layout, variables: int, site: Hardware, costs: Costs = MEASURED) -> Workload:
    """The work of which the model says that this layout takes ``step_s`` for a step.

    Where the parts that are no computing would take longer than that by themselves, next to nothing is left to
    compute; compare two layouts by the ratio of what is foretold of both.
    """
    low, high = 0.0, step_s * layout.workers  # nobody is faster than by the number of workers
    for _ in range(60):
        middle = (low + high) / 2
        if foretell(Workload(middle, variables), layout, site, costs).step_s < step_s:
            low = middle
        else:
            high = middle
    return Workload(high, variables)


def _alone(work: Workload, site: Hardware, costs: Costs) -> tuple[float, float, float]:
    """Core seconds of a step in one process: all of it, what each process has however small its share, the update."""
    whole = work.step_s * costs.busy * site.cores
    fixed = min(whole, costs.step_s + costs.update_byte_s * work.variables)
    return whole, fixed, min(whole, costs.update_byte_s * work.variables)


def _ring(work: Workload, layout: Layout, site: Hardware, costs: Costs) -> Pace:
    """A synchronous step: each worker's share of the batch, then the gradients around a ring.

    In a ring of W each sends and receives ``2 (W - 1) / W`` times the bytes in ``2 (W - 1)`` rounds (Patarasuk and
    Yuan, Bandwidth optimal all-reduce algorithms for clusters of workstations, J. Parallel Distrib. Comput. 69,
    2009).
    """
    workers = layout.workers
    whole, fixed, _ = _alone(work, site, costs)
    rounds, sent = _ring_load(work, workers)
    parts = {
        "computing": (fixed + (whole - fixed) / workers) / (costs.busy * site.cores),
        "the processors, which send and add gradients": costs.ring_byte_s * sent,
        "the network": site.sending_s(sent),
        "waiting for each other in the ring": rounds * (costs.ring_round_s + site.latency_s),
    }
    return Pace(layout, sum(parts.values()), max(parts, key=lambda name: parts[name]))


def _ring_load(work: Workload, workers: int) -> tuple[int, float]:
    """Rounds, and bytes that each worker sends."""
    return 2 * (workers - 1), 2 * (workers - 1) / workers * work.variables


def _queue(work: Workload, layout: Layout, site: Hardware, costs: Costs) -> Pace:
    """An asynchronous step: a worker computes, then waits its turn at the chief and each parameter server."""
    _, _, update = _alone(work, site, costs)
    moved = 2 * work.variables  # variables come, gradients go
    served = costs.ps_step_s + costs.ps_byte_s * moved
    think = (
        work.step_s
        - min(served, update / (costs.busy * site.cores))  # the servers do that
        + costs.worker_step_s
        + costs.worker_byte_s * moved
        + 4 * site.latency_s
    )
    stations = [_Station("the chief, which hands out steps", costs.chief_step_s / (1 - costs.chief_busy), 1)]
    for share, count in _shares(work, layout.ps):
        whose = "the parameter server" if layout.ps == 1 else "the parameter servers"
        if layout.ps > 1 and count == 1:
            whose = "the parameter server that holds the largest variable"
        wire = site.sending_s(share * work.variables)
        stations += [
            _Station(f"the processor of {whose}", served * share, count),
            _Station(f"the network into {whose}", wire, count),
            _Station(f"the network out of {whose}", wire, count),
        ]
    steps_per_s = _throughput(think, stations, layout.workers)
    busiest = max(stations, key=lambda station: station.demand_s)
    waited = layout.workers / steps_per_s - think
    return Pace(layout, 1 / steps_per_s, busiest.name if waited > think else "computing")


def _shares(work: Workload, ps: int) -> list[tuple[float, int]]:
    """What of the bytes a parameter server holds, and how many hold as much."""
    largest = max(1 / ps, work.largest / work.variables if work.variables else 0.0)
    if ps == 1 or largest <= 1 / ps:
        return [(1 / ps, ps)]
    return [(largest, 1), ((1 - largest) / (ps - 1), ps - 1)]


@dataclass(frozen=True)
class _Station:
    """Something that serves one worker after the other.

    Attributes
    ----------
    demand_s
        For which one step needs it.
    count
        How many alike there are, of which a step needs each.
    """

    name: str
    demand_s: float
    count: int


def _throughput(think_s: float, stations: Sequence[_Station], customers: int) -> float:
    """Rounds a second of so many customers, each of whom thinks and then visits every station.

    Exact mean value analysis of a closed network (Reiser and Lavenberg, Mean-value analysis of closed multichain
    queuing networks, J. ACM 27, 1980). A worker asks all servers at once and not one after the other, so for few
    workers and many servers the truth is a little better.
    """
    queues = [0.0] * len(stations)
    rate = 0.0
    for count in range(1, customers + 1):
        waits = [station.demand_s * (1 + queue) for station, queue in zip(stations, queues, strict=True)]
        cycle = think_s + sum(station.count * w for station, w in zip(stations, waits, strict=True))
        rate = count / cycle
        queues = [rate * wait for wait in waits]
    return rate


def _cpu_s(work: Workload, layout: Layout, site: Hardware, costs: Costs) -> float:
    """Core seconds of a step, all machines together."""
    whole, fixed, update = _alone(work, site, costs)
    if layout.ps:
        moved = 2 * work.variables
        served = costs.ps_step_s + costs.ps_byte_s * moved
        asked = costs.worker_step_s + costs.worker_byte_s * moved
        return whole - min(served, update) + asked + served + costs.chief_step_s
    rounds, sent = _ring_load(work, layout.workers)
    each = fixed + rounds * costs.ring_round_s + costs.ring_byte_s * sent
    return whole - fixed + layout.workers * each
