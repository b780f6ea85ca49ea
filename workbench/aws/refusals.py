"""Refusals of AWS in words: each failure as an error of ours that says what to do."""

import re

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

from workbench.aws import policy
from workbench.errors import BadInput, NotFound, Unavailable, WorkbenchError

AwsFailure = (ClientError, BotoCoreError)
"""All that a call to AWS can raise; ``said`` puts it in words."""

SET_CREDENTIALS = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run: aws configure "
    "(docs/aws.md, First run on AWS)"
)


class AwsError(WorkbenchError):
    """A refusal of AWS, in words."""

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
    """Something that was named does not exist."""


class Refused(AwsError, BadInput):
    """Something that was asked for cannot be."""


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
        return NotAllowed(
            f"cannot {doing}: these credentials lack the permission {action_of(error)}; whoever owns the account "
            "can give it (docs/aws.md has the whole policy)"
        )
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
    return policy.permission(error.operation_name)
