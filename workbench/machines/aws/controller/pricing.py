"""The resources and the price of a cluster that is not made yet, by the prices known here; asks nobody."""

from workbench.aws import gpus, prices
from workbench.errors import BadInput
from workbench.machines import Layout, Plan, Resource
from workbench.machines.aws.controller.making import DISK_GB
from workbench.settings import Settings

INSTANCE_TYPE = "c5.xlarge"
"""Four processors and 8 GB: a chief of TensorFlow's needs about 1 GB, the rest is data."""


def type_of(layout: Layout) -> str:
    """The instance type of a layout's machines."""
    return layout.instance_type or INSTANCE_TYPE


def plan(settings: Settings, region: str, layout: Layout, *, spot: bool) -> Plan:
    """Resources and price of a cluster.

    Raises
    ------
    BadInput
        No price is known of the instance type, or it has accelerators that nothing here drives.
    """
    gpus.refuse_others(type_of(layout))
    known = prices.known(settings, region)
    hour = known.machine(type_of(layout))
    if hour is None:
        raise BadInput(
            f"no price is known of the type {type_of(layout)!r} in {region}, so it is not launched, and no cap could hold; ask "
            "AWS with: workbench prices --refresh"
            + (f", or take one of: {', '.join(sorted(known.machines))}" if known.machines else "")
        )
    each = (
        hour + known.disk(gpus.DISK_GB if gpus.are_driven(type_of(layout)) else DISK_GB) + known.address_hour
    )
    resources = tuple(Resource(type_of(layout), f"{p.role}-{p.index}") for p in layout.places)
    return Plan(resources, each * len(layout.places), at_most=spot)
