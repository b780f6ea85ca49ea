"""The end of a job's machines by themselves: its deadline has passed, or it is over and nobody ends them."""

import signal
import subprocess

from workbench.aws import instances, names
from workbench.aws.session import Session
from workbench.machines import Exit
from workbench.machines.aws.on_machine.attempt import Attempt
from workbench.machines.aws.on_machine.duty import Duty

DONE = 0
"""Exit code of a node whose work is done."""
STOPPED = Exit(-signal.SIGTERM, "stopped")
"""Of a role that was told to end."""


def why_over(duty: Duty, attempt: Attempt | None, *, now: float, clock: float) -> str:
    """Say why the machines are to end themselves; empty while they are not.

    Parameters
    ----------
    now, clock
        Seconds of the monotonic clock, and since the epoch.
    """
    assignment = duty.assignment
    if assignment.standing or assignment.work is None:
        return ""
    deadline = assignment.work.deadline
    if deadline is not None and clock > deadline:
        if assignment.work.cap:
            return f"the job has cost all that it may: {assignment.work.cap}; its checkpoint is kept, its machines end"
        return "the job's deadline has passed: its machines end"
    if attempt is None or attempt.exit is None or attempt.exit == STOPPED or not attempt.ended_at:
        return ""
    matters = attempt.exit.code != DONE or duty.leads
    if matters and now - attempt.ended_at > assignment.terms.linger_s:
        return "the job is over and nobody ends its machines: they end themselves"
    return ""


def end_others(session: Session, cluster: str, instance: str) -> None:
    """Terminate the cluster's other machines."""
    wanted = [*names.filters(session.home, cluster=cluster), instances.in_states(instances.LIVING)]
    found = instances.find(session, wanted, doing="look for the cluster's machines")
    if others := [one.id for one in found if one.id != instance]:
        instances.terminate(session, others)


def shut_down() -> None:
    """Switch this machine off, which terminates it."""
    subprocess.run(["shutdown", "-h", "now"], check=False)
