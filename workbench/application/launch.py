"""The application on AWS, brought up; may be called again after a kill at any point."""

import ipaddress
import urllib.request
from dataclasses import dataclass

from workbench.application import budgets, checks, permissions, power, siting, stack_changes, template, tokens
from workbench.application.stack import App
from workbench.application.stack_changes import Tell
from workbench.application.template import Wish
from workbench.aws import code, names, outputs
from workbench.aws.bucket import Bucket
from workbench.aws.outputs import Outputs, StackState
from workbench.aws.refusals import AwsFailure, NoQuota, code_of, said
from workbench.aws.session import Session
from workbench.errors import Unavailable
from workbench.machines.aws.controller import baking
from workbench.settings import Settings

NOBODY = "127.0.0.1/32"
WHOAMI = "https://checkip.amazonaws.com"


@dataclass(frozen=True)
class Begun:
    """A stack whose making was asked for."""

    id: str
    as_wished: bool
    """False: somebody was quicker, or an earlier request's answer was lost."""


def launch(session: Session, settings: Settings, wish: Wish, tell: Tell) -> App:
    """Make the application, or finish what an earlier launch began; returns once its services answer.

    Raises
    ------
    Unavailable
        AWS cannot give it, with the first true reason; what was begun is taken back. A machine whose first boot
        failed is left for a look at it.
    """
    budgets.check(session, wish)
    state, as_wished = settle(session, settings, tell), False
    if state is None:
        begun = _begin(session, settings, wish, tell)
        state, as_wished = _finish(session, settings, begun, tell), begun.as_wished
    given = outputs.read(state)
    budgets.require(wish, given)
    tell_of_other_code(given, tell)
    if wish.dashboard_cidr is not None and not as_wished:
        _open_dashboard(session, given.working_group, wish.dashboard_cidr, tell)
    return power.start(session, settings, tell, given=given)


def tell_of_other_code(given: Outputs, tell: Tell) -> None:
    """Say so where the application's machines run another code than this one."""
    if given.code != code.key():
        tell(
            "the application's machines run the code of its launch, which is not this one; to have this one, release and launch "
            "the application again (clusters get this one, and models stay in the bucket)"
        )


def settle(session: Session, settings: Settings, tell: Tell) -> StackState | None:
    """Wait for what is under way; the whole stack, or ``None`` where there is none and the way is free for one."""
    state = outputs.describe(session, settings.aws_stack)
    if state is not None and state.is_changing:
        tell(f"the stack is {state.status}: waiting for that to end")
        state = stack_changes.follow(session, state.id, tell).state
    if state is None or state.is_whole:
        return state
    tell(f"an earlier stack is {state.status}: removing what is left of it")
    stack_changes.remove(session, state, tell)
    return None


def _begin(session: Session, settings: Settings, wish: Wish, tell: Tell) -> Begun:
    """Check the account, put there what the machines need, and ask for the stack."""
    site = siting.find(session, wish)
    for note in site.notes:
        tell(note)
    for one in checks.check(session, settings, site.wish, site.kinds, None):
        if one.ok is False:
            raise NoQuota(f"{one.what}: {one.said}")
        tell(f"{one.what}: {one.said}")
    dashboard = wish.dashboard_cidr or own_address(session, tell)
    bucket = Bucket(session)
    tell(f"bucket {bucket.ensure()}")
    key = code.upload(bucket)
    tell(f"code {key}")
    if baked := baking.current(session):
        tell(f"the working machine begins from the image {baked.id}")
    tokens.make(session, settings.aws_stack)
    parameters = template.parameters(
        site.wish,
        bucket=bucket.name,
        code=key,
        home=session.home,
        dashboard_cidr=dashboard,
        architectures={name: kind.architecture for name, kind in site.kinds.items()},
        zones=(site.zone, site.other),
        boundary=permissions.boundary(session),
        idle_minutes=settings.aws_working_idle_minutes,
        baked=baked.id if baked else "",
    )
    idle = checks.idle(settings)
    tell(f"{idle.what}: {idle.said}")
    if wish.budget:
        tell(budgets.words(wish))
    try:
        made = session.cfn.create_stack(
            StackName=settings.aws_stack,
            TemplateBody=template.body(budget=wish.budget is not None),
            Parameters=parameters,
            Capabilities=["CAPABILITY_IAM"],
            Tags=names.tags(session.home),
        )
    except AwsFailure as error:
        there = outputs.describe(session, settings.aws_stack)
        if code_of(error) != "AlreadyExistsException":
            if there is None:
                tokens.forget(session, settings.aws_stack)
            raise said(error, "make the application's stack") from error
        return Begun(there.id if there else settings.aws_stack, as_wished=False)
    return Begun(str(made["StackId"]), as_wished=True)


def _finish(session: Session, settings: Settings, begun: Begun, tell: Tell) -> StackState:
    """The stack once it is whole; one that cannot be made is taken back."""
    ended = stack_changes.follow(session, begun.id, tell)
    if ended.state is None:
        raise Unavailable("the application's stack was deleted while it was made; launch it again")
    if not ended.state.is_whole:
        reason = stack_changes.first_cause(ended.events) or ended.state.reason
        tell(f"failed: {reason}; taking back what was made")
        stack_changes.remove(session, ended.state, tell)
        tokens.forget(session, settings.aws_stack)
        raise Unavailable(f"the application could not be made: {reason}")
    return ended.state


def own_address(session: Session, tell: Tell) -> str:
    """The address by which AWS sees this computer, as a range of one; ``NOBODY`` where that cannot be found out."""
    try:
        if session.emulated:
            raise OSError("whoever answers there sees another address")
        with urllib.request.urlopen(WHOAMI, timeout=4) as answer:
            address = str(ipaddress.IPv4Address(answer.read(64).decode().strip()))
    except (OSError, ValueError):
        tell(
            f"{WHOAMI} does not answer, so the dashboard's port stays closed; open it with: launch app --from "
            "ADDRESS/32, or go through Session Manager"
        )
        return NOBODY
    return f"{address}/32"


def _open_dashboard(session: Session, group: str, cidr: str, tell: Tell) -> None:
    """Let the dashboard's port be open to these addresses and to no others."""
    rule = {"IpProtocol": "tcp", "FromPort": 8888, "ToPort": 8888}
    try:
        (shown,) = session.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
        open_to = {
            span["CidrIp"]
            for permission in shown["IpPermissions"]
            if permission.get("FromPort") == 8888
            for span in permission["IpRanges"]
        }
        if cidr not in open_to:
            span = {"CidrIp": cidr, "Description": "dashboard"}
            session.ec2.authorize_security_group_ingress(
                GroupId=group, IpPermissions=[{**rule, "IpRanges": [span]}]
            )
            tell(f"the dashboard's port is open to {cidr}")
        if others := sorted(open_to - {cidr}):
            session.ec2.revoke_security_group_ingress(
                GroupId=group, IpPermissions=[{**rule, "IpRanges": [{"CidrIp": one} for one in others]}]
            )
            tell(f"and no more to {', '.join(others)}")
    except AwsFailure as error:
        raise said(error, "open the dashboard's port") from error
