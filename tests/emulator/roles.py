"""What a machine's role lets it do, and with what: S3 objects, parameters, instances by their tags.

Of conditions, those on tags of instances count; any other is taken to be met.
"""

import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from tests.emulator.calls import ACCOUNT, Call
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
        known = _S3.get(call.action, call.action) if call.service == "s3" else call.action
        action = f"{call.service}:{known}"
        statements = self._statements(machine.instance)
        for arn in _arns(call):
            tags = self._tags(arn)
            told = [s["Effect"] for s in statements if _is_about(s, action, arn, tags)]
            if "Deny" in told:
                return f"{_who(call)}: {action} on resource: {arn} with an explicit deny in an identity-based policy"
            if not told:
                return (
                    f"{_who(call)}: {action} on resource: {arn} because no identity-based policy allows the {action} "
                    "action"
                )
        return None

    def _tags(self, arn: str) -> dict[str, str]:
        machine = self._world.machines.get(arn.rpartition("/")[2])
        return dict(machine.instance.ec2_backend.tags.get(machine.instance.id, {})) if machine else {}

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


def _who(call: Call) -> str:
    return f"User: arn:aws:sts::{ACCOUNT}:assumed-role/machine/{call.machine} is not authorized to perform"


def _arns(call: Call) -> Sequence[str]:
    """What the call is about; ``*`` where that is not looked at."""
    if call.service == "s3" and call.action != "DeleteObjects":  # whose keys are in the body
        return [f"arn:aws:s3:::{call.resource}".rstrip("/")]
    return call.arns or ["*"]


def _is_about(statement: dict[str, Any], action: str, arn: str, tags: dict[str, str]) -> bool:
    if not any(fnmatchcase(action.lower(), a.lower()) for a in _listed(statement.get("Action", []))):
        return False
    resources = _listed(statement.get("Resource", []))
    if arn == "*":
        return statement["Effect"] == "Allow" or "*" in resources
    if not any(fnmatchcase(arn, resource) for resource in resources):
        return False
    return all(
        name in tags and any(fnmatchcase(tags[name], wanted) for wanted in _listed(value))
        for condition in statement.get("Condition", {}).values()
        for key, value in condition.items()
        if (name := key.partition(":ResourceTag/")[2])
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
