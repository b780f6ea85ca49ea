"""Changes of a stack by CloudFormation: told event by event until it is done, and why it failed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.aws import outputs
from workbench.aws.outputs import StackState
from workbench.aws.refusals import AwsFailure, code_of, said
from workbench.aws.session import Session, pages
from workbench.errors import Unavailable
from workbench.system.waiting import wait_until

STACK_TIMEOUT_S = 1800.0
POLL_S, LONGEST_POLL_S = 0.3, 4.0
"""First pause between two looks, and the longest."""
STACK_TYPE = "AWS::CloudFormation::Stack"

Tell = Callable[[str], None]
"""Called with one line whenever something has happened."""


@dataclass(frozen=True)
class StackEvent:
    """One thing that happened to a resource of a stack."""

    id: str
    resource: str
    """Its name in the template."""
    type: str
    """As CloudFormation has it: ``AWS::EC2::Subnet``."""
    status: str
    """Such as ``CREATE_FAILED``."""
    reason: str = ""

    def __str__(self) -> str:
        words = f"{self.resource} ({self.type}) {self.status.lower().replace('_', ' ')}"
        return f"{words}: {self.reason}" if self.reason else words


@dataclass(frozen=True)
class StackChange:
    """The end of a change of a stack."""

    state: StackState | None
    """``None`` once it is deleted."""
    events: tuple[StackEvent, ...]
    """All that ever happened to it, the oldest first."""


def follow(session: Session, id: str, tell: Tell) -> StackChange:
    """Wait until nothing is under way with the stack, telling each event.

    Raises
    ------
    Unavailable
        Not within half an hour.
    """
    seen: set[str] = set()
    status = ""

    def look() -> StackChange | None:
        nonlocal status
        state = outputs.describe(session, id)
        happened = read_events(session, id)
        for event in happened:
            if event.id not in seen:
                seen.add(event.id)
                if not event.status.endswith("_IN_PROGRESS"):
                    tell(str(event))
        status = state.status if state else ""
        return None if state is not None and state.is_changing else StackChange(state, tuple(happened))

    def late() -> str:
        return f"the stack is {status} for {STACK_TIMEOUT_S:.0f} s now; look at it in the AWS console"

    ended = wait_until(look, STACK_TIMEOUT_S, POLL_S, late, longest_s=LONGEST_POLL_S)
    assert ended is not None
    return ended


def read_events(session: Session, id: str) -> list[StackEvent]:
    """All that happened to the stack, the oldest first."""
    try:
        told = list(map(_event, pages(session.cfn, "describe_stack_events", "StackEvents", StackName=id)))
    except AwsFailure as error:
        if code_of(error) == "ValidationError":
            return []
        raise said(error, "read what happens to the stack") from error
    return told[::-1]


def _event(one: Mapping[str, Any]) -> StackEvent:
    return StackEvent(
        id=one["EventId"],
        resource=one["LogicalResourceId"],
        type=one["ResourceType"],
        status=one["ResourceStatus"],
        reason=one.get("ResourceStatusReason", ""),
    )


def first_cause(events: Iterable[StackEvent]) -> str:
    """Say why a stack failed: the first failure that is not the consequence of another.

    >>> first_cause([StackEvent("1", "Page", "AWS::EC2::EIP", "CREATE_FAILED", "limit reached")])
    'AWS::EC2::EIP Page: limit reached'
    """
    for event in events:
        failed = event.status.endswith("_FAILED") and event.type != STACK_TYPE
        if failed and "ancelled" not in event.reason:
            return f"{event.type} {event.resource}: {event.reason}"
    return ""


def since_the_deletion(events: Sequence[StackEvent]) -> Sequence[StackEvent]:
    """Those since somebody last asked for the stack's deletion; all where nobody did."""
    begins = [at for at, e in enumerate(events) if e.type == STACK_TYPE and e.status == "DELETE_IN_PROGRESS"]
    return events[begins[-1] :] if begins else events


def remove(session: Session, state: StackState, tell: Tell) -> None:
    """Delete the stack and wait until it is gone; one that is gone is fine.

    Raises
    ------
    Unavailable
        AWS cannot delete something, with the first reason.
    """
    if state.status != "DELETE_IN_PROGRESS":
        try:
            session.cfn.delete_stack(StackName=state.id)
        except AwsFailure as error:
            raise said(error, f"delete the stack {state.name}") from error
    ended = follow(session, state.id, lambda line: tell(line) if "delete" in line else None)
    if ended.state is not None:
        reason = first_cause(since_the_deletion(ended.events)) or ended.state.reason
        raise Unavailable(
            f"AWS could not delete all of the stack {state.name}: {reason}; see what is left with: "
            "workbench audit, and try again: workbench release app --provider aws"
        )
