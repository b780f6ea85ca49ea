"""The application's two tokens in AWS's parameter store, from which its machines read them."""

import secrets

from workbench.aws import names
from workbench.aws.refusals import AwsFailure, code_of, said
from workbench.aws.session import Session

TOKENS = ("token", "deploy-token")


def make(session: Session, stack: str) -> None:
    """Make the tokens; those that are there stay."""
    for name in TOKENS:
        try:
            session.ssm.put_parameter(
                Name=names.parameter(stack, name),
                Value=secrets.token_urlsafe(32),
                Type="SecureString",
                Tags=names.tags(session.home),
            )
        except AwsFailure as error:
            if code_of(error) != "ParameterAlreadyExists":
                raise said(error, f"keep the {name}") from error


def forget(session: Session, stack: str) -> None:
    """Remove the tokens; none is fine."""
    for name in TOKENS:
        try:
            session.ssm.delete_parameter(Name=names.parameter(stack, name))
        except AwsFailure as error:
            if code_of(error) != "ParameterNotFound":
                raise said(error, f"remove the {name}") from error
