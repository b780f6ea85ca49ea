"""Permissions of whoever launches: asked of AWS's own simulator, statement by statement; and what bounds the roles."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from workbench.aws import policy
from workbench.aws.policy import Statement
from workbench.aws.refusals import AwsError, AwsFailure, NotAllowed, code_of, said
from workbench.aws.session import Session, pages
from workbench.settings import Settings

SEVERAL = ("aws:CalledVia",)
"""Keys of a request's context that have several values at a time."""


@dataclass(frozen=True)
class Question:
    """One question to the simulator: may these actions be done with these resources in such a request?"""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    """ARNs without wildcards; empty where the actions are about none."""
    context: Mapping[str, tuple[str, ...]]


def missing(
    session: Session, settings: Settings, kinds: Collection[str] = ("policy",)
) -> tuple[str, ...] | None:
    """The permissions that these credentials lack, as far as AWS's simulator can tell; ``None``: it does not tell.

    Parameters
    ----------
    kinds
        The policies whose permissions are asked for: ``policy``, ``options``.

    Raises
    ------
    AwsError
        AWS does not let these credentials ask, or does not answer.
    """
    arn = principal(session)
    if arn is None:
        return None
    if arn.endswith(":root"):
        return ()
    denied: dict[str, None] = {}
    try:
        for question in (one for kind in kinds for one in questions(session, settings, kind)):
            denied |= dict.fromkeys(_ask(session, arn, question))
    except AwsFailure as error:
        raise said(error, "ask what these credentials may do") from error
    return tuple(denied)


def questions(session: Session, settings: Settings, kind: str = "policy") -> Iterator[Question]:
    """A question for each statement of the policy that documents tell people to attach."""
    for statement in policy.statements(kind, session.partition):
        if not any("${" in one for one in statement.resources):  # the simulator knows no such variables
            yield Question(
                policy.expand(statement.actions),
                tuple(_example(one, session, settings) for one in statement.resources if one != "*"),
                _context(statement, session),
            )


def principal(session: Session) -> str | None:
    """The user or role behind the session, as policies are attached to it; ``None`` where that cannot be told."""
    arn = session.caller.arn
    head, _, rest = arn.rpartition(":")
    if not rest.startswith("assumed-role/"):
        return arn if rest.startswith("user/") or rest == "root" else None
    name = rest.split("/")[1]
    try:  # a role's path, which those of single sign-on have, does not stand in the session's ARN
        return str(session.iam.get_role(RoleName=name)["Role"]["Arn"])
    except AwsFailure:
        return f"{head.replace(':sts:', ':iam:')}:role/{name}"


def boundary(session: Session) -> str | None:
    """The ARN of the account's policy that bounds machines' roles; ``None`` where there is none to be seen."""
    arn = policy.boundary_arn(session.partition, session.account)
    try:
        session.iam.get_policy(PolicyArn=arn)
    except AwsFailure as error:
        words = said(error, f"look at the policy {policy.BOUNDARY}")
        if code_of(error) == "NoSuchEntity" or isinstance(words, NotAllowed):
            return None
        raise words from error
    return arn


def advice(session: Session) -> str:
    """What to do about roles that nothing bounds; empty where something does, or AWS does not tell."""
    try:
        if boundary(session):
            return ""
    except AwsError:
        return ""
    return (
        f"; there is no policy {policy.BOUNDARY}, without which nobody but an administrator may make the machines' "
        "roles (docs/aws.md)"
    )


def _ask(session: Session, arn: str, question: Question) -> list[str]:
    answers = pages(
        session.iam,
        "simulate_principal_policy",
        "EvaluationResults",
        PolicySourceArn=arn,
        ActionNames=list(question.actions),
        **({"ResourceArns": list(question.resources)} if question.resources else {}),
        ContextEntries=[
            {
                "ContextKeyName": key,
                "ContextKeyValues": list(values if key in SEVERAL else values[:1]),
                "ContextKeyType": "stringList" if key in SEVERAL else "string",
            }
            for key, values in question.context.items()
        ],
    )
    return [one["EvalActionName"] for one in answers if one["EvalDecision"] != "allowed"]


def _example(pattern: str, session: Session, settings: Settings) -> str:
    """One resource of those that a pattern means: ours, where it has a name.

    >>> from types import SimpleNamespace as N
    >>> here = N(region="eu-north-1", account="123456789012", partition="aws"), N(aws_stack="workbench")
    >>> _example("arn:aws:ec2:*:*:subnet/*", *here)
    'arn:aws:ec2:eu-north-1:123456789012:subnet/x'
    >>> _example("arn:aws:iam::*:role/workbench*", *here)
    'arn:aws:iam::123456789012:role/workbench'
    """
    arn, partition, service, region, account, rest = pattern.split(":", 5)
    bucket = f"workbench-{session.account}-{session.region}"
    rest = rest.replace("workbench-*", bucket) if service == "s3" else rest
    rest = rest.replace("workbench*", settings.aws_stack).replace("*", "x")
    where = [region.replace("*", session.region), account.replace("*", session.account)]
    return ":".join([arn, partition, service, *where, rest])


def _context(statement: Statement, session: Session) -> Mapping[str, tuple[str, ...]]:
    account = session.account
    return {
        key: tuple(value.replace("iam::*:", f"iam::{account}:") for value in values)
        for key, values in statement.conditions.items()
    }
