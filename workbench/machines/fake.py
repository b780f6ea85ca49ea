"""A provider whose machines are entries of a dictionary: for tests of what stands above providers."""

import itertools
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from workbench.errors import BadInput, NotFound
from workbench.machines import Done, Exit, Layout, Machine, Place, Plan, Resource, machine_folder

Behaviour = Callable[["FakeProvider", Machine, Path], None]
"""What a machine does when it begins its role in the job of a folder."""
Collecting = Callable[[str, Path, bool], None]
"""What ``collect`` does, with the same arguments."""


@dataclass
class _Cluster:
    machines: dict[Place, Machine]
    folder: Path | None = None


@dataclass
class FakeProvider:
    """Keeps what a real provider would ask the system for.

    Attributes
    ----------
    behaviour
        Called with each machine that begins a role; it may write events and call ``end``.
    now
        The clock: seconds since the epoch.
    collecting
        Called by ``collect``.
    kept
        The job's folder of each version that was given to ``keep``.
    """

    behaviour: Behaviour = lambda provider, machine, folder: None
    now: Callable[[], float] = lambda: 0.0
    warnings: tuple[str, ...] = ()
    independent: bool = False
    collecting: Collecting = lambda name, folder, whole: None
    kept: dict[str, Path] = field(default_factory=dict)
    clusters: dict[str, _Cluster] = field(default_factory=dict)
    pids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def plan(self, layout: Layout) -> Plan:
        return Plan(tuple(Resource("fake", f"{p.role}-{p.index}") for p in layout.places), 0.0)

    def launch(self, name: str, layout: Layout, folder: Path | None = None) -> list[Machine]:
        if name in self.clusters:
            raise BadInput(f"there is a cluster {name!r} already; terminate it first")
        machines = {
            place: Machine(name, place.role, place.index, "stopped", f"fake:{number}", created=self.now())
            for number, place in enumerate(layout.places)
        }
        self.clusters[name] = _Cluster(machines)
        return self.start(name) if folder is None else self.assign(name, folder)

    def machines(self, name: str | None = None) -> list[Machine]:
        names = sorted(self.clusters) if name is None else [name]
        return [m for one in names if one in self.clusters for m in self.clusters[one].machines.values()]

    def assign(self, name: str, folder: Path | None) -> list[Machine]:
        self.stop(name)
        cluster = self._find(name)
        cluster.folder = folder
        if folder is None:
            return self.start(name)
        addresses: dict[str, list[str]] = {}
        for machine in cluster.machines.values():
            machine_folder(folder, machine.place).mkdir(parents=True, exist_ok=True)
            addresses.setdefault(machine.role, []).append(machine.address)
        job = folder / "job.json"
        if job.exists():
            job.write_text(json.dumps({**json.loads(job.read_text()), "cluster": addresses}))
        return self.start(name)

    def start(self, name: str, only: Collection[Place] | None = None) -> list[Machine]:
        cluster = self._find(name)
        begun = [
            p for p, m in cluster.machines.items() if m.state != "running" and (only is None or p in only)
        ]
        for place in begun:
            machine = replace(cluster.machines[place], state="running", pid=next(self.pids), exit=None)
            cluster.machines[place] = machine
        for place in begun:
            if cluster.folder is not None:
                self.behaviour(self, cluster.machines[place], cluster.folder)
        return self.machines(name)

    def stop(self, name: str, only: Collection[Place] | None = None) -> list[Machine]:
        for machine in self.machines(name):
            if machine.state == "running" and (only is None or machine.place in only):
                self.end(name, machine.place, -15, "stopped")
        return self.machines(name)

    def terminate(self, name: str) -> None:
        self.clusters.pop(name, None)

    def run(self, machine: Machine, *command: str, timeout_s: float = 60.0) -> Done:
        if not any(m.place == machine.place and m.state == "running" for m in self.machines(machine.cluster)):
            raise NotFound(f"{machine.place} of {machine.cluster} does not run")
        return Done(0, f"{' '.join(command)}\n", "")

    def collect(self, name: str, folder: Path, whole: bool = False) -> None:
        self.collecting(name, folder, whole)

    def keep(self, folder: Path, version: str, pack: Callable[[Path], object]) -> None:
        self.kept[version] = folder

    def link(self, version: str) -> str | None:
        return f"https://fake/{version}" if version in self.kept else None

    def end(self, name: str, place: Place, code: int, reason: str = "") -> None:
        """Let the process of a machine end, as a crash does."""
        cluster = self._find(name)
        ended = replace(cluster.machines[place], state="stopped", pid=None, exit=Exit(code, reason))
        cluster.machines[place] = ended

    def _find(self, name: str) -> _Cluster:
        if name not in self.clusters:
            raise NotFound(f"there is no cluster {name!r}")
        return self.clusters[name]
