"""The application's stack as CloudFormation shows it, and its outputs: what clusters and deployments build on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench.aws import names
from workbench.aws.refusals import AwsFailure, code_of, said
from workbench.aws.session import Session, pages
from workbench.errors import NotFound
from workbench.settings import Settings

WHOLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
GONE = "DELETE_COMPLETE"
BROKEN = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
VPC = "AWS::EC2::VPC"
LAUNCH_FIRST = "launch it with: workbench launch app --provider aws"


@dataclass(frozen=True)
class StackState:
    """A stack as CloudFormation shows it now."""

    id: str
    name: str
    status: str
    """CloudFormation's word for it, such as ``CREATE_IN_PROGRESS``."""
    reason: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Everything in it exists."""
        return self.status in WHOLE

    @property
    def is_changing(self) -> bool:
        """CloudFormation is at work with it."""
        return self.status.endswith("_IN_PROGRESS")

    @property
    def is_broken(self) -> bool:
        """Nothing can be done with it but to delete it."""
        return self.status in BROKEN


@dataclass(frozen=True)
class StackResource:
    """One resource of a stack, by its id in its own service."""

    id: str
    type: str
    """As CloudFormation has it: ``AWS::EC2::VPC``."""
    status: str


@dataclass(frozen=True)
class Outputs:
    """The outputs of the application's stack, for whoever builds on it."""

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
    arm_image: str = ""
    """For a cluster of ARM's architecture; empty of an application that an older version has made."""
    budget: float | None = None
    """US dollars a month at which an alarm stops everything; ``None`` for no alarm."""
    budget_roles: tuple[str, ...] = ()
    """Roles that may do nothing any more once it has gone off."""

    @property
    def instances(self) -> dict[str, str]:
        """Role → instance."""
        return {"working": self.working, "frontend": self.frontend, "backend": self.backend}

    @property
    def page_url(self) -> str:
        port = "" if self.page_port == 80 else f":{self.page_port}"
        return f"http://{self.frontend_address}{port}/"


def describe(session: Session, name: str) -> StackState | None:
    """The stack of that name, or id; ``None`` where there is none any more."""
    try:
        told = session.cfn.describe_stacks(StackName=name)["Stacks"]
    except AwsFailure as error:
        if code_of(error) == "ValidationError":  # that is how it says "does not exist"
            return None
        raise said(error, f"look at the stack {name}") from error
    return next((state for state in map(parse, told) if state.status != GONE), None)


def parse(one: Mapping[str, Any]) -> StackState:
    """A stack in an answer of CloudFormation."""
    return StackState(
        id=one["StackId"],
        name=one["StackName"],
        status=one["StackStatus"],
        reason=one.get("StackStatusReason", ""),
        outputs={o["OutputKey"]: o["OutputValue"] for o in one.get("Outputs", ())},
        tags=names.read(one.get("Tags")),
    )


def resources(session: Session, name: str) -> list[StackResource]:
    """All resources of the stack that exist, or did; none where there is no stack."""
    try:
        return [
            StackResource(id, one["ResourceType"], one["ResourceStatus"])
            for one in pages(session.cfn, "list_stack_resources", "StackResourceSummaries", StackName=name)
            if (id := one.get("PhysicalResourceId"))
        ]
    except AwsFailure as error:
        if code_of(error) == "ValidationError":
            return []
        raise said(error, f"look at what is in the stack {name}") from error


def find(session: Session, settings: Settings) -> Outputs:
    """Find the outputs of the application's stack; asks AWS once.

    Raises
    ------
    NotFound
        There is no application, or it is not whole.
    """
    state = describe(session, settings.aws_stack)
    if state is None:
        raise NotFound(f"there is no application on AWS in {session.region}; {LAUNCH_FIRST}")
    if not state.is_whole:
        raise NotFound(
            f"the application on AWS is not whole: its stack {state.name} is {state.status}; {LAUNCH_FIRST}"
        )
    return read(state)


def read(state: StackState) -> Outputs:
    """A whole application's outputs."""
    told = state.outputs
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
        arm_image=told.get("ArmImage", ""),
        budget=float(told["Budget"]) if "Budget" in told else None,
        budget_roles=tuple(told["BudgetRoles"].split(",")) if "BudgetRoles" in told else (),
    )
