"""Types that can work, in zones that have them: found out, or refused in words, before anything is made."""

from pathlib import Path

import pytest

from tests.application.reading import read_template
from tests.application.steps import User
from tests.chain import make_settings
from tests.emulator import Emulator
from tests.emulator.asking import Account
from workbench.application import plan as planning
from workbench.application import siting, template
from workbench.application.template import Wish
from workbench.aws import gpus, types
from workbench.aws.refusals import Refused
from workbench.aws.session import Session
from workbench.errors import BadInput
from workbench.machines import Layout
from workbench.machines.aws.controller import pricing

WITH_GPUS = ["g4dn.xlarge", "g5.2xlarge", "g6e.xlarge", "gr6.4xlarge", "p4d.24xlarge", "p5.48xlarge"]
WITHOUT_DRIVER = [
    "p3.2xlarge",
    "g3.4xlarge",
    "g4ad.xlarge",
    "g5g.xlarge",
    "g6f.large",
    "p6-b200.48xlarge",
    "inf2.xlarge",
]
WITHOUT_DRIVER += ["trn1.2xlarge", "dl1.24xlarge", "vt1.3xlarge", "f1.2xlarge"]
PLAIN = [
    "c5.xlarge",
    "m5.large",
    "t3.medium",
    "c7g.xlarge",
    "r6i.large",
    "m7i-flex.large",
    "hpc7a.12xlarge",
    "x2gd.large",
]


@pytest.mark.parametrize("kind", WITHOUT_DRIVER)
def test_a_type_whose_accelerator_nothing_here_drives_is_refused_in_the_plan(
    tmp_path: Path, kind: str
) -> None:
    with pytest.raises(BadInput, match=r"drives.*c5\.xlarge"):
        pricing.plan(make_settings(tmp_path), "us-east-1", Layout(instance_type=kind), spot=False)


@pytest.mark.parametrize("kind", PLAIN + WITH_GPUS)
def test_other_types_are_not(kind: str) -> None:
    gpus.refuse_others(kind)


def test_names_tell_the_architecture_that_aws_tells(still_emulator: Emulator, tmp_path: Path) -> None:
    session = Session.open(make_settings(tmp_path))
    offered = Account(still_emulator).ec2.get_paginator("describe_instance_type_offerings").paginate()
    kinds = [one["InstanceType"] for page in offered for one in page["InstanceTypeOfferings"]]
    kinds = [one for one in kinds if not one.startswith("mac")]
    assert len(kinds) > 400
    told = types.describe(session, kinds)
    assert [one for one in kinds if types.architecture(one) != told[one].architecture] == []


def test_an_application_with_a_gpu_is_refused_before_anything_is_made(
    still_emulator: Emulator, tmp_path: Path
) -> None:
    settings = make_settings(tmp_path)
    with pytest.raises(BadInput, match="nothing in the application uses GPUs"):
        planning.plan(Session.open(settings), settings, Wish(working_type="g4dn.xlarge"))


def test_where_a_usual_type_is_missing_another_takes_its_place_and_that_is_said(
    still_emulator: Emulator, tmp_path: Path
) -> None:
    still_emulator.withhold("t2.micro")
    settings = make_settings(tmp_path)
    plan = planning.plan(Session.open(settings), settings, Wish())
    assert "us-east-1 has no t2.micro: t3.micro takes its place" in [check.said for check in plan.checks]
    assert [cost.what for cost in plan.costs][:3] == [
        "working machine, m5.xlarge",
        "frontend machine, t3.micro",
        "backend machine, t3.micro",
    ]


def test_a_zone_that_lacks_a_type_is_not_taken(still_emulator: Emulator, tmp_path: Path) -> None:
    session = Session.open(make_settings(tmp_path))
    for zone in ("us-east-1a", "us-east-1c"):
        still_emulator.withhold("m5.xlarge", "us-east-1a", zone)
    site = siting.find(session, Wish())
    assert (site.zone, site.other) == ("us-east-1b", "us-east-1a")

    still_emulator.withhold("c5.xlarge", "us-east-1b")
    assert siting.find(session, Wish()).zone == "us-east-1d", "clusters want theirs, too"


def test_types_that_no_zone_has_together_are_refused_with_a_way_out(
    still_emulator: Emulator, tmp_path: Path
) -> None:
    still_emulator.withhold("t2.micro", *(f"us-east-1{letter}" for letter in "abcd"))
    still_emulator.withhold("m5.xlarge", "us-east-1f")
    with pytest.raises(Refused, match=r"no zone of us-east-1 has all.*--working-type"):
        siting.find(Session.open(make_settings(tmp_path)), Wish())
    with pytest.raises(Refused, match=r"z9\.huge.*--working-type"):
        siting.find(Session.open(make_settings(tmp_path)), Wish(working_type="z9.huge"))


def test_a_launch_puts_the_application_where_its_types_are(proc_emulator: Emulator, tmp_path: Path) -> None:
    proc_emulator.withhold("m5.xlarge", "us-east-1a")
    proc_emulator.withhold("t2.micro")
    user = User(proc_emulator, tmp_path / "home")
    user.prepare()
    done = user.launch()
    assert done.code == 0, done.said
    account = Account(proc_emulator)
    machines = [one for r in account.ec2.describe_instances()["Reservations"] for one in r["Instances"]]
    assert {one["Placement"]["AvailabilityZone"] for one in machines} == {"us-east-1b"}
    assert sorted(one["InstanceType"] for one in machines) == ["m5.xlarge", "t3.micro", "t3.micro"]
    told = account.cfn.describe_stacks()["Stacks"][0]["Parameters"]
    credits = {one["ParameterKey"]: one["ParameterValue"] for one in told}
    assert (credits["WorkingCredits"], credits["BackendCredits"]) == ("", "standard")


def test_the_template_leaves_zones_to_whoever_asked() -> None:
    assert "GetAZs" not in template.body()
    subnets = [
        one["Properties"]["AvailabilityZone"]["Ref"]
        for one in read_template(template.body())["Resources"].values()
        if one["Type"] == "AWS::EC2::Subnet"
    ]
    assert sorted(subnets) == ["OtherZone", "Zone", "Zone", "Zone"]
