"""Images of ours: a machine's environment installed once, from which others begin; found by tags, removed with their snapshots."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.aws import names
from workbench.aws.refusals import AwsFailure, code_of, said
from workbench.aws.session import Session, pages

ENVIRONMENT = "workbench:environment"
"""Tag: the digest of what is installed in it."""
AVAILABLE = "available"


@dataclass(frozen=True)
class Image:
    """An image as AWS shows it now."""

    id: str
    name: str
    state: str
    """``pending``, ``available`` or ``failed``."""
    architecture: str
    environment: str
    home: str
    created: str
    """As AWS says it."""
    size_gb: float
    """Of its disk; what is kept, and paid for, is what is in it."""
    snapshots: tuple[str, ...]


def digest(*parts: bytes) -> str:
    """Sixteen characters that are others whenever something else would be installed."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()[:16]


def find(session: Session) -> list[Image]:
    """All images of ours in the account and region, of every home; the newest first."""
    try:
        told = pages(session.ec2, "describe_images", "Images", Owners=["self"], Filters=names.filters())
        return sorted(map(_parse, told), key=lambda one: one.created, reverse=True)
    except AwsFailure as error:
        raise said(error, "look for images") from error


def with_environment(session: Session, environment: str) -> Image | None:
    """The newest image with exactly this installed; ``None`` where there is none that can be used."""
    usable = (one for one in find(session) if one.environment == environment and one.state == AVAILABLE)
    return next(usable, None)


def remove(session: Session, image: Image) -> None:
    """Remove an image and the snapshots that cost; one that is gone is fine."""
    _remove(session, "deregister_image", ImageId=image.id)
    for snapshot in image.snapshots:
        _remove(session, "delete_snapshot", SnapshotId=snapshot)


def _remove(session: Session, operation: str, **what: str) -> None:
    try:
        getattr(session.ec2, operation)(**what)
    except AwsFailure as error:
        if not code_of(error).endswith((".NotFound", ".Unavailable")):
            raise said(error, f"remove {' '.join(what.values())}") from error


def _parse(one: Mapping[str, Any]) -> Image:
    tags = names.read(one.get("Tags"))
    disks = [disk["Ebs"] for disk in one.get("BlockDeviceMappings", ()) if "Ebs" in disk]
    return Image(
        id=one["ImageId"],
        name=one.get("Name", ""),
        state=one["State"],
        architecture=one.get("Architecture", ""),
        environment=tags.get(ENVIRONMENT, ""),
        home=tags.get(names.HOME, ""),
        created=str(one.get("CreationDate", "")),
        size_gb=float(sum(disk.get("VolumeSize", 0) for disk in disks)),
        snapshots=tuple(disk["SnapshotId"] for disk in disks if disk.get("SnapshotId")),
    )
