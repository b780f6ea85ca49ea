"""A budget's alarm: in the stack only where it is wished, and at the limit everything ends, with the role's rights alone."""

import json
from pathlib import Path

import pytest

from tests.application.reading import read_template
from tests.application.steps import User
from tests.application.test_policy import allows, given, with_boundary
from tests.chain import wait_until
from tests.emulator import Emulator, handlers
from workbench import cli
from workbench.application import budgets, template
from workbench.application.template import Wish
from workbench.aws import policy
from workbench.errors import BadInput

ALARM = ("--budget", "50", "--budget-email", "ann@example.org")
LAUNCH = ("launch", "app", "--provider", "aws", "--from", "203.0.113.7/32")


def of_the_alarm() -> dict[str, dict[str, object]]:
    """The resources that come with an alarm."""
    without = read_template(template.body())["Resources"]
    whole = read_template(template.body(budget=True))["Resources"]
    return {name: dict(told) for name, told in whole.items() if name not in without}


def allow(emulator: Emulator, *kinds: str) -> None:
    """Give the account's owner these policies and no more."""
    statements = [one for kind in kinds for one in json.loads(policy.text(kind))["Statement"]]
    emulator.policy(json.dumps({"Statement": statements}))


def test_without_the_wish_the_template_names_no_budget() -> None:
    """``make lint`` holds the whole against AWS's schemas."""
    assert "Budgets" not in template.body()
    assert {told["Type"] for told in of_the_alarm().values()} == {
        "AWS::IAM::Role",
        "AWS::Budgets::Budget",
        "AWS::Budgets::BudgetsAction",
    }
    assert len(template.body(budget=True).encode()) < 51_200
    planned = {one.name: one.type for one in template.planned(True, budget=True)}
    whole = read_template(template.body(budget=True))["Resources"]
    assert planned == {name: told["Type"] for name, told in whole.items()}


def test_the_options_are_what_its_handlers_ask_for_and_no_more() -> None:
    kinds = {str(told["Type"]) for told in of_the_alarm().values()} - {"AWS::IAM::Role"}
    needed = {
        one
        for kind in kinds
        for verb in ("create", "read", "delete")
        for one in handlers.permissions(kind, verb)
    }
    assert {one for one in needed if not allows(given("options"), one)} == set()
    of_budgets = {one for one in policy.actions("options") if one.startswith(("budgets:", "billing:"))}
    assert of_budgets <= needed


def test_regions_without_budgets_are_refused_beforehand_and_the_others_are_not() -> None:
    from cfnlint.helpers import REGIONS
    from cfnlint.schema import ResourceNotFoundError
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    def has(region: str) -> bool:
        try:
            for kind in ("AWS::Budgets::Budget", "AWS::Budgets::BudgetsAction"):
                PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, kind)
        except ResourceNotFoundError:
            return False
        return True

    assert {region for region in REGIONS if not has(region)} == budgets.NOT_IN


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish(budget=0.0, budget_email="ann@example.org"), "50"),
        (Wish(budget=float("nan"), budget_email="ann@example.org"), "50"),
        (Wish(budget=-3, budget_email="ann@example.org"), "50"),
        (Wish(budget=50), "--budget-email"),
        (Wish(budget=50, budget_email="ann"), "'ann'"),
        (Wish(budget=50, budget_email="ann@example"), "--budget-email"),
        (Wish(budget_email="ann@example.org"), "--budget, which is missing"),
    ],
)
def test_what_is_no_budget_is_refused(wish: Wish, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        template.check(wish)


@pytest.mark.usefixtures("own_home")
def test_plan_tells_of_it_and_asks_for_its_permissions(
    still_emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    allow(still_emulator, "policy")
    asked = ["plan", "app", "--provider", "aws", "--json", *ALARM]
    assert cli.main(asked) == 0
    plan = json.loads(capsys.readouterr().out)
    assert "AWS::Budgets::BudgetsAction" in {one["type"] for one in plan["resources"]}
    said = {one["what"]: one for one in plan["checks"]}
    assert "$50 a month" in said["budget"]["said"]
    assert "budgets:ModifyBudget" in said["permissions"]["said"]
    allow(still_emulator, "policy", "options")
    assert cli.main(asked) == 0
    assert {one["what"]: one["ok"] for one in json.loads(capsys.readouterr().out)["checks"]}[
        "permissions"
    ] is True
    monkeypatch.setenv("WORKBENCH_AWS_REGION", "eu-north-1")
    assert cli.main(asked) == 2
    assert "eu-north-1 knows no budgets" in capsys.readouterr().err


def test_at_the_limit_all_stop_and_only_who_says_so_goes_on(proc_emulator: Emulator, tmp_path: Path) -> None:
    with_boundary(proc_emulator)
    allow(proc_emulator, "policy", "options")
    user = User(proc_emulator, tmp_path / "home")
    user.prepare()
    assert user.do(*LAUNCH, *ALARM).code == 0
    again = user.do(*LAUNCH, "--budget", "60", "--budget-email", "ann@example.org")
    assert again.code == 2
    assert "one of $50" in again.said
    assert proc_emulator.spend(49.0) == []
    assert proc_emulator.spend(50.01) == [
        "RUN_SSM_DOCUMENTS: EXECUTION_SUCCESS",
        "APPLY_IAM_POLICY: EXECUTION_SUCCESS",
    ]
    wait_until(
        lambda: {one["state"] for one in proc_emulator.instances().values()} == {"stopped"}, 20, "all stopped"
    )
    refused = user.do("start", "app", "--provider", "aws")
    assert refused.code == 1
    assert "--over-budget" in refused.said
    assert user.do("start", "app", "--provider", "aws", "--over-budget").code == 0
    assert user.do("start", "app", "--provider", "aws").code == 0
    proc_emulator.spend(-1.0)  # a new month
    assert len(proc_emulator.spend(51.0)) == 2
    assert user.release().code == 0, "a role cannot be deleted with another's policy on it"
    assert set(proc_emulator.resources()) <= {"bucket", "policy"}


def test_the_role_may_stop_nothing_that_is_not_ours() -> None:
    role = of_the_alarm()["BudgetRole"]
    properties = role["Properties"]
    assert isinstance(properties, dict)
    (inline,) = properties["Policies"]
    by_action = {
        action: one
        for one in inline["PolicyDocument"]["Statement"]
        for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
    }
    assert set(by_action) == {
        "ssm:StartAutomationExecution",
        "ec2:DescribeInstanceStatus",
        "ec2:StopInstances",
        "iam:AttachRolePolicy",
        "iam:DetachRolePolicy",
    }
    assert by_action["ec2:StopInstances"]["Condition"]
    assert set(by_action["iam:AttachRolePolicy"]["Condition"]["ArnEquals"]) == {"iam:PolicyARN"}
    assert {one for one in by_action if not allows(given("boundary"), one)} == set()
