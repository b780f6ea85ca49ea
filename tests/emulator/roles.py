"""What a machine's role lets it do: actions everywhere, and in S3 the objects, too."""

import json
from fnmatch import fnmatchcase
from typing import Any

from tests.emulator.calls import Call
from tests.emulator.world import World

MANAGED = {
    "AmazonSSMManagedInstanceCore": [
        "ssm:DescribeAssociation",
        "ssm:GetDocument",
        "ssm:DescribeDocument",
        "ssm:GetManifest",
        "ssm:GetParameter",
        "ssm:GetParameters",
        "ssm:ListAssociations",
        "ssm:ListInstanceAssociations",
        "ssm:PutInventory",
        "ssm:UpdateInstanceInformation",
        "ssmmessages:*",
        "ec2messages:*",
    ]
}
_S3 = {
    "HeadObject": "GetObject",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "DeleteObjects": "DeleteObject",
    "GetBucketLocation": "GetBucketLocation",
}


class Roles:
    """Reads the policies that the stacks gave to the roles."""

    def __init__(self, world: World) -> None:
        self._world = world

    def refuses(self, call: Call) -> str | None:
        """AWS's words where the machine's role does not allow the call."""
        machine = self._world.machines.get(call.machine or "")
        if machine is None or call.action == "GetCallerIdentity":
            return None
        action = (
            f"{call.service}:{_S3.get(call.action, call.action) if call.service == 's3' else call.action}"
        )
        statements = self._statements(machine.instance)
        if any(_allows(statement, action, call) for statement in statements):
            return None
        return (
            f"User: arn:aws:sts::123456789012:assumed-role/machine/{call.machine} is not authorized to perform: "
            f"{action} on resource: {call.resource or '*'} because no identity-based policy allows the {action} action"
        )

    def _statements(self, instance: Any) -> list[dict[str, Any]]:
        association = instance.ec2_backend.iam_instance_profile_associations.get(instance.id)
        found: list[dict[str, Any]] = []
        for role in association.iam_instance_profile.roles if association else []:
            for policy in role.policies.values():
                told = json.loads(policy) if isinstance(policy, str) else policy
                found += _listed(told["Statement"])
            for arn in [*getattr(role, "managed_arns", []), *role.managed_policies]:
                found.append(
                    {"Effect": "Allow", "Action": MANAGED.get(arn.rpartition("/")[2], []), "Resource": "*"}
                )
        return found


def _allows(statement: dict[str, Any], action: str, call: Call) -> bool:
    if statement["Effect"] != "Allow":
        return False
    if not any(fnmatchcase(action.lower(), a.lower()) for a in _listed(statement.get("Action", []))):
        return False
    if call.service != "s3":
        return True  # which instance or parameter it is about is not looked at
    resource = f"arn:aws:s3:::{call.resource}".rstrip("/")
    if call.action == "DeleteObjects":
        return True  # the keys are in the body
    return any(fnmatchcase(resource, r) for r in _listed(statement.get("Resource", [])))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
