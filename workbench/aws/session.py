"""AWS itself: who we are there, one client a service, and what it refuses in words. Only this file imports boto3."""

import json
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from workbench.aws import names
from workbench.errors import BadInput, NotFound, Unavailable, WorkbenchError
from workbench.settings import Settings

AwsFailure = (ClientError, BotoCoreError)
"""What a call to AWS can raise; ``said`` puts it in words."""

ATTEMPTS = 8
"""botocore waits longer after each; five ride out a burst of throttling, fewer do not."""
CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 40

SET_CREDENTIALS = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run: aws configure "
    "(docs/aws.md, First run on AWS)"
)


class AwsError(WorkbenchError):
    """What AWS said, in words."""

    code = ""
    """AWS's own word for it, for instance ``InsufficientInstanceCapacity``."""


class AwsUnavailable(AwsError, Unavailable):
    """AWS refuses, or cannot be reached."""


class NotAllowed(AwsUnavailable):
    """These credentials may not do it, or are no credentials any more."""

    passing = False


class NoQuota(AwsUnavailable):
    """The account may not have more of it."""

    passing = False


class NoCapacity(AwsUnavailable):
    """AWS has no such machine free here now; another zone or type may."""


class Throttled(AwsUnavailable):
    """Asked too often, and still after all retries."""


class Missing(AwsError, NotFound):
    """What was named does not exist."""


class Refused(AwsError, BadInput):
    """What was asked for cannot be."""


@dataclass
class Session:
    """One account and region as one person sees it. Threads may share it."""

    region: str
    home: str
    """The short id of this ``WORKBENCH_HOME``, which the tags carry."""
    boto: boto3.session.Session
    _clients: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @staticmethod
    def open(settings: Settings) -> "Session":
        """Find credentials and region as boto3 does; asks AWS nothing yet.

        Raises
        ------
        NotAllowed
            No credentials, or no region.
        """
        try:
            boto = boto3.session.Session(region_name=settings.aws_region)
            credentials = boto.get_credentials()
        except BotoCoreError as error:
            raise said(error) from error
        if credentials is None:
            raise NotAllowed(f"there are no AWS credentials here: {SET_CREDENTIALS}")
        if not boto.region_name:
            raise NotAllowed("no AWS region is set: set WORKBENCH_AWS_REGION, for instance to eu-central-1")
        return Session(boto.region_name, names.home_id(settings), boto)

    @cached_property
    def account(self) -> str:
        """The account's number; asks AWS once, so that wrong or expired credentials show here."""
        try:
            return str(self.sts.get_caller_identity()["Account"])
        except AwsFailure as error:
            raise said(error, "ask AWS who we are") from error

    @property
    def emulated(self) -> bool:
        """Whether something else than Amazon answers: ``AWS_ENDPOINT_URL`` names it."""
        return bool(os.environ.get("AWS_ENDPOINT_URL"))

    @property
    def partition(self) -> str:
        """``aws``, but in China and for governments."""
        return str(self.boto.get_partition_for_region(self.region))

    @property
    def ec2(self) -> Any:
        return self.client("ec2")

    @property
    def ssm(self) -> Any:
        return self.client("ssm")

    @property
    def s3(self) -> Any:
        return self.client("s3")

    @property
    def cfn(self) -> Any:
        return self.client("cloudformation")

    @property
    def iam(self) -> Any:
        return self.client("iam")

    @property
    def sts(self) -> Any:
        return self.client("sts")

    @property
    def quotas(self) -> Any:
        return self.client("service-quotas")

    @property
    def pricing(self) -> Any:
        """The Pricing API answers in few regions only; this one knows the prices of all."""
        return self.client("pricing", region_name="us-east-1")

    def client(self, service: str, **options: Any) -> Any:
        """The client of a service, made once."""
        with self._lock:  # boto3's clients may be shared by threads, the making of them may not
            if service not in self._clients:
                self._clients[service] = self.boto.client(service, config=_config(service), **options)
            return self._clients[service]


def _config(service: str) -> Config:
    options: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "read_timeout": READ_TIMEOUT_S,
        "user_agent_extra": "workbench",
        "retries": {"mode": "standard"},
    }
    if "AWS_MAX_ATTEMPTS" not in os.environ:
        options["retries"]["total_max_attempts"] = ATTEMPTS
    if service == "s3":
        # A presigned link must name the region's own host; an emulator has no host a bucket.
        style = "path" if os.environ.get("AWS_ENDPOINT_URL") else "virtual"
        options |= {"signature_version": "s3v4", "s3": {"addressing_style": style}}
    return Config(**options)


def pages(client: Any, operation: str, key: str, **options: Any) -> Iterator[Any]:
    """Give each item under ``key`` of every page of the operation, as ``"Reservations"`` of ``"describe_instances"``."""
    for page in client.get_paginator(operation).paginate(**options):
        yield from page.get(key, ())


