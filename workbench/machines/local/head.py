"""The first process of a cluster on this computer: it begins the machines, keeps what they print, sees them end.

It is forked from the fork server (``fork_server.py``), so that TensorFlow is imported already, and each machine is
forked from it (``machine.py``). It answers on a socket in the cluster's folder. When it ends, all its machines end.
"""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil

from workbench.machines import Place, machine_folder
from workbench.machines.local import machine
from workbench.machines.local.messages import Ended, Ends, Look, Run, Start, Stop, Work
from workbench.machines.local.output import Output
from workbench.machines.local.sandbox import MachineLimits
from workbench.system import untrusted_folders
from workbench.system.control_socket import Nothing, Reply, Route, Server
from workbench.system.waiting import comes_true

STOP_GRACE_S = 1.0
ENDING_S = 2.0
WATCH_EVERY_S = 0.5
MEASURE_EVERY_S = 2.0


@dataclass
class _Process:
    """A machine's process, and where its output goes."""

    place: Place
    pid: int
    outputs: list[Output] = field(default_factory=list)
    reason: str = ""


class Head:
    """The loop of a cluster's first process.

    Parameters
    ----------
    mark
        Gives the mark of a place.
    environment
        The whole environment of each machine but for its own folder.
    """

    def __init__(
        self,
        control: socket.socket,
        places: Sequence[Place],
        limits: MachineLimits,
        environment: Mapping[str, str],
        mark: Callable[[Place], str],
    ) -> None:
        self.places = tuple(places)
        self.limits = limits
        self.environment = environment
        self.mark = mark
        self.work: Work | None = None
        self.processes: dict[int, _Process] = {}
        self.exits: dict[Place, Ended] = {}
        self.runs: set[int] = set()
        routes = (
            Route(Look, self._look),
            Route(Start, self._start),
            Route(Stop, self._stop),
            Route(Run, self._run),
        )
        self.server = Server(control, routes, self._tick, WATCH_EVERY_S)
        self._watched = time.monotonic()
        self._measure_at = self._watched + MEASURE_EVERY_S

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What must stay open in the process that will serve."""
        return (self.server.control.fileno(),)

    def serve(self) -> None:
        """Answer until asked to end, then leave no process."""
        try:
            self.server.serve()
        finally:
            _kill_all()

    # ── what is asked ────────────────────────────────────────────────────────────────────────────

    def _look(self, asked: Look, reply: Reply) -> None:
        """A machine that is just ending is waited for."""

        def settled() -> bool:
            self._reap()
            return not any(_is_ending(pid) for pid in self.processes)

        comes_true(settled, ENDING_S, 0.002)
        ending = (process.place for pid, process in self.processes.items() if _is_ending(pid))
        reply(Ends(tuple(self.exits.values()), tuple(ending)))

    def _start(self, asked: Start, reply: Reply) -> None:
        if asked.work is not None or asked.idle:
            self.work = asked.work
        self._reap()
        running = {process.place for process in self.processes.values()}
        for place in self._chosen(asked.only):
            if place not in running:
                self._begin(place)
        reply(Nothing())

    def _stop(self, asked: Stop, reply: Reply) -> None:
        wanted = self._chosen(asked.only)
        self._end_processes([process for process in self.processes.values() if process.place in wanted])
        reply(Nothing())

    def _run(self, asked: Run, reply: Reply) -> None:
        """The answer comes from a child, so that nobody else waits for it."""
        pid = os.fork()
        if pid:
            self.runs.add(pid)
            return
        try:
            role = self._role(asked.place)
            machine.enter(role)
            reply(machine.run(role, asked.command, asked.timeout_s))
        finally:
            os._exit(0)

    def _chosen(self, only: Collection[Place] | None) -> list[Place]:
        return [place for place in self.places if only is None or place in only]

    # ── the machines ─────────────────────────────────────────────────────────────────────────────

    def _role(self, place: Place) -> machine.Role:
        return machine.Role(place, self.mark(place), self.work, self.limits, self.environment)

    def _begin(self, place: Place) -> None:
        self.exits.pop(place, None)
        pipes = [os.pipe() for _ in range(2)] if self.work else []
        marked, marks = os.pipe()
        pid = os.fork()
        if pid == 0:
            machine.be(self._role(place), [write for _, write in pipes])
        os.close(marks)
        os.read(marked, 1)  # from here on the system shows whose process it is
        os.close(marked)
        process = self.processes[pid] = _Process(place, pid)
        for (read, write), name in zip(pipes, ("stdout", "stderr"), strict=False):
            os.close(write)
            assert self.work is not None
            output = Output.open(read, machine_folder(self.work.folder, place) / f"{name}.log")
            process.outputs.append(output)
            self.server.watch(read, partial(self._pump, output))

    def _pump(self, output: Output) -> None:
        output.pump()
        if output.closed:
            self.server.forget(output.descriptor)
            os.close(output.descriptor)

    def _tick(self) -> None:
        self._reap()
        if time.monotonic() - self._watched >= WATCH_EVERY_S:
            self._watch()
            self._watched = time.monotonic()
        if time.monotonic() >= self._measure_at:
            began = time.monotonic()
            self._watch_folder()
            now = time.monotonic()
            self._measure_at = now + max(MEASURE_EVERY_S, 20 * (now - began))  # never a twentieth of a core

    def _reap(self) -> None:
        """Note who ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.runs.discard(pid)
            if process := self.processes.pop(pid, None):
                for output in process.outputs:  # its last words are in the file when its end is told
                    output.drain()
                code = os.waitstatus_to_exitcode(status)
                self.exits[process.place] = Ended(process.place, code, process.reason)

    def _watch(self) -> None:
        """End a machine that uses more memory than it may, and what a machine's children left behind."""
        ours = set(self.processes) | self.runs
        for child in psutil.Process().children():
            if child.pid not in ours and child.pid != os.getpid():
                with contextlib.suppress(psutil.Error):
                    child.kill()
        for process in self.processes.values():
            used = own_memory(process.pid, self.limits.memory_bytes)
            if used > self.limits.memory_bytes and not process.reason:
                process.reason = (
                    f"used {used / 1e9:.1f} GB of memory, more than the {self.limits.memory_bytes / 1e9:.1f} GB "
                    "that a machine may use"
                )
                _kill(process.pid, signal.SIGKILL)

    def _watch_folder(self) -> None:
        """End the machines of a job whose folder takes more of the disk than it may."""
        if self.work is None or not self.processes:
            return
        limits = self.limits
        try:
            used = untrusted_folders.measure(self.work.folder, most_files=limits.folder_files)
        except untrusted_folders.TooMuch as error:
            reason = f"left {error.strerror} in the job's folder"
        else:
            if used.bytes <= limits.folder_bytes and used.files <= limits.folder_files:
                return
            reason = (
                f"left {used.bytes / 1e9:.1f} GB in {used.files:,} files in the job's folder, more than the "
                f"{limits.folder_bytes / 1e9:.1f} GB and {limits.folder_files:,} files that a job may have"
            )
        for process in self.processes.values():
            process.reason = process.reason or reason
            _kill(process.pid, signal.SIGKILL)

    def _end_processes(self, processes: Sequence[_Process]) -> None:
        for process in processes:
            process.reason = process.reason or "stopped"
            _kill(process.pid, signal.SIGTERM)
        give_up = time.monotonic() + STOP_GRACE_S
        while any(process.pid in self.processes for process in processes):
            self.server.serve_others(0.02)
            self._reap()
            if time.monotonic() > give_up:
                for process in processes:
                    if process.pid in self.processes:
                        _kill(process.pid, signal.SIGKILL)


