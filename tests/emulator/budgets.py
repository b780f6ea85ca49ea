"""AWS Budgets in stacks: a budget, its actions, and a month's cost that sets them off with their role's rights alone."""

import re
from typing import Any

from moto.core.common_models import CloudFormationModel
from moto.core.exceptions import ServiceException
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends

from tests.emulator.calls import ACCOUNT, REGION
from tests.emulator.roles import Ask, Roles

SERVICE = "budgets.amazonaws.com"
LONGEST_NAME = 100


class Refusal(ServiceException):
    """An error of AWS Budgets with its code and its words."""


class Budget(CloudFormationModel):
    """``AWS::Budgets::Budget``: what the account may cost in a month."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.name = str(told["Budget"].get("BudgetName", ""))
        self.limit = float(told["Budget"]["BudgetLimit"]["Amount"])
        self.told = told
        self.actions: dict[str, Action] = {}

    @property
    def physical_resource_id(self) -> str:
        return self.name

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::Budgets::Budget"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
    ) -> "Budget":
        made = cls(cloudformation_json["Properties"])
        if (
            not 0 < made.limit <= 1e12
            or not 0 < len(made.name) <= LONGEST_NAME
            or re.search(r"[:\\]", made.name)
        ):
            raise Refusal("InvalidParameterException", "Budget limit or name is invalid")
        for told in made.told.get("NotificationsWithSubscribers", []):
            for one in told["Subscribers"]:
                _check_address(one["SubscriptionType"], one["Address"])
        if made.name in BUDGETS:
            raise Refusal(
                "DuplicateRecordException", f"Error creating budget: {made.name} - the budget already exists."
            )
        BUDGETS[made.name] = made
        return made


class Action(CloudFormationModel):
    """``AWS::Budgets::BudgetsAction``: what is done once a budget is used up."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.budget = str(told["BudgetName"])
        self.status = "STANDBY"

    @property
    def physical_resource_id(self) -> str:
        return f"{self.told['ActionType'].lower()}|{self.budget}"

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::Budgets::BudgetsAction"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
    ) -> "Action":
        made = cls(cloudformation_json["Properties"])
        if made.budget not in BUDGETS:
            raise Refusal(
                "NotFoundException", f"Unable to get budget: {made.budget} - the budget doesn't exist."
            )
        if not 1 <= len(made.told["Subscribers"]) <= 11:
            raise Refusal("InvalidParameterException", "An action has one to eleven subscribers")
        for one in made.told["Subscribers"]:
            _check_address(one["Type"], one["Address"])
        role = _role(made.told["ExecutionRoleArn"])
        if role is None or SERVICE not in str(role.assume_role_policy_document):
            raise Refusal(
                "AccessDeniedException", "AWS Budgets permission required to assume [ExecutionRole]"
            )
        definition = made.told["Definition"]
        if made.told["ActionType"] == "RUN_SSM_DOCUMENTS":
            known = {one.id for one in ec2_backends[ACCOUNT][REGION].all_instances()}
            if not set(definition["SsmActionDefinition"]["InstanceIds"]) <= known:
                raise Refusal("InvalidParameterException", "An instance does not exist")
        else:
            asked = definition["IamActionDefinition"]
            backend = iam_backends[ACCOUNT]["aws"]
            if asked["PolicyArn"] not in backend.managed_policies or not asked.get("Roles"):
                raise Refusal(
                    "InvalidParameterException", f"Policy {asked['PolicyArn']} or its roles do not exist"
                )
            for name in asked["Roles"]:
                backend.get_role(name)
        BUDGETS[made.budget].actions[made.physical_resource_id] = made
        return made


BUDGETS: dict[str, Budget] = {}
"""By name; names are an account's, whatever the region."""


def delete_budget(budget: Budget) -> None:
    """Delete a budget; its actions go with it, as on AWS."""
    BUDGETS.pop(budget.name, None)


def delete_action(action: Action) -> None:
    """Delete an action; what it has done stays done."""
    if action.budget in BUDGETS:
        BUDGETS[action.budget].actions.pop(action.physical_resource_id, None)


def spend(roles: Roles, dollars: float) -> list[str]:
    """Let the account have cost so much this month, or let a new one begin (-1); what the actions did, or why not."""
    found = []
    for budget in list(BUDGETS.values()):
        for action in list(budget.actions.values()):
            if dollars < 0:
                action.status = "STANDBY"
            threshold = float(action.told["ActionThreshold"]["Value"])
            if action.status == "STANDBY" and dollars > budget.limit * threshold / 100:
                why = _run(roles, action)
                action.status = "EXECUTION_FAILURE" if why else "EXECUTION_SUCCESS"
                found.append(f"{action.told['ActionType']}: {why or action.status}")
    return found


def _run(roles: Roles, action: Action) -> str | None:
    """Do it, if the execution role may; AWS's words where it may not."""
    role = _role(action.told["ExecutionRoleArn"])
    definition = action.told["Definition"]
    if action.told["ActionType"] == "RUN_SSM_DOCUMENTS":
        told = definition["SsmActionDefinition"]
        document = f"arn:aws:ssm:{REGION}::automation-definition/AWS-StopEC2Instance:$DEFAULT"
        asks = [Ask("ssm:StartAutomationExecution", document), Ask("ec2:DescribeInstanceStatus")]
        backend = ec2_backends[ACCOUNT][REGION]
        for id in told["InstanceIds"]:
            tags = {f"aws:ResourceTag/{key}": value for key, value in backend.tags.get(id, {}).items()}
            asks.append(Ask("ec2:StopInstances", f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{id}", tags))
        if refused := roles.refuses_role(role, asks):
            return refused
        for id in told["InstanceIds"]:
            backend.get_instance(id).stop()
        return None
    told, iam = definition["IamActionDefinition"], iam_backends[ACCOUNT]["aws"]
    context = {"iam:PolicyARN": told["PolicyArn"]}
    wanted = [Ask("iam:AttachRolePolicy", iam.get_role(name).arn, context) for name in told["Roles"]]
    if refused := roles.refuses_role(role, wanted):
        return refused
    for name in told["Roles"]:
        iam.attach_role_policy(told["PolicyArn"], name)
    return None


def _role(arn: str) -> Any:
    return next((one for one in iam_backends[ACCOUNT]["aws"].roles.values() if one.arn == arn), None)


def _check_address(kind: str, address: str) -> None:
    if kind == "EMAIL" and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", address):
        raise Refusal("InvalidParameterException", f"{address} is no email address")
