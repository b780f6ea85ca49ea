"""``plan app``: everything that a launch would make and cost, and nothing is changed."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.application.reading import read_template
from tests.chain import make_settings
from tests.emulator import Emulator, Fault
from workbench import cli
from workbench.application import plan as planning
from workbench.application import template
from workbench.application.template import Wish
from workbench.aws import prices, types
from workbench.aws.refusals import NotAllowed, Refused
from workbench.aws.session import Session
from workbench.errors import BadInput
from workbench.machines import Layout
from workbench.machines.aws.controller import pricing
from workbench.recipes import Recipe
from workbench.verbs.workbench import open_store

LOOKING = ("Describe", "Get", "List", "Simulate", "Head")


def test_it_lists_and_prices_everything_and_changes_nothing(
    still_emulator: Emulator, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["plan", "app", "--provider", "aws", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    kinds = [resource["type"] for resource in plan["resources"]]
    assert kinds.count("AWS::EC2::Instance") == 3
    assert kinds.count("AWS::EC2::EIP") == 2
    assert plan["price_per_hour"] == pytest.approx(0.192 + 2 * 0.0116 + 60 * 0.08 / 730 + 3 * 0.005, abs=1e-4)
    assert plan["price_per_month"] == pytest.approx(plan["price_per_hour"] * 730, abs=0.01)
    assert {check["what"]: check["ok"] for check in plan["checks"]} == {
        "application": True,
        "processors": True,
        "Elastic IPs": True,
        "permissions": True,
        "working machine": True,
    }
    assert not [action for action in still_emulator.calls() if not action.startswith(LOOKING)]
    assert still_emulator.resources() == {}


def test_what_aws_does_not_tell_is_unknown_and_no_error(
    still_emulator: Emulator, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for action in ("GetServiceQuota", "SimulatePrincipalPolicy"):
        still_emulator.faults([Fault(action=action, code="AccessDeniedException", times=9)])
        assert cli.main(["plan", "app", "--provider", "aws"]) == 0
        said = capsys.readouterr().out
        assert "unknown" in said
        assert action in said


def test_a_quota_that_is_too_small_is_seen_before_anything_is_made(
    still_emulator: Emulator, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still_emulator.quota(5)
    assert cli.main(["plan", "app", "--provider", "aws"]) == 0
    assert "6 vCPUs are needed, 0 of the account's 5 are in use" in capsys.readouterr().out
    assert cli.main(["launch", "app", "--provider", "aws"]) == 1
    assert "6 vCPUs are needed" in capsys.readouterr().err
    assert still_emulator.resources() == {}


@pytest.mark.parametrize("spot", ["0", "1"])
def test_a_quota_that_is_too_small_for_a_cluster_is_told_with_its_plan(
    still_emulator: Emulator,
    own_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    spot: str,
) -> None:
    monkeypatch.setenv("WORKBENCH_AWS_SPOT", spot)
    asked = ["plan", "cluster", "--provider", "aws", "--ps", "1", "--workers", "2"]
    assert cli.main(asked) == 0
    said = capsys.readouterr().out
    assert "processors: yes, 16 vCPUs are needed" in said
    assert "installs TensorFlow first" in said
    assert "workbench image build" in said
    still_emulator.quota(5)
    assert cli.main(asked) == 0
    said = capsys.readouterr().out
    assert "processors: NO, 16 vCPUs are needed, 0 of the account's 5 are in use" in said
    assert ("Spot" in said.partition("Service Quotas")[2]) is (spot == "1")


def test_a_stack_that_aws_refuses_leaves_no_secret(still_emulator: Emulator, own_home: Path) -> None:
    still_emulator.faults([Fault.denied("cloudformation:CreateStack")])
    assert cli.main(["launch", "app", "--provider", "aws", "--from", "203.0.113.7/32"]) == 1
    assert still_emulator.calls()["PutParameter"] == 2
    assert set(still_emulator.resources()) == {"bucket"}


def test_a_release_at_a_terminal_asks_before_it_ends_jobs(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = make_settings(own_home)
    with open_store(settings) as store:
        id = store.submit(name="net", requester="ann", recipe=Recipe("", "", "x = 1\n"), provider="aws")
        store.claim("a runner", 1, provider="aws")
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))

    def answer(words: str) -> str:
        asked.append(words)
        return "n"

    monkeypatch.setattr("builtins.input", answer)
    assert cli.main(["release", "app", "--provider", "aws"]) == 1
    assert f"{id} (net of ann, initializing)" in asked[0]
    assert "nothing was released" in capsys.readouterr().err


def test_a_type_without_a_price_is_shown_as_unknown(still_emulator: Emulator, own_home: Path) -> None:
    settings = make_settings(own_home)
    still_emulator.quota(5)
    plan = planning.plan(Session.open(settings), settings, Wish(working_type="m5.12xlarge"))
    assert plan.unknown == ("working machine, m5.12xlarge",)
    assert plan.checks[1].ok is False


def test_a_type_that_does_not_exist_is_named(still_emulator: Emulator, own_home: Path) -> None:
    settings = make_settings(own_home)
    with pytest.raises(Refused, match=r"no such instance type in us-east-1: .*z9\.huge"):
        planning.plan(Session.open(settings), settings, Wish(backend_type="z9.huge"))


def test_an_arm_machine_gets_an_arm_image(still_emulator: Emulator, own_home: Path) -> None:
    kinds = types.describe(Session.open(make_settings(own_home)), ["t4g.micro", "t2.micro"])
    told = template.parameters(
        Wish(backend_type="t4g.micro"),
        bucket="b",
        code="c",
        home="h",
        dashboard_cidr="203.0.113.7/32",
        architectures={name: kind.architecture for name, kind in kinds.items()},
        zones=("us-east-1a", "us-east-1b"),
    )
    images = {p["ParameterKey"]: p["ParameterValue"] for p in told if p["ParameterKey"].endswith("Image")}
    assert "arm64" in images["BackendImage"]
    assert "amd64" in images["FrontendImage"]


def test_without_credentials_or_region_one_is_told_how_to_set_them(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    assert cli.main(["plan", "app", "--provider", "aws"]) == 1
    assert "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in capsys.readouterr().err
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with pytest.raises(NotAllowed, match="WORKBENCH_AWS_REGION"):
        Session.open(make_settings(own_home))


def test_the_plan_lists_what_the_template_has() -> None:
    text = template.body()
    whole = read_template(text)
    made = {name: dict(resource) for name, resource in whole["Resources"].items()}
    assert {r.name: r.type for r in template.planned(True)} == {n: r["Type"] for n, r in made.items()}
    private = {name for name, resource in made.items() if resource.get("Condition") == "IsPrivate"}
    assert private
    assert {r.name for r in template.planned(False)} == set(made) - private


def test_the_template_keeps_within_the_limits_of_cloudformation_and_of_user_data() -> None:
    assert len(template.body().encode()) < 51_200
    for name in ("Backend", "Frontend", "Working"):
        user_data = read_template(template.body())["Resources"][name]["Properties"]["UserData"]
        script = user_data["Fn::Base64"]["Fn::Sub"]
        assert script.startswith("#!/bin/sh\n")
        assert len(script.encode()) < 16_384
        assert "token" not in script.lower()


def test_nobody_reaches_22_and_only_the_page_is_for_everybody() -> None:
    whole = read_template(template.body())["Resources"]
    rules = {
        name: resource["Properties"].get("SecurityGroupIngress", [])
        for name, resource in whole.items()
        if resource["Type"] == "AWS::EC2::SecurityGroup"
    }
    assert [rule["FromPort"] for rule in rules["BackendGroup"]] == [5000, 5000]
    assert all("SourceSecurityGroupId" in rule for rule in rules["BackendGroup"])
    assert [rule["CidrIp"] for rule in rules["WorkingGroup"]] == [{"Ref": "DashboardCidr"}]
    assert not [rule for some in rules.values() for rule in some if rule["FromPort"] == 22]
    for resource in whole.values():
        if resource["Type"] == "AWS::EC2::Instance":
            assert resource["Properties"]["MetadataOptions"]["HttpTokens"] == "required"
            assert resource["Properties"]["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True


@pytest.mark.parametrize("text", ["0.0.0.0/0", "203.0.113.7/33", "home", "10.0.0.0/4"])
def test_a_dashboard_for_the_world_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"203\.0\.113\.7/32"):
        template.check(Wish(dashboard_cidr=text))


def test_where_no_prices_are_known_none_are_made_up(own_home: Path) -> None:
    known = prices.known(make_settings(own_home), "mars-north-1")
    assert known.machine("t2.micro") is None
    assert "no prices are known of mars-north-1" in known.source
    assert "prices --refresh" in known.source
    costs = planning.list_costs(known, Wish())
    assert [one.what for one in costs if one.per_hour is None] == [
        f"{role} machine, {kind}" for role, kind in Wish().types.items()
    ]
    with pytest.raises(BadInput, match="in mars-north-1, so it is not launched, and no cap could hold"):
        pricing.plan(make_settings(own_home), "mars-north-1", Layout(), spot=False)
