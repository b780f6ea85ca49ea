"""Where machines come from: what every provider promises, and the values that go in and out.

Written so that one suite of contract tests (``tests/machines/test_contract.py``) runs against each of them.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from workbench.errors import BadInput
from workbench.system.endings import describe_code

MAX_MACHINES = 1000
"""Of one cluster, wherever; a provider may have room for fewer."""


@dataclass(frozen=True, order=True)
class Place:
    """Which machine of a cluster: its role and its number in that role."""

    role: str
    """``chief``, ``ps`` or ``worker``."""
    index: int

    @property
    def pair(self) -> list[str | int]:
        """As JSON."""
        return [self.role, self.index]

    def __str__(self) -> str:
        return f"{self.role} {self.index}"


@dataclass(frozen=True)
class Layout:
    """How many parameter servers and workers a job asks for, and on what.

    >>> [str(place) for place in Layout(ps=1, workers=2).places]
    ['chief 0', 'ps 0', 'worker 0', 'worker 1']
    >>> str(Layout(workers=2).leader)
    'worker 0'
    """

    ps: int = 0
    workers: int = 1
    instance_type: str | None = None

    def __post_init__(self) -> None:
        count = self.ps + self.workers + (self.ps > 0)  # never listed before it is known to be small
        if self.ps < 0 or self.workers < 1 or count > MAX_MACHINES:
            raise BadInput(
                f"a job has 0 or more parameter servers, 1 or more workers and at most {MAX_MACHINES} machines. "
                f"Received: ps={self.ps}, workers={self.workers}"
            )

    @property
    def places(self) -> tuple[Place, ...]:
        """Every machine; a chief only where there are parameter servers."""
        counts = {"chief": min(self.ps, 1), "ps": self.ps, "worker": self.workers}
        return tuple(Place(role, index) for role, count in counts.items() for index in range(count))

    @property
    def leader(self) -> Place:
        """The machine that evaluates, writes checkpoints and exports."""
        return self.places[0]


@dataclass(frozen=True)
class Resource:
    """One thing that a launch would make."""

    type: str
    name: str


@dataclass(frozen=True)
class Plan:
    """What a launch would make, and what that costs."""

    resources: tuple[Resource, ...]
    price_per_hour: float
    """US dollars."""
    at_most: bool = False
    """Whether it will be less: the price of spot machines is known only when they run."""

    @property
    def price(self) -> str:
        """The price in words.

        >>> Plan((), 0.166, at_most=True).price
        'at most $0.17 an hour, as these are spot machines'
        """
        if self.price_per_hour == 0:
            return "free"
        hour = f"${self.price_per_hour:.2f} an hour"
        return f"at most {hour}, as these are spot machines" if self.at_most else hour


@dataclass(frozen=True)
class Exit:
    """How the last process of a machine ended."""

    code: int
    """As ``subprocess`` has it: a signal is negative."""
    reason: str = ""
    """Why the machine itself ended it, for instance for the memory it used; empty where it ended by itself."""

    def __str__(self) -> str:
        return self.reason or describe_code(self.code)


@dataclass(frozen=True)
class Machine:
    """One machine as the system shows it now."""

    cluster: str
    role: str
    index: int
    state: str
    """``pending``, ``running``, ``stopped`` or ``terminated``."""
    address: str = ""
    """``host:port`` at which its peers find it."""
    pid: int | None = None
    instance: str | None = None
    created: float = 0.0
    """Seconds since the epoch."""
    exit: Exit | None = None
    """How its process ended, where that is known and no other has begun since."""

    @property
    def place(self) -> Place:
        return Place(self.role, self.index)


@dataclass(frozen=True)
class Done:
    """What a command on a machine said and how it ended."""

    code: int
    stdout: str
    stderr: str


class Provider(Protocol):
    """Machines by the cluster. The provider asks the system what exists and never trusts a memory of its own.

    A cluster's life: nothing → ``launch`` → running ⇄ ``stop`` / ``start`` → ``terminate`` → nothing. Every verb
    may be called again, also by another process and after a crash in the middle of the call before.
    """

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the machines lack of their usual protection here, in plain words."""

    @property
    def independent(self) -> bool:
        """Whether machines go on, and end themselves when they are done, while this computer is off."""

    def plan(self, layout: Layout) -> Plan:
        """What ``launch`` would make; changes nothing.

        Raises
        ------
        BadInput
            No such layout is possible here.
        """

    def launch(self, name: str, layout: Layout, folder: Path | None = None) -> list[Machine]:
        """Make the machines of a new cluster; give them as ``machines`` would.

        With a job's ``folder`` each machine begins its role in that job at once, and ``cluster`` in the folder's
        ``job.json`` holds the addresses. Without one they stand ready for ``assign``. If one machine cannot be
        made none is left.

        Raises
        ------
        BadInput
            There is a cluster of that name, or the layout is not possible.
        Unavailable
            The machines cannot be had now.
        """

    def machines(self, name: str | None = None) -> list[Machine]:
        """The machines that exist, in the order of the layout; only the cluster ``name`` where one is given.

        A cluster that was never launched or is terminated has none.
        """

    def assign(self, name: str, folder: Path | None) -> list[Machine]:
        """Let each machine of a cluster begin its role in the job of the folder; what it did before ends.

        Without a folder they stand ready again.

        Raises
        ------
        NotFound
            There is no such cluster.
        """

    def start(self, name: str, only: Collection[Place] | None = None) -> list[Machine]:
        """Start the machines that do not run; each takes up the role it had. Those that run are left alone.

        Raises
        ------
        NotFound
            There is no such cluster.
        """

    def stop(self, name: str, only: Collection[Place] | None = None) -> list[Machine]:
        """End what runs on the machines and keep the machines: ``stopped`` when this returns.

        Those that are stopped, and clusters that do not exist, are fine.
        """

    def terminate(self, name: str) -> None:
        """End the cluster: when this returns none of its processes is left and it has no machines.

        A cluster that does not exist is fine.
        """

    def run(self, machine: Machine, *command: str, timeout_s: float = 60.0) -> Done:
        """Run a command on a running machine, with what the machine can see and do, and wait for it.

        A command that takes longer is ended and gives code -9.

        Raises
        ------
        NotFound
            The machine does not run.
        """

    def collect(self, name: str, folder: Path, whole: bool = False) -> None:
        """Bring into the job's folder what the machines of the cluster reported, also when they are gone by now.

        Where machines write into that very folder there is nothing to do. What was brought before is not brought
        again; after a crash in the middle some lines may come twice.

        Parameters
        ----------
        whole
            Bring the export too, if the leading machine has left one: ``fields.json`` comes last.
        """

    def keep(self, folder: Path, version: str, pack: Callable[[Path], object]) -> None:
        """The job of the folder has become this version, ``NAME:V``: keep a copy where machines are, forget the job.

        Where machines are here there is nothing to do.

        Parameters
        ----------
        pack
            Writes the version's zip to a path.
        """

    def link(self, version: str) -> str | None:
        """An address from which anybody can download a kept version for a while; ``None`` if there is none."""


def check_cluster_name(name: str) -> None:
    """Refuse what no cluster can be called: raises ``BadInput``."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", name):
        raise BadInput(f"a cluster's name is 1 to 63 of a-z, 0-9, '.', '_' and '-'. Received: {name!r}")


def machine_folder(folder: Path, place: Place) -> Path:
    """Where a machine's events and logs are in a job's folder."""
    return folder / "machines" / f"{place.role}-{place.index}"
