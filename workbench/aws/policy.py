"""The permissions that the workbench needs, as the policy in ``policy.json`` gives them."""

import json
from functools import cache
from importlib import resources

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


@cache
def actions() -> tuple[str, ...]:
    """Every permission that the policy gives."""
    text = resources.files("workbench.aws").joinpath("policy.json").read_text()
    return tuple(
        action for statement in json.loads(text)["Statement"] for action in _listed(statement["Action"])
    )


def permission(operation: str) -> str:
    """The permission for a call, as policies name it; the call's own name where the policy has none.

    >>> permission("RunInstances"), permission("HeadObject")
    ('ec2:RunInstances', 's3:GetObject')
    """
    if operation in S3_ACTIONS:
        return S3_ACTIONS[operation]
    return next((action for action in actions() if action.split(":")[1] == operation), operation)


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
