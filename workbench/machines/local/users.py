"""Users without a name that clusters run as, for root: by them the kernel tells whose a process is."""

import re
import zlib
from collections.abc import Collection

from workbench.errors import Unavailable
from workbench.system.sandbox.linux import MACHINE_UIDS

_HALF = len(MACHINE_UIDS) // 2
OF_JOBS, OF_OTHERS = MACHINE_UIDS[:_HALF], MACHINE_UIDS[_HALF:]
_OF_JOB = re.compile(r"(?:job|task|task-check)-([0-9]{1,9})", re.ASCII)
"""Names that only we give: of a job's own cluster, of the task that loads its export, and of its recipe's check."""


def uid_of_job(name: str) -> int | None:
    """The user of a job's cluster, or of a task beside the job; ``None`` of other names, which are not ours to give.

    >>> uid_of_job("job-7") == uid_of_job("task-7") != uid_of_job("job-8")
    True
    >>> uid_of_job("check-7")
    """
    job = _OF_JOB.fullmatch(name)
    return OF_JOBS[int(job[1]) % len(OF_JOBS)] if job else None


def choose_uid(name: str, taken: Collection[int]) -> int:
    """A user for a cluster that is none of those that others have; the same one again where it is free.

    Raises
    ------
    Unavailable
        All are taken.

    >>> first = choose_uid("a", [])
    >>> first in OF_OTHERS and first == choose_uid("a", [])
    True
    >>> choose_uid("a", [first]) != first
    True
    """
    if (uid := uid_of_job(name)) is not None:
        return uid
    begin = zlib.crc32(name.encode())
    for number in range(len(OF_OTHERS)):
        if (uid := OF_OTHERS[(begin + number) % len(OF_OTHERS)]) not in taken:
            return uid
    raise Unavailable(f"all {len(OF_OTHERS)} users for clusters are taken; release standing clusters")
