"""Giving it all back: the clusters, the stack, and whatever an interruption left; each may be done again."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from workbench.application import audit, launch, stack
from workbench.application.audit import Finding
from workbench.application.launch import POLL_S, Tell
from workbench.aws import names
from workbench.aws.bucket import Bucket
from workbench.aws.session import AwsFailure, Session, code_of, pages, said
from workbench.errors import BadInput, Unavailable
from workbench.settings import Settings

ENDING_TIMEOUT_S = 600.0
BATCH = 500
"""Instances that one request names."""
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
    if not everybody and (others := _others(session, settings)):
        raise BadInput(
            f"clusters of other homes are at work in this application: {', '.join(others)}; ask whoever has them, or "
            "end them too: release app --provider aws --everybody"
        )
    for left in reversed(range(TRIES)):
        end_clusters(session, settings, tell)
        try:
            launch.remove(session, settings, tell)
            break
        except Unavailable:
            if not left:
                raise
            tell("something still hung on it: once more")
    launch.forget_secrets(session, settings)
    fix(session, leftovers(session, settings), tell)
    if bucket is not None:
        stored.remove()
        tell(f"bucket {bucket} removed")
    elif stored.exists():
        stored.delete(f"machines/{settings.aws_stack}/")
        tell(f"kept: the bucket {stored.name}, with code and models (release app --bucket {stored.name})")


def leftovers(session: Session, settings: Settings) -> list[Finding]:
    """What an interrupted launch or release left of this home."""

    def of_this_home(one: Finding) -> bool:
        parameter = one.kind == "parameter" and one.id.startswith(names.parameter(settings.aws_stack, ""))
        return one.tagged and (one.home == session.home or parameter)

    return [one for one in audit.find(session, settings, lambda cluster: "") if of_this_home(one)]


def end_clusters(session: Session, settings: Settings, tell: Tell) -> None:
    """End every machine of a cluster in the application's network, and wait until they are gone."""
    vpc = _vpc(session, settings)
    if vpc is not None:
        _end_instances(session, _in_clusters(vpc), tell)


def _in_clusters(vpc: str) -> list[dict[str, Any]]:
    return [
        {"Name": "vpc-id", "Values": [vpc]},
        {"Name": "tag-key", "Values": ["cluster"]},
        {"Name": "instance-state-name", "Values": [*audit.LIVING, "shutting-down"]},
    ]


def _others(session: Session, settings: Settings) -> list[str]:
    """Clusters of other homes, as ``CLUSTER (HOME)``."""
    vpc = _vpc(session, settings)
    if vpc is None:
        return []
    try:
        found = pages(session.ec2, "describe_instances", "Reservations", Filters=_in_clusters(vpc))
        tags = [names.read(one.get("Tags")) for reservation in found for one in reservation["Instances"]]
    except AwsFailure as error:
        raise said(error, "look at the clusters") from error
    others = {(t["cluster"], t.get(names.HOME, "?")) for t in tags if t.get(names.HOME) != session.home}
    return sorted(f"{cluster} ({home})" for cluster, home in others)


def _vpc(session: Session, settings: Settings) -> str | None:
    try:
        for one in pages(
            session.cfn, "list_stack_resources", "StackResourceSummaries", StackName=settings.aws_stack
        ):
            if one["ResourceType"] == "AWS::EC2::VPC":
                return one.get("PhysicalResourceId") or None
    except AwsFailure as error:
        if code_of(error) != "ValidationError":
            raise said(error, "look at the stack's network") from error
    return None


