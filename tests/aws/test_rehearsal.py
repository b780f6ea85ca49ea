"""The rehearsal on a real account, in its shortest form on the emulator; its cap, its switch and what it keeps, by themselves."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.application.steps import User
from tests.aws import test_replies
from tests.aws.rehearsal import charged, replies, switch
from tests.aws.rehearsal.hands import Failed, Person, Said, write_recipe
from tests.aws.rehearsal.meter import Meter
from tests.aws.rehearsal.round import Round, Wish, counting
from tests.chain import make_settings
from tests.emulator import Emulator
from workbench.aws import instances, outputs, prices
from workbench.aws.instances import Instance
from workbench.aws.session import Session

STEPS = ["doctor", "plan", "launch", "switch", "stop and start", "kill a launch", "release"]


@dataclass
class Quick:
    """Types into prepared processes, which is as a shell but quick; what is to be killed is begun as it is."""

    user: User
    person: Person

    def types(self, *arguments: str, limit_s: float, **environ: str) -> Said:
        done = self.user.do(*arguments)
        lines = done.said.splitlines()
        first = next((n for n, line in enumerate(lines) if line[:1] in ("{", "[")), len(lines))
        out = lines[first:] if "--json" in arguments else lines
        return Said(done.code, "\n".join(out), done.said)

    def begins(self, *arguments: str, **environ: str) -> "subprocess.Popen[bytes]":
        return self.person.begins(*arguments, **environ)


def test_its_shortest_form_goes_to_its_end_and_leaves_nothing(
    proc_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = User(proc_emulator, tmp_path / "home")
    user.prepare()
    raw = tmp_path / "replies"
    settings = make_settings(user.home)
    session = Session.open(settings)
    over: list[str] = []
    meter = Meter(session, prices.known(settings, session.region), cap=5.0, over=over.append, every_s=1.0)
    person = Person({**user.environ, **replies.environ(raw)})
    wish = Wish(trains=False, dashboard="203.0.113.7/32")
    with counting(meter):
        whole = Round(Quick(user, person), session, meter, wish, tmp_path, lambda line: None)
        assert whole.run(), whole.done
    assert [one.step for one in whole.done] == STEPS
    assert user.left() == {}
    assert over == []
    assert {one.role for one in meter.machines.values()} == {"working", "frontend", "backend", "worker"}
    meter.write(tmp_path / "counted.json")
    whole.write(tmp_path / "round.json")
    assert json.loads((tmp_path / "counted.json").read_text())["dollars"] == pytest.approx(
        meter.dollars, abs=1e-3
    )

    kept = replies.tidy(replies.read(raw), account=session.account)
    replies.write(tmp_path / "replies.jsonl", kept)
    assert test_replies.read(tmp_path / "replies.jsonl") > 1
    by_name: dict[str, list[Any]] = {}
    for one in kept:
        by_name.setdefault(one["operation"], []).append(one["answer"])
    assert {"RunInstances", "DescribeStacks"} <= set(by_name)
    (state,) = {outputs.parse(stack).status for told in by_name["DescribeStacks"] for stack in told["Stacks"]}
    assert state == "CREATE_COMPLETE"


def machine(id: str, state: str, **more: Any) -> Instance:
    return Instance(id, more.get("type", "t3.large"), state, {"role": "worker"}, "", "", "", 0.0, False, 0)


@pytest.fixture
def meter(tmp_path: Path) -> Meter:
    settings = make_settings(tmp_path)
    session: Any = SimpleNamespace(region="us-east-1")
    return Meter(session, prices.known(settings, "us-east-1"), cap=0.5, over=lambda why: None)


def test_what_exists_is_counted_at_its_price_and_what_stands_at_that_of_its_disk(meter: Meter) -> None:
    hour = meter.prices.machine("t3.large")
    assert hour
    each = hour + meter.prices.disk(30) + meter.prices.address_hour
    for _ in range(2):
        meter.count(
            [machine("i-1", "running"), machine("i-2", "stopped"), machine("i-3", "terminated")], 1800
        )
    meter.count(None, 1800)
    assert set(meter.machines) == {"i-1", "i-2"}
    assert meter.machines["i-1"].dollars == pytest.approx(1.5 * each)
    assert meter.machines["i-2"].dollars == pytest.approx(1.5 * meter.prices.disk(30) + each / 60), (
        "a minute of it is charged at least"
    )
    meter.count([], 1800)
    assert meter.machines["i-1"].dollars == pytest.approx(1.5 * each)


@pytest.mark.parametrize("answers", [True, False], ids=["AWS answers", "AWS is away"])
def test_before_the_cap_is_reached_it_ends_once_also_while_aws_is_away(
    meter: Meter, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    from workbench.errors import Unavailable

    told: list[str] = []
    meter.over = told.append
    meter.count([machine(f"i-{n}", "running") for n in range(10)], 0)

    def find(*_: Any, **__: Any) -> list[Instance]:
        if not answers:
            raise Unavailable("AWS does not answer")
        return [machine(f"i-{n}", "running") for n in range(10)]

    monkeypatch.setattr(instances, "find", find)
    for minute in range(1, 60):
        meter._seen_at = 0.0
        monkeypatch.setattr("time.monotonic", lambda minute=minute: 60.0)
        meter.look()
    assert len(told) == 1
    assert "cap of $0.50" in told[0]
    assert ("AWS does not answer" in meter.failures) is not answers


@dataclass
class Stubborn:
    """Releases only at the third time."""

    calls: list[str] = field(default_factory=list)

    def types(self, *arguments: str, limit_s: float, **environ: str) -> Said:
        self.calls.append(arguments[0])
        if arguments[0] == "release" and self.calls.count("release") == 1:
            raise Failed("it took too long")
        left = arguments == ("audit",) and self.calls.count("release") < 3
        return Said(int(left), "1 that nobody owns" if left else "nothing is left", "")

    def begins(self, *arguments: str, **environ: str) -> "subprocess.Popen[bytes]":
        raise NotImplementedError


def test_a_release_is_tried_until_an_audit_proves_it() -> None:
    said: list[str] = []
    hands = Stubborn()
    switch.release_all(hands, said.append, pause_s=0)
    assert said[-1] == "nothing is left"
    assert hands.calls.count("release") == 3
    with pytest.raises(Failed, match="costs; look at the AWS console"):
        switch.release_all(Stubborn(), said.append, tries=2, pause_s=0)


def test_the_switch_ends_with_its_file_and_acts_when_its_process_has_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acted: list[str] = []
    monkeypatch.setattr(switch, "release_all", lambda hands, tell: acted.append("released"))
    monkeypatch.setattr(switch, "BEAT_S", 0.01)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    beat = tmp_path / "beat"
    assert switch.main([str(beat), str(os.getpid())]) == 0
    assert acted == [], "the file is gone: all went well"
    beat.touch()
    assert switch.main([str(beat), str(dead.pid)]) == 0
    assert acted == ["released"]
    assert not beat.exists()


def test_a_command_is_ended_when_its_time_or_the_money_is_used_up(tmp_path: Path) -> None:
    over = threading.Event()
    person = Person({"WORKBENCH_HOME": str(tmp_path)}, over)
    with pytest.raises(Failed, match="took longer than 0 s"):
        person.types("doctor", limit_s=0.0)
    over.set()
    with pytest.raises(Failed, match="the money is used up"):
        person.types("doctor", limit_s=60.0)


def test_of_answers_nothing_is_kept_that_says_whose_they_were() -> None:
    account, address = "210987654321", "18.184.3.77"
    arn = f"arn:aws:iam::{account}:user/ada.lovelace"
    told = {
        "Reservations": [
            {
                "OwnerId": account,
                "Instances": [
                    {
                        "InstanceId": "i-0f1e2d3c4b5a69788",
                        "PublicIpAddress": address,
                        "PrivateIpAddress": "192.168.32.4",
                        "PublicDnsName": "ec2-18-184-3-77.eu-central-1.compute.amazonaws.com",
                        "Tags": [
                            {"Key": "project", "Value": "workbench"},
                            {"Key": "requester", "Value": "ada"},
                        ],
                    }
                ],
            }
        ]
    }
    recorded = [
        {"service": "ec2", "operation": "DescribeInstances", "status": 200, "answer": told},
        {
            "service": "ec2",
            "operation": "StopInstances",
            "status": 200,
            "answer": {"InstanceId": "i-0f1e2d3c4b5a69788"},
        },
        {
            "service": "sts",
            "operation": "GetCallerIdentity",
            "status": 200,
            "answer": {"Arn": arn, "UserId": "AIDAX"},
        },
        {
            "service": "ssm",
            "operation": "GetParameter",
            "status": 200,
            "answer": {"Parameter": {"Value": "s3cret"}},
        },
        {
            "service": "service-quotas",
            "operation": "GetServiceQuota",
            "status": 200,
            "answer": {"Quota": {"Value": 5.0}},
        },
        {
            "service": "ec2",
            "operation": "RunInstances",
            "status": 403,
            "answer": {
                "Error": {"Message": f"{arn} may not. Encoded authorization failure message: kJx0-{account}"}
            },
        },
    ]
    kept = replies.tidy(recorded * 5, account=account, names=["ada"])
    text = json.dumps(kept)
    for secret in (
        account,
        address,
        "18-184-3-77",
        "0f1e2d3c4b5a69788",
        "lovelace",
        "AIDAX",
        "s3cret",
        "kJx0",
        '"ada"',
    ):
        assert secret not in text
    assert len(kept) == replies.EACH * len(recorded)
    first, stop = kept[0]["answer"], kept[1]["answer"]
    parsed = first["Reservations"][0]["Instances"][0]
    assert parsed["InstanceId"] == stop["InstanceId"], "one name for one thing"
    assert parsed["PrivateIpAddress"] == "192.168.32.4"
    assert parsed["Tags"][0] == {"Key": "project", "Value": "workbench"}
    assert kept[4]["answer"]["Quota"]["Value"] == 5.0


def test_what_was_charged_stands_beside_what_was_counted(tmp_path: Path) -> None:
    (tmp_path / "counted.json").write_text(json.dumps({"dollars": 1.25, "prices": "list prices"}))
    asked: list[dict[str, Any]] = []

    def answer(**more: Any) -> dict[str, Any]:
        asked.append(more)
        group = {"Keys": ["Amazon EC2"], "Metrics": {"UnblendedCost": {"Amount": "0.6"}}}
        return {"ResultsByTime": [{"Groups": [] if "Filter" in more else [group]}] * 2}

    session: Any = SimpleNamespace(client=lambda *_, **__: SimpleNamespace(get_cost_and_usage=answer))
    said = charged.compare(session, tmp_path)
    assert "counted: $1.25" in said
    assert "charged of the whole account" in said
    assert "$1.20" in said
    assert len(asked) == 2


def test_its_recipe_is_one(tmp_path: Path) -> None:
    from workbench import recipes

    recipes.check(recipes.read(write_recipe(tmp_path / "recipe")))
    assert replace(Wish(), trains=False).minutes == 60
