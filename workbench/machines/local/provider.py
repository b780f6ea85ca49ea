"""The provider whose machines are processes of this computer.

A cluster is one process (``head.py``) and, below it, one process a machine, all forked from the warm process
(``fork_server.py``) and sandboxed as far as the system allows (``sandbox.py``). What exists is read from the system: each
process carries its mark in its environment. ``WORKBENCH_HOME/clusters/NAME`` keeps what no process can tell once it
is gone: the layout and the addresses.
"""

import contextlib
import json
import os
import random
import re
import shutil
import socket
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from workbench.errors import BadInput, NotFound, Unavailable
from workbench.machines import (
    Done,
    Exit,
    Layout,
    Machine,
    Place,
    Plan,
    Resource,
    check_cluster_name,
    machine_folder,
)
from workbench.machines.local import fork_server, processes
from workbench.machines.local.head import STOP_GRACE_S
from workbench.machines.local.processes import Found
from workbench.machines.local.sandbox import Limits, uid_of
from workbench.settings import Settings
from workbench.system import files
from workbench.system.control_socket import ask

NODE = "workbench.node.__main__"
IMPORTED = (NODE, "workbench.node.training", "workbench.node.export", "workbench.node.trial")
"""What the warm process imports, so that no machine has to."""
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
        Modules that are imported once, in the warm process.
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
        limits: Limits | None = None,
    ) -> None:
        self.home = settings.home
        self.node = node
        self.imported = tuple(imported)
        self.isolate = isolate
        self.limits = limits

    @property
    def warnings(self) -> tuple[str, ...]:
        if not self.isolate:
            return ("machines run without isolation, as asked",)
        there = self.prewarm()
        if there["isolation"] == fork_server.FULL:
            return ()
        if there["isolation"] == fork_server.USER:
            return (
                "machines run as a user of their own but not in namespaces of their own: their gRPC ports can be "
                f"reached by every process of this computer ({there['why_not']})",
            )
        return (
            "machines run with all rights of the user who runs the workbench: recipes can read the workbench's tokens "
            f"({there['why_not']})",
        )

    def prewarm(self) -> dict[str, Any]:
        """Have TensorFlow imported before the first launch, and keep it for a while longer."""
        for name in ("jobs", "data"):
            (self.home / name).mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            _guard(self.home)
        return fork_server.begin(self.home, self.imported)

    @property
    def independent(self) -> bool:
        return False

    def plan(self, layout: Layout) -> Plan:
        _check_size(layout)
        return Plan(tuple(Resource("process", f"{p.role}-{p.index}") for p in layout.places), 0.0)

    def launch(self, name: str, layout: Layout, folder: Path | None = None) -> list[Machine]:
        _check_size(layout)
        return self._launch(name, layout.places, folder, self.node, self.limits or default_limits(layout))

    def launch_task(self, name: str, folder: Path, module: str, limits: Limits) -> list[Machine]:
        """One machine ``task 0`` that does ``main([folder, "task", "0"])`` of the module, sandboxed as any other."""
        return self._launch(name, (Place("task", 0),), folder, module, limits)

    def machines(self, name: str | None = None) -> list[Machine]:
        found = processes.living(self.home)
        names = [name] if name is not None else sorted({*_recorded(self.home), *(f.cluster for f in found)})
        return [machine for one in names for machine in self._look(one, found)]

    def assign(self, name: str, folder: Path | None) -> list[Machine]:
        before = _read(self.home, name)
        record = {**before, "folder": str(folder) if folder else None, "module": self.node}
        if self._has_ended(name):
            self._begin(name, record)
        self.stop(name)
        self._take_back(before)
        if folder is None:
            files.write_json(_folder(self.home, name) / "cluster.json", record, indent=1)
        self._ask(name, {"do": "start", **(self._give(name, record) if folder else {"idle": True})})
        return self.machines(name)

    def start(self, name: str, only: Collection[Place] | None = None) -> list[Machine]:
        record, work = _read(self.home, name), {}
        if self._has_ended(name):
            self._begin(name, record)
            work = self._give(name, record) if record["folder"] else {}
        self._ask(name, {"do": "start", "only": _listed(only), **work})
        return self.machines(name)

    def stop(self, name: str, only: Collection[Place] | None = None) -> list[Machine]:
        if _recorded(self.home, name):
            try:
                self._ask(name, {"do": "stop", "only": _listed(only)}, STOP_GRACE_S + 5)
            except Unavailable:  # nobody answers, so it is done from outside
                processes.end(
                    f
                    for f in processes.living(self.home)
                    if f.cluster == name and (not only or f.place in only)
                )
        return self.machines(name)

    def terminate(self, name: str) -> None:
        give_up = time.monotonic() + END_TIMEOUT_S
        while found := [f for f in processes.living(self.home) if f.cluster == name]:
            processes.end(found)
            if time.monotonic() > give_up:
                raise Unavailable(f"these processes do not end: {sorted(f.pid for f in found)}")
        shutil.rmtree(_folder(self.home, name), ignore_errors=True)

    def run(self, machine: Machine, *command: str, timeout_s: float = 60.0) -> Done:
        if not any(m.place == machine.place and m.state == "running" for m in self.machines(machine.cluster)):
            raise NotFound(f"{machine.place} of {machine.cluster} does not run")
        asked = {"do": "run", "place": machine.place.pair, "command": list(command), "timeout_s": timeout_s}
        answer = self._ask(machine.cluster, asked, timeout_s + 10)
        return Done(answer["code"], answer["stdout"], answer["stderr"])

    def collect(self, name: str, folder: Path, whole: bool = False) -> None:
        """Machines of this computer write into the folder themselves."""

    def keep(self, folder: Path, version: str, pack: Callable[[Path], object]) -> None:
        """The registry of this computer has it."""

    def link(self, version: str) -> str | None:
        return None

    def _launch(
        self, name: str, places: Sequence[Place], folder: Path | None, module: str, limits: Limits
    ) -> list[Machine]:
        record = {
            "places": [place.pair for place in places],
            "addresses": {
                str(place): f"127.0.0.1:{port}"
                for place, port in zip(places, free_ports(len(places)), strict=True)
            },
            "folder": str(folder) if folder else None,
            "module": module,
            "limits": asdict(limits),
            "created": time.time(),
        }
        _create(self.home, name, record)
        try:
            self._begin(name, record)
            self._ask(name, {"do": "start", **(self._give(name, record) if folder else {})})
            return self.machines(name)
        except BaseException:
            self.terminate(name)
            raise

    def _has_ended(self, name: str) -> bool:
        """Whether even the cluster's first process is gone, as when the computer was switched off."""
        return not any(f.cluster == name and f.place.role == "cluster" for f in processes.living(self.home))

    def _begin(self, name: str, record: dict[str, Any]) -> None:
        record["isolation"] = self.prewarm()["isolation"] if self.isolate else fork_server.NONE
        files.write_json(_folder(self.home, name) / "cluster.json", record, indent=1)
        asked = {
            "do": "launch",
            "name": name,
            "places": record["places"],
            "uid": _uid(name),
            "isolation": record["isolation"],
            "limits": record["limits"],
        }
        fork_server.request(self.home, asked)

    def _give(self, name: str, record: dict[str, Any]) -> dict[str, str]:
        """Make the job's folder the cluster's: its addresses in ``job.json``, its user the owner.

        What the cluster is to be asked to do with it.
        """
        folder = Path(record["folder"])
        if not folder.resolve().is_relative_to((self.home / "jobs").resolve()):
            raise BadInput(
                f"a machine can only work in a folder below {self.home / 'jobs'}. Received: {folder}"
            )
        cluster: dict[str, list[str]] = {}
        for role, index in record["places"]:
            machine_folder(folder, Place(role, index)).mkdir(parents=True, exist_ok=True)
            cluster.setdefault(role, []).append(record["addresses"][str(Place(role, index))])
        job = folder / "job.json"
        if job.exists():
            files.write_json(job, {**json.loads(job.read_text()), "cluster": cluster}, indent=1)
        folder.chmod(0o700)
        if os.geteuid() == 0:
            uid = 0 if record["isolation"] == fork_server.NONE else _uid(name)
            for path in (folder, *folder.rglob("*")):
                os.chown(path, uid, uid, follow_symlinks=False)
        files.write_json(_folder(self.home, name) / "cluster.json", record, indent=1)
        return {"module": record["module"], "folder": str(folder)}

    @staticmethod
    def _take_back(record: dict[str, Any]) -> None:
        """Make the folder of the job before unreadable to the next one's code, which runs as the same user."""
        if os.geteuid() == 0 and record["folder"] and Path(record["folder"]).is_dir():
            os.chown(record["folder"], 0, 0)

    def _look(self, name: str, found: Sequence[Found]) -> Iterator[Machine]:
        """The machines of a cluster: those recorded, and those that live without a record."""
        try:
            record = _read(self.home, name)
        except NotFound:
            record = {"places": [], "addresses": {}, "created": 0.0}
        living = processes.roots([f for f in found if f.cluster == name])
        heads = {f.pid for f in living.values() if f.place.role == "cluster"}
        ends = self._ends(name) if heads else {}
        recorded = [Place(*place) for place in record["places"]]
        for place in (*recorded, *(p for p in living if p not in recorded and p.role != "cluster")):
            alive = living.get(place)
            yield Machine(
                cluster=name,
                role=place.role,
                index=place.index,
                state="running" if alive else "stopped",
                address=record["addresses"].get(str(place), ""),
                pid=alive.pid if alive else None,
                created=alive.created if alive else record["created"],
                exit=None if alive else ends.get(place),
            )

    def _ends(self, name: str) -> dict[Place, Exit]:
        with contextlib.suppress(Unavailable):
            told = self._ask(name, {"do": "look"})["exits"]
            return {Place(role, index): Exit(code, reason) for role, index, code, reason in told}
        return {}

    def _ask(self, name: str, asked: dict[str, Any], timeout_s: float = 10.0) -> dict[str, Any]:
        if not _recorded(self.home, name):
            raise NotFound(f"there is no cluster {name!r}")
        try:
            answer = ask(_folder(self.home, name), asked, timeout_s)
        except (OSError, ValueError) as error:
            raise Unavailable(f"the cluster {name} does not answer: {error}") from error
        if "error" in answer:
            raise Unavailable(f"the cluster {name} could not {asked['do']}: {answer['error']}")
        return answer


