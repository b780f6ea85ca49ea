"""SSM: machines that are online, and a Run Command that really runs."""

import contextlib
import datetime
import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import moto.ssm.models as moto_ssm
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.s3.models import s3_backends
from moto.ssm.responses import SimpleSystemManagerResponse as Responses

from tests.emulator.calls import ACCOUNT
from tests.emulator.world import Machine, World

MOST_TARGETS = 50
"""Instances that one call may name."""
MOST_OUTPUT, MOST_ERRORS, MOST_LISTED = 24000, 8000, 2500
"""Characters that ``GetCommandInvocation`` and ``ListCommandInvocations`` give; S3 has all of it."""
FINISHED = ("Success", "Failed", "TimedOut", "Cancelled")
"""Statuses; ``Undeliverable`` and ``Terminated`` are details of ``Failed`` ones, ``DeliveryTimedOut`` of ``TimedOut``."""


class Refusal(ServiceException):
    """An error of SSM with its code and its words."""


class Agents:
    """What the agents on the machines do."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pool = ThreadPoolExecutor(128, thread_name_prefix="command")
        self.lock = threading.RLock()

    def online(self) -> list[Machine]:
        """The machines whose agent answers: running, and with a role that lets it."""
        return [
            m
            for m in list(self.world.machines.values())
            if m.online.is_set() and m.instance.iam_instance_profile
        ]

    def targets(self, command: Any) -> list[str]:
        """The instances that a command is for.

        Raises
        ------
        Refusal
            One that is named is not online, or too many are named.
        """
        online = {m.instance.id: m for m in self.online()}
        named = list(command.named_instances)
        if len(named) > MOST_TARGETS:
            raise Refusal(
                "ValidationException",
                f"1 validation error detected: Value at 'instanceIds' failed to satisfy constraint: Member must have "
                f"length less than or equal to {MOST_TARGETS}. Received: {len(named)}",
            )
        if unknown := [i for i in named if i not in online]:
            raise Refusal(
                "InvalidInstanceId",
                f"Instances {unknown} not in a valid state for account {command.account_id}",
            )
        if command.targets:
            named += [
                i for i, machine in online.items() if all(_matches(machine, t) for t in command.targets)
            ]
        return list(dict.fromkeys(named))

    def run(self, command: Any, invocation: dict[str, Any]) -> None:
        """Run the command on one machine, to its end."""
        if invocation["InstanceId"] in self.world.deaf:
            self._give_up(command, invocation)
        with self.lock:
            if invocation["Status"] != "Pending":
                return
            began = _now()
            invocation.update(
                Status="InProgress", StatusDetails="InProgress", ExecutionStartDateTime=began.isoformat()
            )
            command.refresh()
        code, out, err, status = self._execute(command, self.world.machines[invocation["InstanceId"]])
        with self.lock:
            if command.cancelled:
                status, code = "Cancelled", -1
            took = (_now() - began).total_seconds()
            invocation.update(
                ResponseCode=code,
                StandardOutputContent=out[:MOST_OUTPUT],
                StandardErrorContent=err[:MOST_ERRORS],
                ExecutionEndDateTime=_now().isoformat(),
                ExecutionElapsedTime=f"PT{took:.3f}S",
            )
        self._keep(command, invocation, out, err)
        with self.lock:
            invocation.update(
                Status=status, StatusDetails="ExecutionTimedOut" if status == "TimedOut" else status
            )
            command.refresh()

    def _give_up(self, command: Any, invocation: dict[str, Any]) -> None:
        """Let a command that is not delivered wait for its time, and end: undeliverable once its machine is gone."""
        give_up = time.monotonic() + float(command.timeout_seconds) * self.world.minute_s / 60
        machine, ended = self.world.machines[invocation["InstanceId"]], ("shutting-down", "terminated")
        while invocation["Status"] == "Pending" and time.monotonic() < give_up and machine.state not in ended:
            time.sleep(0.02)
        with self.lock:
            if invocation["Status"] == "Pending":
                gone = machine.state in ended
                status, details = ("Failed", "Undeliverable") if gone else ("TimedOut", "DeliveryTimedOut")
                invocation.update(Status=status, StatusDetails=details)
                command.refresh()

    def _execute(self, command: Any, machine: Machine) -> tuple[int, str, str, str]:
        if not machine.sandbox:
            return 0, "", "", "Success"
        told = command.parameters
        lines = "\n".join(told.get("commands", []))
        folder = (told.get("workingDirectory") or [""])[0]
        limit_s = float((told.get("executionTimeout") or ["3600"])[0])
        here = 'cd "$1" || exit 255; shift; ' if folder else ""
        try:
            process = machine.sandbox.popen(
                ["/bin/sh", "-c", f"{here}{lines}", "sh", *([folder] if folder else [])],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            return -1, "", str(error), "Failed"
        machine.sandbox.commands[command.command_id] = process
        if command.cancelled:  # before there was anything to kill
            _kill(process)
        try:
            out, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            _kill(process)
            out, err = process.communicate()
            return 137, out, err, "TimedOut"
        finally:
            machine.sandbox.commands.pop(command.command_id, None)
        return process.returncode, out, err, "Failed" if process.returncode else "Success"

    def _keep(self, command: Any, invocation: dict[str, Any], out: str, err: str) -> None:
        if not command.output_s3_bucket_name:
            return
        parts = (
            command.output_s3_key_prefix,
            command.command_id,
            invocation["InstanceId"],
            "awsrunShellScript",
        )
        folder = "/".join(part for part in (*parts, "0.awsrunShellScript") if part)
        for name, text in (("stdout", out), ("stderr", err)):
            if text:
                self.world.put_object(command.output_s3_bucket_name, f"{folder}/{name}", text.encode())


def install(world: World) -> Agents:
    """Put the hooks into moto; once a process."""
    agents = Agents(world)
    world.put_object = _put_object
    _run_really(agents)
    _list(agents)
    return agents


def _put_object(bucket: str, key: str, body: bytes) -> None:
    s3_backends[ACCOUNT]["aws"].put_object(bucket, key, body)


def _run_really(agents: Agents) -> None:
    class Command(moto_ssm.Command):
        __module__ = "moto.ssm.models"  # moto resets what it finds under this name

        def __init__(self, *args: Any, **asked: Any) -> None:
            self.named_instances = list(asked.pop("instance_ids", None) or [])
            targets = asked.pop("targets", None) or []
            if asked.get("document_name") != "AWS-RunShellScript":
                raise Refusal("InvalidDocument", f"The document {asked.get('document_name')} does not exist.")
            # moto takes a command without targets for one to every instance, so it is told of none.
            super().__init__(  # type: ignore[misc]
                *args, instance_ids=["i-0"], targets=[{"Key": "instance-id", "Values": ["i-0"]}], **asked
            )
            self.targets = targets
            self.cancelled = False
            self.instance_ids = agents.targets(self)
            self.invocations = []
            for instance in self.instance_ids:
                invocation = self.invocation_response(instance, "aws:runShellScript")
                invocation.update(Status="Pending", StatusDetails="Pending", ResponseCode=-1)
                invocation.update(ExecutionEndDateTime="", ExecutionElapsedTime="")
                self.invocations.append(invocation)
            self.refresh()
            for invocation in self.invocations:
                agents.pool.submit(agents.run, self, invocation)

        def refresh(self) -> None:
            """The whole command's state follows from those of the machines."""
            states = [i["Status"] for i in self.invocations]
            self.target_count = len(states)
            self.completed_count = sum(s in FINISHED for s in states)
            self.error_count = sum(s in FINISHED and s != "Success" for s in states)
            if self.completed_count < self.target_count:
                self.status = "Pending" if set(states) == {"Pending"} else "InProgress"
            else:
                bad = [s for s in ("Cancelled", "TimedOut", "Failed") if s in states]
                self.status = bad[0] if bad else "Success"
            self.status_details = self.status

    moto_ssm.Command = Command  # type: ignore[misc]

    def cancel_command(self: Any) -> ActionResult:
        command = self.ssm_backend.get_command_by_id(self._get_param("CommandId"))
        wanted = self._get_param("InstanceIds") or command.instance_ids
        with agents.lock:
            command.cancelled = True
            for invocation in command.invocations:
                if invocation["InstanceId"] in wanted and invocation["Status"] == "Pending":
                    invocation.update(Status="Cancelled", StatusDetails="Cancelled")
            command.refresh()
        for instance in wanted:
            sandbox = agents.world.machines[instance].sandbox
            if sandbox and (process := sandbox.commands.get(command.command_id)):
                _kill(process)
        return ActionResult({})

    Responses.cancel_command = cancel_command  # type: ignore[attr-defined]


