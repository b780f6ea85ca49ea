"""AWS asked as a program asks it: clients, waiting, a small network, commands and their results."""

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from tests.emulator import Emulator
from tests.emulator.calls import CALLER_KEY, REGION, SECRET

UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
PATIENCE = 5
"""How much longer it may take than on a computer that has nothing else to do."""
FINISHED = ("Success", "Failed", "TimedOut", "Cancelled")
TRUST = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", '
    '"Principal": {"Service": "ec2.amazonaws.com"}}]}'
)


_SIGNED = {"s3": "s3v4"}


@cache
def _client(url: str, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=CALLER_KEY,
        aws_secret_access_key=SECRET,
        config=Config(
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
            signature_version=_SIGNED.get(service),
        ),
    )


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """What the condition gives as soon as it is true."""
    give_up = time.monotonic() + max(PATIENCE * seconds, 60)
    while not (value := condition()):
        assert time.monotonic() < give_up, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return value


class Account:
    """An account on an emulator, asked without retries."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    def __getattr__(self, service: str) -> Any:
        return _client(
            self.emulator.url, {"cfn": "cloudformation", "quotas": "service-quotas"}.get(service, service)
        )

    def image(self) -> str:
        return str(self.ssm.get_parameter(Name=UBUNTU)["Parameter"]["Value"])

    def network(self) -> tuple[str, str]:
        """A network and a subnet in it: their ids."""
        vpc = self.ec2.create_vpc(CidrBlock="192.168.0.0/16")["Vpc"]["VpcId"]
        return vpc, self.ec2.create_subnet(
            VpcId=vpc, CidrBlock="192.168.0.0/24", AvailabilityZone="us-east-1a"
        )["Subnet"]["SubnetId"]

    def group(self, vpc: str, name: str, *rules: dict[str, Any]) -> str:
        group = self.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        if rules:
            self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=list(rules))
        return str(group)

    def profile(self, *statements: str) -> str:
        """An instance profile whose role may do this."""
        self.iam.create_role(RoleName="machine", AssumeRolePolicyDocument=TRUST)
        self.iam.create_instance_profile(InstanceProfileName="machine")
        self.iam.add_role_to_instance_profile(InstanceProfileName="machine", RoleName="machine")
        if statements:
            policy = f'{{"Version": "2012-10-17", "Statement": [{", ".join(statements)}]}}'
            self.iam.put_role_policy(RoleName="machine", PolicyName="own", PolicyDocument=policy)
        return "machine"

    def run(self, count: int = 1, user_data: str = "", **more: Any) -> list[dict[str, Any]]:
        """Instances of the smallest kind."""
        asked = {"ImageId": self.image(), "InstanceType": "t2.micro", "MinCount": count, "MaxCount": count}
        if user_data:
            asked["UserData"] = user_data
        return list(self.ec2.run_instances(**asked | more)["Instances"])

    def managed(self, count: int = 1, user_data: str = "", **more: Any) -> list[dict[str, Any]]:
        """Instances that take commands, once they do."""
        if not self.iam.list_instance_profiles()["InstanceProfiles"]:
            self.profile()
        made = self.run(count, user_data, IamInstanceProfile={"Name": "machine"}, **more)
        self.wait_online([i["InstanceId"] for i in made])
        return made

    def wait_online(self, ids: list[str]) -> None:
        until(lambda: set(ids) <= self.online(), 60, f"{ids} online")

    def online(self) -> set[str]:
        pages = self.ssm.get_paginator("describe_instance_information").paginate()
        return {i["InstanceId"] for page in pages for i in page["InstanceInformationList"]}

    def state(self, instance: str) -> str:
        found = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        return str(found["State"]["Name"])

    def wait_for(self, instance: str, state: str) -> None:
        until(lambda: self.state(instance) == state, 60, f"{instance} {state}")

    def send(self, ids: list[str], script: str, targets: Any = (), **more: Any) -> str:
        """Begin a command; gives its id."""
        limits = {
            key: [str(value)]
            for key, value in more.items()
            if key in ("executionTimeout", "workingDirectory")
        }
        others = {key: value for key, value in more.items() if key not in limits}
        where = {"Targets": targets} if targets else {"InstanceIds": ids}
        command = self.ssm.send_command(
            DocumentName="AWS-RunShellScript", Parameters={"commands": [script], **limits}, **where, **others
        )
        return str(command["Command"]["CommandId"])

    def results(self, command: str) -> dict[str, dict[str, Any]]:
        """What a command gave, by instance, once it has ended everywhere."""

        def finished() -> list[dict[str, Any]]:
            listed = self.ssm.list_command_invocations(CommandId=command)["CommandInvocations"]
            return listed if listed and all(i["Status"] in FINISHED for i in listed) else []

        ids = [i["InstanceId"] for i in until(finished, 60, f"the end of {command}")]
        return {i: self.ssm.get_command_invocation(CommandId=command, InstanceId=i) for i in ids}

    def do(self, instance: str, script: str, **more: Any) -> dict[str, Any]:
        """Run a script on one instance, to its end."""
        return self.results(self.send([instance], script, **more))[instance]

    def say(self, instance: str, script: str) -> str:
        """What a script that succeeds prints."""
        result = self.do(instance, script)
        assert result["Status"] == "Success", result
        return str(result["StandardOutputContent"]).strip()


def tcp(port: int, **source: Any) -> dict[str, Any]:
    """A rule of a security group."""
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}


EVERYBODY = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
SERVE = 'setsid "$WORKBENCH_MACHINE_ROOT/env/bin/python" -m http.server -b "$PRIVATE_IP" %d >served 2>&1 </dev/null &'
