"""``doctor --provider aws``: what would fail in a launch is said before one, with what mends it."""

import json
from pathlib import Path

import pytest

from tests.chain import make_settings
from tests.emulator import Emulator, Fault
from workbench import cli
from workbench.diagnosis import Diagnosis
from workbench.verbs.doctor import doctor

LOOKING = ("Describe", "Get", "List", "Simulate", "Head")


def look(home: Path) -> dict[str, Diagnosis]:
    return {one.check: one for one in doctor(make_settings(home), "aws")}


def test_a_new_account_is_fine_and_nothing_is_changed(still_emulator: Emulator, tmp_path: Path) -> None:
    found = look(tmp_path)
    assert {name: one.said for name, one in found.items() if one.ok is False} == {}
    assert found["clock"].ok
    assert "t2.micro" in found["types and zones"].said
    assert "0 vCPUs of G types at a time, g4dn.xlarge has 4" in found["GPUs"].said
    assert not [action for action in still_emulator.calls() if not action.startswith(LOOKING)]
    assert still_emulator.resources() == {}


@pytest.mark.usefixtures("own_home")
def test_each_finding_is_a_row_of_json_and_what_needs_doing_is_exit_1(
    still_emulator: Emulator,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["doctor", "--provider", "aws", "--json"]) == 0
    assert {tuple(row) for row in json.loads(capsys.readouterr().out)} == {("check", "ok", "said", "fix")}
    still_emulator.quota(5)
    assert cli.main(["doctor", "--provider", "aws"]) == 1
    said = capsys.readouterr().out
    assert "✗  processors: 6 vCPUs are needed, 0 of the account's 5 are in use" in said
    assert "→ ask for more under Service Quotas" in said


@pytest.mark.parametrize(
    ("fault", "check", "said"),
    [
        (Fault(action="DescribeRegions", code="UnauthorizedOperation"), "region", "ec2:DescribeRegions"),
        (Fault(action="GetEbsDefaultKmsKeyId", code="RequestExpired"), "disk encryption", "clock"),
        (Fault(action="HeadBucket", code="403", status=403), "bucket", "somebody else's"),
        (
            Fault(action="DescribeInstanceTypeOfferings", code="UnauthorizedOperation"),
            "types and zones",
            "lack",
        ),
    ],
)
def test_what_aws_refuses_is_a_finding_and_the_other_checks_go_on(
    still_emulator: Emulator, tmp_path: Path, fault: Fault, check: str, said: str
) -> None:
    still_emulator.faults([fault])
    found = look(tmp_path)
    assert found[check].ok is (False if check == "bucket" else None)
    assert said in found[check].said + found[check].fix
    assert found["credentials"].ok
    assert found["spot machines"].check


def test_credentials_that_are_none_are_the_only_finding(
    still_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAWRONG")
    (found,) = look(tmp_path).values()
    assert (found.check, found.ok) == ("credentials", False)


def test_a_region_without_the_usual_types_is_told_with_what_stands_in(
    still_emulator: Emulator, tmp_path: Path
) -> None:
    still_emulator.withhold("t2.micro")
    found = look(tmp_path)["types and zones"]
    assert found.ok
    assert "t3.micro takes its place" in found.said
    still_emulator.withhold("t3.micro")
    assert look(tmp_path)["types and zones"].ok is False


@pytest.mark.usefixtures("own_home")
def test_a_launch_that_would_fail_is_stopped_before_anything_is_made(
    still_emulator: Emulator,
    capsys: pytest.CaptureFixture[str],
) -> None:
    still_emulator.faults([Fault(action="HeadBucket", code="403", status=403)])
    assert cli.main(["launch", "app", "--provider", "aws"]) == 1
    said = capsys.readouterr().err
    assert "bucket" in said
    assert "WORKBENCH_AWS_REGION" in said
    assert still_emulator.resources() == {}
