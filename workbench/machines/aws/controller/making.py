"""Instances for clusters: asked of AWS a role at a time, of another type or in another zone where there is none."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workbench.aws import gpus, instances, names, outputs, types
from workbench.aws.gpus import GpuImage
from workbench.aws.refusals import AwsFailure, AwsUnavailable, NoCapacity, NoQuota, Refused, code_of, said
from workbench.aws.session import Session
from workbench.errors import BadInput
from workbench.machines.aws.controller.members import Member
from workbench.settings import Settings

DISK_GB = 30
DEVICE = "/dev/sda1"
"""The first disk of Ubuntu's images."""
SIMILAR = {
    "c5": ("c5a", "c6i", "c6a"),
    "c6i": ("c5", "c5a", "c6a"),
    "c7i": ("c6i", "c5", "c6a"),
    "c7g": ("c6g",),
    "m5": ("m5a", "m6i", "m6a"),
    "m6i": ("m5", "m5a", "m6a"),
    "m7i": ("m6i", "m5", "m6a"),
    "m7g": ("m6g",),
    "r5": ("r5a", "r6i", "r6a"),
    "r6i": ("r5", "r5a", "r6a"),
    "t3": ("t3a",),
}
"""Families that can stand in for one that AWS has none of now: of the same architecture and size, and none dearer, so that
plans and caps hold."""
NOT_OFFERED = "Unsupported"
"""AWS's word where a zone never has such machines, unlike one that has none free."""


@dataclass(frozen=True)
class Ground:
    """The place of a cluster in the account, and its rights; the application's stack has made all of it."""

    template: str
    """Id of the launch template: image, profile, IMDSv2, encrypted disk."""
    subnets: tuple[str, ...]
    """To be tried one after the other; each is in a zone of its own."""
    group: str
    arm_image: str = ""
    """For machines of ARM's architecture; empty where there is none."""
    baked_image: str = ""
    """With today's environment installed, for all other machines; empty where none was built."""
    gpu_image: GpuImage | None = None
    """For machines with GPUs; looked for where a cluster is to have such."""


def ground_of_the_application(session: Session, settings: Settings) -> Ground:
    """Find what the application's stack has made for clusters.

    Raises
    ------
    NotFound
        There is no application.
    """
    given = outputs.find(session, settings)
    return Ground(given.template, given.subnets, given.cluster_group, given.arm_image)


@dataclass(frozen=True)
class RoleWish:
    """Instances of one role.

    Attributes
    ----------
    index
        Of the only one, where it takes another's place; else they are counted from 0.
    address
        Which that one is to have.
    shutdown
        What becomes of it when it switches itself off: ``terminate`` or ``stop``.
    """

    role: str
    count: int
    instance_type: str
    spot: bool
    user_data: str
    index: int | None = None
    address: str | None = None
    shutdown: str = "terminate"


def make(
    session: Session, ground: Ground, cluster: str, wish: RoleWish, tags: Mapping[str, str]
) -> list[Member]:
    """Have AWS begin the instances of one role, all or none, by one request that carries their tags.

    Where AWS has no such machine free, other zones and types of the same kind are tried; where it has none of them to spare as
    spot machines, or the account may have no more of these, they are asked for on demand. The next request begins with spot
    machines again.

    Raises
    ------
    NoCapacity
        None of them is free now.
    Refused
        No zone of the application ever has any.
    Unavailable
        AWS refuses.
    """
    refused: AwsUnavailable | None = None
    somewhere = False
    for asked in (wish, replace(wish, spot=False)) if wish.spot else (wish,):
        for instance_type, subnet in choices(asked.instance_type, ground.subnets):
            try:
                return _run(session, ground, cluster, asked, tags, instance_type, subnet)
            except NoCapacity as error:
                somewhere = somewhere or error.code != NOT_OFFERED
                refused = refused or error
            except NoQuota as error:
                if not asked.spot:
                    raise
                refused = error
                break
    assert refused is not None
    if isinstance(refused, NoCapacity) and not somewhere:
        raise Refused(f"{refused}; no zone of this application has such machines at all") from refused
    raise refused


