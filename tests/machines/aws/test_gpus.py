"""Clusters of types with GPUs: their image and disk, their quota, and no machine whose GPUs nothing finds."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.chain import make_settings
from tests.emulator import Emulator
from tests.machines.aws.ground import make_ground, make_stub_provider
from workbench import cli
from workbench.aws import gpus
from workbench.aws.refusals import Refused
from workbench.aws.session import Session
from workbench.errors import Unavailable
from workbench.machines import Layout
from workbench.machines.aws.controller import making, pricing
from workbench.machines.aws.controller.making import Ground, RoleWish

KIND = "g4dn.xlarge"


@pytest.fixture
def session(still_emulator: Emulator, tmp_path: Path) -> Session:
    return Session.open(make_settings(tmp_path))


def test_its_machines_begin_from_awss_image_with_a_driver_and_a_disk_that_holds_it(
    session: Session, tmp_path: Path
) -> None:
    image = gpus.find_image(session, make_settings(tmp_path))
    told = session.ssm.get_parameters(Names=[gpus.IMAGE])["Parameters"]
    assert image.id == told[0]["Value"]
    asked: dict[str, Any] = {}

    class Ec2:
        def run_instances(self, **told: object) -> dict[str, list[object]]:
            asked.update(told)
            return {"Instances": []}

    recorded: Any = SimpleNamespace(home="h", ec2=Ec2())
    ground = Ground("lt", ("s",), "g", "arm", "baked", gpus.GpuImage("ami-gpus", "/dev/xvda", 140))
    making.make(recorded, ground, "lab", RoleWish("worker", 1, KIND, False, "#!/bin/sh"), {})
    assert asked["ImageId"] == "ami-gpus"
    (disk,) = asked["BlockDeviceMappings"]
    assert (disk["DeviceName"], disk["Ebs"]["VolumeSize"]) == ("/dev/xvda", 140)
    making.make(recorded, ground, "lab", RoleWish("worker", 1, "c5.xlarge", False, "#!/bin/sh"), {})
    assert (asked["ImageId"], asked["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"]) == ("baked", 30)


@pytest.mark.parametrize(
    ("found", "words"),
    [([], "no image ami-mine in mars-1"), ([{"Architecture": "arm64"}], "arm64.* CUDA for x86_64 alone")],
)
def test_an_image_that_is_named_is_looked_at_before_anything_costs(
    found: list[dict[str, str]], words: str
) -> None:
    ec2 = SimpleNamespace(describe_images=lambda ImageIds: {"Images": found})
    session: Any = SimpleNamespace(ec2=ec2, region="mars-1")
    settings: Any = SimpleNamespace(aws_gpu_image="ami-mine")
    with pytest.raises(Refused, match=words):
        gpus.find_image(session, settings)


def test_a_region_without_such_an_image_is_told_what_to_do() -> None:
    nothing = SimpleNamespace(get_parameters=lambda Names: {"Parameters": [], "InvalidParameters": Names})
    session: Any = SimpleNamespace(ssm=nothing, region="mars-1")
    settings: Any = SimpleNamespace(aws_gpu_image=None)
    with pytest.raises(Refused, match=r"mars-1; set WORKBENCH_AWS_GPU_IMAGE .* c5\.xlarge"):
        gpus.find_image(session, settings)


@pytest.mark.usefixtures("own_home")
def test_price_and_quota_are_told_with_the_plan(
    still_emulator: Emulator,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ["plan", "cluster", "--provider", "aws", "--workers", "2", "--type", KIND]
    assert cli.main(asked) == 0
    said = capsys.readouterr().out
    assert "$1.08" in said, "two of $0.526, with disks of 100 GB and addresses"
    assert "processors: NO, 8 vCPUs are needed, 0 of the account's 0 are in use" in said
    assert "'Running On-Demand G and VT instances'" in said
    still_emulator.quota(0, gpu_vcpus=8)
    assert cli.main(asked) == 0
    assert "processors: yes, 8 vCPUs are needed" in capsys.readouterr().out


def test_a_machine_without_a_driver_ends_with_these_words(proc_emulator: Emulator, tmp_path: Path) -> None:
    proc_emulator.quota(100, gpu_vcpus=8)
    settings = make_settings(tmp_path)
    provider = make_stub_provider(settings, make_ground(Session.open(settings)))
    assert pricing.plan(settings, "us-east-1", Layout(instance_type=KIND), spot=False).price_per_hour
    with pytest.raises(
        Unavailable, match=r"no driver that finds the machine's GPUs.*WORKBENCH_AWS_GPU_IMAGE"
    ):
        provider.launch("lab", Layout(workers=1, instance_type=KIND))
    assert provider.machines("lab") == []
