"""The provider whose machines are processes of this computer.

A cluster is one process (``head.py``) and, below it, one process a machine, all forked from the fork server
(``fork_server.py``) and sandboxed as far as the system allows (``sandbox.py``). What exists is read from the system:
each process carries its mark in its environment. ``WORKBENCH_HOME/clusters/NAME`` keeps what no process can tell once
it is gone: the layout and the addresses.
"""

import contextlib
import random
import shutil
import socket
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import psutil

from workbench.errors import BadInput, NotFound, Unavailable
from workbench.machines import Done, Exit, Layout, Machine, Place, Plan, Resource
from workbench.machines.local import folders, fork_client, processes, records
from workbench.machines.local.head import STOP_GRACE_S
from workbench.machines.local.isolation import refuse
from workbench.machines.local.messages import FULL, NONE, USER, Ends, Launch, Look, Run, Standing, Start, Stop
from workbench.machines.local.processes import Found
from workbench.machines.local.records import ClusterRecord
from workbench.machines.local.sandbox import MachineLimits
from workbench.settings import Settings
from workbench.system.control_socket import Failed, Nothing, ask
from workbench.system.waiting import wait_until

A = TypeVar("A")

NODE = "workbench.node.__main__"
IMPORTED = (NODE, "workbench.node.training", "workbench.node.export", "workbench.node.trial")
"""What the fork server imports, so that no machine has to."""
MAX_MACHINES = 64
"""Processes of one cluster; more would only wait for each other."""
PORTS = range(20_000, 32_000)
"""Below those that Linux gives to outgoing connections."""
MEMORY_SHARE = 0.8
LEAST_MEMORY = 3 * 1024**3
"""A chief needs about 1 GB (see ``benchmarks``); what is less would fail without a fault of the recipe's."""
END_TIMEOUT_S = 8.0


