"""Checks of the account before a launch: quotas, permissions, and the stack that may be there already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.application.template import Wish
from workbench.aws import instances, names, policy
from workbench.aws.instances import Instance
from workbench.aws.outputs import StackState
from workbench.aws.refusals import AwsError, AwsFailure, Refused, code_of, said
from workbench.aws.session import Session, pages
from workbench.settings import Settings

VCPU_QUOTA, ADDRESS_QUOTA = "L-1216C47A", "L-0263D0A3"
"""Service Quotas' names for the vCPUs of standard instances on demand, and for Elastic IPs."""
STANDARD = "acdhimrtz"
"""Families that count against that quota."""


@dataclass(frozen=True)
class Check:
    """One thing that the account must allow."""

    what: str
    ok: bool | None
    """``None`` where AWS did not tell."""
    said: str


@dataclass(frozen=True)
class MachineType:
    """An instance type, as AWS describes it."""

    vcpus: int
    memory_gb: float
    architecture: str
    """``x86_64`` or ``arm64``."""


def machine_types(session: Session, wanted: Sequence[str]) -> dict[str, MachineType]:
    """Describe these instance types.

    Raises
    ------
    Refused
        One of them does not exist in this region.
    """
    try:
        told = list(
            pages(session.ec2, "describe_instance_types", "InstanceTypes", InstanceTypes=list(wanted))
        )
    except AwsFailure as error:
        if code_of(error) in ("InvalidInstanceType", "InvalidParameterValue"):
            raise Refused(
                f"AWS has no such instance type in {session.region}: {', '.join(wanted)}; see the types and prices "
                "with: workbench prices"
            ) from error
        raise said(error, "look at the instance types") from error
    return {
        one["InstanceType"]: MachineType(
            vcpus=one["VCpuInfo"]["DefaultVCpus"],
            memory_gb=one["MemoryInfo"]["SizeInMiB"] / 1024,
            architecture="arm64" if "arm64" in one["ProcessorInfo"]["SupportedArchitectures"] else "x86_64",
        )
        for one in told
    }


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
        there = instances.find(session, [instances.in_states(instances.LIVING)], doing="look at the machines")
    except AwsError as error:
        there = error
    return (
        _stack(settings, state),
        _processors(session, wish, kinds, there),
        _addresses(session, wish, there),
        _permissions(session),
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


def _processors(
    session: Session, wish: Wish, kinds: Mapping[str, MachineType], there: list[Instance] | AwsError
) -> Check:
    needed = sum(kinds[kind].vcpus for kind in wish.types.values() if kind[0] in STANDARD)
    try:
        quota = _quota(session, VCPU_QUOTA)
        if isinstance(there, AwsError):
            raise there
        running = [
            one.type
            for one in there
            if one.state in ("pending", "running") and one.type[0] in STANDARD and not one.spot
        ]
        unknown = sorted(set(running) - set(kinds))
        counts = {**kinds, **(machine_types(session, unknown) if unknown else {})}
    except (*AwsFailure, AwsError) as error:
        return Check("processors", None, f"{needed} vCPUs are needed; {said(error, 'ask for the quota')}")
    used = sum(counts[kind].vcpus for kind in running)
    text = f"{needed} vCPUs are needed, {used} of the account's {quota:g} are in use"
    if used + needed > quota and not _are_its_own(wish, there):
        text += "; ask for more under Service Quotas, 'Running On-Demand Standard instances'"
        return Check("processors", False, text)
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


def _permissions(session: Session) -> Check:
    try:
        arn = _principal(session.caller.arn)
        if arn is None:
            return Check("permissions", None, "AWS does not tell what these credentials may do")
        if arn.endswith(":root"):
            return Check(
                "permissions", True, "the account's root may do everything; better use a user of its own"
            )
        answers = pages(
            session.iam,
            "simulate_principal_policy",
            "EvaluationResults",
            PolicySourceArn=arn,
            ActionNames=list(policy.actions()),
        )
        denied = sorted(one["EvalActionName"] for one in answers if one["EvalDecision"] != "allowed")
    except (*AwsFailure, AwsError) as error:
        return Check("permissions", None, str(said(error, "ask what these credentials may do")))
    if denied:
        # A policy that names resources is not seen to allow "*", so this is a warning and stops nobody.
        return Check(
            "permissions", None, f"not for every resource allowed: {', '.join(denied)} (docs/aws.md)"
        )
    return Check("permissions", True, f"all {len(policy.actions())} that are needed")


def _principal(arn: str) -> str | None:
    """The user or role behind a caller's ARN, as policies are attached to it.

    >>> _principal("arn:aws:sts::123456789012:assumed-role/Admin/ada")
    'arn:aws:iam::123456789012:role/Admin'
    """
    head, _, rest = arn.rpartition(":")
    if rest.startswith("assumed-role/"):
        return f"{head.replace(':sts:', ':iam:')}:role/{rest.split('/')[1]}"
    return arn if rest.startswith("user/") or rest == "root" else None


def _quota(session: Session, code: str) -> float:
    told = session.quotas.get_service_quota(ServiceCode="ec2", QuotaCode=code)
    return float(told["Quota"]["Value"])