def own_memory(pid: int, most: int = 0) -> int:
    """Bytes that a process and its descendants hold for themselves: anonymous and shared memory.

    What forks share is counted once; that is looked at only where more than ``most`` bytes are counted without it.
    """
    members: list[int] = []
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        members = [process.pid, *(child.pid for child in process.children(recursive=True))]
    total = sum(_resident(member) for member in members)
    return total if total <= most else sum(_share(member) for member in members)


def _resident(pid: int) -> int:
    return _kilobytes(pid, "status", ("RssAnon:", "RssShmem:")) * 1024


def _share(pid: int) -> int:
    """A process' part of its memory; all of it where a process that hides itself does not let it be seen."""
    shared = _kilobytes(pid, "smaps_rollup", ("Pss_Anon:", "Pss_Shmem:")) * 1024
    return shared or _resident(pid)


def _kilobytes(pid: int, file: str, names: tuple[str, ...]) -> int:
    with contextlib.suppress(OSError, ValueError):
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(names))
    return 0


def _is_ending(pid: int) -> bool:
    """Whether the process has given its memory back already: then the system shows no mark of it any more."""
    with contextlib.suppress(OSError):
        return "VmSize:" not in Path(f"/proc/{pid}/status").read_text()
    return False


def _kill_all() -> None:
    """Leave no process below this one."""
    while children := psutil.Process().children(recursive=True):
        for child in children:
            with contextlib.suppress(psutil.Error):
                child.kill()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.01)


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
