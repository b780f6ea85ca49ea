"""Giving the application back: its clusters, its stack, and whatever an interruption left; may be done again."""

from collections.abc import Sequence

from workbench.application import audit, budgets, leftovers, stack_changes, tokens
from workbench.application.audit import Finding
from workbench.application.stack_changes import Tell
from workbench.aws import instances, names, outputs
from workbench.aws.bucket import Bucket
from workbench.aws.instances import ENDING, Instance
from workbench.aws.names import Filter
from workbench.aws.session import Session
from workbench.errors import BadInput, Unavailable
from workbench.settings import Settings

TRIES = 3


def release(
    session: Session,
    settings: Settings,
    tell: Tell,
    bucket: str | None = None,
    *,
    everybody: bool = False,
) -> None:
    """End the application and its clusters; nothing of this home is left but the bucket. None at all is fine.

    Parameters
    ----------
    bucket
        The bucket's name: remove it too, with every model and all code in it.
    everybody
        End clusters of other homes too.

    Raises
    ------
    BadInput
        The bucket is called otherwise, or somebody else's cluster is at work.
    """
    stored = Bucket(session)
    if bucket is not None and bucket != stored.name:
        raise BadInput(
            f"the bucket is called {stored.name}; name it so to remove it with all models. Received: {bucket}"
        )
    _end(session, settings, tell, everybody)
    tokens.forget(session, settings.aws_stack)
    leftovers.remove(session, _of_this_home(session, settings), tell)
    if bucket is not None:
        stored.remove()
        tell(f"bucket {bucket} removed")
    elif stored.exists():
        stored.delete(f"machines/{settings.aws_stack}/")
        tell(f"kept: the bucket {stored.name}, with code and models (release app --bucket {stored.name})")


def _end(session: Session, settings: Settings, tell: Tell, everybody: bool) -> None:
    """Delete the stack, and before it the clusters in its network, which would keep it from going."""
    state = outputs.describe(session, settings.aws_stack)
    if state is None:
        return
    vpc = next((r.id for r in outputs.resources(session, state.name) if r.type == outputs.VPC), None)
    seen: Sequence[Instance] | None = None
    if vpc is not None:
        seen = instances.find(session, _in_clusters(vpc), states=ENDING, doing="look at the clusters")
        if not everybody:
            _refuse_others(session, seen)
    # A role that an alarm gave another policy cannot be deleted with it.
    if (alarm := state.outputs.get("BudgetRoles")) and budgets.lift(session, alarm.split(",")):
        tell("the budget's alarm had gone off: its denial is taken back")
    for left in reversed(range(TRIES)):
        if vpc is not None:
            leftovers.end_machines(session, _in_clusters(vpc), tell, seen)
            seen = None
        try:
            stack_changes.remove(session, state, tell)
            return
        except Unavailable:
            if not left:
                raise
            tell("something still hung on it: once more")
        if (state := outputs.describe(session, settings.aws_stack)) is None:
            return


def _in_clusters(vpc: str) -> list[Filter]:
    return [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "tag-key", "Values": ["cluster"]}]


def _refuse_others(session: Session, machines: Sequence[Instance]) -> None:
    others = {
        f"{one.tags['cluster']} ({one.tags.get(names.HOME, '?')})"
        for one in machines
        if one.tags.get(names.HOME) != session.home
    }
    if others:
        raise BadInput(
            f"clusters of other homes are at work in this application: {', '.join(sorted(others))}; ask whoever has "
            "them, or end them too: release app --provider aws --everybody"
        )


def _of_this_home(session: Session, settings: Settings) -> list[Finding]:
    """Find what an interrupted launch or release left of this home."""
    ours = names.parameter(settings.aws_stack, "")

    def is_ours(one: Finding) -> bool:
        of_the_stack = one.kind == "parameter" and one.id.startswith(ours)
        return one.tagged and (one.home == session.home or of_the_stack)

    return [one for one in audit.find(session, settings, lambda cluster: "") if is_ours(one)]
