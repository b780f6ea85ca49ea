"""What AWS refuses, in words: the true reason, and what to do about it."""

import pytest
from botocore.exceptions import ClientError, SSOTokenLoadError, TokenRetrievalError
from botocore.parsers import ResponseParserError

from workbench.aws.refusals import AwsFailure, AwsUnavailable, NotAllowed, said


def refused(code: str, message: str = "", operation: str = "RunInstances", status: int = 400) -> ClientError:
    told = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(told, operation)


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        (
            "UnauthorizedOperation",
            "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: ec2:RunInstances on resource: x with "
            "an explicit deny in a service control policy",
            ["ec2:RunInstances", "denied on purpose", "organization (SCP)"],
        ),
        (
            "AccessDenied",
            "User: x is not authorized to perform: s3:PutObject with an explicit deny in a permissions boundary",
            ["s3:PutObject", "boundary of this user"],
        ),
        (
            "AccessDenied",
            "not authorized to perform: iam:PassRole because no policy",
            ["lack the permission iam:PassRole"],
        ),
        ("RequestExpired", "Request has expired.", ["clock", "set-ntp"]),
        ("RequestTimeTooSkewed", "The difference is too large", ["clock"]),
        ("SignatureDoesNotMatch", "Signature expired: 20261130T0100Z is now earlier than", ["clock"]),
        ("InvalidSignatureException", "Signature not yet current: 2026", ["clock"]),
        (
            "AuthFailure",
            "AWS was not able to validate the provided access credentials",
            ["turned this region on"],
        ),
        ("OptInRequired", "You are not subscribed to this service", ["turned this region on"]),
        (
            "InvalidClientTokenId",
            "The security token included in the request is invalid",
            ["turned this region on"],
        ),
        ("ExpiredToken", "The provided token has expired.", ["have expired", "aws sso login --profile lab"]),
        ("400", "Bad Request", ["expired", "aws sso login --profile lab"]),
        (
            "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
            "The provided credentials do not have permission to create the service-linked role for EC2 Spot Instances.",
            ["create-service-linked-role --aws-service-name spot.amazonaws.com"],
        ),
    ],
)
def test_a_refusal_says_the_true_reason_and_the_way_out(
    code: str, message: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "lab")
    error = said(refused(code, message), "launch a machine")
    assert isinstance(error, NotAllowed)
    for word in words:
        assert word in str(error)


def test_an_ordinary_denial_is_no_matter_of_the_clock_or_of_an_organization() -> None:
    text = str(said(refused("UnauthorizedOperation", "You are not authorized to perform this operation.")))
    assert "clock" not in text
    assert "organization" not in text
    assert "ec2:RunInstances" in text


def test_single_sign_on_that_has_ended_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "lab")
    for error in (SSOTokenLoadError(error_msg="x"), TokenRetrievalError(provider="sso", error_msg="expired")):
        assert "aws sso login --profile lab" in str(said(error))
    monkeypatch.delenv("AWS_PROFILE")
    assert str(said(SSOTokenLoadError(error_msg="x"))).endswith("aws sso login")


def test_a_page_in_place_of_an_answer_is_put_in_words() -> None:
    error = ResponseParserError(
        "Unable to parse response (syntax error), invalid XML received:\n<!doctype html>…"
    )
    assert isinstance(error, AwsFailure)
    words = said(error, "look at the machines")
    assert isinstance(words, AwsUnavailable)
    assert "no answer of AWS" in str(words)
    assert "\n" not in str(words)
