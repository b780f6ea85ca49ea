"""The machines' processes as the system shows them: found by the mark in their environment, ended with all below them."""

import contextlib
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from workbench.machines import Place
from workbench.machines.local import fork_server
from workbench.machines.local.head import MARK


@dataclass(frozen=True)
class Found:
    """A living process with our mark."""

    pid: int
    parent: int
    cluster: str
    place: Place
    created: float


def living(home: Path) -> list[Found]:
    """The living processes of the home's clusters; not the warm process, nor those of another home."""
    return [found for found in _scan(home) if found.cluster != fork_server.CLUSTER]


def find_warm(home: Path) -> Found | None:
    """The home's warm process, if it lives."""
    return next(
        (f for f in _scan(home) if (f.cluster, f.place) == (fork_server.CLUSTER, fork_server.PLACE)), None
    )


def _scan(home: Path) -> Iterator[Found]:
    mark = rb"(?:^|\0)%s=([a-z0-9._-]+)/([a-z]+)/(\d+)@%s *(?:\0|$)"
    wanted = re.compile(mark % (MARK.encode(), re.escape(os.fsencode(home))))
    for pid in psutil.pids():
        with contextlib.suppress(OSError):  # gone, or another user's
            match = wanted.search(Path(f"/proc/{pid}/environ").read_bytes())
            if match is None:
                continue
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()  # proc_pid_stat(5)
            if state[0] in "ZX":
                continue
            yield Found(
                pid,
                int(state[1]),
                match[1].decode(),
                Place(match[2].decode(), int(match[3])),
                psutil.boot_time() + int(state[19]) / os.sysconf("SC_CLK_TCK"),
            )


def roots(found: Sequence[Found]) -> dict[Place, Found]:
    """For each place the process that is no child of another one of the same place."""
    by_pid = {f.pid: f for f in found}
    first: dict[Place, Found] = {}
    for one in sorted(found, key=lambda f: (f.created, f.pid)):
        parent = by_pid.get(one.parent)
        if parent is None or parent.place != one.place:
            first.setdefault(one.place, one)
    return first


def end(found: Iterable[Found]) -> None:
    """Kill the processes with all their descendants, the cluster's first process last."""
    found = sorted(found, key=lambda f: f.place.role == "cluster")
    ended = []
    for process in found:
        with contextlib.suppress(psutil.Error):
            parent = psutil.Process(process.pid)
            below = parent.children(recursive=True)
            for member in (*below, parent):
                with contextlib.suppress(psutil.Error):
                    member.kill()
                ended.append(member)
    wait(ended, 3.0)


def wait(ended: Sequence[psutil.Process], timeout_s: float) -> None:
    """Wait until the processes are gone, or only wait themselves for a parent to ask how they ended."""
    give_up = time.monotonic() + timeout_s
    for process in ended:
        with contextlib.suppress(psutil.Error):
            while process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < give_up:
                time.sleep(0.005)
