"""Types with GPUs: which of them clusters can use, and the image with a driver that their machines begin from."""

import re
from dataclasses import dataclass

from workbench.aws.refusals import AwsFailure, Refused, said
from workbench.aws.session import Session
from workbench.errors import BadInput
from workbench.settings import Settings

_DRIVEN = re.compile(r"^(g4dn|g5|g6|g6e|gr6|p4d|p4de|p5|p5e|p5en)\.")
_WITH_ACCELERATOR = re.compile(r"^(g|gr|p|inf|trn|dl|vt|f)\d")
"""Families whose machines cost what their accelerators cost: https://aws.amazon.com/ec2/instance-types/"""
IMAGE = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
"""AWS's public parameter with the id of its newest Ubuntu 24.04 that has NVIDIA's open driver, which drives the families above:
https://docs.aws.amazon.com/dlami/latest/devguide/important-changes.html"""
DISK_GB = 100
"""That image has several releases of CUDA on it; TensorFlow brings its own."""


@dataclass(frozen=True)
class GpuImage:
    """An image for machines with GPUs, and the disk that it needs."""

    id: str
    device: str
    disk_gb: int


def are_driven(instance_type: str) -> bool:
    """True for types whose GPUs clusters can use.

    >>> [are_driven(one) for one in ("g4dn.xlarge", "p5.48xlarge", "g4ad.xlarge", "g5g.xlarge", "p3.2xlarge", "c5.xlarge")]
    [True, True, False, False, False, False]
    """
    return _DRIVEN.match(instance_type) is not None


def refuse_others(wanted: str) -> None:
    """Refuse a type for clusters whose accelerator would cost and not be used: raises ``BadInput``."""
    if _WITH_ACCELERATOR.match(wanted) and not are_driven(wanted):
        raise BadInput(
            f"{wanted}: nothing here drives its accelerator, so one would pay for what is not used; take a type with GPUs of "
            "NVIDIA's since Turing, such as g4dn.xlarge or g5.xlarge, or one without, such as c5.xlarge (workbench prices)"
        )


def refuse_any(wanted: list[str]) -> None:
    """Refuse types with accelerators for machines that have no work for them: raises ``BadInput``."""
    if found := sorted(one for one in wanted if _WITH_ACCELERATOR.match(one)):
        raise BadInput(
            f"{', '.join(found)}: nothing in the application uses GPUs or other accelerators, so one would pay for what is not "
            "used; take a type such as m5.xlarge here, and one with GPUs for clusters (launch cluster --type g4dn.xlarge)"
        )


def find_image(session: Session, settings: Settings) -> GpuImage:
    """Find the image: the one of the settings, else AWS's own.

    Raises
    ------
    Refused
        There is none in this region.
    """
    id = settings.aws_gpu_image or _latest(session)
    try:
        told = session.ec2.describe_images(ImageIds=[id])["Images"]
    except AwsFailure as error:
        raise said(error, f"look at the image {id} for machines with GPUs") from error
    if not told:
        raise Refused(
            f"there is no image {id} in {session.region}; set WORKBENCH_AWS_GPU_IMAGE to one there is"
        )
    (image,) = told
    if image.get("Architecture") != "x86_64":
        raise Refused(
            f"the image {id} is of the architecture {image.get('Architecture')}, and TensorFlow has CUDA for x86_64 alone; "
            "set WORKBENCH_AWS_GPU_IMAGE to another"
        )
    device = str(image.get("RootDeviceName") or "/dev/sda1")
    sizes = [
        int(disk["Ebs"].get("VolumeSize", 0))
        for disk in image.get("BlockDeviceMappings", ())
        if disk.get("DeviceName") == device and "Ebs" in disk
    ]
    return GpuImage(id, device, max(DISK_GB, *sizes, 0))


def _latest(session: Session) -> str:
    try:
        told = session.ssm.get_parameters(Names=[IMAGE])["Parameters"]
    except AwsFailure as error:
        raise said(error, "ask for AWS's image for machines with GPUs") from error
    if not told:
        raise Refused(
            f"AWS has no image with a driver for GPUs in {session.region}; set WORKBENCH_AWS_GPU_IMAGE to one of yours, or "
            "take a type without GPUs, such as c5.xlarge"
        )
    return str(told[0]["Value"])
