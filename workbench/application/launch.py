"""The application on AWS, brought up, stopped and started; each verb may be called again after a kill at any point."""

import ipaddress
import secrets
import time
import urllib.request
from collections.abc import Callable, Collection, Iterable
from typing import Any

from workbench.application import plan, stack, template
from workbench.application.stack import AppMachine, Found, Outputs
from workbench.application.template import ROLES, Wish
from workbench.aws import code, names
from workbench.aws.bucket import Bucket
from workbench.aws.session import AwsFailure, NoQuota, Session, code_of, pages, said
from workbench.errors import BadInput, NotFound, Unavailable
from workbench.settings import Settings

NOBODY = "127.0.0.1/32"
SECRETS = ("token", "deploy-token")
STACK_TIMEOUT_S = 1800.0
BOOT_TIMEOUT_S = 1200.0
POLL_S = (0.3, 4.0)
"""First pause between two looks, and the longest."""
WHOAMI = "https://checkip.amazonaws.com"

Tell = Callable[[str], None]
"""Called with one line whenever something has happened."""


def launch(session: Session, settings: Settings, wish: Wish, tell: Tell) -> stack.App:
    """Make the application, or finish what an earlier launch began; returns once its services answer.

    Raises
    ------
    Unavailable
        AWS cannot give it, with the first true reason; what was begun is taken back. A machine whose first boot
        failed is left for a look at it.
    """
    found = settle(session, settings, tell)
    if found is None:
        found = _create(session, settings, wish, tell)
    given = stack.read_outputs(found)
    _follow(session, given, wish, tell)
    start(session, settings, tell)
    return stack.app(session, settings)


def settle(session: Session, settings: Settings, tell: Tell) -> Found | None:
    """Wait for what is under way; the whole stack, or ``None`` where there is none and the way is free for one."""
    found = stack.describe(session, settings)
    if found is not None and found.status.endswith("_IN_PROGRESS"):
        tell(f"the stack is {found.status}: waiting for that to end")
        found = wait(session, settings, found.id, tell)
    if found is None or found.status in stack.THERE:
        return found
    tell(f"an earlier stack is {found.status}: removing what is left of it")
    remove(session, settings, tell)
    return None


def _create(session: Session, settings: Settings, wish: Wish, tell: Tell) -> Found:
    kinds = plan.machine_types(session, sorted(set(wish.types.values())))
    for one in plan.check(session, settings, wish, kinds):
        if one.ok is False:
            raise NoQuota(f"{one.what}: {one.said}")
        tell(f"{one.what}: {one.said}")
    dashboard = wish.dashboard_cidr or own_address(session, tell)
    bucket = Bucket(session)
    tell(f"bucket {bucket.ensure()}")
    key = code.upload(bucket)
    tell(f"code {key}")
    for name in SECRETS:
        _put_secret(session, settings, name)
    options: dict[str, Any] = {
        "StackName": settings.aws_stack,
        "TemplateBody": template.body(),
        "Parameters": template.parameters(
            wish,
            bucket=bucket.name,
            code=key,
            home=session.home,
            dashboard_cidr=dashboard,
            architectures={name: kind.architecture for name, kind in kinds.items()},
        ),
        "Capabilities": ["CAPABILITY_IAM"],
        "Tags": names.tags(session.home),
    }
    try:
        session.cfn.create_stack(**options)
    except AwsFailure as error:
        if code_of(error) != "AlreadyExistsException":  # an answer was lost, or somebody else was quicker
            raise said(error, "make the application's stack") from error
    begun = stack.describe(session, settings)
    ended = begun and wait(session, settings, begun.id, tell)
    if ended is None or begun is None:
        raise Unavailable("the application's stack was deleted while it was made; launch it again")
    if ended.status not in stack.THERE:
        reason = first_cause(events(session, begun.id)) or ended.reason
        tell(f"failed: {reason}; taking back what was made")
        remove(session, settings, tell)
        forget_secrets(session, settings)
        raise Unavailable(f"the application could not be made: {reason}")
    return ended


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


def _put_secret(session: Session, settings: Settings, name: str) -> None:
    try:
        session.ssm.put_parameter(
            Name=names.parameter(settings.aws_stack, name),
            Value=secrets.token_urlsafe(32),
            Type="SecureString",
            Tags=names.tags(session.home),
        )
    except AwsFailure as error:
        if code_of(error) != "ParameterAlreadyExists":
            raise said(error, f"keep the {name}") from error


def read_secret(session: Session, settings: Settings, name: str) -> str:
    """One of ``SECRETS``; raises ``Missing``."""
    try:
        told = session.ssm.get_parameter(Name=names.parameter(settings.aws_stack, name), WithDecryption=True)
    except AwsFailure as error:
        raise said(error, f"read the {name}") from error
    return str(told["Parameter"]["Value"])


