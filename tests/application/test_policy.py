"""The policy that the documents tell people to attach is enough, names nothing that nobody calls, and opens no way to more."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from tests.application.reading import read_template
from tests.application.steps import User
from tests.chain import make_settings
from tests.emulator import Emulator, handlers
from tests.emulator.asking import Account
from workbench.application import permissions, template
from workbench.aws import policy
from workbench.aws.session import Session

SERVICES = {"service-quotas": "servicequotas", "quotas": "servicequotas", "cfn": "cloudformation"}
LARGEST_POLICY = 6144
"""Characters of a managed policy."""
ONLY_PRINTED = {"ec2:GetConsoleOutput", "ssm:StartSession", "ssm:TerminateSession"}
"""Nothing of ours calls these; the commands that we print do."""
BY_AWS = {
    "cloudformation:TagResource": "a stack is made with tags",
    "ec2:CreateTags": "machines are run with tags",
    "iam:CreateServiceLinkedRole": "EC2 makes its role for the first spot machine of an account",
    "iam:PassRole": "machines are run with a profile",
    "ssm:AddTagsToResource": "secrets are stored with tags",
    "ssm:GetParameters": "CloudFormation looks images up",
    "s3:AbortMultipartUpload": "an upload in parts that fails is given up",
}
"""What AWS itself asks for, to do what we or CloudFormation call."""
ROUND = (
    ("doctor", "--provider", "aws"),
    ("prices", "--refresh"),
    ("plan", "app", "--provider", "aws"),
    ("launch", "app", "--provider", "aws", "--from", "203.0.113.7/32"),
    ("launch", "app", "--provider", "aws", "--from", "203.0.113.8/32"),
    ("doctor", "--provider", "aws"),
    ("stop", "app", "--provider", "aws"),
    ("start", "app", "--provider", "aws"),
    ("launch", "cluster", "--provider", "aws", "--name", "standing"),
    ("release", "cluster", "--provider", "aws", "--name", "standing"),
    ("audit",),
    ("release", "app", "--provider", "aws"),
)


def kinds() -> set[str]:
    """The types of the template's resources."""
    return {str(one["Type"]) for one in read_template(template.body())["Resources"].values()}


def asked_by_handlers() -> set[str]:
    return {
        one
        for kind in kinds()
        for verb in ("create", "read", "delete")
        for one in handlers.permissions(kind, verb)
    }


def allows(actions: tuple[str, ...], wanted: str) -> bool:
    return any(fnmatchcase(wanted.lower(), one.lower()) for one in actions)


def given(kind: str = "policy") -> tuple[str, ...]:
    return tuple(action for statement in policy.statements(kind) for action in statement.actions)


def with_boundary(emulator: Emulator) -> None:
    """Make what the account's owner makes beforehand."""
    Account(emulator).iam.create_policy(PolicyName=policy.BOUNDARY, PolicyDocument=policy.text("boundary"))


def test_with_exactly_it_a_whole_round_works(proc_emulator: Emulator, tmp_path: Path) -> None:
    with_boundary(proc_emulator)
    proc_emulator.policy(policy.text())
    user = User(proc_emulator, tmp_path / "home")
    user.prepare()
    for step in ROUND:
        done = user.do(*step)
        assert done.code == 0, (step, done.said)
    kept = proc_emulator.resources()
    assert set(kept) <= {"bucket", "policy"}, "whoever made it may remove it"


def test_whatever_cloudformation_asks_for_with_our_rights_is_in_it() -> None:
    missing = {one for one in asked_by_handlers() if not allows(given(), one)}
    assert missing == set()
    assert {one for one in handlers.OF_THE_TEMPLATE if not allows(given(), one)} == set()
    assert {one for one in asked_by_handlers() if one.startswith("ec2:Describe")} <= {
        *policy.EC2_LOOKS,
        "ec2:DescribeKeyPairs",  # of a property that is not in the template
    }, "plan asks for all of these"


def test_what_no_handler_asks_for_is_in_no_schema_without_need() -> None:
    every = {
        one
        for kind in kinds()
        for verb in ("create", "read", "delete")
        for one in handlers.schema_permissions(kind, verb)
    }
    assert set(handlers.NOT_ASKED) <= every, "an exception that nothing asks for can go"
    properties = {
        name for one in read_template(template.body())["Resources"].values() for name in one["Properties"]
    }
    absent = {
        word
        for reason in handlers.NOT_ASKED.values()
        if "in the template" in reason
        for word in re.findall(r"[A-Z]\w+", reason)
    }
    assert absent
    assert not absent & properties


