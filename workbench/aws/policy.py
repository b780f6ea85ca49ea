"""Permissions that the workbench needs: ``policy.json`` for people, ``boundary.json`` for what machines may have at most.

``options.json`` is for people, too, who want a budget's alarm: a policy has no room for all.

``python -m workbench.aws.policy policy aws-cn`` prints the first for China, ``boundary aws-us-gov`` the second for the
United States' government.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

KINDS = ("policy", "boundary", "options")
PARTITIONS = ("aws", "aws-cn", "aws-us-gov")
BOUNDARY = "workbench-boundary"
"""Name of the account's policy that bounds the machines' roles: without it whoever may make roles may do everything."""
S3_ACTIONS = {
    "HeadBucket": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "ListObjectsV2": "s3:ListBucket",
    "DeleteObjects": "s3:DeleteObject",
    "PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "ListBuckets": "s3:ListAllMyBuckets",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
}
"""Permissions of calls that are named otherwise."""
EC2_LOOKS = tuple(
    f"ec2:Describe{what}"
    for what in [
        "AccountAttributes",
        "Addresses",
        "AvailabilityZones",
        "IamInstanceProfileAssociations",
        "Images",
        "InstanceAttribute",
        "InstanceCreditSpecifications",
        "InstanceTypeOfferings",
        "InstanceTypes",
        "Instances",
        "InternetGateways",
        "LaunchTemplateVersions",
        "LaunchTemplates",
        "NatGateways",
        "NetworkAcls",
        "NetworkInterfaces",
        "Regions",
        "RouteTables",
        "SecurityGroupRules",
        "SecurityGroups",
        "Subnets",
        "Volumes",
        "VpcAttribute",
        "VpcEncryptionControls",
        "Vpcs",
        "VpnGateways",
    ]
)
"""The looks at EC2 that we and CloudFormation take; the policy allows all, for CloudFormation takes others in time."""


@dataclass(frozen=True)
class Statement:
    """One statement of a policy: who has it may do these actions with these resources, if the conditions are met."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Key, such as ``aws:ResourceTag/project`` → the values of which it must have one."""


def text(kind: str = "policy", partition: str = "aws") -> str:
    """The ``policy``, the ``boundary`` or the ``options`` as JSON, as IAM takes it in a partition of AWS."""
    found = resources.files("workbench.aws").joinpath(f"{kind}.json").read_text()
    return found.replace('"arn:aws:', f'"arn:{partition}:')


@cache
def statements(kind: str = "policy", partition: str = "aws") -> tuple[Statement, ...]:
    """The statements of the ``policy``, the ``boundary`` or the ``options``; each of them allows something."""
    return tuple(
        Statement(
            sid=one["Sid"],
            actions=_listed(one["Action"]),
            resources=_listed(one["Resource"]),
            conditions={
                key: _listed(values)
                for tests in one.get("Condition", {}).values()
                for key, values in tests.items()
            },
        )
        for one in json.loads(text(kind, partition))["Statement"]
    )


@cache
def actions(kind: str = "policy") -> tuple[str, ...]:
    """Every permission that the policy gives; ``ec2:Describe*`` as those that are needed."""
    told = (action for statement in statements(kind) for action in expand(statement.actions))
    return tuple(dict.fromkeys(told))


def expand(given: tuple[str, ...]) -> tuple[str, ...]:
    """Actions without wildcards, as AWS's simulator takes them.

    >>> expand(("sts:GetCallerIdentity", "ec2:Describe*"))[:2]
    ('sts:GetCallerIdentity', 'ec2:DescribeAccountAttributes')
    """
    return tuple(one for action in given for one in (EC2_LOOKS if action == "ec2:Describe*" else (action,)))


def permission(operation: str) -> str:
    """The permission for a call, as policies name it; the call's own name where the policy has none.

    >>> permission("RunInstances"), permission("HeadObject"), permission("DescribeParameters")
    ('ec2:RunInstances', 's3:GetObject', 'ssm:DescribeParameters')
    """
    if operation in S3_ACTIONS:
        return S3_ACTIONS[operation]
    known = (*actions(), *actions("options"))
    return next((action for action in known if action.split(":")[1] == operation), operation)


def boundary_arn(partition: str, account: str) -> str:
    """The ARN of the account's policy that bounds the machines' roles."""
    return f"arn:{partition}:iam::{account}:policy/{BOUNDARY}"


def _listed(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def main(arguments: list[str]) -> int:
    """``policy [policy|boundary|options] [PARTITION]``: print it."""
    kind, partition, *_ = [*arguments, *("policy", "aws")[len(arguments) :]]
    if kind not in KINDS or partition not in PARTITIONS:
        print(
            f"usage: python -m workbench.aws.policy [{'|'.join(KINDS)}] [{'|'.join(PARTITIONS)}]. Received: {kind} "
            f"{partition}",
            file=sys.stderr,
        )
        return 2
    print(text(kind, partition), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
