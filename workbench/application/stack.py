"""The application on AWS as it is now: its machines, their addresses, their services, what it costs."""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from workbench.application.template import DISKS_GB
from workbench.aws import instances, names, outputs, prices
from workbench.aws.bucket import Bucket
from workbench.aws.instances import Instance
from workbench.aws.outputs import Outputs
from workbench.aws.session import Session
from workbench.settings import Settings


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


@dataclass(frozen=True)
class BootReport:
    """The word of a machine of the application about its boot, in the bucket."""

    state: str = "unknown"
    """``installing``, ``ready`` or ``failed``."""
    message: str = ""


def app(session: Session, settings: Settings) -> App:
    """Ask AWS for the application as it is now."""
    state = outputs.describe(session, settings.aws_stack)
    if state is None or not state.is_whole:
        word = "absent" if state is None else state.status.lower()
        return App(settings.aws_stack, word, session.account, session.region, session.home)
    given = outputs.read(state)
    return show(session, settings, given, look(session, settings, given))


def show(session: Session, settings: Settings, given: Outputs, machines: Sequence[AppMachine]) -> App:
    """The application whose stack gives this and whose machines were just looked at."""
    states = {machine.state for machine in machines}
    costs = [machine.price_per_hour for machine in machines]
    known = prices.known(settings, session.region)
    passing = any(m.role == "backend" and m.passing_address for m in machines)
    standing = (2 + passing) * known.address_hour + known.disk(sum(DISKS_GB.values()))
    return App(
        stack=settings.aws_stack,
        state=states.pop() if len(states) == 1 else "partly running",
        account=session.account,
        region=session.region,
        home=session.home,
        machines=tuple(machines),
        page_url=given.page_url,
        bucket=given.bucket,
        vpc=given.vpc,
        subnet=given.subnets[0],
        price_per_hour=None if None in costs else round(sum(c for c in costs if c) + standing, 4),
    )


def look(session: Session, settings: Settings, given: Outputs) -> tuple[AppMachine, ...]:
    """The three machines, by one request, and one for each that runs: what it says of its boot."""
    wanted = [instances.with_ids(list(given.instances.values()))]
    found = instances.find(session, wanted, doing="look at the application's machines")
    there = {one.id: one for one in found}
    running = [one.id for one in found if one.state == "running"]
    reports = _read_reports(Bucket(session), settings.aws_stack, running)
    known = prices.known(settings, session.region)
    return tuple(
        _machine(role, given, there.get(id) or _gone(id), reports.get(id, BootReport()), known)
        for role, id in given.instances.items()
    )


def _gone(id: str) -> Instance:
    """An instance that AWS shows no more."""
    return Instance(id, "", "terminated", {}, "", "", "", time.time(), False, 0)


def _machine(
    role: str, given: Outputs, one: Instance, report: BootReport, known: prices.Prices
) -> AppMachine:
    public = {"frontend": given.frontend_address, "working": given.working_address}
    return AppMachine(
        role=role,
        instance=one.id,
        type=one.type,
        state=one.state,
        service=report.state if one.state == "running" else "",
        message=report.message,
        private_address=one.private_address,
        public_address=public.get(role, ""),
        passing_address="" if role in public else one.public_address,
        url=_url(role, given),
        created=one.launched,
        price_per_hour=known.machine(one.type) if one.state in ("pending", "running") else 0.0,
    )


def _read_reports(bucket: Bucket, stack: str, ids: Sequence[str]) -> Mapping[str, BootReport]:
    """Read what machines said of their boot; those that said nothing yet are not in it."""
    with ThreadPoolExecutor(max(1, len(ids))) as pool:
        contents = list(pool.map(bucket.get, [names.machine_key(stack, id) for id in ids]))
    return {id: _parse(content) for id, content in zip(ids, contents, strict=True) if content}


def _parse(content: bytes) -> BootReport:
    told = json.loads(content)
    return BootReport(str(told.get("state", "unknown")), str(told.get("message", "")))


def _url(role: str, given: Outputs) -> str:
    if role == "frontend":
        return given.page_url
    if role == "backend":
        return f"http://{given.backend_address}:5000"
    scheme = "http" if given.backend_address.startswith("127.") else "https"
    return f"{scheme}://{given.working_address}:8888/workbench"
