"""``audit``: what nobody owns is found whatever left it, and only that; ``--fix`` removes it."""

import json
from pathlib import Path

import pytest

from tests.application.steps import APP, User
from tests.chain import make_settings
from tests.emulator import Emulator
from workbench import cli
from workbench.application import audit
from workbench.aws import names
from workbench.aws.session import Session
from workbench.jobs import ENDED

IMAGE = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"


@pytest.fixture
def session(still_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    return Session.open(make_settings(tmp_path / "home"))


def machine(session: Session, **tags: str) -> str:
    image = session.ssm.get_parameter(Name=IMAGE)["Parameter"]["Value"]
    told = [{"ResourceType": "instance", "Tags": names.tags(session.home, **tags)}] if tags else []
    made = session.ec2.run_instances(
        ImageId=image, InstanceType="t2.micro", MinCount=1, MaxCount=1, TagSpecifications=told
    )
    return str(made["Instances"][0]["InstanceId"])


def found(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    code = cli.main(["audit", "--json"])
    listed = json.loads(capsys.readouterr().out)
    assert code == (1 if listed else 0)
    return {one["id"]: one for one in listed}


def test_an_empty_account_has_nothing_left(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(capsys) == {}
    assert cli.main(["audit"]) == 0
    assert "nothing is left in us-east-1" in capsys.readouterr().out


def test_leftovers_of_every_kind_are_found_and_removed(
    session: Session, still_emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    ec2 = session.ec2
    ours = names.tags(session.home)

    def tagged(kind: str) -> list[dict[str, object]]:
        return [{"ResourceType": kind, "Tags": ours}]

    vpc = ec2.create_vpc(CidrBlock="192.168.0.0/16", TagSpecifications=tagged("vpc"))["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway(TagSpecifications=tagged("internet-gateway"))["InternetGateway"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="192.168.0.0/24", TagSpecifications=tagged("subnet"))
    group = ec2.create_security_group(
        GroupName="left", Description="left", VpcId=vpc, TagSpecifications=tagged("security-group")
    )
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip"))
    zone = subnet["Subnet"]["AvailabilityZone"]
    volume = ec2.create_volume(AvailabilityZone=zone, Size=8, TagSpecifications=tagged("volume"))
    interface = ec2.create_network_interface(
        SubnetId=subnet["Subnet"]["SubnetId"], TagSpecifications=tagged("network-interface")
    )["NetworkInterface"]["NetworkInterfaceId"]
    behind = ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip"))["AllocationId"]
    nat = ec2.create_nat_gateway(
        SubnetId=subnet["Subnet"]["SubnetId"], AllocationId=behind, TagSpecifications=tagged("natgateway")
    )["NatGateway"]["NatGatewayId"]
    session.ssm.put_parameter(Name="/workbench/gone/token", Value="x", Type="SecureString")
    instance = machine(session, cluster="job-7", role="worker", index="0")

    left = found(capsys)
    expected = {
        vpc: "vpc",
        gateway["InternetGatewayId"]: "gateway",
        subnet["Subnet"]["SubnetId"]: "subnet",
        group["GroupId"]: "group",
        address["AllocationId"]: "address",
        behind: "address",
        nat: "nat",
        volume["VolumeId"]: "volume",
        interface: "interface",
        "/workbench/gone/token": "parameter",
        instance: "instance",
    }
    assert {id: one["kind"] for id, one in left.items()} == expected
    assert all(one["why"] for one in left.values())
    assert cli.main(["audit", "--fix", "--yes"]) == 0
    capsys.readouterr()
    assert found(capsys) == {}
    assert still_emulator.resources() == {}


def test_what_has_no_tag_is_likely_ours_and_removed_only_when_a_person_says_so(
    session: Session, still_emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    address = session.ec2.allocate_address(Domain="vpc")["AllocationId"]
    somebodys = session.ec2.allocate_address(
        Domain="vpc",
        TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": [{"Key": "team", "Value": "b"}]}],
    )["AllocationId"]
    left = found(capsys)
    assert (left[address]["tagged"], somebodys in left) == (False, False)
    assert cli.main(["audit", "--fix"]) == 1
    assert "nobody can be asked" in capsys.readouterr().err
    assert cli.main(["audit", "--fix", "--yes"]) == 1
    assert len(session.ec2.describe_addresses()["Addresses"]) == 2


def test_other_peoples_machines_are_not_touched(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    machine(session)
    assert found(capsys) == {}


@pytest.mark.parametrize(
    ("cluster", "why"),
    [
        ("job-7", ""),
        ("job-8", "its job 8 is failed"),
        ("job-9", "there is no job 9 here"),
        ("standing", ""),
        ("my-job", ""),
    ],
)
def test_a_cluster_is_owned_as_long_as_its_job_is_at_work(cluster: str, why: str) -> None:
    assert audit.owned_by({7: "training", 8: "failed"}, ENDED)(cluster) == why


def test_a_release_does_not_end_what_another_home_trains(proc_emulator: Emulator, tmp_path: Path) -> None:
    one, other = User(proc_emulator, tmp_path / "one"), User(proc_emulator, tmp_path / "other")
    one.prepare()
    for step in (one.launch(), other.cluster()):
        assert step.code == 0, step.said
    refused = one.release()
    assert refused.code == 2
    assert "standing" in refused.said
    released = one.do("release", *APP, "--everybody")
    assert released.code == 0, released.said
    assert one.left() == {}
