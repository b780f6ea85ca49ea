"""Instance types: how AWS describes them, in which zones it has them, their architecture."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.aws.refusals import AwsFailure, Refused, code_of, said
from workbench.aws.session import Session, pages

_OF_ARM = re.compile(r"^(a1|[a-z]+\d+[a-z]*g[a-z]*)$")
"""Families of ARM's architecture: a ``g`` (Graviton) behind the generation's number."""


@dataclass(frozen=True)
class MachineType:
    """An instance type, as AWS describes it."""

    vcpus: int
    memory_gb: float
    architecture: str
    """``x86_64`` or ``arm64``."""
    gpus: int = 0


def architecture(instance_type: str) -> str:
    """The architecture of a type by its name: ``arm64`` or ``x86_64``; asks nobody.

    >>> [architecture(one) for one in ("c7g.xlarge", "t4g.micro", "im4gn.large", "g4dn.xlarge", "m7i-flex.large")]
    ['arm64', 'arm64', 'arm64', 'x86_64', 'x86_64']
    """
    return "arm64" if _OF_ARM.match(instance_type.partition(".")[0]) else "x86_64"


def is_burstable(instance_type: str) -> bool:
    """True for types that may run at full speed only for a while, and cost extra if they do longer.

    >>> [is_burstable(one) for one in ("t3.micro", "trn1.2xlarge", "c5.xlarge")]
    [True, False, False]
    """
    return re.match(r"^t\d", instance_type) is not None


def describe(session: Session, wanted: Sequence[str]) -> dict[str, MachineType]:
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
            raise _no_such(session.region, wanted) from error
        raise said(error, "look at the instance types") from error
    return {
        one["InstanceType"]: MachineType(
            vcpus=one["VCpuInfo"]["DefaultVCpus"],
            memory_gb=one["MemoryInfo"]["SizeInMiB"] / 1024,
            architecture="arm64" if "arm64" in one["ProcessorInfo"]["SupportedArchitectures"] else "x86_64",
            gpus=sum(gpu["Count"] for gpu in one.get("GpuInfo", {}).get("Gpus", ())),
        )
        for one in told
    }


def zones(session: Session, wanted: Sequence[str]) -> Mapping[str, frozenset[str]]:
    """The zones in which AWS has each of these types; none where the region has not, or there is no such type."""
    try:
        ordinary = {
            one["ZoneName"]
            for one in session.ec2.describe_availability_zones(
                Filters=[
                    {"Name": "state", "Values": ["available"]},
                    {"Name": "zone-type", "Values": ["availability-zone"]},
                ]
            )["AvailabilityZones"]
        }
        offered = [
            (one["InstanceType"], one["Location"])
            for one in pages(
                session.ec2,
                "describe_instance_type_offerings",
                "InstanceTypeOfferings",
                LocationType="availability-zone",
                Filters=[{"Name": "instance-type", "Values": sorted(set(wanted))}],
            )
        ]
    except AwsFailure as error:
        raise said(error, "ask which zones have these machines") from error
    return {
        kind: frozenset(zone for one, zone in offered if one == kind and zone in ordinary) for kind in wanted
    }


def _no_such(region: str, wanted: Sequence[str]) -> Refused:
    return Refused(
        f"AWS has no such instance type in {region}: {', '.join(wanted)}; name another one (--type, --working-type, "
        "--frontend-type, --backend-type), t3 and m6i are nearly everywhere; see types and prices with: workbench prices"
    )
