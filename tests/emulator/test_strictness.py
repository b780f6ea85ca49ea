"""What AWS does not forgive, and the emulator does not either."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.emulator import Emulator
from tests.emulator.asking import Account, until
from tests.emulator.calls import Call
from tests.emulator.rates import LOOKING, OF_ACTION, Rates
from tests.emulator.test_emulator import refusal
from workbench.aws import policy

NO_ROLES = {"Effect": "Allow", "Action": ["ec2:*", "ssm:*"], "Resource": "*"}
SPOT: dict[str, Any] = {"InstanceMarketOptions": {"MarketType": "spot"}}
WHOLE = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def statements(*effects: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": effects})


def test_an_accounts_first_spot_machine_needs_the_right_to_make_the_role_for_it(
    still_emulator: Emulator,
) -> None:
    account = Account(still_emulator)
    still_emulator.policy(statements(NO_ROLES))
    asked = {"ImageId": "ami-1e749f67", "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1}
    code = "AuthFailure.ServiceLinkedRoleCreationNotPermitted"
    assert refusal(account.ec2.run_instances, **asked, **SPOT) == code
    account.run()
    still_emulator.policy(statements(WHOLE))
    account.run(**SPOT)
    still_emulator.policy(statements(NO_ROLES))
    account.run(**SPOT)  # the role stays


def test_our_own_policy_may_make_that_role() -> None:
    told = json.loads(policy.text())["Statement"]
    (spot,) = [one for one in told if one["Sid"] == "SpotRole"]
    assert spot["Action"] == ["iam:CreateServiceLinkedRole"]
    assert spot["Condition"] == {"StringEquals": {"iam:AWSServiceName": "spot.amazonaws.com"}}


def test_an_instance_that_ended_an_hour_ago_is_not_found(still_emulator: Emulator) -> None:
    account = Account(still_emulator)
    ended, lives = (one["InstanceId"] for one in account.run(2))
    account.ec2.terminate_instances(InstanceIds=[ended])
    account.wait_for(ended, "terminated")
    still_emulator.an_hour_later()
    assert refusal(account.ec2.describe_instances, InstanceIds=[ended]) == "InvalidInstanceID.NotFound"
    assert refusal(account.ec2.terminate_instances, InstanceIds=[ended]) == "InvalidInstanceID.NotFound"
    by_filter = [{"Name": "instance-id", "Values": [ended, lives]}]
    found = account.ec2.describe_instances(Filters=by_filter)["Reservations"]
    assert [one["InstanceId"] for r in found for one in r["Instances"]] == [lives]


def test_interfaces_have_the_tags_that_were_asked_for_them_and_no_others(still_emulator: Emulator) -> None:
    account = Account(still_emulator)
    ours = [{"Key": "project", "Value": "workbench"}]

    def tags_of_interface(*kinds: str) -> Sequence[dict[str, str]]:
        asked = [{"ResourceType": kind, "Tags": ours} for kind in kinds]
        [machine] = account.run(TagSpecifications=asked)
        id = machine["NetworkInterfaces"][0]["NetworkInterfaceId"]
        (one,) = account.ec2.describe_network_interfaces(NetworkInterfaceIds=[id])["NetworkInterfaces"]
        return list(one["TagSet"])

    assert tags_of_interface("instance", "volume") == []
    assert tags_of_interface("instance", "network-interface") == ours


def test_a_command_that_is_not_delivered_says_so_in_its_details(proc_emulator: Emulator) -> None:
    account = Account(proc_emulator)
    deaf, ends = (one["InstanceId"] for one in account.managed(2))
    for one in (deaf, ends):
        proc_emulator.deafen(one)
    told = account.send([deaf], "true", TimeoutSeconds=30)
    never = account.send([ends], "true", TimeoutSeconds=3600)
    account.ec2.terminate_instances(InstanceIds=[ends])
    result = account.results(told)[deaf]
    assert (result["Status"], result["StatusDetails"]) == ("TimedOut", "DeliveryTimedOut")
    result = account.results(never)[ends]
    assert (result["Status"], result["StatusDetails"]) == ("Failed", "Undeliverable")


def call(action: str) -> Call:
    return Call("ec2", action, "", "ec2")


def test_a_bucket_of_requests_empties_and_fills_again() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])
    assert not any(rates.refuses(call("RunInstances")) for _ in range(100)), "nothing is limited yet"
    rates.limit(True)
    most = OF_ACTION["RunInstances"]
    assert [rates.refuses(call("RunInstances")) for _ in range(7)] == [False] * 5 + [True] * 2
    assert not any(rates.refuses(call("DescribeSubnets")) for _ in range(int(LOOKING.at_once)))
    now[0] += 1
    assert [rates.refuses(call("RunInstances")) for _ in range(3)] == [False] * int(most.per_s) + [True]
    now[0] += 3600
    assert [rates.refuses(call("RunInstances")) for _ in range(7)] == [False] * 5 + [True] * 2


def test_what_comes_too_often_is_refused_in_ec2s_words(still_emulator: Emulator) -> None:
    account = Account(still_emulator)
    still_emulator.limit_rates()

    def code() -> str:
        try:
            account.ec2.start_instances(InstanceIds=["i-0"])
        except account.ec2.exceptions.ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    with ThreadPoolExecutor(20) as pool:  # so many that a busy computer, too, is faster than the bucket fills
        until(
            lambda: "RequestLimitExceeded" in pool.map(lambda _: code(), range(20)), 30, "the bucket is empty"
        )