def forget_secrets(session: Session, settings: Settings) -> None:
    """Remove the tokens; none is fine."""
    for name in SECRETS:
        try:
            session.ssm.delete_parameter(Name=names.parameter(settings.aws_stack, name))
        except AwsFailure as error:
            if code_of(error) != "ParameterNotFound":
                raise said(error, f"remove the {name}") from error


def _follow(session: Session, given: Outputs, wish: Wish, tell: Tell) -> None:
    """Let the dashboard's port be open to who was named now, and to nobody else, where that is another than before."""
    if wish.dashboard_cidr is None:
        return
    rule = {"IpProtocol": "tcp", "FromPort": 8888, "ToPort": 8888}
    try:
        (group,) = session.ec2.describe_security_groups(GroupIds=[given.working_group])["SecurityGroups"]
        open_to = {
            span["CidrIp"]
            for permission in group["IpPermissions"]
            if permission.get("FromPort") == 8888
            for span in permission["IpRanges"]
        }
        if wish.dashboard_cidr not in open_to:
            span = {"CidrIp": wish.dashboard_cidr, "Description": "dashboard"}
            session.ec2.authorize_security_group_ingress(
                GroupId=given.working_group, IpPermissions=[{**rule, "IpRanges": [span]}]
            )
            tell(f"the dashboard's port is open to {wish.dashboard_cidr}")
        if others := sorted(open_to - {wish.dashboard_cidr}):
            session.ec2.revoke_security_group_ingress(
                GroupId=given.working_group,
                IpPermissions=[{**rule, "IpRanges": [{"CidrIp": one} for one in others]}],
            )
            tell(f"and no more to {', '.join(others)}")
    except AwsFailure as error:
        raise said(error, "open the dashboard's port") from error


# ── stacks ───────────────────────────────────────────────────────────────────────────────────────


def wait(session: Session, settings: Settings, id: str, tell: Tell) -> Found | None:
    """Wait until nothing is under way with the stack, telling each event; ``None`` once it is deleted."""
    pause, longest = POLL_S
    give_up = time.monotonic() + STACK_TIMEOUT_S
    seen: set[str] = set()
    while True:
        found = stack.describe(session, settings)
        for event in events(session, id):
            if event["EventId"] not in seen:
                seen.add(event["EventId"])
                if not event["ResourceStatus"].endswith("_IN_PROGRESS"):
                    tell(_line(event))
        if found is None or not found.status.endswith("_IN_PROGRESS"):
            return found
        if time.monotonic() > give_up:
            raise Unavailable(
                f"the stack is {found.status} for {STACK_TIMEOUT_S:.0f} s now; look at it in the AWS console"
            )
        time.sleep(pause)
        pause = min(pause * 1.4, longest)


def events(session: Session, id: str) -> list[dict[str, Any]]:
    """What happened to the stack, the oldest first."""
    try:
        told = list(pages(session.cfn, "describe_stack_events", "StackEvents", StackName=id))
    except AwsFailure as error:
        if code_of(error) == "ValidationError":
            return []
        raise said(error, "read what happens to the stack") from error
    return told[::-1]


def first_cause(happened: Iterable[dict[str, Any]]) -> str:
    """Why a stack failed: the first failure that is not the consequence of another."""
    for event in happened:
        reason = event.get("ResourceStatusReason", "")
        of_stack = event["ResourceType"] == "AWS::CloudFormation::Stack"
        if event["ResourceStatus"].endswith("_FAILED") and not of_stack and "ancelled" not in reason:
            return f"{event['ResourceType']} {event['LogicalResourceId']}: {reason}"
    return ""


def _line(event: dict[str, Any]) -> str:
    reason = event.get("ResourceStatusReason", "")
    what = f"{event['LogicalResourceId']} ({event['ResourceType']})"
    return f"{what} {event['ResourceStatus'].lower().replace('_', ' ')}" + (f": {reason}" if reason else "")


def remove(session: Session, settings: Settings, tell: Tell) -> None:
    """Delete the stack and wait until it is gone; none is fine.

    Raises
    ------
    Unavailable
        AWS cannot delete something, with the first reason.
    """
    found = stack.describe(session, settings)
    if found is None:
        return
    if found.status != "DELETE_IN_PROGRESS":
        try:
            session.cfn.delete_stack(StackName=found.id)
        except AwsFailure as error:
            raise said(error, "delete the application's stack") from error
    before = len(events(session, found.id))
    left = wait(session, settings, found.id, lambda line: tell(line) if "delete" in line else None)
    if left is not None:
        reason = first_cause(events(session, found.id)[before:]) or left.reason
        raise Unavailable(
            f"AWS could not delete all of the stack {settings.aws_stack}: {reason}; see what is left with: "
            "workbench audit, and try again: workbench release app --provider aws"
        )


