"""Images that the account makes of its machines: their snapshots have tags, and what EC2 refuses is refused."""

from typing import Any

import moto.ec2.models.amis as moto_images
from moto.core.exceptions import ServiceException
from moto.ec2.models import ec2_backends

from tests.emulator.calls import ACCOUNT, REGION

SIZE_GB = 30


class Refusal(ServiceException):
    """An error of EC2 with its code and its words."""


def install() -> None:
    """Put the repairs into moto; once a process."""
    backend = moto_images.AmiBackend
    original = backend.create_image

    def create_image(
        self: Any, instance_id: str, name: str, description: str, tag_specifications: list[Any]
    ) -> Any:
        if any(one.name == name and one.owner_id == ACCOUNT for one in self.amis.values()):
            raise Refusal("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI")
        if self.get_instance(instance_id).state not in ("running", "stopped"):
            raise Refusal(
                "IncorrectInstanceState", f"The instance {instance_id} is neither running nor stopped"
            )
        of_images = [one for one in tag_specifications if one["ResourceType"] == "image"]
        image = original(self, instance_id, name, description, of_images)
        for one in tag_specifications:
            if one["ResourceType"] == "snapshot":
                image.ebs_snapshot.add_tags({tag["Key"]: tag["Value"] for tag in one["Tags"]})
        return image

    backend.create_image = create_image  # type: ignore[method-assign]


def made() -> list[tuple[str, str]]:
    """Kind and id of each image and snapshot that the account has made."""
    ec2 = ec2_backends[ACCOUNT][REGION]
    own = [one for one in ec2.amis.values() if one.owner_id == ACCOUNT and one.instance_id]
    names = [("image", one.id) for one in own]
    kept = [
        one for one in ec2.snapshots.values() if str(one.description).startswith("Created by CreateImage")
    ]
    return names + [("snapshot", one.id) for one in kept]
