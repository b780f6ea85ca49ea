"""``audit --fix`` over estates made at random: what goes is what was printed, no more and no less, whoever else has things there."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.chain import make_settings
from tests.emulator import Emulator
from workbench import cli
from workbench.aws import names
from workbench.aws.session import Session

ESTATES = int(os.environ.get("ESTATES", "2"))
"""How many are tried; many more by hand."""
MOST_ADDRESSES = 5
"""That a new account may have."""
IMAGE = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
OWNERS = ("this home", "another home", "somebody", "nobody")
KINDS = (
    "address",
    "volume",
    "interface",
    "group",
    "vpc",
    "gateway",
    "nat",
    "template",
    "parameter",
    "job's machine",
    "standing cluster",
    "stray machine",
)
things = st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(OWNERS)), min_size=6, max_size=14)


@dataclass
class Estate:
    """Things of several owners in one account, made by asking AWS for them."""

    session: Session
    network: str = ""
    """Subnet of somebody else, for what needs one."""
    made: list[str] = field(default_factory=list)

    def tags(self, kind: str, owner: str, **more: str) -> list[dict[str, Any]]:
        told = {
            "this home": names.tags(self.session.home, **more),
            "another home": names.tags("0badc0de", **more),
            "somebody": [{"Key": "team", "Value": "b"}, *({"Key": k, "Value": v} for k, v in more.items())],
            "nobody": [],
        }[owner]
        return [{"ResourceType": kind, "Tags": told}] if told else []

    def make(self, number: int, kind: str, owner: str) -> None:
        ec2 = self.session.ec2

        def subnet() -> str:
            if not self.network:
                vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=self.tags("vpc", "somebody"))
                asked = {"VpcId": vpc["Vpc"]["VpcId"], "CidrBlock": "10.0.0.0/20"}
                made = ec2.create_subnet(**asked, TagSpecifications=self.tags("subnet", "somebody"))
                self.network = made["Subnet"]["SubnetId"]
            return self.network

        def machine(**more: str) -> Any:
            image = self.session.ssm.get_parameter(Name=IMAGE)["Parameter"]["Value"]
            tags = self.tags("instance", owner, **more)
            return ec2.run_instances(
                ImageId=image, InstanceType="t2.micro", MinCount=1, MaxCount=1, TagSpecifications=tags
            )

        def nat() -> Any:
            address = ec2.allocate_address(Domain="vpc", TagSpecifications=self.tags("elastic-ip", owner))
            return ec2.create_nat_gateway(
                SubnetId=subnet(),
                AllocationId=address["AllocationId"],
                TagSpecifications=self.tags("natgateway", owner),
            )

        def parameter() -> Any:
            whose = "/workbench/gone" if owner in OWNERS[:2] else "/elsewhere"
            return self.session.ssm.put_parameter(Name=f"{whose}/{number}", Value="x", Type="SecureString")

        makers: dict[str, Callable[[], Any]] = {
            "address": lambda: ec2.allocate_address(
                Domain="vpc", TagSpecifications=self.tags("elastic-ip", owner)
            ),
            "volume": lambda: ec2.create_volume(
                AvailabilityZone="us-east-1a", Size=8, TagSpecifications=self.tags("volume", owner)
            ),
            "interface": lambda: ec2.create_network_interface(
                SubnetId=subnet(), TagSpecifications=self.tags("network-interface", owner)
            ),
            "group": lambda: ec2.create_security_group(
                GroupName=f"group-{number}",
                Description="x",
                TagSpecifications=self.tags("security-group", owner),
            ),
            "vpc": lambda: ec2.create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=self.tags("vpc", owner)),
            "gateway": lambda: ec2.create_internet_gateway(
                TagSpecifications=self.tags("internet-gateway", owner)
            ),
            "nat": nat,
            "template": lambda: ec2.create_launch_template(
                LaunchTemplateName=f"template-{number}",
                LaunchTemplateData={"InstanceType": "t2.micro"},
                TagSpecifications=self.tags("launch-template", owner),
            ),
            "parameter": parameter,
            "job's machine": lambda: machine(cluster="job-7", role="worker", index="0"),
            "standing cluster": lambda: machine(cluster="lab", role="worker", index="0"),
            "stray machine": lambda: machine(role="worker"),
        }
        makers[kind]()

    def there(self, emulator: Emulator) -> set[str]:
        """Ids of all that exists, but for what machines and networks bring along."""
        ec2 = self.session.ec2
        addresses = {a["PublicIp"]: a["AllocationId"] for a in ec2.describe_addresses()["Addresses"]}
        free = [{"Name": "status", "Values": ["available"]}]
        own = {
            "volume": {v["VolumeId"] for v in ec2.describe_volumes(Filters=free)["Volumes"]},
            "interface": {
                n["NetworkInterfaceId"]
                for n in ec2.describe_network_interfaces(Filters=free)["NetworkInterfaces"]
            },
        }
        return {
            addresses.get(id, id)
            for kind, ids in emulator.resources().items()
            for id in ids
            if id in own.get(kind, ids) and kind != "routes"  # each network's own, which goes with it
        }


@settings(
    max_examples=ESTATES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(things=things)
def test_what_is_removed_is_what_was_printed(
    still_emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    things: list[tuple[str, str]],
) -> None:
    still_emulator.reset()
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    estate = Estate(Session.open(make_settings(tmp_path / "home")))
    addresses = 0
    for number, (kind, owner) in enumerate(things):
        addresses += kind in ("address", "nat")
        if addresses <= MOST_ADDRESSES or kind not in ("address", "nat"):
            estate.make(number, kind, owner)
    before = estate.there(still_emulator)
    capsys.readouterr()
    code = cli.main(["audit", "--fix", "--yes", "--json"])
    printed = {one["id"]: one["tagged"] for one in json.loads(capsys.readouterr().out)}
    ours = {id for id, tagged in printed.items() if tagged}

    assert before - estate.there(still_emulator) == ours
    assert code == (0 if ours == set(printed) else 1)
    cli.main(["audit", "--json"])
    again = {one["id"] for one in json.loads(capsys.readouterr().out)}
    assert again == set(printed) - ours, "nothing of ours was missed"
