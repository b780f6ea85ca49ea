"""Commands on machines: exit codes, whole output, time-outs, cancel; as many requests as batches."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.chain import make_settings, wait_until
from tests.emulator import Emulator
from tests.machines.aws.ground import make_ground
from workbench.aws import commands, instances
from workbench.aws.bucket import Bucket
from workbench.aws.commands import CommandEnded
from workbench.aws.session import Session
from workbench.errors import NotFound
from workbench.machines.aws.controller import making, members
from workbench.machines.aws.controller.making import RoleWish


@pytest.fixture
def session(emulator: Emulator, tmp_path: Path) -> Session:
    return Session.open(make_settings(tmp_path))


@pytest.fixture
def machines(session: Session) -> Iterator[list[str]]:
    """Two machines that take commands."""
    ground = make_ground(session)
    asked = RoleWish("worker", 2, "c5.xlarge", False, "#!/bin/sh\n")
    ids = [i.id for i in making.make(session, ground, "lab", asked, {})]
    wait_until(lambda: len(commands.online(session, ids)) == 2, 30, "the machines")
    yield ids
    members.end_cluster(session, "lab")


def test_commands_say_how_they_went_whole_and_end_in_time(session: Session, machines: list[str]) -> None:
    bucket = Bucket(session)

    def run(*command: str, timeout_s: float = 120.0) -> CommandEnded:
        return commands.run(session, bucket, machines[:1], command, timeout_s=timeout_s)[machines[0]]

    words = "two words; $HOME `id` 'quoted' \"twice\""
    assert run("printf", "%s", words) == CommandEnded(0, words, "")
    assert run("sh", "-c", "echo no >&2; exit 7") == CommandEnded(7, "", "no\n")
    long = run("sh", "-c", "seq 20000")
    assert long.stdout.split()[-1] == "20000", "SSM itself gives the first 24,000 characters"
    late = run("sh", "-c", "echo begun; sleep 600", timeout_s=10)
    assert (late.code, late.stdout) == (-signal.SIGKILL, "begun\n")
    assert "ended after 10 s" in late.stderr

    both = commands.run(session, bucket, machines, ["sh", "-c", "echo $INSTANCE_ID"])
    assert {id: done.stdout.strip() for id, done in both.items()} == {id: id for id in machines}


def test_a_command_that_nobody_waits_for_any_more_is_cancelled(
    session: Session, machines: list[str], emulator: Emulator
) -> None:
    class Impatient(BaseException):  # botocore makes its own of an Exception
        pass

    def give_up(*_: object) -> None:
        raise Impatient

    def interrupt() -> None:
        wait_until(lambda: emulator.calls()["ListCommandInvocations"], 30, "the first look")
        os.kill(os.getpid(), signal.SIGUSR2)

    before = signal.signal(signal.SIGUSR2, give_up)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(Impatient):
            commands.run(session, Bucket(session), machines, ["sleep", "60"])
    finally:
        thread.join()
        signal.signal(signal.SIGUSR2, before)

    assert emulator.calls()["CancelCommand"] == 1


def test_a_machine_that_is_gone_is_not_found(session: Session, machines: list[str]) -> None:
    instances.terminate(session, machines[:1])
    with pytest.raises(NotFound, match=machines[0]):
        commands.run(session, Bucket(session), machines[:1], ["true"])
    assert commands.online(session, machines) <= set(machines[1:])


class Answers:
    """SSM that says how a command went."""

    def __init__(self, status: str, details: str) -> None:
        self._one = {"InstanceId": "i-1", "Status": status, "StatusDetails": details}

    def send_command(self, **_: object) -> dict[str, dict[str, str]]:
        return {"Command": {"CommandId": "c"}}

    def get_paginator(self, _: str) -> "Answers":
        return self

    def paginate(self, **_: object) -> list[dict[str, list[dict[str, str]]]]:
        return [{"CommandInvocations": [self._one]}]


@pytest.mark.parametrize(
    ("status", "details"),
    [
        ("TimedOut", "DeliveryTimedOut"),
        ("TimedOut", "Delivery Timed Out"),
        ("Failed", "Undeliverable"),
        ("Failed", "Terminated"),
        ("Failed", "InvalidPlatform"),
        ("Failed", "AccessDenied"),
        ("Cancelled", "Cancelled"),
    ],
)
def test_a_command_that_never_ran_is_not_told_as_one_that_took_too_long(status: str, details: str) -> None:
    session = SimpleNamespace(ssm=Answers(status, details))
    with pytest.raises(NotFound, match=details.replace(" ", "")):
        commands.run(session, None, ["i-1"], ["true"], outputs=False)  # type: ignore[arg-type]


@pytest.mark.parametrize("details", ["ExecutionTimedOut", "Execution Timed Out"])
def test_a_command_that_took_too_long_is_told_so(details: str) -> None:
    session = SimpleNamespace(ssm=Answers("TimedOut", details))
    done = commands.run(session, None, ["i-1"], ["true"], outputs=False)  # type: ignore[arg-type]
    assert done["i-1"].code == commands.KILLED
