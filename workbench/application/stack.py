"""The application on AWS as it is now: whether its stack is there, its machines, their addresses and prices."""

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from workbench.application.template import DISKS_GB, ROLES
from workbench.aws import names, prices
from workbench.aws.bucket import Bucket
from workbench.aws.session import AwsFailure, Session, code_of, pages, said
from workbench.errors import NotFound
from workbench.settings import Settings

THERE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
GONE = ("DELETE_COMPLETE",)
BROKEN = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
LAUNCH_FIRST = "launch it with: workbench launch app --provider aws"


@dataclass(frozen=True)
class Outputs:
    """What the stack gives to whoever builds on it."""

    vpc: str
    subnets: tuple[str, ...]
    """For clusters; each in a zone of its own."""
    cluster_group: str
    working_group: str
    template: str
    """Id of the launch template of a cluster's machines."""
    profile: str
    bucket: str
    code: str
    """Key of the code that the machines run."""
    working: str
    frontend: str
    backend: str
    """Ids of the three instances."""
    backend_address: str
    frontend_address: str
    working_address: str
    page_port: int

    @property
    def instances(self) -> dict[str, str]:
        """Role → instance."""
        return {role: getattr(self, role) for role in ROLES}

    @property
    def page_url(self) -> str:
        port = "" if self.page_port == 80 else f":{self.page_port}"
        return f"http://{self.frontend_address}{port}/"


@dataclass(frozen=True)
class Found:
    """The stack itself."""

    id: str
    status: str
    reason: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class AppMachine:
    """One machine of the application."""

    role: str
    instance: str
    type: str
    state: str
    """``pending``, ``running``, ``stopping``, ``stopped``, ``shutting-down`` or ``terminated``."""
    service: str
    """``installing``, ``ready``, ``failed``; ``unknown`` before it told anything, empty where it does not run."""
    message: str
    private_address: str
    public_address: str
    """An Elastic IP, which stays."""
    url: str
    created: float
    """Seconds since the epoch; of the last start."""
    price_per_hour: float | None
    passing_address: str = ""
    """A public one that AWS lends while the machine runs: the back end's way out; nobody comes in by it."""


@dataclass(frozen=True)
class App:
    """The application as it is now."""

    stack: str
    state: str
    """``absent``, CloudFormation's status in small letters, or ``running``/``stopped`` where all machines are."""
    account: str
    region: str
    home: str
    machines: tuple[AppMachine, ...] = ()
    page_url: str = ""
    bucket: str = ""
    price_per_hour: float | None = 0.0
    vpc: str = ""
    subnet: str = ""


def describe(session: Session, settings: Settings) -> Found | None:
    """The stack as CloudFormation shows it; ``None`` where there is none."""
    try:
        told = session.cfn.describe_stacks(StackName=settings.aws_stack)["Stacks"]
    except AwsFailure as error:
        if code_of(error) == "ValidationError":  # that is how it says "does not exist"
            return None
        raise said(error, f"look at the stack {settings.aws_stack}") from error
    living = [one for one in told if one["StackStatus"] not in GONE]
    if not living:
        return None
    one = living[0]
    return Found(
        id=one["StackId"],
        status=one["StackStatus"],
        reason=one.get("StackStatusReason", ""),
        outputs={o["OutputKey"]: o["OutputValue"] for o in one.get("Outputs", ())},
        parameters={p["ParameterKey"]: p.get("ParameterValue", "") for p in one.get("Parameters", ())},
    )


def outputs(session: Session, settings: Settings) -> Outputs:
    """What the application's stack gives.

    Raises
    ------
    NotFound
        There is no application, or it is not whole.
    """
    found = describe(session, settings)
    if found is None:
        raise NotFound(f"there is no application on AWS in {session.region}; {LAUNCH_FIRST}")
    if found.status not in THERE:
        raise NotFound(
            f"the application on AWS is not whole: its stack {settings.aws_stack} is {found.status}; {LAUNCH_FIRST}"
        )
    return read_outputs(found)


