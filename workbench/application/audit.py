"""Leftovers on AWS: things with our tags that nobody owns, and things without a tag that look left behind."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from workbench.aws import images, instances, names, outputs
from workbench.aws.instances import Instance
from workbench.aws.outputs import GONE, StackState
from workbench.aws.refusals import AwsFailure, said
from workbench.aws.session import Session, pages
from workbench.settings import Settings

BUILD_S = 3 * 3600.0
"""A machine of which an image is made is there for less."""
FOREIGN_AGE_S = 24 * 3600.0
"""A cluster of another home is its owner's business for so long; its own time-to-live is shorter."""

Kind = Literal[
    "stack",
    "instance",
    "nat",
    "address",
    "volume",
    "interface",
    "group",
    "template",
    "gateway",
    "subnet",
    "table",
    "vpc",
    "image",
    "parameter",
]

Owned = Callable[[str], str]
"""Says why a cluster of this home should not be any more; empty where a job or a person still has it."""


@dataclass(frozen=True)
class Finding:
    """One thing that nobody owns."""

    kind: Kind
    id: str
    why: str
    home: str = ""
    """Short id of the home that made it, where its tag says so."""
    tagged: bool = True
    """``False``: only likely to be ours."""


@dataclass(frozen=True)
class _Account:
    """The resources of our stacks in the region."""

    stacks: Mapping[str, StackState]
    """By name."""
    ids: frozenset[str]
    vpcs: frozenset[str]


def find(session: Session, settings: Settings, owned: Owned) -> list[Finding]:
    """Find everything that nobody owns, in the order in which it can be removed; changes nothing."""
    try:
        account = _account(session)
        nats = list(_nats(session, account))
        held = {id for _, addresses in nats for id in addresses}
        return [
            *(
                Finding("stack", state.name, f"it is {state.status}")
                for state in account.stacks.values()
                if state.is_broken
            ),
            *_instances(session, account, owned),
            *(one for one, _ in nats),
            *_addresses(session, account, held),
            *_volumes(session, account),
            *_interfaces(session, account),
            *_groups(session, settings, account),
            *_network(session, account),
            *_images(session, account),
            *_parameters(session, account),
        ]
    except AwsFailure as error:
        raise said(error, "look for what is left") from error


def _account(session: Session) -> _Account:
    stacks: dict[str, StackState] = {}
    ids: set[str] = set()
    vpcs: set[str] = set()
    for state in map(outputs.parse, pages(session.cfn, "describe_stacks", "Stacks")):
        if state.tags.get("project") != names.PROJECT or state.status == GONE:
            continue
        stacks[state.name] = state
        for resource in outputs.resources(session, state.name):
            if resource.status != GONE:
                ids.add(resource.id)
                if resource.type == outputs.VPC:
                    vpcs.add(resource.id)
    return _Account(stacks, frozenset(ids), frozenset(vpcs))


def _instances(session: Session, account: _Account, owned: Owned) -> Iterator[Finding]:
    doing = "look for machines that are left"
    for one in instances.find(session, states=instances.LIVING, doing=doing):
        if one.tags.get("project") != names.PROJECT:
            if one.vpc in account.vpcs:
                yield Finding("instance", one.id, "in our network, without our tags", "", False)
        elif one.id not in account.ids and (why := _why_instance(session, account, one, owned)):
            yield Finding("instance", one.id, why, one.tags.get(names.HOME, ""))


def _why_instance(session: Session, account: _Account, one: Instance, owned: Owned) -> str:
    cluster, home = one.tags.get("cluster"), one.tags.get(names.HOME, "")
    role = one.tags.get("role", "a machine")
    age_s = time.time() - one.launched
    if one.vpc not in account.vpcs:
        return f"{role}, and its stack is gone"
    if cluster is None:
        return f"{role} of no cluster and no stack"
    if role == "image" and age_s > BUILD_S:
        return f"an image was to be made of it {age_s / 3600:.0f} hours ago"
    if home == session.home:
        return owned(cluster)
    if age_s > FOREIGN_AGE_S:
        return f"{cluster} of another home, {home}, for {age_s / 3600:.0f} hours"
    return ""


def _nats(session: Session, account: _Account) -> Iterator[tuple[Finding, frozenset[str]]]:
    """NAT gateways of ours that no stack has, each with the addresses that it holds and that go after it."""
    there = [{"Name": "state", "Values": ["pending", "failed", "available"]}]
    wanted = [*names.filters(), *there]
    for one in pages(session.ec2, "describe_nat_gateways", "NatGateways", Filter=wanted):
        if one["NatGatewayId"] not in account.ids:
            held = frozenset(a["AllocationId"] for a in one["NatGatewayAddresses"] if a.get("AllocationId"))
            tags = names.read(one.get("Tags"))
            yield (
                _loose("nat", one["NatGatewayId"], tags, "its stack is gone, and it costs by the hour"),
                held,
            )