def _end_instances(session: Session, wanted: Sequence[dict[str, Any]], tell: Tell) -> None:
    pause, longest = POLL_S
    give_up = time.monotonic() + ENDING_TIMEOUT_S
    asked: set[str] = set()
    try:
        while True:
            found = [
                (one["InstanceId"], names.read(one.get("Tags")).get("cluster", ""))
                for reservation in pages(
                    session.ec2, "describe_instances", "Reservations", Filters=list(wanted)
                )
                for one in reservation["Instances"]
            ]
            if not found:
                return
            if new := [id for id, _ in found if id not in asked]:
                clusters = ", ".join(sorted({cluster for _, cluster in found if cluster}))
                tell(f"ending {len(new)} machines" + (f" of {clusters}" if clusters else ""))
                for first in range(0, len(new), BATCH):
                    session.ec2.terminate_instances(InstanceIds=new[first : first + BATCH])
                asked |= set(new)
            if time.monotonic() > give_up:
                raise Unavailable(f"{len(found)} machines do not end; look at them in the AWS console")
            time.sleep(pause)
            pause = min(pause * 1.4, longest)
    except AwsFailure as error:
        raise said(error, "end the machines") from error


# ── what audit found ─────────────────────────────────────────────────────────────────────────────


def fix(session: Session, found: Iterable[Finding], tell: Tell) -> None:
    """Remove what was found; what is gone already is fine."""
    found = list(found)
    ids = [one.id for one in found if one.kind == "instance"]
    for first in range(0, len(ids), 200):  # as many values as a filter takes
        _end_instances(
            session,
            [
                {"Name": "instance-id", "Values": ids[first : first + 200]},
                {"Name": "instance-state-name", "Values": [*audit.LIVING, "shutting-down"]},
            ],
            tell,
        )
    for one in found:
        if one.kind == "instance":
            continue
        try:
            _REMOVE[one.kind](session, one.id)
        except AwsFailure as error:
            if not code_of(error).endswith(".NotFound") and code_of(error) != "ParameterNotFound":
                raise said(error, f"remove the {one.kind} {one.id}") from error
        tell(f"removed: {one.kind} {one.id} ({one.why})")


def _remove_stack(session: Session, name: str) -> None:
    session.cfn.delete_stack(StackName=name)
    pause, longest = POLL_S
    give_up = time.monotonic() + launch.STACK_TIMEOUT_S
    while True:
        try:
            (one,) = session.cfn.describe_stacks(StackName=name)["Stacks"]
        except AwsFailure as error:
            if code_of(error) == "ValidationError":
                return
            raise
        if one["StackStatus"] in stack.GONE:
            return
        if one["StackStatus"] == "DELETE_FAILED" or time.monotonic() > give_up:
            raise Unavailable(
                f"AWS cannot delete the stack {name}: {one.get('StackStatusReason', one['StackStatus'])}"
            )
        time.sleep(pause)
        pause = min(pause * 1.4, longest)


def _remove_group(session: Session, id: str) -> None:
    (group,) = session.ec2.describe_security_groups(GroupIds=[id])["SecurityGroups"]
    if group["IpPermissions"]:  # two groups that name each other could not go otherwise
        session.ec2.revoke_security_group_ingress(GroupId=id, IpPermissions=group["IpPermissions"])
    session.ec2.delete_security_group(GroupId=id)


def _remove_gateway(session: Session, id: str) -> None:
    (gateway,) = session.ec2.describe_internet_gateways(InternetGatewayIds=[id])["InternetGateways"]
    for attachment in gateway["Attachments"]:
        session.ec2.detach_internet_gateway(InternetGatewayId=id, VpcId=attachment["VpcId"])
    session.ec2.delete_internet_gateway(InternetGatewayId=id)


_REMOVE: dict[str, Callable[[Session, str], object]] = {
    "stack": _remove_stack,
    "address": lambda session, id: session.ec2.release_address(AllocationId=id),
    "volume": lambda session, id: session.ec2.delete_volume(VolumeId=id),
    "interface": lambda session, id: session.ec2.delete_network_interface(NetworkInterfaceId=id),
    "group": _remove_group,
    "template": lambda session, id: session.ec2.delete_launch_template(LaunchTemplateId=id),
    "gateway": _remove_gateway,
    "subnet": lambda session, id: session.ec2.delete_subnet(SubnetId=id),
    "table": lambda session, id: session.ec2.delete_route_table(RouteTableId=id),
    "vpc": lambda session, id: session.ec2.delete_vpc(VpcId=id),
    "parameter": lambda session, id: session.ssm.delete_parameter(Name=id),
}