# ── machines ─────────────────────────────────────────────────────────────────────────────────────


def start(
    session: Session, settings: Settings, tell: Tell, only: Collection[str] = ROLES
) -> tuple[AppMachine, ...]:
    """Start those of the machines that do not run, and wait until their services answer."""
    given = stack.outputs(session, settings)
    wanted = _wanted(given, only)
    stopped = [
        machine
        for machine in _wait_machines(session, settings, given, only, ("stopping", "shutting-down"))
        if machine.state == "stopped"
    ]
    if gone := [m.role for m in stack.look(session, settings, given) if m.state == "terminated"]:
        raise NotFound(
            f"the {' and '.join(gone)} machine is gone; make the application anew: workbench release app --provider "
            "aws, then launch app"
        )
    if stopped:
        bucket = Bucket(session)
        for machine in stopped:  # what it told at its last start is no news of this one
            bucket.delete(names.machine_key(settings.aws_stack, machine.instance))
        try:
            session.ec2.start_instances(InstanceIds=[machine.instance for machine in stopped])
        except AwsFailure as error:
            raise said(error, f"start the {' and '.join(m.role for m in stopped)} machine") from error
    return _wait_ready(session, settings, given, set(wanted), tell)


def stop(
    session: Session, settings: Settings, tell: Tell, only: Collection[str] = ROLES
) -> tuple[AppMachine, ...]:
    """Stop the machines and keep them, their disks and addresses; those that are stopped are fine."""
    given = stack.outputs(session, settings)
    _wanted(given, only)
    running = [
        machine
        for machine in _wait_machines(session, settings, given, only, ("pending",))
        if machine.state == "running"
    ]
    if running:
        try:
            session.ec2.stop_instances(InstanceIds=[machine.instance for machine in running])
        except AwsFailure as error:
            raise said(error, f"stop the {' and '.join(m.role for m in running)} machine") from error
        tell(f"stopping: {', '.join(machine.role for machine in running)}")
    _wait_machines(session, settings, given, only, ("running", "stopping", "shutting-down"))
    return stack.look(session, settings, given)


def _wanted(given: Outputs, only: Collection[str]) -> dict[str, str]:
    if unknown := sorted(set(only) - set(ROLES)):
        raise BadInput(f"the application has the machines {', '.join(ROLES)}. Received: {', '.join(unknown)}")
    return {role: instance for role, instance in given.instances.items() if role in only}


def _wait_machines(
    session: Session, settings: Settings, given: Outputs, only: Collection[str], passing: Collection[str]
) -> list[AppMachine]:
    """Wait until none of the machines is in a passing state."""
    pause, longest = POLL_S
    give_up = time.monotonic() + BOOT_TIMEOUT_S
    while True:
        found = [m for m in stack.look(session, settings, given) if m.role in only]
        if not (late := [m for m in found if m.state in passing]):
            return found
        if time.monotonic() > give_up:
            raise Unavailable(f"the {late[0].role} machine is {late[0].state} for {BOOT_TIMEOUT_S:.0f} s now")
        time.sleep(pause)
        pause = min(pause * 1.4, longest)


def _wait_ready(
    session: Session, settings: Settings, given: Outputs, wanted: set[str], tell: Tell
) -> tuple[AppMachine, ...]:
    pause, longest = POLL_S
    give_up = time.monotonic() + BOOT_TIMEOUT_S
    told: dict[str, str] = {}
    while True:
        found = tuple(m for m in stack.look(session, settings, given) if m.role in wanted)
        for machine in found:
            line = f"{machine.role} machine {machine.service or machine.state}"
            line += f": {machine.message}" if machine.message else ""
            if told.get(machine.role) != line and machine.service != "unknown":
                told[machine.role] = line
                tell(line)
            if machine.service == "failed":
                raise Unavailable(
                    f"the {machine.role} machine {machine.instance} is there, but its service is not: "
                    f"{machine.message}"
                )
        if all(machine.service == "ready" for machine in found):
            return found
        if time.monotonic() > give_up:
            late = ", ".join(f"{m.role} ({m.instance}, {m.state})" for m in found if m.service != "ready")
            raise Unavailable(
                f"not ready after {BOOT_TIMEOUT_S / 60:.0f} minutes: {late}; read its first boot's words with: "
                "aws ec2 get-console-output --latest --instance-id ID"
            )
        time.sleep(pause)
        pause = min(pause * 1.4, longest)
