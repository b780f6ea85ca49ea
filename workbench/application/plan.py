"""What a launch of the application would make, what that costs, and whether the account lets it: asks, changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.application import stack, template
from workbench.application.template import DISKS_GB, Wish
from workbench.aws import prices
from workbench.aws.session import AwsError, AwsFailure, Refused, Session, code_of, pages, policy_actions, said
from workbench.machines import Plan
from workbench.settings import Settings

VCPU_QUOTA, ADDRESS_QUOTA = "L-1216C47A", "L-0263D0A3"
"""Service Quotas' names for the vCPUs of standard instances on demand, and for Elastic IPs."""
STANDARD = "acdhimrtz"
"""Families that count against that quota."""


@dataclass(frozen=True)
class Cost:
    """One thing that costs."""

    what: str
    per_hour: float | None
    """US dollars; ``None`` where the price is not known here."""


@dataclass(frozen=True)
class Check:
    """One thing that the account must allow."""

    what: str
    ok: bool | None
    """``None`` where AWS did not tell."""
    said: str


@dataclass(frozen=True)
class AppPlan(Plan):
    """What a launch of the application would make."""

    costs: tuple[Cost, ...] = ()
    checks: tuple[Check, ...] = ()
    price_source: str = ""

    @property
    def unknown(self) -> tuple[str, ...]:
        """What costs something that is not known here."""
        return tuple(cost.what for cost in self.costs if cost.per_hour is None)


def plan(session: Session, settings: Settings, wish: Wish) -> AppPlan:
    """What ``launch`` would make.

    Raises
    ------
    Refused
        There is no such instance type in this region.
    """
    kinds = machine_types(session, sorted(set(wish.types.values())))
    known = prices.known(settings, session.region)
    costs = list_costs(known, wish)
    return AppPlan(
        resources=tuple(template.planned(wish.private_backend)),
        price_per_hour=round(sum(cost.per_hour or 0.0 for cost in costs), 4),
        costs=costs,
        checks=check(session, settings, wish, kinds),
        price_source=known.source,
    )


@dataclass(frozen=True)
class MachineType:
    """What AWS says of an instance type."""

    vcpus: int
    memory_gb: float
    architecture: str
    """``x86_64`` or ``arm64``."""


def machine_types(session: Session, names: Sequence[str]) -> dict[str, MachineType]:
    """What these types are.

    Raises
    ------
    Refused
        One of them does not exist in this region.
    """
    try:
        told = list(pages(session.ec2, "describe_instance_types", "InstanceTypes", InstanceTypes=list(names)))
    except AwsFailure as error:
        if code_of(error) in ("InvalidInstanceType", "InvalidParameterValue"):
            raise Refused(
                f"AWS has no such instance type in {session.region}: {', '.join(names)}; see the types and prices "
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


def list_costs(known: prices.Prices, wish: Wish) -> tuple[Cost, ...]:
    """What costs by the hour, while the machines run."""
    costs = [Cost(f"{role} machine, {kind}", known.machine(kind)) for role, kind in wish.types.items()]
    costs.append(Cost(f"disks, {sum(DISKS_GB.values())} GB", known.disk(sum(DISKS_GB.values()))))
    addresses = 2 if wish.private_backend else 3
    costs.append(Cost(f"public addresses, {addresses}", addresses * known.address_hour))
    if wish.private_backend:
        costs.append(Cost("NAT gateway and its address", known.nat_hour + known.address_hour))
    return tuple(costs)


def check(
    session: Session, settings: Settings, wish: Wish, kinds: dict[str, MachineType]
) -> tuple[Check, ...]:
    """Whether a launch may be expected to work."""
    return (
        _stack(session, settings),
        _processors(session, wish, kinds),
        _addresses(session, wish),
        _permissions(session),
    )


def _stack(session: Session, settings: Settings) -> Check:
    try:
        found = stack.describe(session, settings)
    except AwsError as error:
        return Check("application", None, str(error))
    if found is None:
        return Check("application", True, "there is none yet")
    return Check(
        "application",
        True,
        f"the stack {settings.aws_stack} is there: {found.status}; launch goes on with it",
    )


def _processors(session: Session, wish: Wish, kinds: dict[str, MachineType]) -> Check:
    needed = sum(kinds[kind].vcpus for kind in wish.types.values() if kind[0] in STANDARD)
    try:
        quota = _quota(session, VCPU_QUOTA)
        running = [
            one
            for reservation in pages(
                session.ec2,
                "describe_instances",
                "Reservations",
                Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}],
            )
            for one in reservation["Instances"]
            if one["InstanceType"][0] in STANDARD and one.get("InstanceLifecycle") != "spot"
        ]
        types = sorted({one["InstanceType"] for one in running})
        counts = machine_types(session, types) if types else {}
        there = _is_there(session, wish)
    except (*AwsFailure, AwsError) as error:
        return Check("processors", None, f"{needed} vCPUs are needed; {said(error, 'ask for the quota')}")
    used = sum(counts[one["InstanceType"]].vcpus for one in running)
    text = f"{needed} vCPUs are needed, {used} of the account's {quota:g} are in use"
    if used + needed > quota and not there:
        text += "; ask for more under Service Quotas, 'Running On-Demand Standard instances'"
        return Check("processors", False, text)
    return Check("processors", True, text)


def _addresses(session: Session, wish: Wish) -> Check:
    needed = 3 if wish.private_backend else 2
    try:
        quota = _quota(session, ADDRESS_QUOTA)
        used = len(session.ec2.describe_addresses()["Addresses"])
        there = _is_there(session, wish)
    except AwsFailure as error:
        return Check("Elastic IPs", None, f"{needed} are needed; {said(error, 'ask for the quota')}")
    text = f"{needed} are needed, {used} of the account's {quota:g} are in use"
    if used + needed > quota and not there:
        return Check("Elastic IPs", False, f"{text}; release some, or ask for more under Service Quotas")
    return Check("Elastic IPs", True, text)


def _is_there(session: Session, wish: Wish) -> bool:
    """Whether what is in use is this very application's."""
    found = session.ec2.describe_instances(
        Filters=[
            {"Name": "tag:project", "Values": ["workbench"]},
            {"Name": "tag:role", "Values": list(wish.types)},
            {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
        ]
    )
    return any(reservation["Instances"] for reservation in found["Reservations"])


def _permissions(session: Session) -> Check:
    try:
        arn = _principal(session.sts.get_caller_identity()["Arn"])
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
            ActionNames=list(policy_actions()),
        )
        denied = sorted(one["EvalActionName"] for one in answers if one["EvalDecision"] != "allowed")
    except AwsFailure as error:
        return Check("permissions", None, str(said(error, "ask what these credentials may do")))
    if denied:
        # A policy that names resources is not seen to allow "*", so this is a warning and stops nobody.
        return Check(
            "permissions", None, f"not for every resource allowed: {', '.join(denied)} (docs/aws.md)"
        )
    return Check("permissions", True, f"all {len(policy_actions())} that are needed")


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
