"""What the job store gives: frozen values, no connection behind them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from workbench.events import Error, Progress
from workbench.lineage import DatasetPin
from workbench.recipes import Recipe

STATES = ("queued", "initializing", "training", "exporting", "completed", "failed", "terminated")
ACTIVE = frozenset({"initializing", "training", "exporting"})
"""States in which a runner is at work."""
ENDED = frozenset({"completed", "failed", "terminated"})
NEXT = {
    "queued": frozenset({"failed", "terminated"}),
    "initializing": frozenset({"training", "exporting", "failed", "terminated"}),
    "training": frozenset({"exporting", "failed", "terminated"}),
    "exporting": frozenset({"completed", "failed", "terminated"}),
}
"""Where ``Store.move`` may go from each state; ``claim`` begins an attempt and ``retry`` another."""


@dataclass(frozen=True)
class MachineRecord:
    """One role of a job and what it ran on, as the store keeps it after the machine is gone."""

    role: str
    index: int
    state: str
    """``pending``, ``running``, ``stopped`` or ``terminated``."""
    pid: int | None = None
    instance: str | None = None
    phase: str | None = None
    """What the machine itself reported last; given by the store, not to it."""


@dataclass(frozen=True)
class StateChange:
    """A job came into a state, at a time in seconds since 1970."""

    attempt: int
    state: str
    t: float
    machines_t: float | None = None
    """Of ``initializing``: since when machines existed for it."""


def machine_spans(changes: Sequence[StateChange], now: float) -> Iterator[tuple[str, float, float]]:
    """State, begin and end of each span in which a job's machines existed; ``listing`` has the same in SQL.

    A check before there are machines is none, nor a launch that got none.
    """
    ends = [change.t for change in changes[1:]] + [now]
    for change, end in zip(changes, ends, strict=True):
        begin = change.machines_t if change.state == "initializing" else change.t
        if change.state in ACTIVE and begin is not None:
            yield change.state, begin, end


@dataclass(frozen=True)
class Lease:
    """Who runs a job, and until when that holds without a heartbeat."""

    runner: str
    until: float


@dataclass(frozen=True)
class Point:
    """One point of a curve."""

    step: int
    t: float
    epoch: int
    loss: float | None
    accuracy: float | None
    images_per_s: float | None


@dataclass(frozen=True)
class Curve:
    """A job's metrics by ascending step, at most as many points as were asked for in each part."""

    training: list[Point]
    validation: list[Point]


@dataclass(frozen=True)
class Job:
    """One training request and what became of it.

    Attributes
    ----------
    recipe
        ``None`` in listings.
    attempt, origin
        How often it was queued, and which of these attempts began from nothing: a checkpoint from an attempt
        before ``origin`` is not to be used.
    progress
        The newest metric of the machine that leads, with the newest validation; ``None`` until the first metric since
        ``origin``.
    accuracy
        Of the published version on the held-out part, 0 to 1; ``None`` before, and for a regression.
    error
        What ended the attempt, if it failed.
    changes
        Every change of state, the first one first.
    execution_s
        Seconds with machines at work, all attempts together, as of the moment of asking.
    terminate_asked
        When somebody asked to terminate this attempt.
    datasets
        The versions of data sets that it was submitted with, by name.
    """

    id: int
    name: str
    requester: str
    state: str
    recipe: Recipe | None
    recipe_sha256: str
    ps: int
    workers: int
    epochs: int | None
    provider: str
    instance_type: str | None
    cluster: str | None
    attempt: int
    origin: int
    progress: Progress | None
    accuracy: float | None
    version: int | None
    error: Error | None
    machines: tuple[MachineRecord, ...]
    changes: tuple[StateChange, ...]
    execution_s: float
    price_per_hour: float | None
    lease: Lease | None
    terminate_asked: float | None
    datasets: Mapping[str, DatasetPin] = field(default_factory=dict)
    machines_s: float = 0.0
    """Seconds in which its machines existed, all attempts together, as of the moment of asking."""

    @property
    def step(self) -> int | None:
        """Steps done."""
        return self.progress.step if self.progress else None

    @property
    def of(self) -> int | None:
        """Steps to do in all."""
        return self.progress.of if self.progress else None

    @property
    def times(self) -> dict[str, float]:
        """When it last came into each state that it has been in."""
        return {change.state: change.t for change in self.changes}

    @property
    def cost(self) -> float | None:
        """So far, in the currency of ``price_per_hour``, for the time in which its machines existed; ``None`` where no price
        is known.
        """
        return None if self.price_per_hour is None else self.price_per_hour * self.machines_s / 3600

    @property
    def lead(self) -> tuple[str, int]:
        """Role and index of the machine whose metrics and phases are the job's."""
        return leading(self.ps)

    def as_json(self) -> dict[str, object]:
        """What ``--json`` prints: everything but the recipe's source."""
        error = asdict(self.error) if self.error else None
        progress = asdict(self.progress) if self.progress else {}
        return {
            "id": self.id,
            "name": self.name,
            "requester": self.requester,
            "state": self.state,
            "step": self.step,
            "of": self.of,
            "accuracy": self.accuracy,
            "version": self.version,
            "error": error,
            "ps": self.ps,
            "workers": self.workers,
            "epochs": self.epochs,
            "provider": self.provider,
            "instance_type": self.instance_type,
            "cluster": self.cluster,
            "machines": [asdict(machine) for machine in self.machines],
            "times": self.times,
            "attempt": self.attempt,
            "execution_s": self.execution_s,
            "cost": self.cost,
            "recipe_sha256": self.recipe_sha256,
            "terminate_asked": self.terminate_asked,
            "datasets": {name: vars(pin) for name, pin in self.datasets.items()},
            **{name: progress.get(name) for name in _PROGRESS},
        }


_PROGRESS = ("epoch", "loss", "val_loss", "val_accuracy", "images_per_s", "eta_s")


def leading(ps: int) -> tuple[str, int]:
    """Role and index of the leading machine in a layout: the chief where there are parameter servers."""
    return ("chief", 0) if ps else ("worker", 0)
