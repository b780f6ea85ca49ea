"""Ours against an emulator that shares no line with the tests' own: ministack, where it is installed.

``uv sync --all-extras --group second-opinion`` installs it. Table in docs/aws.md: what it confirms, and what it cannot.
"""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.chain import make_settings, wait_until
from tests.emulator import roles
from tests.emulator.calls import ACCOUNT, REGION
from tests.machines.aws import ground
from workbench.application import audit, leftovers, permissions, tokens
from workbench.aws import instances, names, policy
from workbench.aws.bucket import Bucket
from workbench.aws.session import Session
from workbench.machines.aws.controller import making, members
from workbench.machines.aws.controller.making import RoleWish
from workbench.machines.local.provider import free_ports
from workbench.settings import Settings

judge: Any = pytest.importorskip("ministack.core.iam_evaluator", reason="ministack is not installed")

OTHER = {"workbench": "another", "cloudformation.amazonaws.com": "x.amazonaws.com"}


def decide(document: str, action: str, arn: str, context: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether ministack's evaluator allows it."""
    asked = judge.EvalContext(
        principal_arn=f"arn:aws:iam::{ACCOUNT}:user/ada",
        principal_type="User",
        principal_account=ACCOUNT,
        action=action,
        resource_arn=arn,
        region=REGION,
        source_ip="203.0.113.7",
        secure_transport=True,
        request_tags={
            k.partition("/")[2]: v[0] for k, v in context.items() if k.startswith("aws:RequestTag/")
        },
        service_context={
            key.lower(): list(values) if key in permissions.SEVERAL else values[0]
            for key, values in context.items()
        },
    )
    return bool(judge.evaluate(asked, [judge.parse_policy_document(document)]).decision == "Allow")


def decide_here(document: str, action: str, arn: str, context: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether the tests' own emulator allows it."""
    ask = roles.Ask(action, arn, {key: values[0] for key, values in context.items()})
    return roles._judge("user/ada", [json.loads(document)["Statement"]], ask) is None


def test_both_judge_our_policy_alike_and_it_gives_what_is_needed_and_no_more() -> None:
    document = policy.text()
    here: Any = SimpleNamespace(account=ACCOUNT, region=REGION, partition="aws")
    wrong, judged = [], 0
    for question in permissions.questions(here, SimpleNamespace(aws_stack="workbench")):  # type: ignore[arg-type]
        others = {key: tuple(OTHER.get(v, "x") for v in values) for key, values in question.context.items()}
        for action in question.actions:
            for arn in question.resources or (f"arn:aws:{action.split(':')[0]}:{REGION}:{ACCOUNT}:any/x",):
                strange = arn.replace("workbench", "another")
                tried = [(arn, question.context, True), (arn, {}, None), (arn, others, None)]
                tried += [(strange, question.context, None), (strange, {}, None)]
                for resource, context, expected in tried:
                    theirs = decide(document, action, resource, context)
                    ours = decide_here(document, action, resource, context)
                    judged += 1
                    if theirs != ours or (expected is not None and theirs != expected):
                        wrong.append((action, resource, dict(context), theirs, ours))
    assert wrong == []
    assert judged > 500


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/ada"),
        ("iam:AttachUserPolicy", f"arn:aws:iam::{ACCOUNT}:user/ada"),
        ("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/workbench-x"),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin"),
        ("ec2:TerminateInstances", f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-1"),
        ("s3:GetObject", "arn:aws:s3:::payroll/x"),
        ("ssm:GetParameter", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/payroll"),
    ],
)
def test_neither_lets_our_policy_reach_what_is_not_ours(action: str, arn: str) -> None:
    assert not decide(policy.text(), action, arn, {})
    assert not decide_here(policy.text(), action, arn, {})


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its URL."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    folder = tmp_path_factory.mktemp("ministack")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("ministack"))],
            env={**kept, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)},
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:

        def answers() -> bool:
            try:
                return bool(urllib.request.urlopen(f"{url}/_ministack/health", timeout=60).status == 200)
            except OSError:
                return False

        wait_until(answers, 60, f"ministack: {folder / 'log'}")
        yield url
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path)


@pytest.fixture
def session(other: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Session:
    environ = {
        "AWS_ENDPOINT_URL": other,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return Session.open(settings)


def test_the_bucket_is_made_ours_shut_and_kept_tidy(session: Session, tmp_path: Path) -> None:
    bucket = Bucket(session)
    assert bucket.ensure() == bucket.ensure() == bucket.name
    shut = session.s3.get_public_access_block(Bucket=bucket.name)["PublicAccessBlockConfiguration"]
    assert all(shut.values())
    rules = session.s3.get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]
    assert {rule["Status"] for rule in rules} == {"Enabled"}
    bucket.put("here/a", b"one")
    bucket.put("here/b", b"two")
    assert (bucket.get("here/a"), bucket.get("here/c")) == (b"one", None)
    assert [one.key for one in bucket.list("here/")] == ["here/a", "here/b"]
    with urllib.request.urlopen(bucket.link("here/b"), timeout=60) as answer:
        assert answer.read() == b"two"
    assert bucket.delete("here/") == 2
    assert list(bucket.list("here/")) == []


def test_machines_are_run_with_their_tags_found_by_them_and_ended_and_what_is_left_is_found_and_removed(
    session: Session, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ground, "IMAGE", "/own/image")  # it has none of Canonical's
    image = session.ec2.describe_images()["Images"][0]["ImageId"]
    session.ssm.put_parameter(Name="/own/image", Value=image, Type="String")
    made = making.make(
        session,
        ground.make_ground(session),
        "lab",
        RoleWish("worker", 2, "c5.xlarge", False, "#!/bin/sh\n"),
        {},
    )
    found = members.look(session, "lab")
    assert {one.id for one in found} == {one.id for one in made}
    wanted = names.filters(session.home, cluster="lab")
    tags = [one.tags for one in instances.find(session, wanted, doing="look")]
    assert [one["project"] for one in tags] == ["workbench"] * 2
    tokens.make(session, "workbench")
    told = audit.find(session, settings, lambda cluster: "")
    kinds = sorted(one.kind for one in told)
    assert kinds.count("instance") == 2
    assert kinds.count("parameter") == 2
    leftovers.remove(session, [one for one in told if one.tagged], lambda line: None)
    assert [one for one in audit.find(session, settings, lambda cluster: "") if one.tagged] == []
