"""What EC2 does not have, or cannot: types in zones, images of another architecture, credits, stops of spot machines."""

from typing import Any

import moto.ec2.models.instance_types as moto_types
from moto.core.exceptions import ServiceException
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

from tests.emulator.account import GPU, UBUNTU, UBUNTU_ARM
from tests.emulator.calls import REGION
from tests.emulator.world import World

EVERYWHERE = "*"


class Refusal(ServiceException):
    """An error of EC2 with its code and its words."""


def install(world: World) -> None:
    """Let what is withheld not be offered; once a process."""
    backend = moto_types.InstanceTypeOfferingBackend
    original = backend.describe_instance_type_offerings

    def offered(self: Any, *args: Any, **more: Any) -> list[Any]:
        return [
            o
            for o in original(self, *args, **more)
            if not is_withheld(world, o["InstanceType"], o["Location"])
        ]

    backend.describe_instance_type_offerings = offered  # type: ignore[method-assign]


def is_withheld(world: World, kind: str, zone: str) -> bool:
    """True if a test has said that the zone has no such machines."""
    zones = world.withheld.get(kind, ())
    return EVERYWHERE in zones or zone in zones


def check(world: World, backend: Any, kind: str, image_id: str, asked: dict[str, Any], credits: str) -> None:
    """Refuse instances that EC2 would refuse.

    Raises
    ------
    Refusal
    """
    if kind not in INSTANCE_TYPES or is_withheld(world, kind, EVERYWHERE):
        raise Refusal("InvalidParameterValue", f"Invalid value '{kind}' for InstanceType.")
    has = [
        o["Location"]
        for o in INSTANCE_TYPE_OFFERINGS["availability-zone"][REGION]
        if o["InstanceType"] == kind
    ]
    for subnet in _subnets(backend, asked):
        zone = str(backend.get_subnet(subnet).availability_zone)
        if zone not in has or is_withheld(world, kind, zone):
            raise Refusal(
                "Unsupported",
                f"Your requested instance type ({kind}) is not supported in your requested Availability Zone ({zone}). "
                f"Please retry your request by not specifying an Availability Zone or choosing {', '.join(has)}.",
            )
    of_type = INSTANCE_TYPES[kind]["ProcessorInfo"]["SupportedArchitectures"]
    of_image = "arm64" if image_id == UBUNTU_ARM else "x86_64"  # of moto's own images all are taken for that
    if of_image not in of_type and image_id in (UBUNTU, UBUNTU_ARM, GPU):
        raise Refusal(
            "InvalidParameterValue",
            f"The architecture '{of_type[0]}' of the specified instance type does not match the architecture "
            f"'{of_image}' of the specified AMI. Specify an instance type and an AMI that have matching "
            "architectures, and try again.",
        )
    check_credits(kind, credits)


def check_credits(kind: str, credits: str) -> None:
    """Refuse credits of a type whose speed does not come in bursts."""
    if credits and not INSTANCE_TYPES.get(kind, {}).get("BurstablePerformanceSupported"):
        raise Refusal("InvalidParameterCombination", f"CPU credits are not supported for the type {kind}.")


def check_stop(instance: Any) -> None:
    """Refuse the stop of a spot machine of a one-time request."""
    if instance.lifecycle == "spot":
        raise Refusal(
            "UnsupportedOperation",
            f"You can't stop the Spot Instance '{instance.id}' because it is associated with a one-time Spot Instance "
            "request. You can only stop Spot Instances associated with persistent Spot Instance requests.",
        )


def _subnets(backend: Any, asked: dict[str, Any]) -> list[str]:
    named = [asked.get("subnet_id"), *(nic.get("SubnetId") for nic in asked.get("nics") or [])]
    return [one for one in named if one]
