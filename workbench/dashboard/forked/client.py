"""The fork server as the Jupyter server sees it: started, asked for kernels, and replaced when it died or is out of date."""

import asyncio
import contextlib
import logging
import os
import select
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workbench.dashboard.forked import kernel, messages
from workbench.dashboard.forked.messages import Begun, Declined, Launch, Ready
from workbench.settings import PROJECT
from workbench.system import priority

SERVER = "workbench.dashboard.forked.server"
ANSWER_S = 20.0
"""A fork takes some hundredths of a second; one that takes so long is none."""
END_S = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""Before a fork server that died is replaced; each further death doubles it."""
LOST = 255
"""The exit code of a kernel whose own was lost with the process that it was forked from."""
READ_ONCE = (
    *(
        "CUDA_",
        "DNNL_",
        "GLIBC_",
        "GOMP_",
        "KERAS_",
        "KMP_",
        "LANG",
        "LC_",
        "LD_",
        "MALLOC_",
        "MKL_",
        "NUMEXPR_",
    ),
    *("OMP_", "ONEDNN_", "OPENBLAS_", "PYTHON", "TF_", "XLA_"),
)
"""Beginnings of variables that Python and the libraries read when they are loaded, which a fork cannot undo."""


def supported() -> bool:
    """Whether kernels can be forked here: forks of large libraries are safe on Linux alone."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open")


class ForkedProcess:
    """A kernel that is no child of this process, as ``subprocess.Popen`` shows one."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, process: int, exits: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._process, self._exits = process, exits

    def poll(self) -> int | None:
        """Give the exit code, negative for a signal; ``None`` while it runs."""
        return (
            self.returncode if self.returncode is not None or not _readable(self._process, 0) else self.wait()
        )

    def wait(self) -> int:
        """Wait for the end."""
        if self.returncode is None:
            _readable(self._process, None)
            # Who forked it tells the code as soon as it has it, or is gone too.
            said = os.read(self._exits, 16) if _readable(self._exits, 5_000) else b""
            self.returncode = int(said) if said else LOST
            os.close(self._process)
            os.close(self._exits)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to this process alone."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, number)

    def kill(self) -> None:
        """End it, whatever it does."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


@dataclass
class _Running:
    """One process that forks."""

    process: asyncio.subprocess.Process
    connection: socket.socket
    environment: Mapping[str, str]
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)


