"""The first process of a cluster on this computer: it begins the machines, keeps what they print, sees them end.

It is forked from the warm process (``warm.py``), so that TensorFlow is imported already, and each machine is forked
from it. It answers one JSON object a connection on its control socket. When it ends, all its machines end.
"""

import contextlib
import faulthandler
import fcntl
import importlib
import json
import os
import random
import selectors
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import psutil

from workbench.machines import Place, machine_folder
from workbench.machines.local.sandbox import Limits, limit
from workbench.system import priority
from workbench.system.control_socket import read_line
from workbench.system.linux import end_with_parent, write_environment

MARK = "WORKBENCH_MACHINE"
"""The environment variable by which the system shows whose process one is: ``CLUSTER/ROLE/INDEX@HOME``."""
LOG_BYTES = 4 * 1024 * 1024
"""Of each of the two files that are kept of an output: ``stdout.log`` and, before it, ``stdout.log.1``."""
PIPE_BYTES = 1024 * 1024
STOP_GRACE_S = 1.0
ENDING_S = 2.0
WATCH_EVERY_S = 0.5
MAX_OUTPUT = 1_000_000
"""Of a command that ``run`` ran: characters that are given of each output."""


@dataclass(frozen=True)
class Work:
    """What each machine of the cluster does: ``main([folder, role, index])`` of a module."""

    module: str
    folder: Path


@dataclass
class _Output:
    """One pipe from a machine to a file that never grows beyond ``LOG_BYTES``, with one file before it."""

    descriptor: int
    path: Path
    written: int
    closed: bool = False

    def pump(self) -> bool:
        """Take some of what is there; false if there was nothing."""
        try:
            data = os.read(self.descriptor, PIPE_BYTES)
        except BlockingIOError:
            return False
        self.closed = not data
        with contextlib.suppress(OSError):  # a full disk costs lines of a log, not the job
            self._write(data)
        return bool(data)

    def _write(self, data: bytes) -> None:
        if self.written + len(data) > LOG_BYTES:
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        with self.path.open("ab") as file:
            file.write(data)
            self.written = file.tell()


@dataclass
class _Process:
    """A machine's process, and where its output goes."""

    place: Place
    pid: int
    outputs: list[_Output] = field(default_factory=list)
    reason: str = ""


