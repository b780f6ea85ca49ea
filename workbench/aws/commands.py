"""Commands on machines by SSM Run Command: no port, no keys. Arguments only; code travels as files in the bucket."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.aws import names
from workbench.aws.bucket import Bucket
from workbench.aws.refusals import AwsFailure, code_of, said
from workbench.aws.session import Session, pages
from workbench.errors import NotFound
from workbench.system.waiting import wait_until

BATCH = 50
"""Machines that one request may name."""
SHORTEST_S, DELIVERY_S = 30, 60
"""SSM takes no shorter limits for a command's delivery; how long a machine may take to begin."""
POLL_S, LONGEST_POLL_S = 0.2, 3.0
"""First pause between two looks, and the longest."""
IN_LINE = {"stdout": 24_000, "stderr": 8_000}
"""Characters that SSM itself gives of an output; a longer one is whole in the bucket."""
UNDER_WAY = {"Pending", "InProgress", "Delayed", "Cancelling"}
NOT_RUN = {
    "AccessDenied",
    "Cancelled",
    "DeliveryTimedOut",
    "InvalidPlatform",
    "Terminated",
    "Undeliverable",
}
"""Details of a status with which a command has not run: the status itself is ``TimedOut``, ``Failed`` or ``Cancelled``.

https://docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html
"""
KILLED = -9
"""The code of a command that took too long, as every provider gives it."""


@dataclass(frozen=True)
class CommandEnded:
    """The end of a command on a machine: its exit code and what it printed."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class _Answer:
    status: str
    details: str
    """As AWS says it, without blanks: ``ExecutionTimedOut``."""
    code: int


def run(
    session: Session,
    bucket: Bucket,
    instances: Sequence[str],
    command: Sequence[str],
    *,
    timeout_s: float = 60.0,
    comment: str = "",
    outputs: bool = True,
) -> dict[str, CommandEnded]:
    """Run a command on machines, as root in ``/``, and wait for it: how it went on each.

    As many requests as batches, however many machines there are; outputs are whole. When this call ends before the
    command does, by a signal for instance, the command is cancelled.

    Parameters
    ----------
    timeout_s
        After which the command is killed: code -9.
    outputs
        Whether anybody wants to read what it prints; that takes a request a machine.

    Raises
    ------
    NotFound
        One of the machines does not run, or is not known to SSM.
    """
    batches = [instances[first : first + BATCH] for first in range(0, len(instances), BATCH)]
    script = shlex.join(command)
    sent: list[str] = []
    done: dict[str, CommandEnded] = {}
    try:
        for batch in batches:
            sent.append(_send(session, bucket if outputs else None, batch, script, timeout_s, comment))
        for batch in batches:
            answers = _wait(session, sent[0], batch, timeout_s + DELIVERY_S + SHORTEST_S)
            id = sent.pop(0)
            for instance, answer in answers.items():
                out, err = _read(session, bucket, id, instance) if outputs else ("", "")
                done[instance] = _done(instance, answer, out, err, timeout_s)
    except BaseException:
        for id in sent:
            cancel(session, id)
        raise
    return done


def cancel(session: Session, id: str) -> None:
    """End a command wherever it runs; one that has ended is fine."""
    try:
        session.ssm.cancel_command(CommandId=id)
    except AwsFailure as error:
        raise said(error, f"cancel the command {id}") from error


def online(session: Session, instances: Sequence[str]) -> set[str]:
    """Find those of the machines that take commands now."""
    found: set[str] = set()
    try:
        for first in range(0, len(instances), BATCH):
            some = list(instances[first : first + BATCH])
            asked = [{"Key": "InstanceIds", "Values": some}]
            for one in pages(
                session.ssm, "describe_instance_information", "InstanceInformationList", Filters=asked
            ):
                if one["PingStatus"] == "Online":
                    found.add(one["InstanceId"])
    except AwsFailure as error:
        raise said(error, "ask which machines take commands") from error
    return found & set(instances)


def _send(
    session: Session,
    bucket: Bucket | None,
    instances: Sequence[str],
    script: str,
    timeout_s: float,
    comment: str,
) -> str:
    where = {"OutputS3BucketName": bucket.name, "OutputS3KeyPrefix": left_in(session)} if bucket else {}
    try:
        answer = session.ssm.send_command(
            InstanceIds=list(instances),
            DocumentName="AWS-RunShellScript",
            Comment=comment[:100],
            TimeoutSeconds=DELIVERY_S,
            Parameters={"commands": [script], "executionTimeout": [str(max(1, round(timeout_s)))]},
            **where,
        )
    except AwsFailure as error:
        if code_of(error) == "InvalidInstanceId":
            raise NotFound(f"a machine does not run or takes no commands: {', '.join(instances)}") from error
        raise said(error, f"run a command on {len(instances)} machines") from error
    return str(answer["Command"]["CommandId"])


def _wait(session: Session, id: str, instances: Sequence[str], timeout_s: float) -> Mapping[str, _Answer]:
    answers: Mapping[str, _Answer] = {}

    def all_ended() -> bool:
        nonlocal answers
        answers = _look(session, id)
        return set(answers) >= set(instances) and not any(a.status in UNDER_WAY for a in answers.values())

    def say() -> str:
        late = sorted(i for i in instances if i not in answers or answers[i].status in UNDER_WAY)
        return f"these machines do not say how the command {id} went: {', '.join(late)}"

    wait_until(all_ended, timeout_s, POLL_S, say, longest_s=LONGEST_POLL_S)
    return answers


def _look(session: Session, id: str) -> dict[str, _Answer]:
    found = {}
    try:
        for one in pages(
            session.ssm, "list_command_invocations", "CommandInvocations", CommandId=id, Details=True
        ):
            plugin = (one.get("CommandPlugins") or [{}])[0]
            details = str(one.get("StatusDetails") or one["Status"]).replace(" ", "")
            found[one["InstanceId"]] = _Answer(one["Status"], details, int(plugin.get("ResponseCode", -1)))
    except AwsFailure as error:
        raise said(error, f"ask how the command {id} went") from error
    return found


def _read(session: Session, bucket: Bucket, id: str, instance: str) -> tuple[str, str]:
    """Read all that a command printed on a machine."""
    try:
        told = session.ssm.get_command_invocation(CommandId=id, InstanceId=instance)
    except AwsFailure as error:
        raise said(error, f"read what the command {id} printed") from error
    found = {"stdout": told["StandardOutputContent"], "stderr": told["StandardErrorContent"]}
    for stream, limit in IN_LINE.items():
        if len(found[stream]) >= limit:
            key = f"{left_in(session)}/{id}/{instance}/awsrunShellScript/0.awsrunShellScript/{stream}"
            found[stream] = (bucket.get(key) or found[stream].encode()).decode(errors="replace")
    return found["stdout"], found["stderr"]


def _done(instance: str, answer: _Answer, out: str, err: str, timeout_s: float) -> CommandEnded:
    if answer.details in NOT_RUN:
        raise NotFound(f"the machine {instance} did not run the command: {answer.details}")
    if answer.status == "TimedOut":
        return CommandEnded(KILLED, out, f"{err}\nended after {timeout_s:g} s")
    return CommandEnded(answer.code, out, err)


def left_in(session: Session) -> str:
    """The folder of the bucket in which machines may leave what a command gives."""
    return names.cluster_prefix("_commands", session.home).rstrip("/")
