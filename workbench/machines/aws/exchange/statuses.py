"""Statuses of a cluster's machines, each told by the *name* of one object, so that one listing tells it of all machines."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from workbench.aws.bucket import Stored
from workbench.machines import Exit, Place
from workbench.machines.aws.exchange.assignments import Assignment, Post

READY, RUNNING, ENDED = "ready", "running", "ended"
"""States of a machine: it stands ready, is at work (or about to begin again), has ended."""


@dataclass(frozen=True)
class Status:
    """The state of a machine, and of which assignment it speaks.

    >>> status = Status("running", "i-1", "0a1b", 2, pid=77)
    >>> read_name(status.name(5)) == status
    True
    """

    state: str
    instance: str
    generation: str
    turn: int
    pid: int | None = None
    exit: Exit | None = None
    """Without its reason, which is in the object."""
    has_reason: bool = False

    def name(self, serial: int) -> str:
        """The name of the object that tells it; a later one has a larger serial."""
        code = "" if self.exit is None else str(self.exit.code)
        parts = (
            self.state,
            self.instance,
            self.generation,
            self.turn,
            self.pid or "",
            code,
            int(self.has_reason),
        )
        return ".".join([f"{serial:015d}", *map(str, parts)])

    def answers(self, assignment: Assignment, post: Post) -> bool:
        """True if the machine told it after it had learnt of this very assignment, and has done what it asks for."""
        told = (self.instance, self.generation, self.turn)
        obeys = post.run or self.state != RUNNING
        return obeys and told == (post.instance, assignment.generation, post.turn)


def read_name(name: str) -> Status:
    """The status that an object's name tells."""
    _, state, instance, generation, turn, pid, code, reason = name.split(".")
    ended = Exit(int(code)) if code else None
    return Status(state, instance, generation, int(turn), int(pid) if pid else None, ended, reason == "1")


def status_folder(prefix: str, place: Place) -> str:
    """The folder of a machine's statuses; ``prefix`` is the cluster's."""
    return f"{prefix}status/{place.role}-{place.index}/"


def new_serial() -> int:
    """Larger than any before, also after a reboot and on the machine that takes another's place."""
    return time.time_ns() // 1000


def newest(found: Iterable[Stored], prefix: str) -> dict[Place, tuple[Status, str]]:
    """Find in a listing of the cluster's prefix the newest status of each place, and its key."""
    latest: dict[Place, str] = {}
    begin = f"{prefix}status/"
    for stored in found:
        if stored.key.startswith(begin):
            folder = stored.key[len(begin) :].partition("/")[0]
            role, _, index = folder.rpartition("-")
            place = Place(role, int(index))
            latest[place] = max(latest.get(place, ""), stored.key)
    return {place: (read_name(key.rpartition("/")[2]), key) for place, key in latest.items()}