def _list(agents: Agents) -> None:
    def list_command_invocations(self: Any) -> ActionResult:
        wanted, instance = self._get_param("CommandId"), self._get_param("InstanceId")
        found = [
            _invocation(command, invocation, bool(self._get_param("Details")))
            for command in self.ssm_backend._commands
            if wanted in (None, command.command_id)
            for invocation in command.invocations
            if instance in (None, invocation["InstanceId"])
        ]
        return _page(self, "CommandInvocations", found)

    def list_commands(self: Any) -> ActionResult:
        found = self.ssm_backend.list_commands(self._get_param("CommandId"), self._get_param("InstanceId"))
        return _page(self, "Commands", [command.response_object() for command in found])

    def describe_instance_information(self: Any) -> ActionResult:
        filters = [(f["Key"], f["Values"]) for f in self._get_param("Filters") or []]
        filters += [(f["key"], f["valueSet"]) for f in self._get_param("InstanceInformationFilterList") or []]
        found = [
            {
                "InstanceId": machine.instance.id,
                "PingStatus": "Online",
                "LastPingDateTime": _now().timestamp(),
                "PlatformType": "Linux",
                "PlatformName": "Ubuntu",
                "PlatformVersion": "24.04",
                "AgentVersion": "3.3.0.0",
                "IsLatestVersion": True,
                "IPAddress": machine.instance.private_ip,
                "ResourceType": "EC2Instance",
            }
            for machine in agents.online()
            if all(_matches(machine, {"Key": key, "Values": values}) for key, values in filters)
        ]
        return _page(self, "InstanceInformationList", found)

    Responses.list_command_invocations = list_command_invocations  # type: ignore[attr-defined]
    Responses.list_commands = list_commands  # type: ignore[method-assign]
    Responses.describe_instance_information = describe_instance_information  # type: ignore[attr-defined]