# ── in words ─────────────────────────────────────────────────────────────────────────────────────

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN = {
    "AuthFailure",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "IncompleteSignature",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AllAccessDisabled", "403"}
_QUOTA = {
    "AddressLimitExceeded",
    "InstanceLimitExceeded",
    "InternetGatewayLimitExceeded",
    "LimitExceeded",
    "LimitExceededException",
    "MaxSpotInstanceCountExceeded",
    "RouteTableLimitExceeded",
    "SecurityGroupLimitExceeded",
    "VcpuLimitExceeded",
    "VolumeLimitExceeded",
    "VpcLimitExceeded",
}
_CAPACITY = {
    "InsufficientAddressCapacity",
    "InsufficientCapacity",
    "InsufficientFreeAddressesInSubnet",
    "InsufficientHostCapacity",
    "InsufficientInstanceCapacity",
    "InsufficientReservedInstanceCapacity",
    "SpotMaxPriceTooLow",
    "Unsupported",
}
_THROTTLED = {
    "503",  # S3's answer to a HEAD has no body, so it cannot say SlowDown
    "BandwidthLimitExceeded",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_S3_ACTIONS = {
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
"""Where the permission has another name than the call."""


def code_of(error: Exception) -> str:
    """AWS's own word for what failed; empty where it never answered."""
    if isinstance(error, AwsError):
        return error.code
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def said(error: Exception, doing: str = "do that") -> WorkbenchError:
    """The error in words: what was being done, what AWS said, what to do; raise it ``from`` the error.

    Parameters
    ----------
    doing
        As after "to": ``"launch 3 workers"``.
    """
    if isinstance(error, WorkbenchError):
        return error
    if not isinstance(error, ClientError):
        return _without_answer(error, doing)
    code = code_of(error)
    message = str(error.response.get("Error", {}).get("Message", "")).strip().rstrip(".")
    found = _word(code, error, message, doing)
    found.code = code
    return found


def _word(code: str, error: ClientError, message: str, doing: str) -> AwsError:
    told = f"{message} ({code})" if message else code
    if code in _EXPIRED:
        return NotAllowed(
            f"cannot {doing}: the AWS credentials have expired; sign in again, or {SET_CREDENTIALS}"
        )
    if code in _UNKNOWN:
        return NotAllowed(
            f"cannot {doing}: AWS does not accept these credentials ({code}); {SET_CREDENTIALS}"
        )
    if code in _DENIED:
        denied = NotAllowed(
            f"cannot {doing}: these credentials lack the permission {action_of(error)}; whoever owns the account "
            "can give it (docs/aws.md has the whole policy)"
        )
        denied.passing = False
        return denied
    if code in _QUOTA:
        return NoQuota(
            f"cannot {doing}: the account's quota is reached: {told}; ask for more under Service Quotas in the AWS "
            "console, or take fewer or smaller machines"
        )
    if code in _CAPACITY:
        return NoCapacity(
            f"cannot {doing}: AWS has no such machine free now: {told}; try again later, or another type or region"
        )
    if code in _THROTTLED:
        return Throttled(f"cannot {doing}: AWS asks for fewer requests ({code}); try again in a minute")
    if code in ("404", "NoSuchKey", "NoSuchBucket", "ParameterNotFound", "NoSuchEntity") or code.endswith(
        (".NotFound", "NotFoundException")
    ):
        return Missing(f"cannot {doing}: {told}")
    if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) < 500 and code in (
        "InvalidParameterValue",
        "InvalidAMIID.Malformed",
    ):
        return Refused(f"cannot {doing}: {told}")
    return AwsUnavailable(f"cannot {doing}: AWS said: {told}")


def _without_answer(error: Exception, doing: str) -> AwsError:
    if isinstance(error, NoCredentialsError | PartialCredentialsError | ProfileNotFound):
        return NotAllowed(f"there are no AWS credentials to {doing} with: {error}; {SET_CREDENTIALS}")
    if isinstance(error, CredentialRetrievalError | TokenRetrievalError | SSOError):
        return NotAllowed(f"cannot {doing}: the AWS credentials cannot be had: {error}; sign in again")
    if isinstance(error, NoRegionError):
        return NotAllowed(f"cannot {doing}: no AWS region is set: set WORKBENCH_AWS_REGION")
    if isinstance(error, HTTPClientError):
        return AwsUnavailable(
            f"cannot {doing}: AWS does not answer: {error}; look at the network and try again"
        )
    return AwsUnavailable(f"cannot {doing}: {error}")


def action_of(error: ClientError) -> str:
    """The permission that was missing, as policies name it: ``ec2:RunInstances``."""
    message = str(error.response.get("Error", {}).get("Message", ""))
    if match := re.search(r"not authorized to perform:? ([\w-]+:\w+)", message):
        return match[1]
    operation = error.operation_name
    if operation in _S3_ACTIONS:
        return _S3_ACTIONS[operation]
    return next((a for a in policy_actions() if a.split(":")[1] == operation), operation)


@cache
def policy_actions() -> tuple[str, ...]:
    """Every permission that the policy in ``policy.json`` gives."""
    text = resources.files("workbench.aws").joinpath("policy.json").read_text()
    return tuple(
        action for statement in json.loads(text)["Statement"] for action in _listed(statement["Action"])
    )


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
