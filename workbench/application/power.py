"""Start and stop the application's machines; started means that their services answer."""

from collections.abc import Collection, Sequence

from workbench.application import budgets, stack
from workbench.application.stack import App, AppMachine
from workbench.application.stack_changes import LONGEST_POLL_S, POLL_S, Tell
from workbench.application.template import ROLES
from workbench.aws import instances, names, outputs
from workbench.aws.bucket import Bucket
from workbench.aws.outputs import Outputs
from workbench.aws.session import Session
from workbench.errors import BadInput, NotFound, Unavailable
from workbench.settings import Settings
from workbench.system.waiting import wait_until

BOOT_TIMEOUT_S = 1200.0


def start(
    session: Session,
    settings: Settings,
    tell: Tell,
    only: Collection[str] = ROLES,
    given: Outputs | None = None,
    *,
    over_budget: bool = False,
) -> App:
    """Start those of the machines that do not run, and wait until their services answer.

    Parameters
    ----------
    given
        What the stack gives, where the caller knows it.
    over_budget
        Also where the budget's alarm has gone off: what it denied is allowed again.

    Raises
    ------
    NotFound
        There is no application, or one of its machines is gone.
    Unavailable
        A service does not come up; or the budget's alarm has gone off.
    """
    _check_roles(only)
    given = given or outputs.find(session, settings)
    if over_budget and (lifted := budgets.lift(session, given.budget_roles)):
        tell(f"the budget's alarm has gone off: {' and '.join(lifted)} may do again what they may")
    budgets.refuse_if_over(session, given)
    machines = _settle(session, settings, given, only, ("stopping", "shutting-down"))
    if gone := [m.role for m in machines if m.state == "terminated"]:
        raise NotFound(
            f"the {' and '.join(gone)} machine is gone; make the application anew: workbench release app --provider "
            "aws, then launch app"
        )
    stopped = [m for m in machines if m.role in only and m.state == "stopped"]
    if stopped:
        bucket = Bucket(session)
        for machine in stopped:  # what it told at its last start is no news of this one
            bucket.delete(names.machine_key(settings.aws_stack, machine.instance))
        instances.start(session, [m.instance for m in stopped], f"start {_which(stopped)}")
    ready = _wait_ready(session, settings, given, only, tell, () if stopped else machines)
    return stack.show(session, settings, given, ready)


def stop(session: Session, settings: Settings, tell: Tell, only: Collection[str] = ROLES) -> App:
    """Stop the machines and keep them, their disks and addresses; those that are stopped are fine."""
    _check_roles(only)
    given = outputs.find(session, settings)
    machines = _settle(session, settings, given, only, ("pending",))
    if running := [m for m in machines if m.role in only and m.state == "running"]:
        instances.stop(session, [m.instance for m in running], f"stop {_which(running)}")
        tell(f"stopping: {', '.join(machine.role for machine in running)}")
    if running or any(m.role in only and m.state in ("stopping", "shutting-down") for m in machines):
        machines = _settle(session, settings, given, only, ("running", "stopping", "shutting-down"))
    return stack.show(session, settings, given, machines)


def _check_roles(only: Collection[str]) -> None:
    if unknown := sorted(set(only) - set(ROLES)):
        raise BadInput(f"the application has the machines {', '.join(ROLES)}. Received: {', '.join(unknown)}")


def _which(machines: Sequence[AppMachine]) -> str:
    return f"the {' and '.join(machine.role for machine in machines)} machine"


def _settle(
    session: Session, settings: Settings, given: Outputs, only: Collection[str], passing: Collection[str]
) -> tuple[AppMachine, ...]:
    """All machines, once none of those wanted is in a passing state."""
    late: list[AppMachine] = []

    def look() -> tuple[AppMachine, ...]:
        found = stack.look(session, settings, given)
        late[:] = [m for m in found if m.role in only and m.state in passing]
        return () if late else found

    def say() -> str:
        return f"the {late[0].role} machine is {late[0].state} for {BOOT_TIMEOUT_S:.0f} s now"

    return wait_until(look, BOOT_TIMEOUT_S, POLL_S, say, longest_s=LONGEST_POLL_S)


def _wait_ready(
    session: Session,
    settings: Settings,
    given: Outputs,
    only: Collection[str],
    tell: Tell,
    seen: tuple[AppMachine, ...],
) -> tuple[AppMachine, ...]:
    """All machines, once the services of those wanted answer; ``seen``: as they are now, where that is known."""
    told: dict[str, str] = {}
    late: list[AppMachine] = []

    def look() -> tuple[AppMachine, ...]:
        nonlocal seen
        found, seen = seen or stack.look(session, settings, given), ()
        wanted = [machine for machine in found if machine.role in only]
        for machine in wanted:
            line = f"{machine.role} machine {machine.service or machine.state}"
            line += f": {machine.message}" if machine.message else ""
            if told.get(machine.role) != line and machine.service != "unknown":
                told[machine.role] = line
                tell(line)
            if machine.service == "failed":
                raise Unavailable(
                    f"the {machine.role} machine {machine.instance} is there, but its service is not: "
                    f"{machine.message}"
                )
        late[:] = [machine for machine in wanted if machine.service != "ready"]
        return () if late else found

    def say() -> str:
        whom = ", ".join(f"{m.role} ({m.instance}, {m.state})" for m in late)
        return (
            f"not ready after {BOOT_TIMEOUT_S / 60:.0f} minutes: {whom}; read its first boot's words with: "
            "aws ec2 get-console-output --output text --instance-id ID"
        )

    return wait_until(look, BOOT_TIMEOUT_S, POLL_S, say, longest_s=LONGEST_POLL_S)
