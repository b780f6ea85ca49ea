"""A role at work on a cluster's machine: its process, what it reports, and whether it begins again when it crashes."""

import contextlib
import subprocess
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from workbench import events
from workbench.machines import Exit, Place, machine_folder
from workbench.machines.aws.exchange.assignments import AssignedJob, Terms
from workbench.machines.aws.exchange.streams import Stream
from workbench.machines.aws.exchange.trees import Tree
from workbench.machines.aws.on_machine import role
from workbench.machines.aws.on_machine.disk import AttemptCounts, Disk
from workbench.system import untrusted_changes, untrusted_folders
from workbench.system.endings import describe_code

PAUSES_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""Before a role begins again, the first time, the second, …"""
STEADY_S = 120.0
"""At work for so long counts as progress where nobody counts steps."""
BROKE_RESTARTS = 12
"""In a row without progress, where the fault is another machine's."""
RESTARTS_IN_ALL = 50
CLUSTER_BROKE = 4
"""Exit code of a node that has lost the others."""
TAIL_BYTES = 16_384


@dataclass
class Attempt:
    """One turn of a role, from its preparation to its end."""

    disk: Disk
    place: Place
    folder: Path
    streams: list[Stream]
    checkpoints: Tree | None
    """Only of the place that writes them."""
    process: "subprocess.Popen[bytes] | None" = None
    again_at: float = 0.0
    counts: AttemptCounts = field(default_factory=lambda: AttemptCounts(""))
    """Kept on the disk: an agent that is killed and comes again goes on counting."""
    step: int = 0
    code: int | None = None
    """With which the process ended by itself, until it is known what follows from that."""
    exit: Exit | None = None
    """The role's, once it has ended for good."""
    ended_at: float = 0.0

    @classmethod
    def prepare(cls, disk: Disk, work: AssignedJob, place: Place, leads: bool, key: str = "") -> "Attempt":
        """Fetch the job, and what the place had reported and kept when another machine had it.

        Parameters
        ----------
        key
            Of this turn of the role, for its counts.
        """
        folder = disk.get_job(work, place)
        streams = disk.streams(work, place, folder)
        attempt = cls(disk, place, folder, streams, disk.checkpoints(work, folder) if leads else None)
        attempt.counts = disk.counts(key)
        attempt.step = _last_step(streams[0]) if leads else 0
        return attempt

    def begin(self, node: str) -> int:
        """Begin the process; its id."""
        self.again_at = 0.0
        self.process = role.begin(self.disk.root, node, self.folder, self.place)
        self.exit = None
        self._count(step_then=self.step, begun=time.time(), at_work=True)
        return self.process.pid

    def poll(self) -> int | None:
        """The code with which the process ended by itself, as often as it is asked until ``note_crash`` or ``exit`` settles it."""
        if self.process is not None and (code := self.process.poll()) is not None:
            self.end()
            self.code = code
        return self.code

    def end(self) -> bool:
        """End the process and what it began; whether there was one."""
        if self.process is None:
            return False
        role.end(self.disk.root, self.process)
        self.process = None
        self._count(at_work=False)
        return True

    def is_due(self) -> bool:
        """True once the pause after a crash is over."""
        return bool(self.again_at) and time.monotonic() >= self.again_at

    def note_crash(self, code: int, terms: Terms) -> Exit | None:
        """Let the role begin again after a pause; its exit, where it is given up."""
        self.code = None
        before = self.counts
        lived = time.time() - before.begun
        progress = self.step > before.step_then or (self.checkpoints is None and lived > STEADY_S)
        in_vain = 0 if progress else before.in_vain + 1
        self._count(in_vain=in_vain, at_work=False)
        most = min(BROKE_RESTARTS, 4 * terms.restarts) if code == CLUSTER_BROKE else terms.restarts
        if in_vain > most or before.restarts >= RESTARTS_IN_ALL or terms.restarts == 0:
            again = f"ended again and again, {before.restarts + 1} times, at last with {describe_code(code)}"
            return Exit(code, again if before.restarts and code != CLUSTER_BROKE else "")
        pause = PAUSES_S[min(in_vain, len(PAUSES_S)) - 1] if in_vain else PAUSES_S[0]
        self._count(restarts=before.restarts + 1)
        self.again_at = time.monotonic() + pause
        self.note(
            f"{self.place} ended with {describe_code(code)}; its machine starts it again in {pause:g} s"
        )
        return None

    def _count(self, **changed: float) -> None:
        self.counts = replace(self.counts, **changed)  # type: ignore[arg-type]  # fields of several kinds
        self.disk.keep_counts(self.counts)

    def note(self, line: str) -> None:
        """Leave a line among the machine's own events."""
        told = events.dump(events.Log(time.time(), self.place.role, self.place.index, events.clean(line)))
        own = str(machine_folder(Path(), self.place))
        with contextlib.suppress(OSError):
            untrusted_changes.make_folder(self.folder, own)
            begun = untrusted_folders.read_end(self.folder, f"{own}/events.jsonl", 1).data not in (b"", b"\n")
            untrusted_changes.add(self.folder, f"{own}/events.jsonl", b"\n" * begun + told)

    def report(self) -> None:
        """Bring what is new to the bucket, not too much at a time."""
        for stream in self.streams:
            if stream.pump():
                stream.trim()
                self.disk.keep_read(stream)
        if self.checkpoints is not None:
            self.checkpoints.sync()
            self.step = _last_step(self.streams[0]) or self.step

    def flush(self) -> None:
        """Bring all of it."""
        for stream in self.streams:
            while stream.pump():
                self.disk.keep_read(stream)
        self.report()


def _last_step(stream: Stream) -> int:
    """The newest step in a machine's events; 0 where there is none near the end."""
    lines = untrusted_folders.read_end(stream.folder, stream.name, TAIL_BYTES).data.split(b"\n")
    steps = [e.step for line in lines if isinstance(e := events.parse(line), events.Metric)]
    return steps[-1] if steps else 0
