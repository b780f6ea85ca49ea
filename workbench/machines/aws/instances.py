"""The instances of training clusters: found by their tags, made a role at a time, and ended."""

import re
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from workbench.aws import names
from workbench.aws.refusals import AwsFailure, NoCapacity, code_of, said
from workbench.aws.session import Session, pages
from workbench.errors import BadInput, Unavailable
from workbench.machines import Place

LIVING = ("pending", "running", "stopping", "stopped")
"""States of instances that cost something, if only their disk."""
BATCH = 500
"""Instances that one request names."""
POLL_S = (0.3, 5.0)
"""First pause between two looks, and the longest."""
CHANGE_TIMEOUT_S = 600.0
DISK_GB = 30
DEVICE = "/dev/sda1"
"""The first disk of Ubuntu's images."""
SIMILAR = {
    "c5": ("c5a", "c6i", "c6a", "m5"),
    "m5": ("m5a", "m6i", "m6a", "m4"),
    "t3": ("t3a", "t2"),
    "g4dn": ("g5",),
}
"""Families that can stand in for one that AWS has none of now, of the same processor architecture."""


@dataclass(frozen=True)
class Instance:
    """One instance as AWS shows it now."""

    id: str
    cluster: str
    place: Place
    state: str
    """``pending``, ``running``, ``stopping``, ``stopped``, ``shutting-down`` or ``terminated``."""
    address: str
    """Private; empty once it is terminated."""
    type: str
    launched: float
    """Seconds since the epoch; of the last start."""


@dataclass(frozen=True)
class Ground:
    """Where a cluster is put, and with what rights; the application's stack has made all of it."""

    template: str
    """Id of the launch template: image, profile, IMDSv2, encrypted disk."""
    subnets: tuple[str, ...]
    """To be tried one after the other; each is in a zone of its own."""
    group: str


@dataclass(frozen=True)
class Wish:
    """Instances of one role.

    Attributes
    ----------
    index
        Of the only one, where it takes another's place; else they are counted from 0.
    address
        Which that one is to have.
    """

    role: str
    count: int
    instance_type: str
    spot: bool
    user_data: str
    index: int | None = None
    address: str | None = None


def look(session: Session, cluster: str | None = None, states: Collection[str] = LIVING) -> list[Instance]:
    """The instances of this home's clusters, or of one, in these states."""
    wanted = names.filters(session.home, **({"cluster": cluster} if cluster else {}))
    wanted += [
        {"Name": "instance-state-name", "Values": list(states)},
        {"Name": "tag-key", "Values": ["cluster"]},
    ]
    try:
        found = [
            _read(one)
            for reservation in pages(session.ec2, "describe_instances", "Reservations", Filters=wanted)
            for one in reservation["Instances"]
        ]
    except AwsFailure as error:
        raise said(error, "look for machines") from error
    return sorted(found, key=lambda i: (i.cluster, i.place, i.launched))


def make(
    session: Session, ground: Ground, cluster: str, wish: Wish, tags: Mapping[str, str]
) -> list[Instance]:
    """Have AWS begin the instances of one role, all or none, by one request that carries their tags.

    Where AWS has no such machine free, other zones and types of the same kind are tried.

    Raises
    ------
    NoCapacity
        None of them is free.
    Unavailable
        AWS refuses.
    """
    refused: NoCapacity | None = None
    for instance_type, subnet in choices(wish.instance_type, ground.subnets):
        try:
            return _run(session, ground, cluster, wish, tags, instance_type, subnet)
        except NoCapacity as error:
            refused = refused or error
    assert refused is not None
    raise refused