def rehearse(session: Session, ground: Ground, instance_type: str, *, spot: bool) -> None:
    """Ask AWS whether it would launch such a machine of a cluster; nothing is launched, and nothing costs.

    Raises
    ------
    Unavailable
        It would not.
    """
    wish = RoleWish("worker", 1, instance_type, spot, "")
    asked = _request(session, ground, "rehearsal", wish, {}, instance_type, ground.subnets[0])
    try:
        session.ec2.run_instances(**asked, DryRun=True)
    except AwsFailure as error:
        if code_of(error) != "DryRunOperation":
            raise said(error, f"launch a machine of type {instance_type}") from error


def check(ground: Ground, instance_type: str) -> None:
    """Refuse a type that cannot work there, before anything is made: raises ``BadInput``."""
    gpus.refuse_others(instance_type)
    if types.architecture(instance_type) == "arm64" and not ground.arm_image:
        raise BadInput(
            f"{instance_type} is of ARM's architecture, and this application was launched without an image for it: "
            "release and launch the application again, or take a type such as c5.xlarge"
        )


def choices(instance_type: str, subnets: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Types and subnets to try, the likeliest first: the type itself in every zone, then its likes.

    >>> list(choices("t3.small", ["a", "b"]))
    [('t3.small', 'a'), ('t3.small', 'b'), ('t3a.small', 'a'), ('t3a.small', 'b')]
    """
    family, _, size = instance_type.partition(".")
    for one in (family, *SIMILAR.get(family, ())):
        for subnet in subnets:
            yield f"{one}.{size}", subnet


def _run(
    session: Session,
    ground: Ground,
    cluster: str,
    wish: RoleWish,
    tags: Mapping[str, str],
    instance_type: str,
    subnet: str,
) -> list[Member]:
    many = f"{wish.count} machines" if wish.count > 1 else "a machine"
    try:
        answer = session.ec2.run_instances(
            **_request(session, ground, cluster, wish, tags, instance_type, subnet)
        )
    except AwsFailure as error:
        raise said(
            error, f"launch {many} of type {instance_type} for the {wish.role}s of {cluster}"
        ) from error
    made = (Member.of(instances.parse(one)) for one in answer["Instances"])
    return sorted(made, key=lambda member: member.place)


def _request(
    session: Session,
    ground: Ground,
    cluster: str,
    wish: RoleWish,
    tags: Mapping[str, str],
    instance_type: str,
    subnet: str,
) -> dict[str, Any]:
    told = names.tags(
        session.home,
        cluster=cluster,
        role=wish.role,
        index=wish.index,
        name=f"{names.PROJECT} {cluster} {wish.role}",
        **tags,
    )
    place: dict[str, Any] = {
        "DeviceIndex": 0,
        "SubnetId": subnet,
        "Groups": [ground.group],
        "AssociatePublicIpAddress": True,
        "DeleteOnTermination": True,
    }
    if wish.address:
        place["PrivateIpAddress"] = wish.address
    asked: dict[str, Any] = {
        "MinCount": wish.count,
        "MaxCount": wish.count,
        "InstanceType": instance_type,
        "LaunchTemplate": {"LaunchTemplateId": ground.template, "Version": "$Latest"},
        "NetworkInterfaces": [place],
        "BlockDeviceMappings": [
            {
                "DeviceName": DEVICE,
                "Ebs": {
                    "VolumeType": "gp3",
                    "VolumeSize": DISK_GB,
                    "Encrypted": True,
                    "DeleteOnTermination": True,
                },
            }
        ],
        "InstanceInitiatedShutdownBehavior": wish.shutdown,
        "UserData": wish.user_data,
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": told} for kind in ("instance", "volume", "network-interface")
        ],
        # The same in every retry of this very request: one that was cut off after its effect launches nothing twice.
        "ClientToken": secrets.token_hex(32),
    }
    if gpus.are_driven(instance_type):
        assert ground.gpu_image is not None
        asked["ImageId"] = ground.gpu_image.id
        (disk,) = asked["BlockDeviceMappings"]
        disk["DeviceName"], disk["Ebs"]["VolumeSize"] = ground.gpu_image.device, ground.gpu_image.disk_gb
    elif types.architecture(instance_type) == "arm64":
        asked["ImageId"] = ground.arm_image
    elif ground.baked_image:
        asked["ImageId"] = ground.baked_image
    if types.is_burstable(instance_type):  # beyond its credits it would go on at extra cost
        asked["CreditSpecification"] = {"CpuCredits": "standard"}
    if wish.spot:
        asked["InstanceMarketOptions"] = {
            "MarketType": "spot",
            "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"},
        }
    return asked