def _invocation(command: Any, invocation: dict[str, Any], details: bool) -> dict[str, Any]:
    told = {
        "CommandId": command.command_id,
        "InstanceId": invocation["InstanceId"],
        "Comment": command.comment,
        "DocumentName": command.document_name,
        "RequestedDateTime": command.requested_date_time,
        "Status": invocation["Status"],
        "StatusDetails": invocation["StatusDetails"],
        "CommandPlugins": [],
    }
    if details:
        plugin = {k: invocation[k] for k in ("Status", "StatusDetails", "ResponseCode")}
        output = invocation["StandardOutputContent"][:MOST_LISTED]
        told["CommandPlugins"] = [{"Name": "aws:runShellScript", "Output": output, **plugin}]
    return told


def _page(response: Any, key: str, found: list[Any]) -> ActionResult:
    most = int(response._get_param("MaxResults") or 50)
    start = int(response._get_param("NextToken") or 0)
    told: dict[str, Any] = {key: found[start : start + most]}
    if start + most < len(found):
        told["NextToken"] = str(start + most)
    return ActionResult(told)


def _matches(machine: Machine, target: dict[str, Any]) -> bool:
    key, values = target["Key"], target["Values"]
    if key.lower() in ("instanceids", "instance-id"):
        return machine.instance.id in values
    if key == "PingStatus":
        return "Online" in values
    if key.startswith("tag:"):
        tags = machine.instance.ec2_backend.tags.get(machine.instance.id, {})
        return tags.get(key[4:]) in values
    if key == "ResourceType":
        return "EC2Instance" in values or "ManagedInstance" in values
    raise Refusal("InvalidFilterKey", f"The specified key is not valid: {key}")


def _kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
