"""An image: made of a machine that installed, used while its packages are today's, listed, and gone with its snapshots."""

import json
from pathlib import Path

import boto3
import pytest

from tests.chain import make_settings
from tests.emulator import Emulator
from tests.machines.aws.ground import make_ground, make_stub_provider, upload_stub
from workbench import cli
from workbench.application import audit, leftovers
from workbench.aws import code, images, names, policy
from workbench.aws.bucket import Bucket
from workbench.aws.session import Session
from workbench.errors import Unavailable
from workbench.machines import Layout
from workbench.machines.aws.controller import baking, making
from workbench.machines.aws.controller.making import Ground


def nothing(line: str) -> None:
    pass


def build(session: Session, ground: Ground) -> images.Image:
    bucket = Bucket(session)
    return baking.build(session, bucket, ground, upload_stub(bucket), nothing)


def kinds(emulator: Emulator) -> dict[str, int]:
    return {
        kind: len(ids)
        for kind, ids in emulator.resources().items()
        if kind in ("image", "snapshot", "instance")
    }


def test_it_is_built_once_used_by_clusters_and_removed_whole(
    proc_emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = make_settings(tmp_path / "home")
    monkeypatch.setenv("WORKBENCH_HOME", str(settings.home))
    session = Session.open(settings)
    ground = make_ground(session)
    made = build(session, ground)
    assert made.environment == baking.environment()
    assert kinds(proc_emulator) == {"image": 1, "snapshot": 1}, "the machine that was copied is ended"
    tags = session.ec2.describe_snapshots(SnapshotIds=list(made.snapshots))["Snapshots"][0]["Tags"]
    assert names.read(tags)["project"] == "workbench"
    assert build(session, ground) == made
    assert proc_emulator.calls()["CreateImage"] == 1

    provider = make_stub_provider(settings, ground)
    provider.launch("lab", Layout())
    found = session.ec2.describe_instances(Filters=names.filters(session.home, cluster="lab"))
    assert {one["ImageId"] for each in found["Reservations"] for one in each["Instances"]} == {made.id}
    provider.terminate("lab")

    assert cli.main(["image", "--json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert (shown["id"], shown["is_current"]) == (made.id, True)
    assert shown["most_per_month"] > 0
    left = [one for one in audit.find(session, settings, lambda cluster: "") if one.kind == "image"]
    assert [one.id for one in left] == [made.id], "no application begins from it"
    leftovers.remove(session, left, nothing)
    images.remove(session, made)  # again is fine
    assert kinds(proc_emulator) == {}
    assert cli.main(["image"]) == 0
    assert "image build" in capsys.readouterr().out
    assert cli.main(["image", "remove", "ami-0"]) == 3


def test_one_of_other_packages_is_not_used_and_goes_with_the_next(
    proc_emulator: Emulator, tmp_path: Path
) -> None:
    session = Session.open(make_settings(tmp_path / "home"))
    ground = make_ground(session)
    first = build(session, ground)
    old = [{"Key": images.ENVIRONMENT, "Value": "0123456789abcdef"}]
    session.ec2.create_tags(Resources=[first.id], Tags=old)
    assert baking.current(session) is None
    second = build(session, ground)
    assert [one.id for one in images.find(session)] == [second.id]
    assert kinds(proc_emulator) == {"image": 1, "snapshot": 1}


def test_a_machine_that_cannot_install_tells_why_and_is_ended(
    proc_emulator: Emulator, tmp_path: Path
) -> None:
    session = Session.open(make_settings(tmp_path / "home"))
    ground = make_ground(session)
    prefix = names.cluster_prefix(session.home, baking.CLUSTER)
    bucket = Bucket(session)
    proc_emulator.pretend("role", ["image"], bucket.name, f"{prefix}boot/{{id}}", "no space left on device")
    with pytest.raises(Unavailable, match="could not install: no space left on device"):
        build(session, ground)
    assert kinds(proc_emulator) == {}


def test_it_is_built_with_the_policies_and_without_the_options_aws_names_what_is_missing(
    proc_emulator: Emulator, tmp_path: Path
) -> None:
    session = Session.open(make_settings(tmp_path / "home"))
    ground = make_ground(session)
    upload_stub(Bucket(session))
    statements = json.loads(policy.text())["Statement"]
    proc_emulator.policy(json.dumps({"Statement": statements}))
    with pytest.raises(Unavailable, match="ec2:CreateImage"):
        build(session, ground)
    statements += json.loads(policy.text("options"))["Statement"]
    proc_emulator.policy(json.dumps({"Statement": statements}))
    images.remove(session, build(session, ground))
    proc_emulator.policy(None)
    assert kinds(proc_emulator) == {}


def test_whatever_is_installed_otherwise_has_another_digest() -> None:
    assert images.digest(b"a", b"bc") != images.digest(b"ab", b"c")
    assert images.digest(b"a") == images.digest(b"a")
    assert len(baking.environment()) == 16
    assert "uv.lock" in dict(code.files())


def test_an_arm_cluster_keeps_its_own_image() -> None:
    ground = Ground("lt-1", ("s",), "g", arm_image="ami-arm", baked_image="ami-baked")
    session = Session("us-east-1", "h", boto3.session.Session())
    for kind, image in (("c7g.xlarge", "ami-arm"), ("c5.xlarge", "ami-baked")):
        wish = making.RoleWish("worker", 1, kind, False, "")
        assert making._request(session, ground, "lab", wish, {}, kind, "s")["ImageId"] == image
