"""The end of a job's machines by themselves: its deadline has passed, or it is over and nobody ends them."""

import signal
import subprocess

from workbench.aws import instances, names
from workbench.aws.session import Session
from workbench.machines import Exit
from workbench.machines.aws.exchange.assignments import Assignment
from workbench.machines.aws.on_machine.attempt import Attempt
from workbench.machines.aws.on_machine.duty import Duty

DONE = 0
"""Exit code of a node whose work is done."""
STOPPED = Exit(-signal.SIGTERM, "stopped")
"""Of a role that was told to end."""


def why_job_over(duty: Duty, attempt: Attempt | None, *, clock: float) -> str:
    """Say why a standing cluster's job is to end; empty while it is not, or has ended. For ``clock`` see below."""
    if not duty.assignment.standing or attempt is None or attempt.exit is not None:
        return ""
    return _why_late(duty.assignment, clock)


def why_over(
    duty: Duty, attempt: Attempt | None, *, now: float, clock: float, idle_since: float | None = None
) -> str:
    """Say why the machines are to end themselves; empty while they are not.

    Parameters
    ----------
    now, clock
        Seconds of the monotonic clock, and since the epoch.
    idle_since
        Since when there has been no work, by the monotonic clock; ``None`` while there is some.
    """
    assignment = duty.assignment
    if assignment.standing:
        idle_s = assignment.terms.idle_s
        if duty.leads and idle_s is not None and idle_since is not None and now - idle_since > idle_s:
            return (
                f"the standing cluster has had no job for {idle_s / 60:.0f} minutes (WORKBENCH_AWS_IDLE_MINUTES): its "
                "machines end"
            )
        return ""
    if assignment.work is None:
        return ""
    if why := _why_late(assignment, clock):
        return why
    if attempt is None or attempt.exit is None or attempt.exit == STOPPED or not attempt.ended_at:
        return ""
    matters = attempt.exit.code != DONE or duty.leads
    if matters and now - attempt.ended_at > assignment.terms.linger_s:
        return "the job is over and nobody ends its machines: they end themselves"
    return ""


def _why_late(assignment: Assignment, clock: float) -> str:
    work = assignment.work
    if work is None or work.deadline is None or clock <= work.deadline:
        return ""
    ends = "it ends" if assignment.standing else "its machines end"
    if work.cap:
        return f"the job has cost all that it may: {work.cap}; its checkpoint is kept, {ends}"
    return f"the job's deadline has passed: {ends}"


def end_others(session: Session, cluster: str, instance: str) -> None:
    """Terminate the cluster's other machines."""
    wanted = names.filters(session.home, cluster=cluster)
    found = instances.find(session, wanted, states=instances.LIVING, doing="look for the cluster's machines")
    if others := [one.id for one in found if one.id != instance]:
        instances.terminate(session, others)


def shut_down() -> None:
    """Switch this machine off, which terminates it."""
    subprocess.run(["shutdown", "-h", "now"], check=False)
