"""Logs of a job's machines: the files, the end of one, and what was added since.

The machines' code may have put anything into their folder: what is no log is not shown.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from workbench.machines import Place
from workbench.settings import Settings
from workbench.system import untrusted_folders

TAIL_BYTES = 64 * 1024
MAX_READ = 4 * 1024 * 1024
"""Bytes that one look gives; no log of ours is longer."""
_MACHINE = re.compile(r"(chief|ps|worker|task)-([0-9]{1,6})", re.ASCII)
_STREAMS = ("stderr", "stdout")


@dataclass(frozen=True, order=True)
class MachineLog:
    """One file that a machine writes."""

    place: Place
    stream: str
    """``stdout`` or ``stderr``."""
    folder: Path
    """The job's."""

    @property
    def name(self) -> str:
        """The file's, below the job's folder."""
        return f"machines/{self.place.role}-{self.place.index}/{self.stream}.log"


def list_logs(id: int, settings: Settings) -> list[MachineLog]:
    """List the logs that the job's machines have begun, by role, number and stream."""
    folder = settings.home / "jobs" / str(id)
    machines = filter(None, map(_MACHINE.fullmatch, untrusted_folders.list_names(folder, "machines")))
    every = [
        MachineLog(Place(one[1], int(one[2])), stream, folder) for one in machines for stream in _STREAMS
    ]
    return sorted(log for log in every if untrusted_folders.is_file(folder, log.name))


def read_lines(log: MachineLog, offset: int = 0) -> tuple[list[str], int]:
    """Read the whole lines after the offset, and where to go on. A file that was rotated begins anew.

    Of a file that the machine's code made longer than any log of ours, the last part.
    """
    try:
        size = untrusted_folders.size_of(log.folder, log.name)
        begin = max(offset, size - MAX_READ) if size > offset + MAX_READ else offset
        part = untrusted_folders.read_part(log.folder, log.name, begin, MAX_READ)
    except OSError:
        return [], offset
    whole = part.data[: part.data.rfind(b"\n") + 1]
    if not whole and len(part.data) == MAX_READ:
        return [], part.end  # the inside of a line that nobody could read
    return whole.decode(errors="replace").splitlines(), part.begin + len(whole)


def read_end(log: MachineLog, most: int = TAIL_BYTES) -> tuple[str, bool]:
    """Read the last bytes as text, and whether that is all; lines are whole but for the very last one."""
    part = untrusted_folders.read_end(log.folder, log.name, most)
    text = part.data
    if part.begin:
        text = text[text.find(b"\n") + 1 :]
    return text.decode(errors="replace"), part.begin == 0
