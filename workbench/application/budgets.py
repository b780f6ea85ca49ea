"""The alarm of an application's budget: where it can be had, whether it has gone off, and going on all the same."""

from collections.abc import Sequence

from workbench.application.template import Wish
from workbench.aws.outputs import Outputs
from workbench.aws.refusals import AwsFailure, code_of, said
from workbench.aws.session import Session, pages
from workbench.errors import BadInput, Unavailable

NOT_IN = frozenset(
    [
        "af-south-1",
        "ap-east-1",
        "ap-east-2",
        "ap-northeast-3",
        "ap-south-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "ca-west-1",
        "eu-central-2",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "il-central-1",
        "me-central-1",
        "mx-central-1",
        "us-gov-east-1",
        "us-gov-west-1",
    ]
)
"""Regions whose CloudFormation knows no budgets, by AWS's own schemas."""
GOES_ON = "workbench start app --provider aws --over-budget"


def check(session: Session, wish: Wish) -> None:
    """Refuse an alarm where AWS has none: raises ``BadInput``."""
    if wish.budget and session.region in NOT_IN:
        raise BadInput(
            f"CloudFormation in {session.region} knows no budgets, so --budget cannot be had there; leave it out and make "
            "one in the AWS console (Billing, Budgets), or take another region such as eu-west-1"
        )


def words(wish: Wish) -> str:
    """Say what the alarm does."""
    return (
        f"at ${wish.budget:g} a month that the whole account costs, by AWS's own count, which comes hours late, the "
        "application's machines stop, clusters end and none is begun; "
        f"{wish.budget_email} is told then, and at four fifths of it"
    )


def require(wish: Wish, given: Outputs) -> None:
    """Refuse to go on with an application that has another alarm than is wished: raises ``BadInput``."""
    if wish.budget and round(wish.budget, 2) != given.budget:
        has = f"one of ${given.budget:g}" if given.budget else "no alarm"
        raise BadInput(
            f"there is an application already, with {has}, and an alarm comes with the launch alone: release it "
            f"and launch it again, or leave --budget out. Received: --budget {wish.budget:g}"
        )


def refuse_if_over(session: Session, given: Outputs) -> None:
    """Refuse to start what the alarm has stopped: raises ``Unavailable``."""
    if denied := _denied(session, given.budget_roles):
        raise Unavailable(
            f"the budget's alarm has gone off: the account has cost ${given.budget:g} this month, so the machines were "
            f"stopped, and {' and '.join(denied)} may do nothing; to go on all the same: {GOES_ON}"
        )


def lift(session: Session, roles: Sequence[str]) -> tuple[str, ...]:
    """Let the roles do again what they did before the alarm; those that could not. None at all is fine."""
    denied = _denied(session, roles)
    for role in denied:
        try:
            session.iam.detach_role_policy(RoleName=role, PolicyArn=_denial(session))
        except AwsFailure as error:
            if code_of(error) != "NoSuchEntity":
                raise said(error, f"let the role {role} do something again") from error
    return denied


def _denied(session: Session, roles: Sequence[str]) -> tuple[str, ...]:
    return tuple(role for role in roles if _denial(session) in _attached(session, role))


def _attached(session: Session, role: str) -> set[str]:
    try:
        found = pages(session.iam, "list_attached_role_policies", "AttachedPolicies", RoleName=role)
        return {one["PolicyArn"] for one in found}
    except AwsFailure as error:
        if code_of(error) == "NoSuchEntity":
            return set()
        raise said(error, f"look at the role {role}") from error


def _denial(session: Session) -> str:
    return f"arn:{session.partition}:iam::aws:policy/AWSDenyAll"