def read_outputs(found: Found) -> Outputs:
    """A whole stack's outputs."""
    told = found.outputs
    return Outputs(
        vpc=told["Vpc"],
        subnets=tuple(told["Subnets"].split(",")),
        cluster_group=told["ClusterGroup"],
        working_group=told["WorkingGroup"],
        template=told["Template"],
        profile=told["Profile"],
        bucket=told["Bucket"],
        code=told["Code"],
        working=told["Working"],
        frontend=told["Frontend"],
        backend=told["Backend"],
        backend_address=told["BackendAddress"],
        frontend_address=told["FrontendAddress"],
        working_address=told["WorkingAddress"],
        page_port=int(told["FrontendPort"]),
    )


def app(session: Session, settings: Settings) -> App:
    """What exists of the application, as AWS shows it now."""
    found = describe(session, settings)
    where = (session.account, session.region, session.home)
    if found is None:
        return App(settings.aws_stack, "absent", *where)
    if found.status not in THERE:
        return App(settings.aws_stack, found.status.lower(), *where)
    given = read_outputs(found)
    machines = look(session, settings, given)
    states = {machine.state for machine in machines}
    costs = [machine.price_per_hour for machine in machines]
    known = prices.known(settings, session.region)
    passing = any(m.role == "backend" and m.passing_address for m in machines)
    standing = (2 + passing) * known.address_hour + known.disk(sum(DISKS_GB.values()))
    return App(
        settings.aws_stack,
        states.pop() if len(states) == 1 else "partly running",
        *where,
        machines=machines,
        page_url=given.page_url,
        bucket=given.bucket,
        vpc=given.vpc,
        subnet=given.subnets[0],
        price_per_hour=None if None in costs else round(sum(c for c in costs if c) + standing, 4),
    )


def look(session: Session, settings: Settings, given: Outputs) -> tuple[AppMachine, ...]:
    """The three machines."""
    try:
        listed = list(
            pages(
                session.ec2, "describe_instances", "Reservations", InstanceIds=list(given.instances.values())
            )
        )
    except AwsFailure as error:
        raise said(error, "look at the application's machines") from error
    shown = {one["InstanceId"]: one for reservation in listed for one in reservation["Instances"]}
    reports = told(session, settings, [i for i, one in shown.items() if one["State"]["Name"] == "running"])
    known = prices.known(settings, session.region)
    public = {"frontend": given.frontend_address, "working": given.working_address}
    machines = []
    for role, instance in given.instances.items():
        one = shown[instance]
        state = one["State"]["Name"]
        report = reports.get(instance, {})
        price = known.machine(one["InstanceType"])
        machines.append(
            AppMachine(
                role=role,
                instance=instance,
                type=one["InstanceType"],
                state=state,
                service=str(report.get("state", "unknown")) if state == "running" else "",
                message=str(report.get("message", "")),
                private_address=one.get("PrivateIpAddress", ""),
                public_address=public.get(role, ""),
                passing_address="" if role in public else one.get("PublicIpAddress", ""),
                url=_url(role, given),
                created=one["LaunchTime"].timestamp() if one.get("LaunchTime") else time.time(),
                price_per_hour=price if state in ("pending", "running") else 0.0,
            )
        )
    return tuple(machines)


def told(session: Session, settings: Settings, instances: list[str]) -> dict[str, dict[str, Any]]:
    """What machines said of their boot; those that said nothing yet are not in it."""
    bucket = Bucket(session)
    with ThreadPoolExecutor(max(1, len(instances))) as pool:
        keys = [names.machine_key(settings.aws_stack, instance) for instance in instances]
        found = list(pool.map(bucket.get, keys))
    return {i: json.loads(content) for i, content in zip(instances, found, strict=True) if content}


def _url(role: str, given: Outputs) -> str:
    if role == "frontend":
        return given.page_url
    if role == "backend":
        return f"http://{given.backend_address}:5000"
    scheme = "http" if given.backend_address.startswith("127.") else "https"
    return f"{scheme}://{given.working_address}:8888/workbench"
