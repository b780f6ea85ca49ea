"""Our processes as the system sees them: found by a mark in their environment, ended with all their children.

A mark is a variable with which a process was started; what it starts inherits it. Whoever looks for processes of
ours asks :func:`find`: nothing else reads another process' environment.
"""

import contextlib
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from workbench.system.sandbox.linux import MACHINE_UIDS, MODEL_UIDS

MARK = "WORKBENCH_SERVICE"
MAX_MARK = 8192
"""Bytes of a mark; none of ours is as long."""
_ANY = "0.0.0.0"  # noqa: S104


@dataclass(frozen=True)
class Marked:
    """A living process that has a mark."""

    pid: int
    parent: int
    mark: str
    created: float
    """Seconds since the epoch."""
    uid: int
    """The user that it runs as, by the kernel's word."""


def find(variable: str, believed: Callable[[int, str], bool] | None = None) -> Iterator[Marked]:
    """Find the living processes that are marked by the variable, but for this one and those of users out of reach.

    Anybody can start a process with any environment. What the kernel says, and no process can change, is the user it
    runs as: a mark counts only where that user may have been given it.

    Parameters
    ----------
    believed
        Whether a process of this user, by number, may have this mark. Only our own user's are if ``None``.
    """
    ours = os.geteuid()
    name = b"%s=" % variable.encode()
    wanted = re.compile(rb"(?:^|\0)%s([^\0]{0,%d})(?:\0|$)" % (name, MAX_MARK))
    for pid in psutil.pids():
        if pid == os.getpid():
            continue
        with contextlib.suppress(OSError, ValueError):  # gone, or another user's
            # A runner looks several times a second at all there are: quickly past those without the name.
            with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:  # noqa: PTH123 - half of pathlib's time
                environment = file.readall()
            if name not in environment or (match := wanted.search(environment)) is None:
                continue
            # What is forked shows its mark in a longer place: see ``linux.write_environment``.
            said = os.fsdecode(match[1]).rstrip(" ")
            uid = _user(pid)
            if uid is None or not (believed(uid, said) if believed else uid == ours):
                continue
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()  # proc_pid_stat(5)
            if state[0] in "ZX":
                continue
            created = psutil.boot_time() + int(state[19]) / os.sysconf("SC_CLK_TCK")
            yield Marked(pid, int(state[1]), said, created, uid)


def lives(pid: int) -> bool:
    """Tell if there is such a process and it has not ended, whether or not its parent knows already."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def worked_s(pid: int) -> float:
    """CPU time of a process and all that it started, those that ended too; 0 where there is none."""
    worked = 0.0
    with contextlib.suppress(psutil.Error):
        top = psutil.Process(pid)
        for one in (top, *top.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                times = one.cpu_times()
                worked += times.user + times.system + times.children_user + times.children_system
    return worked


def _user(pid: int) -> int | None:
    """The user of a process; ``None`` if it is of several, as a program is that has more rights than its user."""
    # Not the owner of /proc/PID: that is root for every process which says that it must not be dumped.
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("Uid:"):
            users = set(line.split()[1:])
            return int(users.pop()) if len(users) == 1 else None
    return None


def mark(home: Path, name: str) -> str:
    """The value by which a service's processes are found: unlike that of any other home's."""
    return f"{name}@{home}"


def _serves(uid: int, mark: str) -> bool:
    """Whether a service may run as this user: ours, or for root one that a service changed to, as Apache does."""
    del mark
    return uid == os.geteuid() or (os.geteuid() == 0 and uid not in MACHINE_UIDS and uid not in MODEL_UIDS)


def with_parent(command: tuple[str, ...]) -> tuple[str, ...]:
    """The command such that the system ends it when the process that started it dies, however it dies."""
    tool = shutil.which("setpriv")
    return (tool, "--pdeathsig", "TERM", "--", *command) if tool else command


def marked(home: Path, name: str | None = None) -> Iterator[psutil.Process]:
    """Living processes of the home's services, but for this one; only of the service ``name`` where one is given."""
    for found in find(MARK, _serves):
        service, at, of = found.mark.partition("@")
        if at and of == str(home) and name in (None, service):
            with contextlib.suppress(psutil.Error):
                yield psutil.Process(found.pid)


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


def end_at_once(pids: Iterable[int], timeout_s: float = 3.0) -> None:
    """Kill the processes, one after the other, each with all below it, and wait until they are gone.

    A process goes before what is below it: it cannot see its children end, and act on that, or say that it was done.
    """
    ended = []
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            for member in (process, *process.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    member.kill()
                ended.append(member)
    wait(ended, timeout_s)


def wait(ended: Sequence[psutil.Process], timeout_s: float) -> None:
    """Wait until the processes are gone, or only wait themselves for a parent to ask how they ended."""
    give_up = time.monotonic() + timeout_s
    for process in ended:
        with contextlib.suppress(psutil.Error):
            while process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < give_up:
                time.sleep(0.005)


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
        if address == _ANY or connection.laddr.ip in (address, _ANY, "::"):
            if connection.pid is None:
                return "another user's process"
            with contextlib.suppress(psutil.Error):
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
            return f"process {connection.pid}"
    return None
