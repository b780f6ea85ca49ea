"""Removal of what an audit found, each kind in its own way; what is gone already is fine."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from workbench.application import stack_changes
from workbench.application.audit import Finding, Kind
from workbench.application.stack_changes import LONGEST_POLL_S, POLL_S, Tell
from workbench.aws import images, instances, outputs
from workbench.aws.instances import ENDING, Instance
from workbench.aws.names import Filter
from workbench.aws.refusals import AwsFailure, code_of, said
from workbench.aws.session import Session, pages
from workbench.system.waiting import wait_until

ENDING_TIMEOUT_S = 600.0
_GONE = (".NotFound", "ParameterNotFound", "NatGatewayNotFound")
"""Ends of AWS's words for what is gone already."""
VALUES = 200
"""As many as a filter takes."""


def remove(session: Session, found: Iterable[Finding], tell: Tell) -> None:
    """Remove what was found, machines first and all at once, the rest in the given order."""
    found = list(found)
    ids = [one.id for one in found if one.kind == "instance"]
    for first in range(0, len(ids), VALUES):
        end_machines(session, [instances.with_ids(ids[first : first + VALUES])], tell)
    for one in found:
        if one.kind == "instance":
            continue
        try:
            _REMOVE[one.kind](session, one.id)
        except AwsFailure as error:
            if not code_of(error).endswith(_GONE):
                raise said(error, f"remove the {one.kind} {one.id}") from error
        tell(f"removed: {one.kind} {one.id} ({one.why})")


def end_machines(
    session: Session, wanted: Sequence[Filter], tell: Tell, seen: Sequence[Instance] | None = None
) -> None:
    """Terminate the machines that pass these filters, and wait until they are gone.

    Parameters
    ----------
    seen
        Those that passed just now, where the caller knows them.
    """
    asked: set[str] = set()
    left = 0

    def all_gone() -> bool:
        nonlocal seen, left
        found = seen
        if found is None:
            found = instances.find(session, wanted, states=ENDING, doing="end the machines")
        seen, left = None, len(found)
        if new := [one.id for one in found if one.id not in asked]:
            clusters = ", ".join(sorted({one.tags["cluster"] for one in found if one.tags.get("cluster")}))
            tell(f"ending {len(new)} machines" + (f" of {clusters}" if clusters else ""))
            instances.terminate(session, new, "end the machines")
            asked.update(new)
        return not found

    wait_until(
        all_gone,
        ENDING_TIMEOUT_S,
        POLL_S,
        lambda: f"{left} machines do not end; look at them in the AWS console",
        longest_s=LONGEST_POLL_S,
    )


def _remove_nat(session: Session, id: str) -> None:
    """Delete a NAT gateway and wait until it has let go of its address and its subnet."""
    session.ec2.delete_nat_gateway(NatGatewayId=id)

    def is_gone() -> bool:
        wanted = [{"Name": "nat-gateway-id", "Values": [id]}]
        found = pages(session.ec2, "describe_nat_gateways", "NatGateways", Filter=wanted)
        return all(one["State"] == "deleted" for one in found)

    late = f"the NAT gateway {id} does not end; look at it in the AWS console"
    wait_until(is_gone, ENDING_TIMEOUT_S, POLL_S, late, longest_s=LONGEST_POLL_S)


def _remove_stack(session: Session, name: str) -> None:
    if state := outputs.describe(session, name):
        stack_changes.remove(session, state, lambda line: None)


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


def _remove_image(session: Session, id: str) -> None:
    for one in images.find(session):
        if one.id == id:
            images.remove(session, one)


_REMOVE: Mapping[Kind, Callable[[Session, str], object]] = {
    "stack": _remove_stack,
    "nat": _remove_nat,
    "address": lambda session, id: session.ec2.release_address(AllocationId=id),
    "volume": lambda session, id: session.ec2.delete_volume(VolumeId=id),
    "interface": lambda session, id: session.ec2.delete_network_interface(NetworkInterfaceId=id),
    "group": _remove_group,
    "template": lambda session, id: session.ec2.delete_launch_template(LaunchTemplateId=id),
    "gateway": _remove_gateway,
    "subnet": lambda session, id: session.ec2.delete_subnet(SubnetId=id),
    "table": lambda session, id: session.ec2.delete_route_table(RouteTableId=id),
    "vpc": lambda session, id: session.ec2.delete_vpc(VpcId=id),
    "image": _remove_image,
    "parameter": lambda session, id: session.ssm.delete_parameter(Name=id),
}