class Cluster:
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
        limits: Limits,
        environment: dict[str, str],
        mark: Callable[[Place], str],
    ) -> None:
        self.control = control
        self.places = tuple(places)
        self.limits = limits
        self.environment = environment
        self.mark = mark
        self.work: Work | None = None
        self.processes: dict[int, _Process] = {}
        self.exits: dict[Place, dict[str, Any]] = {}
        self.selector = selectors.DefaultSelector()
        self.runs: set[int] = set()
        self.ending = False

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What must stay open in the process that will serve."""
        return (self.control.fileno(), self.selector.fileno())

    def serve(self) -> None:
        """Answer until asked to end, then leave no process."""
        wake, woken = socket.socketpair()
        for end in (wake, woken):
            end.setblocking(False)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGTERM, self._end)
        self.selector.register(wake, selectors.EVENT_READ, lambda: wake.recv(4096))
        self.selector.register(self.control, selectors.EVENT_READ, self._answer)
        watched = time.monotonic()
        try:
            while not self.ending:
                for key, _ in self.selector.select(WATCH_EVERY_S):
                    key.data()
                self._reap()
                if time.monotonic() - watched >= WATCH_EVERY_S:
                    self._watch()
                    watched = time.monotonic()
        finally:
            self._kill_all()

    def _end(self, number: int, frame: Any) -> None:
        self.ending = True

    def _answer(self) -> None:
        connection, _ = self.control.accept()
        with connection:
            connection.settimeout(5)
            try:
                request = json.loads(read_line(connection))
                answer = getattr(self, f"_do_{request['do']}")(connection, request)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            if answer is not None:
                with contextlib.suppress(OSError):
                    connection.sendall(json.dumps(answer).encode() + b"\n")

    def _do_look(self, connection: socket.socket, request: dict[str, Any]) -> dict[str, Any]:
        """How machines ended that do not run now; one that is just ending is waited for."""
        give_up = time.monotonic() + ENDING_S
        self._reap()
        while any(_is_ending(pid) for pid in self.processes) and time.monotonic() < give_up:
            time.sleep(0.002)
            self._reap()
        return {
            "exits": [[*place.pair, exit_["code"], exit_["reason"]] for place, exit_ in self.exits.items()]
        }

    def _do_start(self, connection: socket.socket, request: dict[str, Any]) -> dict[str, Any]:
        """Begin the machines that do not run; with ``module`` and ``folder`` in that work, with ``idle`` in none."""
        if "module" in request:
            self.work = Work(request["module"], Path(request["folder"]))
        elif "idle" in request:
            self.work = None
        self._reap()
        wanted = self._places(request)
        running = {process.place for process in self.processes.values()}
        for place in wanted:
            if place not in running:
                self._begin(place)
        return {"started": [place.pair for place in wanted if place not in running]}

    def _do_stop(self, connection: socket.socket, request: dict[str, Any]) -> dict[str, Any]:
        """End the machines and wait until they are gone."""
        wanted = self._places(request)
        chosen = [process for process in self.processes.values() if process.place in wanted]
        self._end_processes(chosen)
        return {"stopped": [process.place.pair for process in chosen]}

    def _do_run(self, connection: socket.socket, request: dict[str, Any]) -> None:
        """Run a command as a machine would; the answer comes from a child, so that nobody else waits for it."""
        place = Place(*request["place"])
        pid = os.fork()
        if pid:
            self.runs.add(pid)
            return
        try:
            self._become_child(place)
            answer = self._run(place, request["command"], request["timeout_s"])
            connection.sendall(json.dumps(answer).encode() + b"\n")
        finally:
            os._exit(0)

    def _run(self, place: Place, command: list[str], timeout_s: float) -> dict[str, Any]:
        environment = self._set_environment(place)
        if self.work is not None:
            os.chdir(machine_folder(self.work.folder, place))
        limit(self.limits)
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=environment,
                timeout=timeout_s,
                check=False,
            )
            code, out, err = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired as error:
            code, out = -signal.SIGKILL, error.stdout or b""
            err = (error.stderr or b"") + f"\nended after {timeout_s:g} s".encode()
        except OSError as error:
            code, out, err = 127, b"", f"{command[0]}: {error.strerror}".encode()
        text = [data.decode(errors="replace")[-MAX_OUTPUT:] for data in (out, err)]
        return {"code": code, "stdout": text[0], "stderr": text[1]}

    def _places(self, request: dict[str, Any]) -> list[Place]:
        only = request.get("only")
        return [p for p in self.places if only is None or p.pair in only]

    def _begin(self, place: Place) -> None:
        self.exits.pop(place, None)
        pipes = [os.pipe() for _ in range(2)] if self.work else []
        marked, marks = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._become(place, [write for _, write in pipes], marks)
        os.close(marks)
        os.read(marked, 1)  # from here on the system shows whose process it is
        os.close(marked)
        process = self.processes[pid] = _Process(place, pid)
        for (read, write), name in zip(pipes, ("stdout", "stderr"), strict=False):
            os.close(write)
            os.set_blocking(read, False)
            with contextlib.suppress(OSError):  # more than this user may have
                fcntl.fcntl(read, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            assert self.work is not None
            path = machine_folder(self.work.folder, place) / f"{name}.log"
            path.parent.mkdir(parents=True, exist_ok=True)
            output = _Output(read, path, path.stat().st_size if path.exists() else 0)
            process.outputs.append(output)
            self.selector.register(read, selectors.EVENT_READ, lambda output=output: self._pump(output))

    def _pump(self, output: _Output) -> None:
        output.pump()
        if output.closed:
            self.selector.unregister(output.descriptor)
            os.close(output.descriptor)

    def _become(self, place: Place, outputs: list[int], marks: int) -> NoReturn:
        """The child's side of a fork: be the machine, and never come back into this loop."""
        code = 1
        try:
            self._become_child(place)
            null = os.open(os.devnull, os.O_RDWR)
            for target, source in enumerate([null, *(outputs or [null, null])]):
                os.dup2(source, target)
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # the loop's, and with them ``marks``
            self._set_environment(place)
            os.nice(priority.BACKGROUND)
            priority.weigh_session("self", priority.BACKGROUND)
            faulthandler.enable()
            faulthandler.register(signal.SIGUSR1)  # the runner asks a silent machine where it is
            random.seed()
            if "numpy" in sys.modules:
                sys.modules["numpy"].random.seed()
            code = self._wait() if self.work is None else self._work(self.work, place)
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _wait(self) -> int:
        """Stand ready until there is work."""
        while True:
            signal.pause()

    def _work(self, work: Work, place: Place) -> int:
        folder = machine_folder(work.folder, place)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tmp").mkdir(exist_ok=True)
        os.chdir(folder)
        sys.argv = [work.module, str(work.folder), place.role, str(place.index)]
        main = importlib.import_module(work.module).main
        limit(self.limits)
        try:
            return int(main(sys.argv[1:]) or 0)
        except SystemExit as ended:
            if isinstance(ended.code, str):
                print(ended.code, file=sys.stderr)
            return ended.code if isinstance(ended.code, int) else int(ended.code is not None)

    def _become_child(self, place: Place) -> None:
        """An own process group with signals as they were, that ends when the loop does."""
        end_with_parent(signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        write_environment(MARK, self.mark(place))

    def _set_environment(self, place: Place) -> dict[str, str]:
        environment = {**self.environment, MARK: self.mark(place)}
        if self.work is not None:
            folder = machine_folder(self.work.folder, place)
            environment |= {"HOME": str(folder), "TMPDIR": str(folder / "tmp")}
        os.environ.clear()
        os.environ.update(environment)
        return environment

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
                    while not output.closed and output.pump():
                        pass
                self.exits[process.place] = {
                    "code": os.waitstatus_to_exitcode(status),
                    "reason": process.reason,
                }

    def _watch(self) -> None:
        """End a machine that uses more memory than it may, and what a machine's children left behind."""
        ours = set(self.processes) | self.runs
        for child in psutil.Process().children():
            if child.pid not in ours and child.pid != os.getpid():
                with contextlib.suppress(psutil.Error):
                    child.kill()
        for process in self.processes.values():
            used = own_memory(process.pid)
            if used > self.limits.memory_bytes and not process.reason:
                process.reason = (
                    f"used {used / 1e9:.1f} GB of memory, more than the {self.limits.memory_bytes / 1e9:.1f} GB "
                    "that a machine may use"
                )
                _kill(process.pid, signal.SIGKILL)

    def _end_processes(self, processes: list[_Process]) -> None:
        for process in processes:
            process.reason = process.reason or "stopped"
            _kill(process.pid, signal.SIGTERM)
        give_up = time.monotonic() + STOP_GRACE_S
        while any(process.pid in self.processes for process in processes):
            for key, _ in self.selector.select(0.02):
                if key.fileobj is not self.control:
                    key.data()
            self._reap()
            if time.monotonic() > give_up:
                for process in processes:
                    if process.pid in self.processes:
                        _kill(process.pid, signal.SIGKILL)

    def _kill_all(self) -> None:
        while children := psutil.Process().children(recursive=True):
            for child in children:
                with contextlib.suppress(psutil.Error):
                    child.kill()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            time.sleep(0.01)


def _is_ending(pid: int) -> bool:
    """Whether the process has given its memory back already: then the system shows no mark of it any more."""
    with contextlib.suppress(OSError):
        return "VmSize:" not in Path(f"/proc/{pid}/status").read_text()
    return False


def own_memory(pid: int) -> int:
    """Bytes that a process and its descendants hold for themselves: anonymous and shared memory."""
    total = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for member in (process, *process.children(recursive=True)):
            with contextlib.suppress(OSError, ValueError):
                for line in Path(f"/proc/{member.pid}/status").read_text().splitlines():
                    if line.startswith(("RssAnon:", "RssShmem:")):
                        total += int(line.split()[1]) * 1024
    return total


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
