"""Refusals of AWS in words: each failure as an error of ours that says what to do."""

import json
import os
import re
from typing import Any
from xml.etree import ElementTree

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
from botocore.model import OperationModel
from botocore.parsers import ResponseParserError

from workbench.aws import policy
from workbench.errors import BadInput, NoMachineFree, NotFound, Unavailable, WorkbenchError


class Unreadable(BotoCoreError):  # type: ignore[misc]  # botocore has no types
    """An answer that is none of AWS's."""

    fmt = "the answer to {operation} is {what}"


AwsFailure = (ClientError, BotoCoreError, ResponseParserError)
"""All that a call to AWS can raise; ``said`` puts it in words."""

PROXY = "a proxy, or what AWS_ENDPOINT_URL names, may have given it; try again"
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


class DeniedOnPurpose(NotAllowed):
    """A policy denies it, whatever another one allows."""


class NoQuota(AwsUnavailable):
    """The account may not have more of it."""

    passing = False


class NoCapacity(AwsUnavailable, NoMachineFree):
    """AWS has no such machine free here now; another zone or type may."""


class Throttled(AwsUnavailable):
    """Asked too often, and still after all retries."""


class Missing(AwsError, NotFound):
    """Something that was named does not exist."""


class Refused(AwsError, BadInput):
    """Something that was asked for cannot be."""


_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
_CLOCK = {"RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"}
_NOT_HERE = {"OptInRequired", "InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure"}
"""What AWS also says where the account has not turned the region on."""
_SPOT_ROLE = "AuthFailure.ServiceLinkedRoleCreationNotPermitted"
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


def check_answer(
    operation_model: OperationModel,
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, object],
    **_: object,
) -> None:
    """Look at an answer before botocore parses it, which ends in whatever error it may where it is none of AWS's.

    For its event ``before-parse``. A failure stays one, so that it is tried again as AWS's own are.

    Raises
    ------
    Unreadable
        A success, or a refusal, that is a proxy's page or no answer at all.
    """
    status, body = int(response_dict["status_code"]), response_dict["body"]
    if not isinstance(body, bytes) or (not body and status >= 300) or operation_model.has_streaming_output:
        return
    what = _no_answer(operation_model, body, status < 300)
    if not what:
        return
    if status < 500:
        raise Unreadable(operation=operation_model.name, what=what)
    told = {"Code": str(status), "Message": f"{what} instead of an answer; {PROXY}"}
    customized_response_dict["Error"] = told
    response_dict["body"] = b""  # which botocore takes for a failure without words


def _no_answer(operation: OperationModel, body: bytes, is_success: bool) -> str:
    """What a body is, where it is none of the operation's; empty where it may be."""
    if _is_page(body[:200].decode("latin-1")):
        return "a web page"
    shape, protocol = operation.output_shape, str(operation.metadata.get("protocol", ""))
    if "json" in protocol:
        try:
            told = json.loads(body) if body else {}
        except ValueError:  # a UnicodeDecodeError is one
            told = None
        return "" if isinstance(told, dict) else "no JSON object"
    if not body:
        return "empty" if is_success and shape is not None and protocol != "rest-xml" else ""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314  # as botocore does, a line further
    except ElementTree.ParseError:
        return "no XML"
    wrapper = shape.serialization.get("resultWrapper") if shape is not None and is_success else None
    if wrapper and not any(child.tag.rpartition("}")[2] == wrapper for child in root):
        return f"no {wrapper}"
    return ""


def _is_page(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n").lower().startswith(("<!doctype html", "<html", "<head", "<body"))


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
    if _is_page(message):
        message = f"a web page instead of an answer; {PROXY}"
    found = _word(code, error, message, doing)
    found.code = code
    return found


def _word(code: str, error: ClientError, message: str, doing: str) -> AwsError:
    told = f"{message} ({code})" if message else code
    if code in _CLOCK or (code in _UNKNOWN | _EXPIRED | {"InvalidSignatureException"} and _is_late(message)):
        return NotAllowed(
            f"cannot {doing}: this computer's clock differs from AWS's by minutes: {told}; set it, for instance with: "
            "timedatectl set-ntp true"
        )
    if code in _EXPIRED:
        return NotAllowed(
            f"cannot {doing}: the AWS credentials have expired; {sign_in()}, or {SET_CREDENTIALS}"
        )
    if code == _SPOT_ROLE:
        return NotAllowed(
            f"cannot {doing}: the account has never had spot machines, and these credentials may not make the role that "
            "EC2 needs for them; once, somebody who may: aws iam create-service-linked-role --aws-service-name "
            "spot.amazonaws.com"
        )
    if code in _UNKNOWN or code == "OptInRequired":
        region = "; or the account has not turned this region on (AWS console, Account, AWS Regions)"
        return NotAllowed(
            f"cannot {doing}: AWS does not accept these credentials here ({code}); {SET_CREDENTIALS}"
            + (region if code in _NOT_HERE else "")
        )
    if code == "400":  # S3's answer to a HEAD has no body, so it cannot say more
        return NotAllowed(
            f"cannot {doing}: S3 takes no request of these credentials, most often because they have expired; "
            f"{sign_in()}, or {SET_CREDENTIALS}"
        )
    if code in _DENIED and "explicit deny" in message:
        return DeniedOnPurpose(
            f"cannot {doing}: {action_of(error)} is denied on purpose, {_who_denies(message)}, so no other policy can give "
            f"it; ask whoever wrote that. AWS said: {told}"
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
        return NotAllowed(f"cannot {doing}: the AWS credentials cannot be had: {error}; {sign_in()}")
    if isinstance(error, NoRegionError):
        return NotAllowed(f"cannot {doing}: no AWS region is set: set WORKBENCH_AWS_REGION")
    if isinstance(error, HTTPClientError):
        return AwsUnavailable(
            f"cannot {doing}: AWS does not answer: {error}; look at the network and try again"
        )
    if isinstance(error, ResponseParserError | Unreadable):
        told = (
            str(error).partition("\n")[0][:200] if isinstance(error, Unreadable) else "it is no answer of AWS"
        )
        return AwsUnavailable(f"cannot {doing}: AWS's answer cannot be read: {told}; {PROXY}")
    return AwsUnavailable(f"cannot {doing}: {error}")


def sign_in() -> str:
    """How to sign in again, with the profile that is set."""
    profile = os.environ.get("AWS_PROFILE")
    return f"sign in again: aws sso login{f' --profile {profile}' if profile else ''}"


def _is_late(message: str) -> bool:
    return re.search(r"[Ss]ignature (expired|not yet current)|too skewed", message) is not None


def _who_denies(message: str) -> str:
    for words, whose in (
        ("service control policy", "by a policy of the organization (SCP)"),
        ("permissions boundary", "by the boundary of this user or role"),
        ("session policy", "by the policy of this session"),
        ("resource-based policy", "by a policy of the thing itself"),
    ):
        if words in message:
            return whose
    return "by a policy"


def action_of(error: ClientError) -> str:
    """The permission that was missing, as policies name it: ``ec2:RunInstances``."""
    message = str(error.response.get("Error", {}).get("Message", ""))
    if match := re.search(r"not authorized to perform:? ([\w-]+:\w+)", message):
        return match[1]
    return policy.permission(error.operation_name)
