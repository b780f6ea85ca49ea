"""The machines' processes as the system shows them: whose each is, by its mark."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from workbench.machines import Place
from workbench.machines.local import records
from workbench.system import processes

MARK = "WORKBENCH_MACHINE"
"""The environment variable by which the system shows whose process one is: ``CLUSTER/ROLE/INDEX@HOME``."""
PREWARMED, PREWARMED_PLACE = ".warm", Place("warm", 0)
"""What the mark of the fork server says."""
_MARK = re.compile(r"([a-z0-9._-]+)/([a-z]+)/([0-9]{1,9})@(.*)", re.DOTALL | re.ASCII)


@dataclass(frozen=True)
class Found:
    """A living process with our mark."""

    pid: int
    parent: int
    cluster: str
    place: Place
    created: float


def mark(home: Path, name: str, place: Place) -> str:
    """The value of ``WORKBENCH_MACHINE`` for a process; unlike that of any other home's."""
    return f"{name}/{place.role}/{place.index}@{home}"


def living(home: Path) -> list[Found]:
    """The living processes of the home's clusters; not the fork server, nor those of another home."""
    return [found for found in _scan(home) if found.cluster != PREWARMED]


def find_warm(home: Path) -> Found | None:
    """The home's fork server, if it lives."""
    return next((f for f in _scan(home) if (f.cluster, f.place) == (PREWARMED, PREWARMED_PLACE)), None)


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
    processes.end_at_once(f.pid for f in sorted(found, key=lambda f: f.place.role == "cluster"))


def _scan(home: Path) -> Iterator[Found]:
    wanted = os.fspath(home)
    taken = records.uids(home) if os.geteuid() == 0 else {}
    for one in processes.find(MARK, partial(_may_have, taken)):
        # What cannot be read is none of ours, whoever started it.
        if (match := _MARK.fullmatch(one.mark)) and match[4] == wanted:
            yield Found(one.pid, one.parent, match[1], Place(match[2], int(match[3])), one.created)


def _may_have(taken: Mapping[str, int], uid: int, mark: str) -> bool:
    """Whether a process of this user may be of the cluster that the mark names: ours, or for root the cluster's own."""
    if uid == os.geteuid():
        return True
    match = _MARK.fullmatch(mark)
    if os.geteuid() != 0 or match is None or match[1] == PREWARMED:
        return False
    return records.may_be(match[1], uid, taken)
