"""The policy that the documents tell people to attach is enough, and names nothing that nobody calls."""

import json
from pathlib import Path

import botocore.session
import pytest

from tests.application.steps import User
from tests.emulator import Emulator
from workbench.aws import policy
from workbench.settings import PROJECT

POLICY = PROJECT / "workbench" / "aws" / "policy.json"
SERVICES = {"service-quotas": "servicequotas", "quotas": "servicequotas", "cfn": "cloudformation"}


def test_it_allows_every_call_that_a_whole_round_makes(
    proc_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = User(proc_emulator, tmp_path / "home")
    user.prepare()
    for step in (
        ("prices", "--refresh"),
        ("plan", "app", "--provider", "aws"),
        ("launch", "app", "--provider", "aws", "--from", "203.0.113.7/32"),
        ("launch", "app", "--provider", "aws", "--from", "203.0.113.8/32"),
        ("stop", "app", "--provider", "aws"),
        ("start", "app", "--provider", "aws"),
        ("launch", "cluster", "--provider", "aws", "--name", "standing"),
        ("release", "cluster", "--provider", "aws", "--name", "standing"),
        ("audit",),
        ("release", "app", "--provider", "aws"),
    ):
        done = user.do(*step)
        assert done.code == 0, (step, done.said)
    called = {permission(call) for call in proc_emulator.calls_in_order()}
    assert called - set(policy.actions()) == set()


def permission(call: str) -> str:
    """``service:Action`` as policies have it."""
    service, _, action = call.partition(":")
    return policy.S3_ACTIONS.get(action, f"{SERVICES.get(service, service)}:{action}")


def test_its_size_and_form_are_what_iam_takes() -> None:
    policy = json.loads(POLICY.read_text())
    assert len(json.dumps(policy, separators=(",", ":"))) < 6144
    assert len({statement["Sid"] for statement in policy["Statement"]}) == len(policy["Statement"])


def test_every_permission_that_it_gives_exists() -> None:
    session = botocore.session.get_session()
    known = {"ssm:GetParameter", "iam:PassRole", *policy.S3_ACTIONS.values()}
    for name in ("cloudformation", "ec2", "iam", "pricing", "s3", "service-quotas", "ssm", "sts"):
        model = session.get_service_model(name)
        known |= {f"{SERVICES.get(name, name)}:{operation}" for operation in model.operation_names}
    assert set(policy.actions()) <= known