def _addresses(session: Session, account: _Account, held: Collection[str]) -> Iterator[Finding]:
    """Addresses that lead nowhere, or will once the NAT gateways are gone that hold these."""
    for one in session.ec2.describe_addresses()["Addresses"]:
        tags = names.read(one.get("Tags"))
        if one.get("AllocationId") in held and tags.get("project") == names.PROJECT:
            yield _loose(
                "address",
                one["AllocationId"],
                tags,
                f"{one['PublicIp']} is that of a NAT gateway of no stack",
            )
            continue
        if one.get("AssociationId") or one.get("InstanceId") or one.get("NetworkInterfaceId"):
            continue
        if one["PublicIp"] in account.ids or one.get("AllocationId") in account.ids:
            continue
        if tags.get("project") == names.PROJECT or not tags:
            yield _loose("address", one["AllocationId"], tags, f"{one['PublicIp']} leads to no machine")


def _volumes(session: Session, account: _Account) -> Iterator[Finding]:
    free = [{"Name": "status", "Values": ["available"]}]
    for one in pages(session.ec2, "describe_volumes", "Volumes", Filters=free):
        tags = names.read(one.get("Tags"))
        if one["VolumeId"] not in account.ids and (tags.get("project") == names.PROJECT or not tags):
            yield _loose("volume", one["VolumeId"], tags, f"{one['Size']} GB at no machine")


def _interfaces(session: Session, account: _Account) -> Iterator[Finding]:
    free = [{"Name": "status", "Values": ["available"]}]
    for one in pages(session.ec2, "describe_network_interfaces", "NetworkInterfaces", Filters=free):
        tags = names.read(one.get("TagSet"))
        ours = tags.get("project") == names.PROJECT or one.get("VpcId") in account.vpcs
        if one["NetworkInterfaceId"] in account.ids or one.get("Attachment"):
            continue
        if ours or not (tags or one.get("Description") or one.get("RequesterManaged")):
            yield _loose("interface", one["NetworkInterfaceId"], tags, "at no machine")


def _groups(session: Session, settings: Settings, account: _Account) -> Iterator[Finding]:
    for one in pages(session.ec2, "describe_security_groups", "SecurityGroups"):
        tags = names.read(one.get("Tags"))
        if one["GroupId"] in account.ids or one["GroupName"] == "default":
            continue
        if tags.get("project") == names.PROJECT:
            yield _loose("group", one["GroupId"], tags, f"{one['GroupName']}, and its stack is gone")
        elif not tags and (
            one.get("VpcId") in account.vpcs or one["GroupName"].startswith(f"{settings.aws_stack}-")
        ):
            yield _loose("group", one["GroupId"], tags, f"{one['GroupName']}, of no stack")


def _network(session: Session, account: _Account) -> Iterator[Finding]:
    tagged = names.filters()
    ec2 = session.ec2
    listed: tuple[tuple[Kind, str, str, str], ...] = (
        ("template", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
        ("gateway", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        ("subnet", "describe_subnets", "Subnets", "SubnetId"),
        ("table", "describe_route_tables", "RouteTables", "RouteTableId"),
        ("vpc", "describe_vpcs", "Vpcs", "VpcId"),
    )
    for kind, operation, key, id in listed:
        for one in pages(ec2, operation, key, Filters=tagged):
            if one[id] not in account.ids:
                yield _loose(kind, one[id], names.read(one.get("Tags")), "its stack is gone")


def _images(session: Session, account: _Account) -> Iterator[Finding]:
    if account.vpcs:
        return  # an application, whose clusters begin from it
    for one in images.find(session):
        yield Finding(
            "image", one.id, f"of {one.size_gb:.0f} GB, and no application begins from it", one.home
        )


def _parameters(session: Session, account: _Account) -> Iterator[Finding]:
    ours = [{"Key": "Name", "Option": "BeginsWith", "Values": [f"/{names.PROJECT}/"]}]
    for one in pages(session.ssm, "describe_parameters", "Parameters", ParameterFilters=ours):
        if one["Name"].split("/")[2] not in account.stacks:
            yield Finding("parameter", one["Name"], "its stack is gone")


def _loose(kind: Kind, id: str, tags: Mapping[str, str], why: str) -> Finding:
    ours = tags.get("project") == names.PROJECT
    return Finding(
        kind, id, why if ours else f"{why}, and without any tag", tags.get(names.HOME, ""), tagged=ours
    )


def owned_by(jobs: Mapping[int, str], ended: Iterable[str]) -> Owned:
    """Ask the jobs whether one of them still has a cluster: ``jobs`` is id → state, ``ended`` the states in which none is needed.

    >>> owned_by({7: "failed"}, ["failed"])("job-7")
    'its job 7 is failed'
    >>> owned_by({}, [])("my-cluster")
    ''
    """
    over = set(ended)

    def why(cluster: str) -> str:
        kind, _, number = cluster.rpartition("-")
        if kind != "job" or not number.isdecimal():
            return ""  # a standing cluster, which somebody launched by name
        state = jobs.get(int(number))
        if state is None:
            return f"there is no job {number} here"
        return f"its job {number} is {state}" if state in over else ""

    return why


def summary(found: Iterable[Finding]) -> str:
    """Count the findings of each kind, in words."""
    kinds = [one.kind for one in found]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