def _check_size(layout: Layout) -> None:
    if len(layout.places) > MAX_MACHINES:
        raise BadInput(
            f"this computer takes {MAX_MACHINES} machines a job; ask the provider 'aws' for more. "
            f"Received: ps={layout.ps}, workers={layout.workers}"
        )


def default_limits(layout: Layout) -> Limits:
    """The computer's memory shared out among the machines, but never less than TensorFlow needs."""
    share = int(psutil.virtual_memory().total * MEMORY_SHARE / len(layout.places))
    return Limits(memory_bytes=max(LEAST_MEMORY, share))


def end_all(settings: Settings) -> int:
    """End every cluster of the home and the warm process; give how many processes there were."""
    home = settings.home
    found = processes.living(home)
    for name in {*_recorded(home), *(f.cluster for f in found)}:
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


def _guard(home: Path) -> None:
    """Let the machines' users through to the jobs and the data sets, and to nothing else of the home."""
    home.chmod(0o711)
    (home / "jobs").chmod(0o711)
    for path in home.iterdir():
        if path.is_file() and not path.is_symlink():
            path.chmod(0o600)
        elif path.name in ("clusters", "logs"):
            path.chmod(0o700)
    data = home / "data"
    for path in () if data.is_symlink() else (data, *data.glob("*.npz")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)


def _uid(name: str) -> int:
    number = re.search(r"\d+$", name)
    return uid_of(int(number[0]) if number else zlib.crc32(name.encode()))


def _folder(home: Path, name: str) -> Path:
    return home / "clusters" / name


def _recorded(home: Path, name: str = "*") -> list[str]:
    return [path.parent.name for path in (home / "clusters").glob(f"{name}/cluster.json")]


def _read(home: Path, name: str) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads((_folder(home, name) / "cluster.json").read_text())
    except FileNotFoundError as error:
        raise NotFound(f"there is no cluster {name!r}") from error
    return record


def _create(home: Path, name: str, record: dict[str, Any]) -> None:
    """Record a cluster; whoever comes second with the name is refused."""
    check_cluster_name(name)
    folder = _folder(home, name)
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError as error:
        raise BadInput(f"there is a cluster {name!r} already; terminate it first") from error
    files.write_json(folder / "cluster.json", record, indent=1)


def _listed(only: Collection[Place] | None) -> list[list[Any]] | None:
    return None if only is None else [place.pair for place in only]
