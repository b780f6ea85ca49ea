"""Checks of the account before a launch: quotas, permissions, and the stack that may be there already."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from workbench.application import permissions
from workbench.application.template import Wish
from workbench.aws import gpus, instances, names, policy, quotas, types
from workbench.aws.instances import Instance
from workbench.aws.outputs import StackState
from workbench.aws.quotas import Quota
from workbench.aws.refusals import AwsError, AwsFailure, said
from workbench.aws.session import Session
from workbench.aws.types import MachineType
from workbench.machines import Layout
from workbench.machines.aws.controller import baking, pricing
from workbench.settings import Settings

ADDRESS_QUOTA = "L-0263D0A3"
"""Service Quotas' name for Elastic IPs."""


@dataclass(frozen=True)
class Check:
    """One thing that the account must allow."""

    what: str
    ok: bool | None
    """``None`` where AWS did not tell."""
    said: str


def check(
    session: Session,
    settings: Settings,
    wish: Wish,
    kinds: Mapping[str, MachineType],
    state: StackState | AwsError | None,
) -> tuple[Check, ...]:
    """Tell whether a launch may be expected to work.

    Parameters
    ----------
    state
        The application's stack, ``None`` where there is none; or why AWS does not tell.
    """
    there: list[Instance] | AwsError
    try:
        there = instances.find(session, states=instances.LIVING, doing="look at the machines")
    except AwsError as error:
        there = error
    return (
        _stack(settings, state),
        _processors(session, wish, kinds, there),
        _addresses(session, wish, there),
        _permissions(session, settings, ("policy", "options") if wish.budget else ("policy",)),
    )


def _stack(settings: Settings, state: StackState | AwsError | None) -> Check:
    if isinstance(state, AwsError):
        return Check("application", None, str(state))
    if state is None:
        return Check("application", True, "there is none yet")
    return Check(
        "application",
        True,
        f"the stack {settings.aws_stack} is there: {state.status}; launch goes on with it",
    )


def idle(settings: Settings) -> Check:
    """Say beforehand when the working machine stops itself."""
    minutes = settings.aws_working_idle_minutes
    if not minutes:
        told = "the working machine runs until somebody stops it (WORKBENCH_AWS_WORKING_IDLE_MINUTES=0)"
        return Check("working machine", None, told)
    return Check(
        "working machine",
        True,
        f"it stops itself after {minutes} minutes without use (WORKBENCH_AWS_WORKING_IDLE_MINUTES); again with: workbench "
        "start app --provider aws --only working",
    )


def cluster(session: Session, settings: Settings, layout: Layout) -> Check:
    """Tell whether the account's quota lets such a cluster be launched now, on demand or as spot machines as is set."""
    kind = pricing.type_of(layout)
    try:
        kinds = types.describe(session, [kind])
        there = instances.find(session, states=instances.LIVING, doing="look at the machines")
        needed = len(layout.places) * kinds[kind].vcpus
        counted = quotas.of(kind)
        if counted is None:
            return Check("processors", None, f"nothing is known here of the quota that {kind} counts against")
        return _count_processors(session, needed, kinds, there, counted, spot=settings.aws_spot)
    except (*AwsFailure, AwsError) as error:
        return Check("processors", None, str(said(error, "ask for the quota")))


def first_boot(session: Session, layout: Layout) -> str:
    """Say what a cluster's machines do before they are ready; raises ``AwsError``."""
    kind = pricing.type_of(layout)
    long = "each machine installs TensorFlow first, which is most of the minutes until it is ready"
    if gpus.are_driven(kind) or types.architecture(kind) != baking.ARCHITECTURE:
        return f"{long}; images are built for usual types alone"
    image = baking.current(session)
    if image is None:
        return f"{long}; to have that done once: workbench image build"
    return f"nothing is installed, machines begin from {image.id}"


def _processors(
    session: Session, wish: Wish, kinds: Mapping[str, MachineType], there: list[Instance] | AwsError
) -> Check:
    needed = sum(kinds[kind].vcpus for kind in wish.types.values() if quotas.of(kind) is quotas.STANDARD)
    try:
        if isinstance(there, AwsError):
            raise there
        found = _count_processors(session, needed, kinds, there)
    except (*AwsFailure, AwsError) as error:
        return Check("processors", None, f"{needed} vCPUs are needed; {said(error, 'ask for the quota')}")
    if found.ok is False and _are_its_own(wish, there):
        return Check("processors", True, found.said.partition("; ")[0])
    return found


def _count_processors(
    session: Session,
    needed: int,
    kinds: Mapping[str, MachineType],
    there: Sequence[Instance],
    counted: Quota = quotas.STANDARD,
    *,
    spot: bool = False,
) -> Check:
    quota = _quota(session, counted.code(spot))
    running = [
        one.type
        for one in there
        if one.state in ("pending", "running")
        and one.spot == spot
        and (other := quotas.of(one.type)) is not None
        and other.code(spot) == counted.code(spot)
    ]
    unknown = sorted(set(running) - set(kinds))
    counts = {**kinds, **(types.describe(session, unknown) if unknown else {})}
    used = sum(counts[kind].vcpus for kind in running)
    text = f"{needed} vCPUs are needed, {used} of the account's {quota:g} are in use"
    if used + needed > quota:
        return Check(
            "processors", False, f"{text}; ask for more under Service Quotas, '{counted.name(spot)}'"
        )
    return Check("processors", True, text)


def _addresses(session: Session, wish: Wish, there: list[Instance] | AwsError) -> Check:
    needed = 3 if wish.private_backend else 2
    try:
        quota = _quota(session, ADDRESS_QUOTA)
        used = len(session.ec2.describe_addresses()["Addresses"])
        if isinstance(there, AwsError):
            raise there
    except (*AwsFailure, AwsError) as error:
        return Check("Elastic IPs", None, f"{needed} are needed; {said(error, 'ask for the quota')}")
    text = f"{needed} are needed, {used} of the account's {quota:g} are in use"
    if used + needed > quota and not _are_its_own(wish, there):
        return Check("Elastic IPs", False, f"{text}; release some, or ask for more under Service Quotas")
    return Check("Elastic IPs", True, text)


def _are_its_own(wish: Wish, there: Sequence[Instance]) -> bool:
    """True if machines of an application are among those in use."""
    return any(
        one.tags.get("project") == names.PROJECT and one.tags.get("role") in wish.types for one in there
    )


def _permissions(session: Session, settings: Settings, kinds: Collection[str]) -> Check:
    try:
        lacking = permissions.missing(session, settings, kinds)
    except (*AwsFailure, AwsError) as error:
        return Check("permissions", None, str(said(error, "ask what these credentials may do")))
    if lacking is None:
        return Check("permissions", None, "AWS does not tell what these credentials may do")
    if lacking:
        # The simulator knows nothing of some kinds of policies, so this is a warning and stops nobody.
        return Check(
            "permissions",
            None,
            f"missing, as far as AWS can tell: {', '.join(lacking)} (docs/aws.md has the whole policy)"
            + permissions.advice(session),
        )
    if session.caller.arn.endswith(":root"):
        return Check(
            "permissions", True, "the account's root may do everything; better use a user of its own"
        )
    return Check(
        "permissions",
        True,
        f"all {sum(len(policy.actions(kind)) for kind in kinds)} that are needed{permissions.advice(session)}",
    )


def _quota(session: Session, code: str) -> float:
    told = session.quotas.get_service_quota(ServiceCode="ec2", QuotaCode=code)
    return float(told["Quota"]["Value"])
