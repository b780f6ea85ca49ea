"""Instances of clusters: as many calls for three hundred as for three, none twice, another kind where there is none."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.chain import make_settings
from tests.emulator import Emulator, Fault
from tests.machines.aws.ground import IMAGE, make_ground
from workbench.aws import instances, names, prices, types
from workbench.aws.bucket import Bucket
from workbench.aws.refusals import NoCapacity, NoQuota, Refused
from workbench.aws.session import Session
from workbench.errors import BadInput, Unavailable, WorkbenchError
from workbench.machines import Machine, Place
from workbench.machines.aws.controller import making, members, waiting
from workbench.machines.aws.controller.making import Ground, RoleWish
from workbench.machines.aws.controller.members import Member
from workbench.machines.aws.controller.observed import Sight
from workbench.machines.aws.controller.user_data import user_data
from workbench.system.waiting import Clock

SCRIPT = "#!/bin/sh\n"


@pytest.fixture
def session(still_emulator: Emulator, tmp_path: Path) -> Session:
    return Session.open(make_settings(tmp_path))


@pytest.fixture
def ground(session: Session) -> Ground:
    return make_ground(session)


def wish(count: int = 3, **more: object) -> RoleWish:
    return RoleWish("worker", count, "c5.xlarge", False, SCRIPT, **more)  # type: ignore[arg-type]


def make(session: Session, ground: Ground, name: str, asked: RoleWish) -> Sequence[Member]:
    return making.make(session, ground, name, asked, {"job": "7"})


def test_three_hundred_machines_take_as_many_calls_as_three(
    session: Session, ground: Ground, still_emulator: Emulator
) -> None:
    still_emulator.quota(10_000)
    still_emulator.limit_rates()
    calls = []
    for count in (3, 300):
        still_emulator.forget_calls()
        made = make(session, ground, f"of-{count}", wish(count))
        assert [i.place for i in made] == [Place("worker", n) for n in range(count)]
        found = members.look(session, f"of-{count}")
        assert [(i.id, i.place) for i in found] == [(i.id, i.place) for i in made]
        instances.terminate(session, [i.id for i in found])
        calls.append(still_emulator.calls())
    assert calls[0] == calls[1]
    assert calls[0]["RunInstances"] == 1


def test_a_machine_that_ends_while_aws_answers_is_not_among_those_that_live(
    session: Session, ground: Ground
) -> None:
    _, second = make(session, ground, "lab", wish(2))

    def end_the_first(parsed: Any, **_: Any) -> None:
        """What AWS filters by and what it shows are of two moments."""
        for reservation in parsed["Reservations"]:
            for instance in reservation["Instances"]:
                if instance["InstanceId"] != second.id:
                    instance["State"]["Name"] = "shutting-down"

    session.ec2.meta.events.register("after-call.ec2.DescribeInstances", end_the_first)
    assert [one.id for one in members.look(session, "lab")] == [second.id]
    shown = Sight(session, Bucket(session)).look("lab")
    assert [(machine.instance, machine.state) for machine in shown] == [(second.id, "pending")]


def test_the_request_itself_carries_the_tags(
    session: Session, ground: Ground, still_emulator: Emulator
) -> None:
    make(session, ground, "lab", wish(1))

    (machine,) = still_emulator.instances().values()
    told = {
        "project": "workbench",
        "workbench:home": session.home,
        "cluster": "lab",
        "job": "7",
        "role": "worker",
    }
    assert told.items() <= machine["tags"].items()
    assert still_emulator.calls()["CreateTags"] == 0


def test_what_was_cut_off_after_its_effect_is_not_made_twice(
    session: Session, ground: Ground, still_emulator: Emulator
) -> None:
    still_emulator.faults([Fault("RunInstances", cut=True, after_effect=True)])

    made = make(session, ground, "lab", wish(2))

    assert {i.id for i in made} == set(still_emulator.instances())
    assert len(made) == 2


def test_where_there_is_none_of_a_type_its_like_is_taken(
    session: Session, ground: Ground, still_emulator: Emulator
) -> None:
    still_emulator.faults([Fault("RunInstances", "InsufficientInstanceCapacity", status=500, times=8)])

    assert {i.type for i in make(session, ground, "lab", wish())} == {"c5a.xlarge"}

    still_emulator.faults([Fault("RunInstances", "InsufficientInstanceCapacity", status=400, times=None)])
    with pytest.raises(NoCapacity, match=r"launch 3 machines of type c5\.xlarge for the workers of other"):
        make(session, ground, "other", wish())


@pytest.mark.parametrize(
    ("code", "times"), [("InsufficientInstanceCapacity", 4), ("MaxSpotInstanceCountExceeded", 1)]
)
def test_where_there_are_no_spot_machines_they_are_asked_for_on_demand_and_later_as_spot_again(
    session: Session, ground: Ground, still_emulator: Emulator, code: str, times: int
) -> None:
    still_emulator.faults([Fault(action="RunInstances", code=code, times=times)])
    asked = replace(wish(2), spot=True)
    first = make(session, ground, "lab", asked)
    assert [m.spot for m in first] == [False, False]
    assert still_emulator.calls()["RunInstances"] == times + 1
    assert [m.spot for m in make(session, ground, "other", asked)] == [True, True]


def test_a_type_that_no_zone_ever_has_is_refused_and_not_waited_for(
    session: Session, ground: Ground, still_emulator: Emulator
) -> None:
    still_emulator.faults([Fault("RunInstances", "Unsupported", "not supported here", 400, times=None)])
    with pytest.raises(Refused, match="no zone of this application has such machines at all"):
        make(session, ground, "lab", wish())
    none = Fault("RunInstances", "InsufficientInstanceCapacity", status=400, skip=2, times=None)
    still_emulator.faults([Fault("RunInstances", "Unsupported", status=400, times=2), none])
    with pytest.raises(NoCapacity):
        make(session, ground, "lab", wish())


def test_what_stands_in_for_a_type_is_of_its_architecture_and_costs_no_more(tmp_path: Path) -> None:
    known = prices.known(make_settings(tmp_path), "us-east-1")
    for family, others in making.SIMILAR.items():
        for size in ("large", "xlarge"):
            mine = known.machine(f"{family}.{size}")
            for other in others:
                assert types.architecture(f"{other}.{size}") == types.architecture(f"{family}.{size}")
                price = known.machine(f"{other}.{size}")
                assert mine is None or price is None or price <= mine, (family, other)


def test_a_quota_is_said_at_once(session: Session, ground: Ground, still_emulator: Emulator) -> None:
    still_emulator.quota(4)
    with pytest.raises(NoQuota, match="quota"):
        make(session, ground, "lab", wish())
    assert members.look(session) == []


def test_one_that_takes_anothers_place_has_its_number_and_address(session: Session, ground: Ground) -> None:
    first = make(session, ground, "lab", wish(3))
    instances.terminate(session, [first[1].id])
    members.wait(session, "lab", lambda there: len(there) == 2, "the end", instances.ENDING, 120)

    (again,) = make(session, ground, "lab", wish(1, index=1, address=first[1].address))

    assert (again.place, again.address) == (Place("worker", 1), first[1].address)
    assert [i.place.index for i in members.look(session, "lab")] == [0, 1, 2]


def test_homes_do_not_see_each_others_clusters(session: Session, ground: Ground, tmp_path: Path) -> None:
    make(session, ground, "job-1", wish(1))
    other = Session.open(make_settings(tmp_path / "other"))

    assert members.look(other) == []
    assert members.end_cluster(other, "job-1") == 0
    assert len(members.look(session, "job-1")) == 1
    assert members.end_cluster(session, "job-1") == 1
    assert members.end_cluster(session, "job-1") == 0


def test_nothing_that_is_no_plain_word_gets_into_a_machines_script() -> None:
    script = user_data("bucket", "code/1.zip", "eu-central-1", "1a2b", "job-7", 24)
    assert "CLUSTER='job-7'" in script
    assert "MINUTES='1440'" in script
    assert "@" not in script.replace('"$@"', "").replace("\\$@", "")
    assert len(script) < 16_000, "AWS takes no longer one"
    with pytest.raises(BadInput, match="cluster cannot be told"):
        user_data("bucket", "code/1.zip", "eu-central-1", "1a2b", "x'; rm -rf /", 24)


def test_spot_machines_are_not_stopped_and_that_is_said_before_aws_is_asked(
    session: Session, ground: Ground, still_emulator: Emulator
) -> None:
    asked = RoleWish("worker", 2, "c5.xlarge", True, SCRIPT)
    make(session, ground, "cheap", asked)
    with pytest.raises(BadInput, match="release cluster --provider aws --name cheap"):
        members.refuse_stop("cheap", members.look(session, "cheap"))
    make(session, ground, "usual", wish(1))
    members.refuse_stop("usual", members.look(session, "usual"))
    (id,) = [one.id for one in members.look(session, "cheap", ["pending", "running"])][:1]
    with pytest.raises(WorkbenchError, match="one-time"):
        instances.stop(session, [id])


def test_machines_get_an_image_of_their_architecture_or_are_refused_before_they_are_made(
    session: Session, ground: Ground, still_emulator: Emulator
) -> None:
    with pytest.raises(BadInput, match="ARM"):
        making.check(ground, "c7g.xlarge")
    image = session.ssm.get_parameter(Name=IMAGE.replace("amd64", "arm64"))["Parameter"]["Value"]
    with_arm = replace(ground, arm_image=image)
    making.check(with_arm, "c7g.xlarge")
    for kind in ("c7g.xlarge", "c5.xlarge"):
        made = make(session, with_arm, kind.partition(".")[0], replace(wish(1), instance_type=kind))
        assert [m.type for m in made] == [kind]


@pytest.mark.parametrize("kind", ["t3.medium", "t4g.medium", "c5.xlarge"])
def test_a_burst_beyond_the_credits_is_asked_for_nowhere(kind: str) -> None:
    asked: dict[str, object] = {}

    class Ec2:
        def run_instances(self, **told: object) -> dict[str, list[object]]:
            asked.update(told)
            return {"Instances": []}

    session = SimpleNamespace(home="h", ec2=Ec2())
    ground, asking = Ground("lt", ("s",), "g", "ami"), replace(wish(1), instance_type=kind)
    made = making.make(session, ground, "lab", asking, {})  # type: ignore[arg-type]
    assert made == []
    burstable = kind.startswith("t")
    assert asked.get("CreditSpecification") == ({"CpuCredits": "standard"} if burstable else None)


def test_a_machine_whose_first_boot_failed_is_named_with_its_words_at_once(
    session: Session, ground: Ground
) -> None:
    (member,) = make(session, ground, "lab", wish(1))
    bucket = Bucket(session)
    sight = Sight(session, bucket)
    key = f"{names.cluster_prefix(session.home, 'lab')}boot/{member.id}"
    bucket.put(key, b"its first boot ended with code 100: E: Unable to fetch some archives")
    with pytest.raises(Unavailable, match=rf"worker 0 \({member.id}\).*Unable to fetch some archives"):
        waiting.wait(session, sight, "lab", is_ended=lambda: False, timeout_s=120)


def test_machines_at_work_that_take_no_commands_are_waited_for_no_longer_than_they_need(
    session: Session,
) -> None:
    """They look by themselves for what is new; who closes Systems Manager to them does not wait for nothing."""
    now = [0.0]
    clock = Clock(lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
    running = Machine("lab", "worker", 0, "running", instance="i-0123456789abcdef0")
    sight: Any = SimpleNamespace(look=lambda name: [running], failed_boots=lambda name: {})
    waiting.wait(session, sight, "lab", is_ended=lambda: False, clock=clock)
    assert waiting.DEAF_S <= now[0] < waiting.DEAF_S + 10