@pytest.mark.parametrize(
    "lost",
    [
        "ec2:AssociateAddress",
        "iam:PutRolePolicy",
        "ssm:GetParameters",
    ],
)
def test_without_one_permission_the_launch_fails_and_names_it(
    still_emulator: Emulator, tmp_path: Path, lost: str
) -> None:
    with_boundary(still_emulator)
    document = json.loads(policy.text())
    for statement in document["Statement"]:
        statement["Action"] = [one for one in statement["Action"] if one != lost]
    still_emulator.policy(
        json.dumps({**document, "Statement": [s for s in document["Statement"] if s["Action"]]})
    )
    user = User(still_emulator, tmp_path / "home")
    user.prepare()
    done = user.launch()
    assert done.code == 1
    assert lost.rstrip("*") in done.said


def test_plan_can_say_yes_and_names_what_is_missing(still_emulator: Emulator, tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    still_emulator.policy(policy.text())
    session = Session.open(settings)
    assert permissions.missing(session, settings) == ()
    assert policy.BOUNDARY in permissions.advice(session)
    whole = json.loads(policy.text())
    for lost in ("ec2:DescribeSecurityGroupRules", "ec2:RunInstances", "iam:PassRole", "s3:PutObject"):
        denied = {"Sid": "No", "Effect": "Deny", "Action": [lost], "Resource": "*"}
        document = {**whole, "Statement": [*whole["Statement"], denied]}
        still_emulator.policy(json.dumps(document))
        assert permissions.missing(session, settings) == (lost,)


def test_a_stack_of_a_name_that_it_does_not_allow_is_seen(still_emulator: Emulator, tmp_path: Path) -> None:
    settings = make_settings(tmp_path, WORKBENCH_AWS_STACK="demo")
    still_emulator.policy(policy.text())
    lacking = permissions.missing(Session.open(settings), settings)
    assert lacking is not None
    assert {"cloudformation:CreateStack", "iam:CreateRole", "iam:PassRole"} <= set(lacking)


def test_roles_are_made_bound_or_not_at_all(proc_emulator: Emulator, tmp_path: Path) -> None:
    proc_emulator.policy(policy.text())
    user = User(proc_emulator, tmp_path / "home")
    user.prepare()
    done = user.launch()
    assert done.code == 1, "the policy lets nobody make a role that nothing bounds"
    assert "iam:CreateRole" in done.said
    proc_emulator.policy(None)
    with_boundary(proc_emulator)
    proc_emulator.policy(policy.text())
    assert user.launch().code == 0
    proc_emulator.policy(None)
    roles = Account(proc_emulator).iam.list_roles()["Roles"]
    assert len(roles) == 4
    for role in roles:
        told = Account(proc_emulator).iam.get_role(RoleName=role["RoleName"])["Role"]
        assert told["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith(f"policy/{policy.BOUNDARY}")


def test_machines_may_do_what_their_roles_say_within_the_boundary() -> None:
    roles = [
        one["Properties"]
        for one in read_template(template.body())["Resources"].values()
        if one["Type"] == "AWS::IAM::Role"
    ]
    allowed = {
        action
        for role in roles
        for inline in role["Policies"]
        for statement in inline["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert len(roles) == 4
    from tests.emulator.roles import MANAGED  # with moto, which takes its time

    assert {one for one in allowed | set(*MANAGED.values()) if not allows(given("boundary"), one)} == set()


@pytest.mark.parametrize("kind", policy.KINDS)
def test_it_opens_no_way_to_more(kind: str) -> None:
    """Of what parliament and others call escalations each is refused, or bound by a condition."""
    never = {
        "iam:AddUserToGroup",
        "iam:AttachUserPolicy",
        "iam:CreateAccessKey",
        "iam:CreatePolicyVersion",
        "iam:DeleteRolePermissionsBoundary",
        "iam:PutRolePermissionsBoundary",
        "iam:PutUserPolicy",
        "iam:SetDefaultPolicyVersion",
        "iam:UpdateAssumeRolePolicy",
        "lambda:CreateFunction",
        "sts:AssumeRole",
    }
    bound = {
        "ec2:CreateTags": {"aws:CalledVia", "ec2:CreateAction"},
        "ec2:TerminateInstances": {"aws:CalledVia", "aws:ResourceTag/project"},
        "iam:AttachRolePolicy": {"iam:PermissionsBoundary", "iam:PolicyARN"},
        "iam:CreateRole": {"iam:PermissionsBoundary"},
        "iam:CreateServiceLinkedRole": {"iam:AWSServiceName"},
        "iam:PassRole": {"iam:PassedToService"},
        "iam:PutRolePolicy": {"iam:PermissionsBoundary"},
    }
    for statement in policy.statements(kind):
        assert not {one for one in never if allows(statement.actions, one)}, statement.sid
        for action, keys in bound.items():
            if allows(statement.actions, action):
                assert set(statement.conditions) & keys, (statement.sid, action)
        if allows(statement.actions, "ec2:RunInstances") and not statement.conditions:
            assert not any(
                re.search(r"\*$|:instance/|:volume/", one.removesuffix("/*")) for one in statement.resources
            )
        if allows(statement.actions, "ssm:SendCommand") and not statement.conditions:
            assert all(":document/" in one or ":s3:" in one for one in statement.resources)


@pytest.mark.parametrize("partition", policy.PARTITIONS)
@pytest.mark.parametrize("kind", policy.KINDS)
def test_its_size_and_form_are_what_iam_takes_in_each_partition(kind: str, partition: str) -> None:
    told = json.loads(policy.text(kind, partition))
    assert len(json.dumps(told, separators=(",", ":"))) <= LARGEST_POLICY
    assert len({statement["Sid"] for statement in told["Statement"]}) == len(told["Statement"])
    arns = [
        one for statement in policy.statements(kind, partition) for one in statement.resources if one != "*"
    ]
    assert {one.split(":")[1] for one in arns} == {partition}


def test_it_prints_itself_for_each_partition(capsys: pytest.CaptureFixture[str]) -> None:
    assert policy.main(["boundary", "aws-cn"]) == 0
    assert json.loads(capsys.readouterr().out)["Statement"]
    assert policy.main(["boundary", "mars"]) == 2
    assert "Received: boundary mars" in capsys.readouterr().err


def test_the_template_and_the_code_name_no_partition() -> None:
    assert "arn:aws:" not in template.body()
    assert "ec2.amazonaws.com" not in template.body()


def test_every_permission_that_it_gives_exists_and_somebody_asks_for_it() -> None:
    session = botocore.session.get_session()
    known = {"cloudformation:TagResource", "iam:PassRole", *policy.S3_ACTIONS.values()}
    for name in ("cloudformation", "ec2", "iam", "pricing", "s3", "service-quotas", "ssm", "sts"):
        model = session.get_service_model(name)
        known |= {f"{SERVICES.get(name, name)}:{operation}" for operation in model.operation_names}
    assert set(policy.actions()) <= known
    code = "\n".join(path.read_text() for path in Path(policy.__file__).parents[1].rglob("*.py"))
    ours = {re.sub(r"(?<!^)(?=[A-Z])", "_", one.partition(":")[2]).lower() for one in policy.actions()}
    called = {one for one in ours if re.search(rf"\b{one}\b", code)}
    s3 = {one.partition(":")[2] for one in policy.S3_ACTIONS.values()} | {"GetObject", "CreateBucket"}
    needed = asked_by_handlers() | set(handlers.OF_THE_TEMPLATE) | ONLY_PRINTED | set(BY_AWS)
    unneeded = {
        one
        for one in policy.actions()
        if one not in needed
        and one.partition(":")[2] not in s3
        and re.sub(r"(?<!^)(?=[A-Z])", "_", one.partition(":")[2]).lower() not in called
    }
    assert unneeded == set()


def test_whatever_our_own_code_calls_is_allowed_without_cloudformation() -> None:
    """A permission that holds only when CloudFormation asks is none for a call of ours, such as an audit's."""
    code = "\n".join(path.read_text() for path in Path(policy.__file__).parents[1].rglob("*.py"))
    direct = re.findall(r"session\.(ec2|ssm|cfn|iam|sts|quotas|pricing)\.([a-z_]+)\(", code)
    paged = re.findall(r"pages\(\s*session\.(ec2|ssm|cfn|pricing), \"([a-z_]+)\"", code)
    paged += [("ec2", method) for method in re.findall(r"_each\(session, \"([a-z_]+)\"", code)]
    names = {"cfn": "cloudformation", "quotas": "service-quotas"}
    session = botocore.session.get_session()
    called = set()
    for short, method in {*direct, *paged}:
        service = names.get(short, short)
        operations = session.get_service_model(service).operation_names
        (operation,) = [one for one in operations if xform_name(one) == method]
        called.add(f"{SERVICES.get(service, service)}:{operation}")
    assert {"ec2:DeleteNatGateway", "ec2:TerminateInstances", "ssm:SendCommand"} <= called
    every = [one for kind in ("policy", "options") for one in policy.statements(kind)]
    plain = [one for one in every if "aws:CalledVia" not in one.conditions]
    allowed = {action for one in plain for action in policy.expand(one.actions)}
    assert {one for one in called if one not in allowed and not allows(tuple(allowed), one)} == set()