def choices(instance_type: str, subnets: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What to try, the likeliest first: the type itself in every zone, then its likes.

    >>> list(choices("t3.small", ["a", "b"]))
    [('t3.small', 'a'), ('t3.small', 'b'), ('t3a.small', 'a'), ('t3a.small', 'b'), ('t2.small', 'a'), ('t2.small', 'b')]
    """
    family, _, size = instance_type.partition(".")
    for one in (family, *SIMILAR.get(family, ())):
        for subnet in subnets:
            yield f"{one}.{size}", subnet


def _run(
    session: Session,
    ground: Ground,
    cluster: str,
    wish: Wish,
    tags: Mapping[str, str],
    instance_type: str,
    subnet: str,
) -> list[Instance]:
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
        "InstanceInitiatedShutdownBehavior": "terminate",
        "UserData": wish.user_data,
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": told} for kind in ("instance", "volume", "network-interface")
        ],
        # The same in every retry of this very request: one that was cut off after its effect launches nothing twice.
        "ClientToken": secrets.token_hex(32),
    }
    if wish.spot:
        asked["InstanceMarketOptions"] = {
            "MarketType": "spot",
            "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"},
        }
    many = f"{wish.count} machines" if wish.count > 1 else "a machine"
    try:
        answer = session.ec2.run_instances(**asked)
    except AwsFailure as error:
        raise said(
            error, f"launch {many} of type {instance_type} for the {wish.role}s of {cluster}"
        ) from error
    return sorted(map(_read, answer["Instances"]), key=lambda i: i.place)


def user_data(bucket: str, code: str, region: str, home: str, cluster: str, hours: float) -> str:
    """The script that an instance of the cluster runs when it is begun; nothing secret is in it.

    Parameters
    ----------
    hours
        After each boot, when the machine ends itself whatever happens.
    """
    told = {
        "BUCKET": bucket,
        "CODE": code,
        "REGION": region,
        "HOME": home,
        "CLUSTER": cluster,
        "MINUTES": str(max(1, round(hours * 60))),
    }
    script = resources.files("workbench.machines.aws.on_machine").joinpath("boot.sh").read_text()
    for name, value in told.items():
        if not re.fullmatch(r"[A-Za-z0-9._/-]+", value):
            raise BadInput(f"{name.lower()} cannot be told to a machine. Received: {value!r}")
        script = script.replace(f"@{name}@", value)
    return script


def begin(session: Session, ids: Sequence[str]) -> None:
    """Start stopped instances."""
    _each(session, "start_instances", ids, "start machines")


def halt(session: Session, ids: Sequence[str]) -> None:
    """Stop running instances; their disks stay. Those that are stopped are fine."""
    _each(session, "stop_instances", ids, "stop machines")


def end(session: Session, ids: Sequence[str]) -> None:
    """Terminate instances; those that are terminated are fine."""
    _each(session, "terminate_instances", ids, "end machines")


def end_cluster(session: Session, cluster: str, timeout_s: float = CHANGE_TIMEOUT_S) -> int:
    """Terminate all instances of a cluster and wait until they are; how many there were. None at all is fine."""
    found = look(session, cluster, (*LIVING, "shutting-down"))
    if ids := [i.id for i in found if i.state != "shutting-down"]:
        end(session, ids)
    if found:
        wait(session, cluster, lambda there: not there, timeout_s, f"the end of {cluster}", "shutting-down")
    return len(ids)


def wait(
    session: Session,
    cluster: str,
    enough: Callable[[list[Instance]], bool],
    timeout_s: float,
    what: str,
    *more_states: str,
) -> list[Instance]:
    """Look again and again until it is enough.

    Raises
    ------
    Unavailable
        Not within the time.
    """
    pause, longest = POLL_S
    give_up = time.monotonic() + timeout_s
    while not enough(there := look(session, cluster, (*LIVING, *more_states))):
        if time.monotonic() > give_up:
            states = ", ".join(f"{i.place} {i.state}" for i in there) or "no machine is there"
            raise Unavailable(f"{what} did not come within {timeout_s:.0f} s: {states}")
        time.sleep(pause)
        pause = min(pause * 1.4, longest)
    return there


def _each(session: Session, operation: str, ids: Sequence[str], doing: str) -> None:
    call = getattr(session.ec2, operation)
    for first in range(0, len(ids), BATCH):
        try:
            call(InstanceIds=list(ids[first : first + BATCH]))
        except AwsFailure as error:
            if code_of(error) != "InvalidInstanceID.NotFound":  # gone in the meantime
                raise said(error, doing) from error
            for id in ids[first : first + BATCH] if len(ids) > 1 else ():
                _each(session, operation, [id], doing)


def _read(one: Mapping[str, Any]) -> Instance:
    tags = names.read(one.get("Tags"))
    # The position in the request that made it, unless it took another's place: known without any further call.
    index = int(tags.get("index", one.get("AmiLaunchIndex", 0)))
    return Instance(
        id=one["InstanceId"],
        cluster=tags["cluster"],
        place=Place(tags["role"], index),
        state=one["State"]["Name"],
        address=one.get("PrivateIpAddress", ""),
        type=one["InstanceType"],
        launched=one["LaunchTime"].timestamp(),
    )
