"""Users without a name that clusters run as, for root: by them the kernel tells whose a process is."""

import re
import zlib

from workbench.system.linux import MACHINE_UIDS

_HALF = len(MACHINE_UIDS) // 2
OF_JOBS, OF_OTHERS = MACHINE_UIDS[:_HALF], MACHINE_UIDS[_HALF:]
_OF_JOB = re.compile(r"(?:job|task|task-check)-([0-9]{1,9})", re.ASCII)
"""Names that only we give: of a job's own cluster, of the task that loads its export, and of its recipe's check."""


def uid_of_cluster(name: str) -> int:
    """The user that a cluster's machines run as; nobody can choose a name that gets a job's user.

    >>> uid_of_cluster("job-7") == uid_of_cluster("task-7") != uid_of_cluster("job-8")
    True
    >>> uid_of_cluster("check-7") in OF_OTHERS
    True
    """
    if job := _OF_JOB.fullmatch(name):
        return OF_JOBS[int(job[1]) % len(OF_JOBS)]
    return OF_OTHERS[zlib.crc32(name.encode()) % len(OF_OTHERS)]