class ForkServer:
    """Keeps one process that forks kernels, from ``open`` to ``close``.

    Parameters
    ----------
    modules
        What it imports.
    memory_bytes
        What each kernel may have of its own; 0 for no limit.
    """

    def __init__(self, modules: Sequence[str], log: logging.Logger, memory_bytes: int = 0) -> None:
        self._modules, self._log, self._memory_bytes = tuple(modules), log, memory_bytes
        self._running: _Running | None = None
        self._renew = asyncio.Event()
        self._ready = asyncio.Event()
        self._hopeless = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Future[ForkedProcess | None]] = set()
        self._processes: list[asyncio.subprocess.Process] = []

    @property
    def pid(self) -> int | None:
        """The process that kernels are forked from now."""
        return self._running.process.pid if self._running else None

    def open(self) -> None:
        """Begin to keep a process; called once the loop runs."""
        self._keeping = asyncio.ensure_future(self._keep())

    async def close(self) -> None:
        """Keep none any longer; returns when all have ended, and the kernels that they forked."""
        if self._keeping:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        for process in self._processes:
            try:
                await asyncio.wait_for(process.wait(), END_S)
            except TimeoutError:
                _end(process)

    async def _keep(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            running = await self._start()
            forks = False
            try:
                if forks := await self._is_ready(running):
                    pause_s, self._running = FIRST_PAUSE_S, running
                    self._hopeless.clear()
                    self._ready.set()
                    self._log.info("kernels are forked from process %d from now on", running.process.pid)
                    await self._until_over(running)
            finally:
                self._running = None
                self._ready.clear()
                running.connection.close()
                if not forks:  # it would see that only once all is imported
                    _end(running.process)
            if running.process.returncode is not None:
                self._log.warning(
                    "the process that forks kernels ended with %d; kernels start by themselves until there is another",
                    running.process.returncode,
                )
                self._hopeless.set()
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def hurry(self) -> None:
        """Let what is imported come before other work: somebody waits for it."""
        if self._processes and self._running is None:
            priority.weigh_session(self._processes[-1].pid, 0)

    async def ready(self) -> bool:
        """Wait until kernels can be forked; ``False`` if the process died on the way."""
        waiting = [asyncio.ensure_future(event.wait()) for event in (self._ready, self._hopeless)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
        return self._ready.is_set()

    async def launch(
        self, command: Sequence[str], environment: Mapping[str, str], folder: str
    ) -> ForkedProcess | None:
        """Fork a kernel; ``None`` where it has to be started by its command."""
        running = self._running
        arguments = _arguments(command)
        if running is None or arguments is None or _differ(environment, running.environment):
            return None
        # To the end, come what may: a kernel that nobody heard of would stay.
        asking = asyncio.ensure_future(
            self._ask(running, Launch(arguments, environment, folder, self._memory_bytes))
        )
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            asking.add_done_callback(_kill)
            raise

    async def _ask(self, running: _Running, launch: Launch) -> ForkedProcess | None:
        try:
            async with running.one_at_a_time:
                messages.send(running.connection, launch)
                answer, descriptors = await _receive(running.connection, ANSWER_S)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            self._log.warning("no kernel was forked: %s: %s", type(error).__name__, error)
            self._renew.set()
            return None
        if isinstance(answer, Begun):
            return ForkedProcess(answer.pid, *descriptors)
        assert isinstance(answer, Declined)
        self._log.info("no kernel was forked: %s", answer.why)
        if answer.stale:
            self._renew.set()
        return None

    async def _start(self) -> _Running:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        environment = dict(os.environ)
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", SERVER, *self._modules),
                stdin=theirs.fileno(),
                env=environment,
                cwd=PROJECT,
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._processes = [one for one in self._processes if one.returncode is None]
        self._processes.append(process)
        return _Running(process, ours, environment)

    async def _is_ready(self, running: _Running) -> bool:
        try:
            said, _ = await _receive(running.connection, None)
        except (OSError, EOFError, ValueError):
            await running.process.wait()
            return False
        return isinstance(said, Ready)

    async def _until_over(self, running: _Running) -> None:
        """Wait until the process has ended or another one has to take its place."""
        self._renew.clear()
        waiting = [asyncio.ensure_future(one) for one in (self._renew.wait(), running.process.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()


async def _receive(connection: socket.socket, timeout_s: float | None) -> tuple[object, list[int]]:
    loop, there = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(connection, there.set)
    try:
        await asyncio.wait_for(there.wait(), timeout_s)
    finally:
        loop.remove_reader(connection)
    return messages.receive(connection)


def _arguments(command: Sequence[str]) -> tuple[str, ...] | None:
    """The arguments of the command if it starts a kernel of this very Python, without further options."""
    start = (sys.executable, "-m", kernel.LAUNCHER)
    return tuple(command[len(start) :]) if tuple(command[: len(start)]) == start else None


def _differ(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether the environments differ in what a fork cannot undo."""
    names = {name for name in (*one, *other) if name.startswith(READ_ONCE)}
    return any(one.get(name) != other.get(name) for name in names)


def _readable(descriptor: int, timeout_ms: int | None) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(timeout_ms))


def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()


def _kill(asked: "asyncio.Future[ForkedProcess | None]") -> None:
    """End a kernel that nobody waits for any longer."""
    if not asked.cancelled() and asked.exception() is None and (process := asked.result()):
        process.kill()


def folder_of(working: object) -> str:
    """The working folder of a kernel, as a launch names it."""
    return str(Path(str(working)) if working else Path.cwd())