class LocalProvider:
    """Machines as processes of this computer.

    Parameters
    ----------
    node
        The module whose ``main([folder, role, index])`` is what a machine does in a job.
    imported
        Modules that are imported once, in the fork server.
    isolate
        Whether machines are sandboxed as far as the system allows.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        node: str = NODE,
        imported: Sequence[str] = IMPORTED,
        isolate: bool = True,
        limits: MachineLimits | None = None,
    ) -> None:
        self.home = settings.home
        self.node = node
        self.imported = tuple(imported)
        self.isolate = isolate
        self.least = settings.isolation
        self.limits = limits

    @property
    def warnings(self) -> tuple[str, ...]:
        if not self.isolate:
            return ("machines run without isolation, as asked",)
        there = self.prewarm()
        if there.isolation == FULL:
            return ()
        if there.isolation == USER:
            return (
                "machines run as a user of their own but not in namespaces of their own: their gRPC ports can be "
                f"reached by every process of this computer ({there.why_not})",
            )
        return (
            "machines run with all rights of the user who runs the workbench: recipes can read the workbench's tokens "
            f"({there.why_not})",
        )

    def prewarm(self) -> Standing:
        """Have TensorFlow imported before the first launch, and keep it for a while longer."""
        folders.open_home(self.home)
        return fork_client.begin(self.home, self.imported)

    @property
    def independent(self) -> bool:
        return False

    def plan(self, layout: Layout) -> Plan:
        _check_size(layout)
        return Plan(tuple(Resource("process", f"{p.role}-{p.index}") for p in layout.places), 0.0)

    def launch(self, name: str, layout: Layout, folder: Path | None = None) -> list[Machine]:
        _check_size(layout)
        return self._launch(name, layout.places, folder, self.node, self.limits or default_limits(layout))

    def launch_task(self, name: str, folder: Path, module: str, limits: MachineLimits) -> list[Machine]:
        """One machine ``task 0`` that does ``main([folder, "task", "0"])`` of the module, sandboxed as any other."""
        return self._launch(name, (Place("task", 0),), folder, module, limits)

    def machines(self, name: str | None = None) -> list[Machine]:
        found = processes.living(self.home)
        every = {*records.recorded(self.home), *(f.cluster for f in found)}
        return [
            machine
            for one in (sorted(every) if name is None else [name])
            for machine in self._look(one, found)
        ]

    def assign(self, name: str, folder: Path | None) -> list[Machine]:
        before = records.read(self.home, name)
        record = replace(before, folder=folder, module=self.node)
        if self._has_ended(name):
            record = self._begin(name, record)
        self.stop(name)
        folders.take_back(before)
        self._give(name, record)
        self._ask(name, Start(work=record.work, idle=folder is None), Nothing)
        return self.machines(name)

    def start(self, name: str, only: Collection[Place] | None = None) -> list[Machine]:
        record, work = records.read(self.home, name), None
        if self._has_ended(name):
            record = self._begin(name, record)
            self._give(name, record)
            work = record.work
        self._ask(name, Start(_listed(only), work), Nothing)
        return self.machines(name)

    def stop(self, name: str, only: Collection[Place] | None = None) -> list[Machine]:
        if records.recorded(self.home, name):
            try:
                self._ask(name, Stop(_listed(only)), Nothing, STOP_GRACE_S + 5)
            except Unavailable:  # nobody answers, so it is done from outside
                processes.end(
                    f
                    for f in processes.living(self.home)
                    if f.cluster == name and (not only or f.place in only)
                )
        return self.machines(name)

    def terminate(self, name: str) -> None:
        def living() -> list[Found]:
            return [f for f in processes.living(self.home) if f.cluster == name]

        def ended() -> bool:
            processes.end(found := living())
            return not found

        wait_until(
            ended,
            END_TIMEOUT_S,
            0.01,
            lambda: f"these processes do not end: {sorted(f.pid for f in living())}",
        )
        shutil.rmtree(records.folder_of(self.home, name), ignore_errors=True)

    def run(self, machine: Machine, *command: str, timeout_s: float = 60.0) -> Done:
        if not any(m.place == machine.place and m.state == "running" for m in self.machines(machine.cluster)):
            raise NotFound(f"{machine.place} of {machine.cluster} does not run")
        return self._ask(machine.cluster, Run(machine.place, command, timeout_s), Done, timeout_s + 10)

    def collect(self, name: str, folder: Path, whole: bool = False) -> None:
        """Machines of this computer write into the folder themselves."""

    def keep(self, folder: Path, version: str, pack: Callable[[Path], object]) -> None:
        """The registry of this computer has it."""

    def link(self, version: str) -> str | None:
        return None

    def _launch(
        self, name: str, places: Sequence[Place], folder: Path | None, module: str, limits: MachineLimits
    ) -> list[Machine]:
        ports = free_ports(len(places))
        addresses = {str(place): f"127.0.0.1:{port}" for place, port in zip(places, ports, strict=True)}
        record = ClusterRecord(tuple(places), addresses, folder, module, limits, time.time())
        record = records.create(self.home, name, record)
        try:
            record = self._begin(name, record)
            self._give(name, record)
            self._ask(name, Start(work=record.work), Nothing)
            return self.machines(name)
        except BaseException:
            self.terminate(name)
            raise

    def _has_ended(self, name: str) -> bool:
        """Whether even the cluster's first process is gone, as when the computer was switched off."""
        return not any(f.cluster == name and f.place.role == "cluster" for f in processes.living(self.home))

    def _begin(self, name: str, record: ClusterRecord) -> ClusterRecord:
        """Begin the cluster's first process; give the record with what it is kept from.

        Raises
        ------
        Unavailable
            It cannot be kept from as much as ``WORKBENCH_ISOLATION`` asks for.
        """
        there = self.prewarm()
        if self.isolate and (why := refuse(there, self.least)) is not None:
            raise Unavailable(why)
        record = replace(record, isolation=there.isolation if self.isolate else NONE)
        records.write(self.home, name, record)
        asked = Launch(name, record.places, record.uid, record.isolation, record.limits)
        fork_client.launch(self.home, asked)
        return record

    def _give(self, name: str, record: ClusterRecord) -> None:
        """Let the cluster work in the folder of its record, if there is one."""
        if record.folder is not None:
            folders.give(self.home, record)
        records.write(self.home, name, record)

    def _look(self, name: str, found: Sequence[Found]) -> Iterator[Machine]:
        """The machines of a cluster: those recorded, and those that live without a record."""
        try:
            record = records.read(self.home, name)
        except NotFound:
            record = None
        living = processes.roots([f for f in found if f.cluster == name])
        heads = {f.pid for f in living.values() if f.place.role == "cluster"}
        ends = self._ends(name) if heads else Ends()
        exits = {one.place: Exit(one.code, one.reason) for one in ends.exits}
        places = record.places if record else ()
        for place in (*places, *(p for p in living if p not in places and p.role != "cluster")):
            alive = living.get(place)
            yield Machine(
                cluster=name,
                role=place.role,
                index=place.index,
                state="running" if alive or place in ends.ending else "stopped",
                address=record.addresses.get(str(place), "") if record else "",
                pid=alive.pid if alive else None,
                created=alive.created if alive else record.created if record else 0.0,
                exit=None if alive else exits.get(place),
            )

    def _ends(self, name: str) -> Ends:
        with contextlib.suppress(Unavailable, NotFound):
            return self._ask(name, Look(), Ends)
        return Ends()

    def _ask(self, name: str, asked: object, answer: type[A], timeout_s: float = 10.0) -> A:
        if not records.recorded(self.home, name):
            raise NotFound(f"there is no cluster {name!r}")
        try:
            return ask(records.folder_of(self.home, name), asked, answer, timeout_s)
        except (OSError, ValueError) as error:
            raise Unavailable(f"the cluster {name} does not answer: {error}") from error
        except Failed as error:
            doing = type(asked).__name__.lower()
            raise Unavailable(f"the cluster {name} could not {doing}: {error}") from error


def _check_size(layout: Layout) -> None:
    if len(layout.places) > MAX_MACHINES:
        raise BadInput(
            f"this computer takes {MAX_MACHINES} machines a job; ask the provider 'aws' for more. "
            f"Received: ps={layout.ps}, workers={layout.workers}"
        )


def default_limits(layout: Layout) -> MachineLimits:
    """The computer's memory shared out among the machines, but never less than TensorFlow needs."""
    share = int(psutil.virtual_memory().total * MEMORY_SHARE / len(layout.places))
    return MachineLimits(memory_bytes=max(LEAST_MEMORY, share))


def end_all(settings: Settings) -> int:
    """End every cluster of the home and the fork server; give how many processes there were."""
    home = settings.home
    found = processes.living(home)
    for name in {*records.recorded(home), *(f.cluster for f in found)}:
        LocalProvider(settings).terminate(name)
    warm_one = processes.find_warm(home)
    if warm_one is not None:
        processes.end([warm_one])
    return len(found) + (warm_one is not None)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at any address."""
    free: list[int] = []
    for port in random.sample(
        PORTS, len(PORTS)
    ):  # not secret: another launch at the same moment takes others
        if len(free) == count:
            break
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial, contextlib.suppress(OSError):
            trial.bind(("", port))
            free.append(port)
    return free


def _listed(only: Collection[Place] | None) -> tuple[Place, ...] | None:
    return None if only is None else tuple(only)
