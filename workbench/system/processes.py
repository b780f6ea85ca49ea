"""Our processes as the system sees them: found by a mark in their environment, ended with all their children."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

from workbench.settings import ANY

MARK = "WORKBENCH_SERVICE"


def mark(home: Path, name: str) -> str:
    """The value by which a service's processes are found: unlike that of any other home's."""
    return f"{name}@{home}"


def with_parent(command: tuple[str, ...]) -> tuple[str, ...]:
    """The command such that the system ends it when the process that started it dies, however it dies."""
    tool = shutil.which("setpriv")
    return (tool, "--pdeathsig", "TERM", "--", *command) if tool else command


def marked(home: Path, name: str | None = None) -> Iterator[psutil.Process]:
    """Living processes of the home, but for this one; only of the service ``name`` where one is given."""
    wanted = mark(home, name or "")
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            value = process.environ().get(MARK, "")
            ours = value == wanted if name else value.endswith(wanted)
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.Error:
            continue  # gone, or another user's


def end(processes: Iterable[psutil.Process], grace_s: float) -> None:
    """Ask the processes to end; after ``grace_s`` make them. Those that are gone already are fine."""
    processes = list(processes)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=grace_s)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=5)


def sweep(home: Path, name: str | None = None, grace_s: float = 3.0) -> int:
    """End every marked process of the home (or of one service); give how many there were."""
    count = 0
    give_up = time.monotonic() + grace_s + 10
    while found := list(marked(home, name)):  # again: one may have started another meanwhile
        count += len(found)
        end(found, grace_s)
        if time.monotonic() > give_up:
            break
    return count


def who_listens(port: int, address: str = "127.0.0.1") -> str | None:
    """Whose process listens on the TCP port of the address, in words; ``None`` if nobody does."""
    for connection in psutil.net_connections("tcp"):
        if connection.status != psutil.CONN_LISTEN or not connection.laddr or connection.laddr.port != port:
            continue
        if address == ANY or connection.laddr.ip in (address, ANY, "::"):
            if connection.pid is None:
                return "another user's process"
            with contextlib.suppress(psutil.Error):
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
            return f"process {connection.pid}"
    return None
